"""A database as a whole: whether it is sound, how large it is, giving all space back, copying it elsewhere."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from sqlalchemy import Connection, Table, func, inspect, select, text

from ttc_core.errors import StoreFault, UserError
from ttc_core.store import migrate, transfer
from ttc_core.store.database import Database
from ttc_core.store.repository import runs
from ttc_core.store.schema import Base
from ttc_core.store.units import methods, outcomes, problems, studies, units

# What refers to a row by a column that the database does not check itself: (column, what it refers to)
REFERENCES = (
    (units.c.method, methods.c.key),
    (methods.c.pool, methods.c.key),
    (runs.c.study, studies.c.key),
)


def check(db: Database) -> dict[str, Any]:
    """What state a database is in; nothing of it is changed.

    Returns:
        fine        nothing is wrong: the three that follow
        schema      its version; "newest" is the one that this workbench writes
        integrity   "ok", or what the database complains of; every page (SQLite) or value (PostgreSQL) is read
        orphans     how many rows refer to something that is not there, by "table.column"
        rows        by table
        bytes       of all files, free_bytes of them (SQLite) are not used
    Raises:
        UserError: there is no such file; StoreFault: it is no database of the workbench.
    """
    _there(db)
    with db.read() as connection:
        version = migrate.version(connection)
        if version is None:
            raise StoreFault("this is no database of the workbench")
        present = set(inspect(connection).get_table_names())
        size = _size(db, connection)
    tables = [of for of in Base.metadata.sorted_tables if of.name in present]
    orphans, counted = {}, {}
    if (integrity := _integrity(db, tables)) == "ok":
        with db.read() as connection:
            orphans = _orphans(connection, present)
            counted = {of.name: _count(connection, of) for of in tables}
    fine = integrity == "ok" and not any(orphans.values())
    said = {"database": db.shown, "schema": version, "newest": migrate.HEAD, "fine": fine, "integrity": integrity}
    return {**said, "orphans": orphans, "rows": counted, **size}


def vacuum(db: Database) -> dict[str, int]:
    """Write the database anew without gaps; returns its size in bytes before and after.

    SQLite needs as much free space beside it meanwhile, and nobody may write; PostgreSQL locks one table at a time.

    Raises:
        UserError: there is no such file; StoreBusy: somebody is at work in it.
    """
    _there(db)
    with db.read() as connection:
        before = _size(db, connection)["bytes"]
    if db.sqlite:
        db.alone("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)")
    else:
        db.alone(f"VACUUM (FULL, ANALYZE) {', '.join(of.name for of in Base.metadata.sorted_tables)}")
    with db.read() as connection:
        return {"before": before, "after": _size(db, connection)["bytes"]}


def copy(source: Database, target: Database, study: str | None = None) -> dict[str, int]:
    """Copy all of a database into an empty or new one, of either kind, or one study into any; returns rows by table.

    In one transaction: a copy that fails leaves nothing and can be asked for again.

    Raises:
        UserError: there is no source, or the target is not empty; StoreFault: the source has another schema.
    """
    _there(source)
    if source.url == target.url:
        raise UserError("source and target are the same database")
    with ExitStack() as stack:
        with source.read() as connection:
            found = migrate.version(connection)
        if found != migrate.HEAD:
            if source.path is None:
                hint = "open it once with the workbench: `list --db URL`"
                raise StoreFault(f"the source has schema {found!r}, not {migrate.HEAD!r}", hint=hint)
            source = stack.enter_context(transfer.snapshot(source.path))
        migrate.ensure(target)
        here, there = stack.enter_context(source.read()), stack.enter_context(target.write())
        if study is None:
            return transfer.copy_all(here, there)
        transfer.copy_study(here, study, there)
        return {"studies": 1}


def _there(db: Database) -> None:
    if db.path is not None and not (db.path.exists() and db.path.stat().st_size):
        raise UserError(f"there is no database {str(db.path)!r}")


def _count(connection: Connection, of: Table) -> int:
    return connection.execute(select(func.count()).select_from(of)).scalar_one()


def _integrity(db: Database, tables: list[Table]) -> str:
    try:
        with db.read() as connection:
            if db.sqlite:
                return "; ".join(connection.execute(text("PRAGMA integrity_check(10)")).scalars())
            for of in tables:  # reading is checking: a page that is damaged cannot be read
                connection.execute(text(f"SELECT count(hashtext(CAST(t AS text))) FROM {of.name} t"))
    except StoreFault as damage:
        return str(damage)
    return "ok"


def _orphans(connection: Connection, present: set[str]) -> dict[str, int]:
    """Rows whose parent is gone, foreign keys included: an interrupted repair by hand may have left such."""
    found = {}
    keys = [(key.parent, key.column) for of in Base.metadata.sorted_tables for key in of.foreign_keys]
    for column, to in [*keys, *REFERENCES]:
        if column.table.name not in present or to.table.name not in present:
            continue
        if column.name not in {c["name"] for c in inspect(connection).get_columns(column.table.name)}:
            continue  # an earlier schema had no such column
        parent = to.table.alias()
        lost = ~select(parent.c[to.name]).where(parent.c[to.name] == column).exists()
        asked = select(func.count()).select_from(column.table).where(column.is_not(None), lost)
        found[f"{column.table.name}.{column.name}"] = connection.execute(asked).scalar_one()
    if {"outcomes", "study_problems"} <= present:
        of = outcomes.join(methods, methods.c.key == outcomes.c.method)
        asked_for = (problems.c.study == methods.c.study) & (problems.c.position == outcomes.c.problem)
        lost = ~select(problems.c.study).where(asked_for).exists()
        asked = select(func.count()).select_from(of).where(lost)
        found["outcomes.problem"] = connection.execute(asked).scalar_one()
    return found


def _size(db: Database, connection: Connection) -> dict[str, int]:
    if db.path is None:
        return {"bytes": connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()}
    files = [db.path, db.path.with_name(f"{db.path.name}-wal")]
    pages = [connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in ("freelist_count", "page_size")]
    return {"bytes": sum(f.stat().st_size for f in files if f.exists()), "free_bytes": pages[0] * pages[1]}
