"""A PostgreSQL server of the tests' own: in a temporary folder, reached through a socket there, gone afterwards."""

from __future__ import annotations

import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name.zfill(3), reverse=True)
SETTINGS = ("listen_addresses=", "fsync=off", "max_connections=100", "shared_buffers=64MB", "autovacuum=on")
START_SECONDS = 30.0


def lacking() -> str:
    """Why no server can be started here, "" if one can."""
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg is not installed (requirements-postgres.txt)"
    return "" if _program("initdb") else "no PostgreSQL server is installed (on Debian: apt-get install postgresql)"


class Server:
    """A running server; `url` gives databases of it. fsync: whether commits reach the disk."""

    def __init__(self, *, fsync: bool = False) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="ttc-postgres-"))
        self._numbers = itertools.count()
        self._as = _unprivileged(self._folder)
        data = self._folder / "data"
        made = ["-A", "trust", "-U", "ttc", "-E", "UTF8", "--locale=C", "--no-sync", "-D", str(data)]
        subprocess.run([_program("initdb"), *made], check=True, capture_output=True, cwd=self._folder, **self._as)
        chosen = [s if s != "fsync=off" or not fsync else "fsync=on" for s in SETTINGS]
        options = [word for setting in (*chosen, f"unix_socket_directories={self._folder}") for word in ("-c", setting)]
        self._command = [_program("postgres"), "-D", str(data), *options]
        self._start()

    def url(self, template: str = "") -> str:
        """The URL of a new database: empty, or a copy of another one of this server that nobody is connected to."""
        name = f"d{next(self._numbers)}"
        self._ask(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        return f"postgresql+psycopg://ttc@/{name}?host={self._folder}"

    def restart(self) -> None:
        """Let it crash and start again: every connection is lost, nothing that was committed is."""
        self._stop()
        self._start()

    def end(self) -> None:
        """Stop it, whoever is connected, and remove its folder."""
        self._stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, cwd=self._folder, **self._as)
        self._wait()

    def _stop(self) -> None:
        self._process.send_signal(signal.SIGQUIT)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait(self) -> None:
        import psycopg

        until = time.monotonic() + START_SECONDS
        while True:
            try:
                self._ask("SELECT 1")
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError((self._folder / "log").read_text("utf-8", "replace")) from None
                time.sleep(0.05)

    def _ask(self, statement: str) -> None:
        import psycopg

        where = {"host": str(self._folder), "user": "ttc", "dbname": "postgres"}
        with psycopg.connect(**where, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]


def _program(name: str) -> str:
    found = [str(place / name) for place in PLACES if (place / name).exists()]
    return found[0] if found else shutil.which(name) or ""


def _unprivileged(folder: Path) -> dict[str, object]:
    """PostgreSQL refuses to run as root: whom it runs as then; the folder becomes theirs."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        folder.chmod(0o755)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise RuntimeError("there is no user to run PostgreSQL as")
