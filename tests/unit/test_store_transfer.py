"""A study copied from one database into another is the same study there."""

from __future__ import annotations

import lzma
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import select

from ttc_core import runs, studies
from ttc_core.errors import UserError
from ttc_core.settings import settings
from ttc_core.store import migrate, transfer
from ttc_core.store.database import Database
from ttc_core.store.units import methods

STUDY = """
name = "carried"
datasets = [{ name = "mini-test", problems = 3 }]
models = ["mini-s"]
verifiers = ["mini-implicit"]
budgets = [2]
keep_trees = "sample:1"
[[strategies]]
name = "best_of_n"
[[strategies]]
name = "beam_search"
set = { width = 2 }
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A database file with one finished study, and its URL."""
    path = tmp_path_factory.mktemp("made") / "made.db"
    url = f"sqlite:///{path}"
    migrate.ensure(Database(url))
    studies.start(STUDY, db=url)
    studies.work("carried", db=url)
    assert studies.progress("carried", db=url).status == "done"
    return path, url


def other(tmp_path) -> str:
    url = f"sqlite:///{tmp_path / 'other.db'}"
    migrate.ensure(Database(url))
    return url


def test_everything_arrives_under_new_keys(made, tmp_path):
    path, url = made
    target = other(tmp_path)
    studies.start(STUDY.replace("carried", "here-before"), db=target)  # takes the first keys
    with Database(target).write() as connection:
        assert transfer.copy_file(path, connection) == ["carried"]
    for verb in (studies.describe, studies.outcomes, studies.pool_rows):
        was, now = verb("carried", db=url), verb("carried", db=target)
        if verb is studies.outcomes:
            assert len(was) == 6 and was.drop(columns="run").equals(now.drop(columns="run"))
        elif verb is studies.pool_rows:
            hidden = ("method", "key", "run")
            assert len(was) == 3
            assert [{k: v for k, v in r.items() if k not in hidden} for r in was] == [
                {k: v for k, v in r.items() if k not in hidden} for r in now
            ]
        else:
            assert was == now
    kept, there = (
        [run for run in studies.outcomes("carried", db=at)["run"] if isinstance(run, str)] for at in (target, url)
    )
    assert kept and len(kept) == len(there) and not set(kept) & set(there)  # ids are made of keys
    assert runs.nodes(kept[0], db=target).nodes == runs.nodes(there[0], db=url).nodes
    assert runs.get(kept[0], db=target).outcome == runs.get(there[0], db=url).outcome
    with Database(target).read() as connection:
        pools = dict(map(tuple, connection.execute(select(methods.c.key, methods.c.pool))))
    assert any(pools.values()) and all(pool is None or pool in pools for pool in pools.values())
    assert studies.progress("here-before", db=target).outcomes == 0
    studies.delete("carried", db=target)
    with pytest.raises(UserError):
        runs.get(kept[0], db=target)


def test_a_second_study_of_the_same_name_is_refused(made, tmp_path):
    path, _ = made
    target = other(tmp_path)
    with Database(target).write() as connection:
        transfer.copy_file(path, connection)
    with pytest.raises(UserError, match="'carried' already"), Database(target).write() as connection:
        transfer.copy_file(path, connection)
    assert len(studies.outcomes("carried", db=target)) == 6


def test_a_new_database_receives_the_studies_in_the_data_folder(made, tmp_path, monkeypatch):
    path, _ = made
    (tmp_path / "studies").mkdir()
    with closing(sqlite3.connect(path)) as journalled:
        journalled.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (tmp_path / "studies" / "carried.db.xz").write_bytes(lzma.compress(path.read_bytes()))
    monkeypatch.setenv("TTC_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("TTC_EXAMPLES", "1")
    settings.cache_clear()
    url = f"sqlite:///{tmp_path / 'new.db'}"
    runs.ensure_database(db=url)
    assert [view.id for view in studies.listing(db=url)] == ["carried"]
    monkeypatch.undo()
    settings.cache_clear()
