"""The database: made from nothing, by several at once; its errors in our words; any value survives it."""

from __future__ import annotations

import gc
import os
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from math import inf

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import MetaData, Table, event, insert

from ttc_core.errors import StoreBusy, StoreFault, UserError
from ttc_core.settings import REPOSITORY
from ttc_core.store import database as database_module
from ttc_core.store import leases, migrate, repository, trees
from ttc_core.store.columns import (
    escape,
    pack_floats,
    pack_long,
    pack_marked,
    pack_tokens,
    unescape,
    unpack_floats,
    unpack_long,
    unpack_marked,
    unpack_tokens,
)
from ttc_core.store.database import Database
from ttc_core.store.rows import spec_row, usage_row
from ttc_core.store.schema import Base
from ttc_core.types import NO_USAGE, Node, RunSpec

SPEC = RunSpec("How many?", "beam_search", 4, temperature=1.0)


@pytest.fixture
def db(tmp_path):
    db = Database(f"sqlite:///{tmp_path / 'x.db'}")
    migrate.ensure(db)
    yield db
    db.close()


def test_migrations_make_exactly_the_schema(db):
    with db.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    assert ScriptDirectory(str(REPOSITORY / "ttc_core/store/migrations")).get_current_head() == migrate.HEAD


def test_ensure_is_idempotent_and_fills_only_a_new_database(tmp_path):
    db, filled = Database(f"sqlite:///{tmp_path / 'x.db'}"), []
    (tmp_path / "x.db").touch()  # an empty file is a new database too
    assert migrate.ensure(db, filled.append) is True
    assert migrate.ensure(db, filled.append) is False
    assert len(filled) == 1


def test_a_failed_creation_leaves_nothing(tmp_path):
    db = Database(f"sqlite:///{tmp_path / 'x.db'}")

    def broken(connection):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        migrate.ensure(db, broken)
    assert migrate.ensure(db) is True


def test_processes_that_start_together_create_it_once(tmp_path):
    code = (
        "import sys, time; from ttc_core.store import migrate; from ttc_core.store.database import Database;"
        "from alembic import command; time.sleep(max(0, float(sys.argv[2]) - time.time()));"
        "print(migrate.ensure(Database(sys.argv[1])))"
    )
    url, at = f"sqlite:///{tmp_path / 'x.db'}", str(time.time() + 2.5)
    started = [
        subprocess.Popen([sys.executable, "-c", code, url, at], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert sorted(p.communicate(timeout=60)[0].strip() for p in started) == ["False", "False", "True"]


def test_threads_that_start_together_create_it_once(tmp_path):
    for i in range(5):
        url = f"sqlite:///{tmp_path / f'{i}.db'}"
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda _, url=url: migrate.ensure(Database(url)), range(4)))
        assert made.count(True) == 1


def test_settings_of_the_file(db):
    with db.write() as connection:
        for pragma, value in {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "auto_vacuum": 2}.items():
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value
    with db.read() as connection, pytest.raises(sqlite3.OperationalError):
        connection.connection.cursor().execute("DELETE FROM runs")


def test_a_newer_schema_is_refused(db):
    with db.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreFault, match="9999"):
        migrate.ensure(db)


def put_as_it_was(connection, name, row):
    """Insert what of a row the table has columns for today, whatever `schema.py` says."""
    table = Table(name, MetaData(), autoload_with=connection)
    connection.execute(insert(table), {key: value for key, value in row.items() if key in table.c})
    return set(row) - set(table.c.keys())


def row_before_0009(node):
    """Words for states, the parent's id only where the own one does not tell it, and all scores of a path."""
    above = node.path_scores[: max(0, len(node.path_scores) - len(node.scores))]
    shared = node.path_scores == above + node.scores
    packed = pack_floats(node.scores, above if shared else node.path_scores, node.carry, () if shared else (1.0,))
    lists = {"tokens": pack_tokens(node.tokens), "scores": packed, "confidences": pack_long(node.confidences)}
    row = {"run": 1, "revision": 1, **asdict(node), "parent": None, **lists}
    return {name: value for name, value in row.items() if name not in ("path_scores", "carry")}


