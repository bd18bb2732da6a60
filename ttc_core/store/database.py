"""Connections: short transactions on SQLite or PostgreSQL, and their errors in the workbench's own words."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, exc, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

from ttc_core.errors import StoreBusy, StoreError, StoreFault, UserError

BUSY_SECONDS = 10.0  # how long a statement waits for another process's transaction

_SQLITE_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_SQLITE_SAYS = {
    sqlite3.SQLITE_FULL: ("the disk is full", "free some space; what is recorded is safe"),
    sqlite3.SQLITE_READONLY: ("the database file is read-only", "check its permissions and its folder's"),
    sqlite3.SQLITE_CORRUPT: ("the database file is damaged", "restore it from a copy"),
    sqlite3.SQLITE_NOTADB: ("the file is not a database", "give the path of another file"),
    sqlite3.SQLITE_IOERR: ("the disk reported an error", "check the disk; what is recorded is safe"),
    sqlite3.SQLITE_PROTOCOL: ("the file system does not keep locks as it should", "put the database on a local disk"),
    sqlite3.SQLITE_CANTOPEN: ("the database file cannot be opened", "check its permissions and its folder's"),
}
# serialisation, deadlock, lock, shutdown, connection, too many connections
_POSTGRES_BUSY = ("40001", "40P01", "55P03", "57P", "08", "53300")
_POSTGRES_SAYS = {
    "53100": ("the disk is full", "free some space on the server; what is recorded is safe"),
    "25006": ("the database is read-only", "use the primary server, or another user"),
    "42501": ("this user may not do that in the database", "grant it the right, or use another user"),
    "28": ("the server refuses this user", "check name and password in the URL"),
    "3D000": ("there is no such database on the server", "create it: createdb NAME"),
    "XX": ("the database is damaged", "restore it from a copy"),
    "58": ("the server's disk reported an error", "check the disk; what is recorded is safe"),
}


class Database:
    """One database by URL. Readers see one moment and never wait for a writer.

    Writers of a SQLite file take turns (BEGIN IMMEDIATE). With PostgreSQL those of one process do, so that its
    heartbeat and its commits never wait for each other's rows; processes are kept apart by row locks.
    """

    def __init__(self, url: str) -> None:
        """Prepare connections; nothing is opened yet.

        Raises:
            UserError: the URL is malformed, or its folder does not exist.
        """
        self.url = _parse(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self.path = _file(self.url) if self.sqlite else None
        self._turn: AbstractContextManager[Any] = nullcontext() if self.sqlite else threading.Lock()
        self._writer = self._engine(read_only=False)
        # A reader opens the file anew each time, so that nothing keeps an old file or snapshot alive. The writer's
        # connection stays: closing a database's last connection checkpoints, which would cost two fsyncs a commit.
        self._reader = self._engine(read_only=True) if self.sqlite else self._writer

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One write transaction; on an error nothing of it remains.

        Raises:
            StoreBusy, StoreFault: see `ttc_core.errors`.
        """
        with translated(), self._turn, self._writer.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One read-only transaction that sees a single moment.

        Raises:
            StoreBusy, StoreFault: see `ttc_core.errors`.
        """
        with translated():
            if self.sqlite:
                with self._reader.begin() as connection:
                    yield connection
            else:
                options: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
                with self._reader.execution_options(**options).begin() as connection:
                    yield connection

    def now(self, connection: Connection) -> float:
        """Seconds since 1970 on the one clock that all who share this database have: the server's, or this machine's.

        Clocks of machines differ and are set; who is silent must not depend on that.
        """
        if self.sqlite:
            return time.time()
        return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())

    @property
    def absolute_url(self) -> str:
        """The URL as a process in another folder has to spell it."""
        url = self.url if self.path is None else self.url.set(database=str(self.path.resolve()))
        return url.render_as_string(hide_password=False)

    @property
    def shown(self) -> str:
        """The URL for people: without its password."""
        return self.url.render_as_string(hide_password=True)

    def alone(self, *statements: str) -> None:
        """Carry out statements that have to stand outside a transaction.

        Raises:
            StoreBusy, StoreFault: see `ttc_core.errors`.
        """
        with translated(), self._writer.connect() as connection:
            if self.sqlite:
                raw = connection.connection.cursor()
                for statement in statements:
                    raw.executescript(statement)  # `execute` would take one step only: one page of a vacuum
                raw.close()
            else:
                at_once = connection.execution_options(isolation_level="AUTOCOMMIT")
                for statement in statements:
                    at_once.exec_driver_sql(statement)

    def give_back_space(self, tables: Sequence[str]) -> None:
        """Return the pages of rows that were deleted from these tables to the file system, as far as is quickly done.

        PostgreSQL can do so only with the last pages of a table; the others are used again.
        """
        if self.sqlite:
            self.alone("PRAGMA incremental_vacuum", "PRAGMA wal_checkpoint(PASSIVE)")
        else:
            self.alone(f"VACUUM {', '.join(tables)}")

    def close(self) -> None:
        """Give up all connections."""
        self._writer.dispose()
        self._reader.dispose()

    def _engine(self, *, read_only: bool) -> Engine:
        if not self.sqlite:
            said = self.url.query.get("options", "")
            lock = f"-c lock_timeout={BUSY_SECONDS * 1000:.0f}"
            patience = {"connect_timeout": int(BUSY_SECONDS), "options": f"{said} {lock}"}
            try:
                return create_engine(self.url, pool_pre_ping=True, pool_size=2, max_overflow=30, connect_args=patience)
            except ImportError as error:  # the driver is not installed
                hint = "pip install -r requirements-postgres.txt"
                raise UserError(f"this database needs a driver: {error}", hint=hint) from error
            except exc.ArgumentError as error:
                raise UserError(f"the database URL cannot be used: {error}") from error
        if read_only:
            engine = create_engine(self.url, connect_args={"timeout": BUSY_SECONDS}, poolclass=NullPool)
        else:
            engine = create_engine(self.url, connect_args={"timeout": BUSY_SECONDS}, pool_size=1, max_overflow=8)

        @event.listens_for(engine, "connect")
        def configure(connection: Any, _record: Any) -> None:
            connection.isolation_level = None  # we say BEGIN ourselves
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
            if read_only:
                connection.execute("PRAGMA query_only = ON")

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

        return engine


_open: dict[str, Database] = {}
_open_lock = threading.Lock()


def database(url: str) -> Database:
    """The process's one `Database` for this URL.

    Raises:
        UserError: the URL is malformed, or its folder does not exist.
    """
    with _open_lock:
        if url not in _open:
            _open[url] = Database(url)
        return _open[url]


@contextmanager
def translated() -> Iterator[None]:
    """Turn the database's errors into StoreBusy and StoreFault.

    Raises:
        StoreBusy: locked, or the connection was lost.
        StoreFault: disk full, read-only, damaged, or anything else that trying again does not help.
    """
    try:
        yield
    except exc.DBAPIError as error:
        raise _translate(error.orig, lost=error.connection_invalidated) from error
    except exc.TimeoutError as error:  # the pool's, all connections in use
        raise StoreBusy("the database is busy") from error
    except sqlite3.Error as error:
        raise _translate(error) from error


def _translate(error: BaseException | None, *, lost: bool = False) -> StoreError:
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _SQLITE_BUSY:
            return StoreBusy("the database is busy", hint="another program holds it; try again in a moment")
        if code in _SQLITE_SAYS:
            message, hint = _SQLITE_SAYS[code]
            return StoreFault(message, hint=hint)
        return StoreFault(f"the database refused: {error}")
    state = getattr(error, "sqlstate", None) or _connecting(str(error))
    for prefix, (message, hint) in _POSTGRES_SAYS.items():
        if state.startswith(prefix):
            return StoreFault(message, hint=hint)
    if lost or state.startswith(_POSTGRES_BUSY) or (not state and type(error).__name__ == "OperationalError"):
        return StoreBusy("the database cannot be reached or is busy", hint="is the server running?")
    return StoreFault(f"the database refused: {str(error).splitlines()[0] if str(error) else type(error).__name__}")


def _connecting(said: str) -> str:
    """The SQLSTATE that PostgreSQL's words stand for when it lets nobody in, as the driver then gives none."""
    if "authentication failed" in said or re.search(r'role ".*" (does not exist|is not permitted)', said):
        return "28"
    return "3D000" if 'database "' in said and "does not exist" in said else ""


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
        parsed.get_dialect()
        return parsed
    except (exc.ArgumentError, exc.NoSuchModuleError, ImportError, ValueError) as error:
        shown = re.sub(r"(?<=//).*@", "***@", url)  # a password may stand there
        raise UserError(
            f"{shown!r} is no usable database URL", hint="sqlite:///path/to/file.db, for example"
        ) from error


def _file(url: URL) -> Path:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise UserError("the database must be a file", hint="sqlite:///path/to/file.db")
    path = Path(url.database)
    if not path.parent.is_dir():
        raise UserError(f"the folder {str(path.parent)!r} for the database does not exist", hint="create it first")
    if path.is_dir():
        raise UserError(f"{str(path)!r} is a folder, not a database file")
    return path
