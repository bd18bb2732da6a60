"""What all tests share: one BLAS thread, a database of their own, no network."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before anything imports numpy: results and timings must not depend on cores
_SESSION_DIR = Path(tempfile.mkdtemp(prefix="ttc-tests-"))
os.environ["TTC_DATABASE_URL"] = f"sqlite:///{_SESSION_DIR / 'workbench.db'}"  # never the user's own

os.environ["TTC_EXAMPLES"] = "0"  # databases begin empty, unless a test wants what is shipped

# The same examples on every machine; HYPOTHESIS_PROFILE=search looks for new ones.
hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None)
hypothesis.settings.register_profile("search", deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


def pytest_unconfigure() -> None:
    """Remove the session's database."""
    shutil.rmtree(_SESSION_DIR, ignore_errors=True)


class NetworkUsed(AssertionError):
    """A test reached for another machine."""


def _guard(address: Any) -> None:
    """Refuse an address that is not on this machine; names other than localhost would be looked up in the network."""
    if not isinstance(address, tuple):
        return  # a Unix socket
    host = str(address[0])
    try:
        local = ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        local = host in ("", "localhost")
    if not local:
        raise NetworkUsed(f"a test must not use the network, this one wanted {address!r}")


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """Connections and look-ups that leave this machine fail in every test of this process."""
    patch = pytest.MonkeyPatch()
    connect, connect_ex, look_up = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _guard(address)
        return connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        _guard(address)
        return connect_ex(self, address)

    def guarded_look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None:
            _guard((name,))
        return look_up(host, *args, **kwargs)

    patch.setattr(socket.socket, "connect", guarded_connect)
    patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    patch.setattr(socket, "getaddrinfo", guarded_look_up)
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def _settings_of_this_test() -> Iterator[None]:
    """What another test set in the environment, and the settings read from it, do not last."""
    from ttc_core.settings import settings

    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A PostgreSQL server (tests.postgres.Server), started when the first test wants it."""
    from tests.postgres import Server, lacking

    if why := lacking():
        pytest.skip(why)
    server = Server()
    yield server
    server.end()


@pytest.fixture(scope="session")
def newest(postgres: Any) -> str:
    """The name of one of its databases, with the newest schema and nothing in it."""
    from ttc_core.store import migrate
    from ttc_core.store.database import Database

    made = Database(postgres.url())
    migrate.ensure(made)
    made.close()
    return str(made.url.database)


@pytest.fixture(params=["sqlite", "postgresql"])
def any_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a new database with the newest schema, of each kind."""
    from ttc_core.store import database, migrate

    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").url(request.getfixturevalue("newest"))
    else:
        url = f"sqlite:///{tmp_path / 'x.db'}"
        migrate.ensure(database.Database(url))
    yield url
    database.database(url).close()


@pytest.fixture
def database_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of a database for this test alone, not yet created; it is the configured one as well."""
    from ttc_core.settings import settings

    url = f"sqlite:///{tmp_path / 'workbench.db'}"
    monkeypatch.setenv("TTC_DATABASE_URL", url)
    settings.cache_clear()
    yield url
    settings.cache_clear()
