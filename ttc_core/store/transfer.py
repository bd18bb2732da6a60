"""A study travels between databases: all its rows, under new keys. Or all of a database does, keys and all."""

from __future__ import annotations

import hashlib
import lzma
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, Table, func, insert, select, true, update

from ttc_core.errors import UnknownName, UserError
from ttc_core.store import migrate
from ttc_core.store.database import Database, translated
from ttc_core.store.repository import candidates, runs
from ttc_core.store.schema import Base, WorkerRow, table
from ttc_core.store.trees import nodes
from ttc_core.store.units import SEARCH_ID, first_epoch, methods, outcomes, pools, problems, search_id, studies, units

BATCH = 2000  # rows written together
SOME = 200  # trees read together


@contextmanager
def snapshot(path: Path) -> Iterator[Database]:
    """A SQLite file's content at the newest schema; the file stays as it is, whatever its schema version.

    One that is called NAME.xz is unpacked.

    Raises:
        StoreFault: it is no database of this workbench or of an earlier one.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "source.db"
        if path.suffix == ".xz":
            with lzma.open(path) as packed, copy.open("wb") as file:
                shutil.copyfileobj(packed, file)
        else:
            with translated(), closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as original:
                with closing(sqlite3.connect(copy)) as backup:
                    original.backup(backup)  # with what its journal holds
        source = Database(f"sqlite:///{copy}")
        migrate.ensure(source)
        try:
            yield source
        finally:
            source.close()


def copy_file(path: Path, connection: Connection) -> list[str]:
    """Copy the studies of a SQLite file; returns their names.

    Raises:
        StoreFault: it is no database of this workbench or of an earlier one.
    """
    with snapshot(path) as source, source.read() as here:
        names = list(here.execute(select(studies.c.id).order_by(studies.c.key)).scalars())
        for name in names:
            copy_study(here, name, connection)
    return names


def copy_all(source: Connection, target: Connection) -> dict[str, int]:
    """Copy a database's transaction into an empty one of the same schema, keys and all; returns rows by table.

    Who works on what is not copied: a search that was under way waits in the copy for a worker.

    Raises:
        UserError: the target is not empty.
    """
    tables = [of for of in Base.metadata.sorted_tables if of is not table(WorkerRow)]
    full = [of.name for of in tables if target.execute(select(of).limit(1)).first()]
    if full:
        raise UserError(
            f"the target is not empty: it has {' and '.join(sorted(full))}", hint="copy into a new database"
        )
    counted = {of.name: _plain(source, target, of, true(), {}) for of in tables}
    for of in (runs, units):
        target.execute(update(of).where(of.c.owner.is_not(None)).values(owner=None, heartbeat=0.0))
    if target.dialect.name == "postgresql":  # numbers are given from the largest on
        for of in tables:
            if "key" in of.c:
                largest = select(func.max(of.c.key)).scalar_subquery()
                target.execute(select(func.setval(func.pg_get_serial_sequence(of.name, "key"), largest)))
    return counted


def copy_study(source: Connection, name: str, target: Connection) -> None:
    """Copy one study, with the trees that it kept, from one database's transaction into another's.

    Raises:
        UnknownName: there is none; UserError: the target has a study of this name.
    """
    if target.execute(select(studies.c.key).where(studies.c.id == name)).first():
        raise UserError(f"there is a study called {name!r} already", hint="delete or rename one of the two")
    old = source.execute(select(studies.c.key).where(studies.c.id == name)).scalar()
    if old is None:
        raise UnknownName(f"no study is called {name!r} there")
    new = _keyed(source, target, studies, studies.c.key == old, {})[old]
    _plain(source, target, problems, problems.c.study == old, {"study": {old: new}})
    method: dict[Any, Any] = {None: None}  # a method without a pool; one with a pool comes after it, so one at a time
    _keyed(source, target, methods, methods.c.study == old, {"study": {old: new}, "pool": method}, method, size=1)
    del method[None]
    own = list(method)
    _keyed(source, target, units, units.c.study == old, {"study": {old: new}, "method": method})
    called = _called(source, target, name, (old, new), method)
    for of in (outcomes, pools):
        _plain(source, target, of, of.c.method.in_(own), {"method": method, "run": called})
    run = _keyed(source, target, runs, runs.c.study == old, {"study": {old: new}, "id": called})
    for of in (nodes, candidates):
        for i in range(0, len(run), SOME):
            _plain(source, target, of, of.c.run.in_([*run][i : i + SOME]), {"run": run})
    target.execute(update(units).where(units.c.study == new).values(epoch=first_epoch()))


class _Same(dict[Any, Any]):
    """What is not in it stays as it is."""

    def __missing__(self, key: Any) -> Any:
        return key


def _called(
    source: Connection, target: Connection, name: str, study: tuple[int, int], method: Mapping[int, int]
) -> _Same:
    """New ids of the study's runs by old ones: a search's is made of keys, which are others in the target.

    So a search that is under way goes on there, and none is taken for another study's. Other ids stay unless the target
    has runs of these.
    """
    asked = select(runs.c.id).where(runs.c.study == study[0])
    old = list(source.execute(asked).scalars())
    taken: set[str] = set()
    for i in range(0, len(old), BATCH):
        taken |= set(target.execute(select(runs.c.id).where(runs.c.id.in_(old[i : i + BATCH]))).scalars())
    found = _Same()
    for one in old:
        parts = SEARCH_ID.fullmatch(one)
        if parts and int(parts[1]) == study[0] and int(parts[2]) in method:
            found[one] = search_id(study[1], method[int(parts[2])], parts[3])
        elif parts or one in taken:  # made of keys of yet another database, or there
            found[one] = "b-" + hashlib.sha256(f"{name}\n{one}".encode()).hexdigest()[:12]
    return found


Keys = Mapping[str, dict[Any, Any]]  # column -> old key -> new key


def _keyed(
    source: Connection,
    target: Connection,
    of: Table,
    where: Any,
    keys: Keys,
    found: dict[Any, Any] | None = None,
    size: int = BATCH,
) -> dict[Any, Any]:
    """Copy rows that others refer to by `key`, in its order, so many at a time.

    Returns (and fills `found` with) new keys by old ones.
    """
    found = {} if found is None else found
    for batch in _renamed(source, select(of).where(where).order_by(of.c.key), keys, size):
        old = [row.pop("key") for row in batch]
        made = insert(of).returning(of.c.key, sort_by_parameter_order=True)
        found.update(zip(old, target.execute(made, batch).scalars(), strict=True))
    return found


def _plain(source: Connection, target: Connection, of: Table, where: Any, keys: Keys) -> int:
    counted = 0
    for batch in _renamed(source, select(of).where(where), keys):
        target.execute(insert(of), batch)
        counted += len(batch)
    return counted


def _renamed(source: Connection, asked: Select[Any], keys: Keys, size: int = BATCH) -> Iterator[list[dict[str, Any]]]:
    """Rows with new keys, so many at a time."""
    rows = source.execution_options(yield_per=BATCH).execute(asked).mappings()
    while batch := rows.fetchmany(size):
        yield [{**row, **{column: known[row[column]] for column, known in keys.items()}} for row in batch]
