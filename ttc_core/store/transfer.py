"""A study travels between databases: all its rows, under new keys."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from ttc_core.errors import UserError
from ttc_core.store import migrate
from ttc_core.store.database import Database, translated
from ttc_core.store.repository import candidates, nodes, runs
from ttc_core.store.units import methods, outcomes, pools, problems, studies, units

BATCH = 2000  # rows written together


def copy_file(path: Path, connection: Connection) -> list[str]:
    """Copy the studies of a SQLite file, which stays as it is, whatever its schema version; returns their names.

    Raises:
        StoreFault: it is no database of this workbench or of an earlier one.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "source.db"
        with translated(), closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as original:
            with closing(sqlite3.connect(copy)) as backup:
                original.backup(backup)  # with what its journal holds
        source = Database(f"sqlite:///{copy}")
        migrate.ensure(source)
        with source.read() as here:
            names = list(here.execute(select(studies.c.id).order_by(studies.c.key)).scalars())
            for name in names:
                copy_study(here, name, connection)
    return names


def copy_study(source: Connection, name: str, target: Connection) -> None:
    """Copy one study, with the trees that it kept, from one database's transaction into another's.

    Raises:
        UserError: the target has a study of this name.
    """
    if target.execute(select(studies.c.key).where(studies.c.id == name)).first():
        raise UserError(f"there is a study called {name!r} already", hint="delete or rename one of the two")
    old = source.execute(select(studies.c.key).where(studies.c.id == name)).scalar_one()
    new = _keyed(source, target, studies, studies.c.key == old, {})[old]
    _plain(source, target, problems, problems.c.study == old, {"study": {old: new}})
    method: dict[Any, Any] = {None: None}  # a method without a pool; one with a pool comes after it
    _keyed(source, target, methods, methods.c.study == old, {"study": {old: new}, "pool": method}, method)
    del method[None]
    own = list(method)
    _keyed(source, target, units, units.c.study == old, {"study": {old: new}, "method": method})
    for of in (outcomes, pools):
        _plain(source, target, of, of.c.method.in_(own), {"method": method})
    run = _keyed(source, target, runs, runs.c.study == old, {"study": {old: new}})
    for of in (nodes, candidates):
        for key in run:
            _plain(source, target, of, of.c.run == key, {"run": run})


Keys = Mapping[str, dict[Any, Any]]  # column -> old key -> new key


def _keyed(
    source: Connection, target: Connection, of: Table, where: Any, keys: Keys, found: dict[Any, Any] | None = None
) -> dict[Any, Any]:
    """Copy rows that others refer to by `key`, in its order; returns (and fills `found` with) new keys by old ones."""
    found = {} if found is None else found
    for row in source.execute(select(of).where(where).order_by(of.c.key)).mappings():
        values = {**row, **{column: known[row[column]] for column, known in keys.items()}}
        old = values.pop("key")
        found[old] = target.execute(insert(of).values(**values).returning(of.c.key)).scalar_one()
    return found


def _plain(source: Connection, target: Connection, of: Table, where: Any, keys: Keys) -> None:
    rows = source.execute(select(of).where(where)).mappings()
    while batch := rows.fetchmany(BATCH):
        target.execute(
            insert(of), [{**row, **{column: known[row[column]] for column, known in keys.items()}} for row in batch]
        )
