"""Databases of every schema version; `db check`, `db vacuum`, `db copy`."""

from __future__ import annotations

import gzip
import json

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from tests.data.schemas import make
from tests.unit.test_studies import COSTS, add, carry_out
from ttc_core import __main__ as command_line
from ttc_core import runs, studies
from ttc_core.bench.searches import POLICY, ScriptedBackend
from ttc_core.errors import StoreBusy, StoreFault, UnknownName, UserError
from ttc_core.store import database as database_module
from ttc_core.store import migrate, upkeep
from ttc_core.store.database import Database, database
from ttc_core.store.schema import Base

CAPACITY = 16  # samples that the scripted engine has in flight at most
VERSIONS = [path.name[:4] for path in make.revisions()]
OLD = sorted(path.name[:4] for path in make.HERE.glob("*.db.gz"))


@pytest.fixture(params=OLD)
def old(request, tmp_path):
    """A database as the program of that schema version wrote it, and the version."""
    path = tmp_path / "old.db"
    path.write_bytes(gzip.decompress((make.HERE / f"{request.param}.db.gz").read_bytes()))
    db = Database(f"sqlite:///{path}")
    yield db, request.param
    db.close()


@pytest.fixture
def filled(tmp_path):
    """URL of a SQLite file with a finished study and one that has just begun."""
    url = f"sqlite:///{tmp_path / 'filled.db'}"
    runs.ensure_database(db=url)
    carry_out(url, add(url))
    add(url, "begun")
    yield url
    database(url).close()


def test_there_is_a_database_of_every_schema_version_before_this_one():
    assert set(VERSIONS) - {migrate.HEAD} <= set(OLD), "python tests/data/schemas/make.py makes what is missing"


def test_a_database_of_each_version_opens_and_lists_what_it_holds(old):
    db, version = old
    before = upkeep.check(db)
    assert (before["schema"], before["fine"], before["integrity"]) == (version, True, "ok")
    assert upkeep.check(db) == before  # looking changes nothing
    assert migrate.ensure(db) is False
    with db.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    after, url = upkeep.check(db), str(db.url)
    assert after["fine"] and after["schema"] == migrate.HEAD
    assert {name: after["rows"][name] for name in before["rows"]} == before["rows"]
    listed = runs.listing(db=url, limit=100)
    assert listed.total == before["rows"]["runs"] >= 2
    for view in listed.rows:
        found = runs.nodes(view.id, db=url).nodes
        assert view.status == "done" and len(found) == view.nodes > 0 and runs.get(view.id, db=url).outcome is not None
    known = [view.id for view in studies.listing(db=url)]
    assert known == (["old"] if version >= "0004" else [])
    for study in known:
        frame = studies.outcomes(study, db=url)
        assert len(frame) == 4 and studies.progress(study, db=url).status == "done"
        assert studies.pool(study, db=url).valid.all()
        kept = set(frame["run"].dropna())
        assert kept and all(runs.nodes(run, db=url).nodes for run in kept)


def test_an_old_database_is_copied_without_being_changed(old, tmp_path):
    db, version = old
    target = Database(f"sqlite:///{tmp_path / 'new.db'}")
    rows = upkeep.copy(db, target)
    assert rows["runs"] == upkeep.check(target)["rows"]["runs"] >= 2
    assert upkeep.check(db)["schema"] == version and upkeep.check(target)["schema"] == migrate.HEAD


# --- check, vacuum, copy ---------------------------------------------------------------------------------------------


def test_a_copy_holds_everything_and_goes_on(filled, any_url):
    source, target = database(filled), database(any_url)
    counted = upkeep.copy(source, target)
    assert counted["outcomes"] == 84 and counted["units"] == 24
    there = upkeep.check(target)
    assert there["fine"] and {n: k for n, k in there["rows"].items() if n in counted} == counted
    assert studies.describe("s", db=any_url) == studies.describe("s", db=filled)
    assert studies.outcomes("s", db=any_url).equals(studies.outcomes("s", db=filled))
    kept = list(studies.outcomes("s", db=filled)["run"].dropna())
    assert runs.nodes(kept[0], db=any_url) == runs.nodes(kept[0], db=filled)
    assert carry_out(any_url, "begun").status == "done"  # new rows get numbers of their own
    begun = studies.outcomes("begun", db=any_url)
    assert begun["answer"].equals(studies.outcomes("s", db=any_url)["answer"])
    with pytest.raises(UserError, match="not empty: it has .*outcomes"):
        upkeep.copy(source, target)
    assert upkeep.check(target)["fine"]


def test_a_copy_that_fails_leaves_nothing_and_can_be_repeated(filled, any_url, monkeypatch):
    source, target = database(filled), database(any_url)
    with monkeypatch.context() as patch:
        plain, done = upkeep.transfer._plain, []

        def failing(here, there, of, *rest):
            if len(done) > 6:
                raise StoreFault("the disk is full")
            done.append(of.name)
            return plain(here, there, of, *rest)

        patch.setattr(upkeep.transfer, "_plain", failing)
        with pytest.raises(StoreFault):
            upkeep.copy(source, target)
    assert set(upkeep.check(target)["rows"].values()) == {0}
    assert upkeep.copy(source, target)["outcomes"] == 84


