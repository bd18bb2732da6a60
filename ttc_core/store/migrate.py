"""Create the schema, or bring an older database up to date."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from ttc_core.errors import StoreBusy, StoreFault
from ttc_core.store.database import BUSY_SECONDS, Database, translated

HEAD = "0010"  # the newest revision in migrations/versions (a test compares)
_ADVISORY_LOCK = 0x77C0DB  # any number, the same for all who migrate


def ensure(db: Database, fill: Callable[[Connection], None] = lambda _: None) -> bool:
    """Make the schema the newest; on a database that was empty, also call `fill`. Safe when several start at once.

    All happens in one transaction: whoever comes second waits and then finds nothing to do.

    Returns:
        True if this call created the schema.

    Raises:
        StoreFault: the database was written by a newer version of the workbench, or is no database.
    """
    if _fresh_enough(db):
        return False
    if db.sqlite:
        _prepare_file(db)
    with db.write() as connection:
        if not db.sqlite:
            connection.execute(text("SET LOCAL lock_timeout = 0"))  # filling a new database may take a while
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        before = version(connection)
        if before == HEAD:
            return False
        upgrade(connection, before)
        if before is None:
            fill(connection)
    if before is not None:
        with suppress(StoreBusy, StoreFault):  # what an upgrade no longer needs; the next deletion gives it back too
            db.give_back_space(["nodes"])
    return before is None


def upgrade(connection: Connection, before: str | None, to: str = "head") -> None:
    """Apply the missing migrations within the caller's transaction.

    Raises:
        StoreFault: the database's revision is not one of ours.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    if before is not None:
        try:
            ScriptDirectory.from_config(config).get_revision(before)
        except CommandError as error:
            message = f"the database has schema {before!r}, this version of the workbench knows up to {HEAD!r}"
            raise StoreFault(message, hint="update the workbench, or use another database file") from error
    command.upgrade(config, to)


def _fresh_enough(db: Database) -> bool:
    if db.path is not None and (not db.path.exists() or db.path.stat().st_size == 0):
        return False
    with db.read() as connection:
        return version(connection) == HEAD


def version(connection: Connection) -> str | None:
    """The schema's revision, None for a database that is not ours (yet)."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _prepare_file(db: Database) -> None:
    """Settings that are part of the file and cannot be made inside a transaction.

    SQLite does not wait for locks when it changes the journal mode, so we do.
    """
    with translated():
        patience = time.monotonic() + BUSY_SECONDS
        while True:
            connection = sqlite3.connect(str(db.path), timeout=BUSY_SECONDS, isolation_level=None)
            try:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # deleting gives space back; only before tables
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
                if not busy or time.monotonic() > patience:
                    raise
                time.sleep(0.02)
            finally:
                connection.close()