def test_a_database_of_the_first_schema_is_brought_up_to_date(tmp_path):
    """What it holds stays, and what it could not hold is empty."""
    db = Database(f"sqlite:///{tmp_path / 'x.db'}")
    same = {"text": "step\n", "finish": "step", "spec": "step:1:1"}
    found = (
        Node("r.0", "r", tokens=(1, 2, 300), logprob=-0.5, scores=(0.25,), path_scores=(0.25,), state="kept", **same),
        Node("r.0.0", "r.0", scores=(0.5,), path_scores=(0.25, 0.5), carry=(7.0,), why="same step as r.0.1", **same),
        Node("r.0.1", "r.0", scores=(0.5,), path_scores=(0.75, 0.5), **same | {"finish": "end", "spec": "end:0.5"}),
        Node("r.0.2", "r.0", scores=(0.5,), path_scores=(), state="failed", **same),
        Node("r.0.3", "r.0", **same),
    )
    run = {"key": 1, "id": "old", "created": 1.0, "status": "done", **spec_row(SPEC), **usage_row(NO_USAGE)}
    run |= {"revision": 1, "nodes": 1, "epoch": 0, "stop_requested": False, "error": "", "hint": ""}
    with db.write() as connection:
        migrate.upgrade(connection, None, "0001")
        assert put_as_it_was(connection, "runs", {**run, "has_outcome": False, "excluded": 0}) == {"grader", "prefix"}
        for node in found:
            assert put_as_it_was(connection, "nodes", row_before_0009(node)) == {"confidences"}
    filled = []
    assert migrate.ensure(db, filled.append) is False and not filled
    with db.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    assert repository.get(db, "old").spec == SPEC
    assert repository.tree(db, "old").nodes == found
    repository.extend(db, "old", 8)
    [claim] = leases.claim(db, "w", 1)
    assert claim.nodes == found
    sure = replace(found[0], id="r.1", confidences=(1.5, 20.25))
    leases.commit(db, [leases.Change(claim.lease, [sure])])
    assert repository.tree(db, "old").nodes == (*found, sure)


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "oracle9://x/y"])
def test_unusable_urls(url):
    with pytest.raises(UserError):
        Database(url)


def test_missing_folder_and_folder_as_file(tmp_path):
    with pytest.raises(UserError, match="no-such"):
        Database(f"sqlite:///{tmp_path}/no-such/x.db")
    with pytest.raises(UserError, match="is a folder"):
        Database(f"sqlite:///{tmp_path}")


def test_locked_is_busy(db, monkeypatch):
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.05)
    impatient = Database(str(db.url))
    with db.write(), pytest.raises(StoreBusy):
        repository.add(impatient, "a", SPEC)
    repository.add(impatient, "a", SPEC)
    with db.write():
        assert repository.get(impatient, "a").status == "pending"  # readers never wait for a writer


def test_no_database_at_all(tmp_path):
    (tmp_path / "x.db").write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(StoreFault, match="not a database"):
        migrate.ensure(Database(f"sqlite:///{tmp_path / 'x.db'}"))


def test_disk_full_leaves_no_partial_write(db):
    repository.add(db, "a", SPEC)
    leases.enrol(db, "w", "worker", os.getpid())
    [claim] = leases.claim(db, "w", 1)
    with db.write() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    db.close()

    @event.listens_for(db._writer, "connect")
    def small(connection, _record):
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")

    big = [Node(f"r.{i}", "r", "x" * 10_000, "end") for i in range(10)]
    with pytest.raises(StoreFault, match="full"):
        leases.commit(db, [leases.Change(claim.lease, big)])
    assert repository.tree(db, "a").nodes == ()
    assert repository.get(db, "a").revision == 1


def test_read_only_file(db, tmp_path):
    repository.add(db, "a", SPEC)
    db.close()
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    read_only = Database(str(db.url))

    @event.listens_for(read_only._writer, "connect")
    def refuse(connection, _record):
        connection.execute("PRAGMA query_only = ON")  # root may write any file, so permissions cannot be used here

    with pytest.raises(StoreFault, match="read-only"):
        repository.add(read_only, "b", SPEC)


def test_damage_is_a_fault(db, tmp_path):
    for i in range(50):
        repository.add(db, f"a{i}", RunSpec("x" * 2000, "s", 1))
    db.close()
    raw = bytearray((tmp_path / "x.db").read_bytes())
    for page in range(4096, len(raw), 4096):
        raw[page : page + 200] = b"\xff" * 200
    (tmp_path / "x.db").write_bytes(raw)
    with pytest.raises(StoreFault, match="damaged"):
        repository.listing(db, {})


# --- any value -------------------------------------------------------------------------------------------------------

any_text = st.text(st.characters(exclude_categories=()), max_size=60) | st.sampled_from(
    ["", "\x00", "\ud800", "\udfff\ud800", "\x10", "\x10" + "0000", "\U0001f600", "a\r\nb", "'; DROP TABLE runs; --"]
)
numbers = st.floats(allow_nan=False)


@given(any_text)
def test_escaping_loses_nothing_and_is_storable(text):
    assert unescape(escape(text)) == text
    assert "\x00" not in escape(text)
    escape(text).encode("utf-8")