def test_one_study_is_copied_beside_others(filled, any_url):
    add(any_url, "here-before")
    assert upkeep.copy(database(filled), database(any_url), "s") == {"studies": 1}
    assert (
        studies.outcomes("s", db=any_url)
        .drop(columns="run")
        .equals(studies.outcomes("s", db=filled).drop(columns="run"))
    )
    with pytest.raises(UserError, match="'s' already"):
        upkeep.copy(database(filled), database(any_url), "s")
    with pytest.raises(UnknownName, match="'nope'"):
        upkeep.copy(database(filled), database(any_url), "nope")


def test_a_row_without_what_it_refers_to_is_found(filled):
    db = database(filled)
    db.alone("PRAGMA foreign_keys = OFF; DELETE FROM runs WHERE id LIKE '%'; PRAGMA foreign_keys = ON")
    db.alone("UPDATE units SET method = 999 WHERE key = 1")
    found = upkeep.check(db)
    assert not found["fine"] and found["integrity"] == "ok"
    wrong = {name for name, n in found["orphans"].items() if n}
    assert wrong == {"nodes.run", "candidates.run", "units.method"}


def test_damage_is_found(filled, tmp_path):
    db = database(filled)
    db.alone("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    raw = bytearray((tmp_path / "filled.db").read_bytes())
    raw[-3 * 4096 : -4096] = b"\xff" * 2 * 4096
    (tmp_path / "filled.db").write_bytes(raw)
    found = upkeep.check(db)
    assert not found["fine"] and found["integrity"] != "ok"


def test_a_vacuum_waits_for_nobody_forever(filled, monkeypatch):
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.05)
    impatient = Database(filled)
    with database(filled).write(), pytest.raises(StoreBusy):
        upkeep.vacuum(impatient)
    done = upkeep.vacuum(impatient)
    assert 0 < done["after"] <= done["before"] and upkeep.check(impatient)["free_bytes"] == 0
    impatient.close()


def test_what_is_no_database(tmp_path):
    absent = Database(f"sqlite:///{tmp_path / 'absent.db'}")
    for verb in (upkeep.check, upkeep.vacuum, lambda db: upkeep.copy(db, Database(f"sqlite:///{tmp_path / 'x.db'}"))):
        with pytest.raises(UserError, match="there is no database"):
            verb(absent)
    assert not (tmp_path / "absent.db").exists() and not (tmp_path / "x.db").exists()


def test_the_verbs(filled, tmp_path, capsys):
    def ttc(*words):
        code = command_line.main(["db", *words])
        return code, capsys.readouterr()

    code, out = ttc("check", filled, "--json")
    assert code == 0 and json.loads(out.out)["rows"]["studies"] == 2
    code, out = ttc("check", filled)
    assert code == 0 and out.out.startswith("sound") and "2 rows" in out.out
    copied = f"sqlite:///{tmp_path / 'copied.db'}"
    code, out = ttc("copy", copied, "--db", filled, "--json")
    assert code == 0 and json.loads(out.out)["rows"]["studies"] == 2
    assert ttc("vacuum", copied)[0] == 0
    for words, says in (
        (["copy", filled, copied], "not empty"),
        (["copy"], "name the database to copy into"),
        (["copy", filled, filled], "the same database"),
        (["check", filled, copied], "takes no further URL"),
        (["check", "--study", "s"], "takes no --study"),
        (["copy", filled, f"sqlite:///{tmp_path}/no/x.db"], "does not exist"),
    ):
        code, out = ttc(*words)
        assert code == 2 and says in out.err and out.out == ""


def test_studies_with_the_same_keys_meet_in_one_database_and_go_on_there(tmp_path, any_url):
    """Two databases number their studies alike; each was left in the middle of its searches."""
    added = add(any_url, "calm")
    wanted, all_of_it = sampled(any_url, added)
    for name in ("first", "second"):
        source = f"sqlite:///{tmp_path / name}.db"
        runs.ensure_database(db=source)
        turns = iter(range(60))
        _, begun = sampled(source, add(source, name), until=lambda turns=turns: next(turns, None) is None)
        assert begun > 2 * CAPACITY and runs.listing(db=source, status="running").total > 0  # searches under way
        upkeep.copy(database(source), database(any_url), name)
        database(source).close()
    for name in ("first", "second"):
        found, again = sampled(any_url, name)
        assert found.equals(wanted) and all_of_it <= begun + again <= all_of_it + CAPACITY  # those in flight
    assert runs.listing(db=any_url, status="running").total == 0
    kept = [set(studies.outcomes(name, db=any_url)["run"].dropna()) for name in ("calm", "first", "second")]
    assert all(kept) and len(set.union(*kept)) == sum(map(len, kept))
    assert upkeep.check(database(any_url))["fine"]


def sampled(url, name, **options):
    """What came of a study, and how many samples were asked of its model for that."""
    backend = ScriptedBackend(CAPACITY)
    engine, asked = backend.engines[POLICY], []
    submit = engine.submit
    engine.submit = lambda jobs: (asked.extend(jobs), submit(jobs))[1]
    carry_out(url, name, backend, **options)
    return studies.outcomes(name, db=url).drop(columns=["run", *COSTS]), len(asked)
