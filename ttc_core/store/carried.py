"""A study apart from its database: alone in a SQLite file under keys that count from 1, as JSON lines, and back.

The lines are the rows as they lie in the tables, so that nothing is lost and equal studies give equal lines. Runs get
ids that do not depend on the database they come from.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, select, text, update

from ttc_core.errors import UserError
from ttc_core.store import migrate
from ttc_core.store.database import Database
from ttc_core.store.repository import runs
from ttc_core.store.schema import Base
from ttc_core.store.transfer import copy_study
from ttc_core.store.units import studies, units

# In the order in which rows can be written: what is referred to comes first.
TABLES = ("studies", "study_problems", "study_methods", "units", "outcomes", "pools", "runs", "nodes", "candidates")
BATCH = 2000  # rows written together
MOST = 2**63 - 1  # what an integer column holds
MOST_SMALL = 2**15 - 1  # and a small one, whose values are places in a list
Wrong = Callable[[str], UserError]
Rows = Iterable[tuple[Wrong, Mapping[str, Any]]]  # each with how to refuse it


def alone(source: Connection, name: str, file: Path) -> Database:
    """A new SQLite file with this study and nothing else; nobody works on it there, and people's notes stay here."""
    target = Database(f"sqlite:///{file}")
    migrate.ensure(target)
    with target.write() as connection:
        copy_study(source, name, connection)
        free = {"owner": None, "heartbeat": None, "epoch": 0, "attempts": 0}
        connection.execute(update(units).values(**free))
        connection.execute(update(runs).values(**free, note=""))
        created = connection.execute(select(studies.c.created)).scalar_one()
        _rename_runs(connection, f"{name} {created!r}")
    return target


def lines(connection: Connection, table: str) -> Iterator[bytes]:
    """The rows of a table in the order of its primary key, one JSON object a line."""
    of = Base.metadata.tables[table]
    names = ", ".join(f'"{column.name}"' for column in of.columns)
    order = ", ".join(f'"{column.name}"' for column in of.primary_key.columns)
    for row in connection.exec_driver_sql(f'SELECT {names} FROM "{table}" ORDER BY {order}').mappings():
        yield json.dumps({name: _spelled(value) for name, value in row.items()}).encode("ascii") + b"\n"


def _spelled(value: Any) -> Any:
    return {"base64": base64.b64encode(value).decode("ascii")} if isinstance(value, bytes) else value


def load(target: Database, schema: str, rows: Callable[[str], Rows]) -> None:
    """Fill a new SQLite file with rows of a schema revision, ours or an earlier one; it has our schema then.

    rows: gives those of a table.

    Raises:
        UserError: the schema is not known, or a row does not fit its table; StoreFault: rows contradict each other.
    """
    with target.write() as connection:
        _create(connection, schema)
        for table in TABLES:
            columns = {column["name"]: column for column in inspect(connection).get_columns(table)}
            names, values = ", ".join(f'"{name}"' for name in columns), ", ".join(f":{name}" for name in columns)
            into = text(f'INSERT INTO "{table}" ({names}) VALUES ({values})')
            batch = []
            for wrong, row in rows(table):
                batch.append(_checked(row, columns, wrong))
                if len(batch) == BATCH:
                    connection.execute(into, batch)
                    batch = []
            if batch:
                connection.execute(into, batch)
        migrate.upgrade(connection, schema)


def _create(connection: Connection, schema: str) -> None:
    from alembic.util import CommandError

    try:
        if not re.fullmatch(r"\d{4}", schema):
            raise CommandError("no revision")
        migrate.upgrade(connection, None, schema)
    except CommandError as error:
        message = f"it has schema {schema[:20]!r}, this version of the workbench knows up to {migrate.HEAD!r}"
        raise UserError(message, hint="update the workbench") from error


def _checked(row: Mapping[str, Any], columns: Mapping[str, Any], wrong: Wrong) -> dict[str, Any]:
    if set(row) != set(columns):
        odd = sorted(set(row) ^ set(columns))[0]
        raise wrong(f"{odd[:40]!r} is {'missing' if odd in columns else 'no column'}")
    return {name: _value(name, value, columns[name], wrong) for name, value in row.items()}


def _value(name: str, value: Any, column: Any, wrong: Wrong) -> Any:
    """The value for the database; SQLite itself takes any type in any column."""
    if value is None and column["nullable"]:
        return None
    kind = str(column["type"]).partition("(")[0]
    if kind in ("INTEGER", "BIGINT", "BOOLEAN"):
        fits = type(value) is int and (value in (0, 1) if kind == "BOOLEAN" else -MOST <= value <= MOST)
    elif kind == "SMALLINT":
        fits = type(value) is int and 0 <= value <= MOST_SMALL
    elif kind == "FLOAT":
        fits = type(value) in (int, float)
    elif kind == "BLOB":
        try:
            return base64.b64decode(value["base64"], validate=True)
        except (TypeError, KeyError, ValueError, binascii.Error):
            fits = False
    else:
        fits = isinstance(value, str)
    if not fits:
        raise wrong(f"{name!r} has the wrong type: {json.dumps(value)[:40]}")
    return value


def rename(here: Database, name: str) -> None:
    """Give the file's one study this name."""
    with here.write() as connection:
        connection.execute(update(studies).values(id=name))


def _rename_runs(connection: Connection, salt: str) -> None:
    """Give runs ids made of their old ones, except where that was done before."""
    connection.exec_driver_sql("CREATE TEMP TABLE renamed (old TEXT PRIMARY KEY, new TEXT)")
    for old in connection.execute(select(runs.c.id).where(runs.c.id.not_like("b-%"))).scalars().all():
        new = "b-" + hashlib.sha256(f"{salt}\n{old}".encode()).hexdigest()[:12]
        connection.exec_driver_sql("INSERT INTO renamed VALUES (?, ?)", (old, new))
    for table, column in (("runs", "id"), ("outcomes", "run"), ("pools", "run")):
        connection.exec_driver_sql(
            f"UPDATE {table} SET {column} = (SELECT new FROM renamed WHERE old = {table}.{column}) "
            f"WHERE {column} IN (SELECT old FROM renamed)"
        )
    connection.exec_driver_sql("DROP TABLE renamed")


def run_ids(here: Database) -> list[str]:
    """The ids of all runs."""
    with here.read() as connection:
        return list(connection.execute(select(runs.c.id).order_by(runs.c.key)).scalars())