@given(st.lists(st.integers(0, 2**64 - 1)) | st.lists(st.integers(0, 300)))
def test_tokens(ids):
    assert unpack_tokens(pack_tokens(ids)) == tuple(ids)


def test_small_vocabularies_take_a_byte_a_token():
    assert len(pack_tokens([255] * 100)) == 101


@given(st.lists(st.lists(numbers, max_size=5), min_size=1, max_size=4))
def test_floats(lists):
    assert unpack_floats(pack_floats(*lists), len(lists)) == tuple(map(tuple, lists))


@given(st.integers(0, 127), st.lists(st.lists(numbers, max_size=5) | st.just([0.5] * 256), min_size=2, max_size=4))
def test_marked_floats(mark, lists):
    assert unpack_marked(pack_marked(mark, *lists), len(lists)) == (mark, *map(tuple, lists))


@given(st.lists(numbers) | st.integers(65_535, 66_000).map(lambda n: [0.5] * n))
def test_long_lists_of_floats(values):
    assert unpack_long(pack_long(values)) == tuple(values)


@st.composite
def node_values(draw):
    scores = tuple(draw(st.lists(numbers, max_size=4)))
    above = tuple(draw(st.lists(numbers, max_size=4)))
    return Node(
        id=draw(st.sampled_from(["r.0", "r.1.2", "r.10"])),
        parent=draw(st.sampled_from(["r", "r.1", "elsewhere", ""])),
        text=draw(any_text),
        finish=draw(st.sampled_from(["step", "end", "length", "error"])),
        tokens=tuple(draw(st.lists(st.integers(0, 70_000), max_size=8))),
        steps=draw(st.integers(0, 50)),
        answer=draw(st.none() | any_text),
        logprob=draw(st.none() | numbers | st.just(-inf)),
        scores=scores,
        path_scores=draw(st.sampled_from([above + scores, above, ()])),
        carry=tuple(draw(st.lists(numbers, max_size=3))),
        confidences=tuple(draw(st.lists(numbers, max_size=5))),
        state=draw(st.sampled_from(["open", "kept", "pruned", "final", "failed"])),
        why=draw(any_text),
        spec=draw(any_text),
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(node=node_values(), question=any_text, gold=st.none() | any_text)
def test_any_run_and_node_come_back(db, node, question, gold):
    spec = RunSpec(question, "s", 3, answer=gold, params={"a": 0.1, "b": "x\ud800", "c": True}, temperature=0.7)
    repository.add(db, "run", spec)
    [claim] = leases.claim(db, "w", 1)
    leases.commit(db, [leases.Change(claim.lease, [node], end=leases.End("failed", error=question))])
    view = repository.get(db, "run")
    assert (view.spec, view.error) == (spec, question)
    assert repository.tree(db, "run").nodes == (node,)
    assert repository.remove(db, ["run"]) == 1


def test_a_megabyte_of_text(db):
    text = "\x00\ud800\U0001f600x" * 250_000
    repository.add(db, "run", SPEC)
    [claim] = leases.claim(db, "w", 1)
    leases.commit(db, [leases.Change(claim.lease, [Node("r.0", "r", text, "end")])])
    assert repository.tree(db, "run").nodes[0].text == text


@st.composite
def batches(draw):
    """A tree as a search records it, in batches: a parent before its children, scored before them, states changing."""
    made, found = {"r": None}, []
    for _ in range(draw(st.integers(1, 5))):
        batch = {}
        for _ in range(draw(st.integers(1, 5))):
            above = draw(st.sampled_from(sorted(made)))
            node_id = f"{above}.{draw(st.sampled_from(['0', '1', '10', 'x0']))}"
            if node_id in made:
                node = replace(made[node_id], state=draw(st.sampled_from(["kept", "pruned"])))
            else:
                over, scores = made[above], draw(st.sampled_from([(), (0.5,), (0.25, 0.5)]))
                path = (over.path_scores if over else ()) + scores
                path = draw(st.sampled_from([path, path, scores, (0.125,), ()]))
                why = draw(st.sampled_from(["", f"same step as {above}.7", f"{above}. and r.0", "0010.\x10.\x100010."]))
                spec = draw(st.sampled_from(["step:1:1", "end:1", ""]))
                parent, carry = (
                    draw(st.sampled_from([above, above, "r.elsewhere"])),
                    draw(st.sampled_from([(), (1.0,)])),
                )
                rest = {"scores": scores, "path_scores": path, "carry": carry, "why": why, "spec": spec}
                node = Node(node_id, parent, "t", "step", **rest)
            made[node_id] = batch[node_id] = node
        found.append(list(batch.values()))
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(found=batches(), asked=st.sampled_from([0, 500]), known=st.booleans())
def test_a_tree_comes_back_whole_and_in_parts_however_it_was_written(db, monkeypatch, found, asked, known):
    monkeypatch.setattr(trees, "MOST_ASKED", asked)
    repository.add(db, "run", SPEC)
    [claim] = leases.claim(db, "w", 1)
    now, revisions = {}, []
    for batch in found:
        revisions.append(repository.get(db, "run").revision)
        leases.commit(db, [leases.Change(claim.lease, batch, recorded=dict(now) if known else {})])
        now |= {node.id: node for node in batch}
    assert {node.id: node for node in repository.tree(db, "run").nodes} == now
    for i, since in enumerate(revisions):
        later = {node.id for batch in found[i:] for node in batch}
        assert {node.id: node for node in repository.tree(db, "run", since).nodes} == {id: now[id] for id in later}
    repository.remove(db, ["run"])


def test_what_a_row_leaves_to_the_one_above_it(db):
    """A beam's node holds its score, a mark and two lengths, no more; its spec and its siblings' ids are short."""
    repository.add(db, "run", SPEC)
    [claim] = leases.claim(db, "w", 1)
    spec = {"spec": "step:1:1", "finish": "step", "text": "t"}
    first = Node("r.0", "r", scores=(0.5,), path_scores=(0.5,), **spec)
    below = Node("r.0.1", "r.0", scores=(0.25,), path_scores=(0.5, 0.25), why="same step as r.0.0", **spec)
    leases.commit(db, [leases.Change(claim.lease, [first])])
    leases.commit(db, [leases.Change(claim.lease, [below], recorded={"r.0": first})])
    with db.read() as connection:
        row = connection.exec_driver_sql("SELECT length(scores), spec, why FROM nodes WHERE id = 'r.0.1'").one()
    assert row == (3 + 8, None, "same step as \x10.0")
    assert repository.tree(db, "run").nodes == (first, below)


def test_nothing_is_left_to_a_row_that_may_come_later(db):
    """A node whose parent is not stored keeps its spec and its scores when one comes that has others."""
    repository.add(db, "run", SPEC)
    [claim] = leases.claim(db, "w", 1)
    text = {"finish": "step", "text": "t"}
    lone = Node("r.0.1", "r.0", scores=(0.25,), path_scores=(0.5, 0.25), spec="step:1:1", **text)
    leases.commit(db, [leases.Change(claim.lease, [lone])])
    late = Node("r.0", "r", scores=(0.125,), path_scores=(0.125,), spec="step:1:0.7", **text)
    leases.commit(db, [leases.Change(claim.lease, [late])])
    assert repository.tree(db, "run").nodes == (late, lone)


def test_a_tree_that_would_not_fit_into_memory_is_refused(db, monkeypatch):
    monkeypatch.setattr(trees, "MOST_SCORES", 5)
    repository.add(db, "run", SPEC)
    [claim] = leases.claim(db, "w", 1)
    nodes = [Node("r.0", "r", "", "step", scores=(0.5,) * 3, path_scores=(0.5,) * 3)]
    nodes.append(Node("r.0.0", "r.0", "", "step", scores=(0.5,), path_scores=(0.5,) * 4))
    leases.commit(db, [leases.Change(claim.lease, nodes[:1])])
    assert repository.tree(db, "run").nodes == (nodes[0],)
    leases.commit(db, [leases.Change(claim.lease, nodes[1:], recorded={"r.0": nodes[0]})])
    with pytest.raises(StoreFault, match="more than 5 scores"):
        repository.tree(db, "run")


def test_threads_that_read_trees_leave_the_collector_as_it_was():
    def reading(_):
        for _ in range(2000):
            with trees._uncollected:
                assert not gc.isenabled()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(reading, range(4)))
    assert gc.isenabled()


def test_paths_sort_like_a_tree(db):
    ids = ["r.10", "r.2", "r.2.0", "r", "r.2.11", "r.2.3"]
    ids += ["r.2.b", "r.2.ab", "r.2.3.0", "r.2.b.0", "r." + ".".join(["0"] * 3000)]
    wanted = ["r", ids[-1], "r.2", "r.2.0", "r.2.3", "r.2.3.0", "r.2.11", "r.2.ab", "r.2.b", "r.2.b.0", "r.10"]
    repository.add(db, "run", SPEC)
    [claim] = leases.claim(db, "w", 1)
    leases.commit(db, [leases.Change(claim.lease, [Node(id, "", "", "step") for id in ids])])
    assert [node.id for node in repository.tree(db, "run").nodes] == wanted
