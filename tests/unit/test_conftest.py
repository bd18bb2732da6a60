"""The safety net of the tests themselves."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest

from tests.conftest import NetworkUsed
from ttc_core.settings import DATA, settings


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("example.org", 80), ("2001:db8::1", 80, 0, 0)])
def test_leaving_the_machine_fails(address):
    family = socket.AF_INET6 if len(address) == 4 else socket.AF_INET
    with socket.socket(family) as s:
        for attempt in (s.connect, s.connect_ex):
            with pytest.raises(NetworkUsed):
                attempt(address)
    with pytest.raises(NetworkUsed):
        socket.getaddrinfo(address[0], 80)


def test_this_machine_can_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(("localhost", server.getsockname()[1]), timeout=5) as client:
            assert client.getpeername() == server.getsockname()


def test_nobody_works_on_the_users_database():
    settings.cache_clear()
    assert str(DATA) not in settings().database_url
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"


def test_a_database_of_ones_own_is_the_configured_one(database_url, tmp_path):
    assert settings().database_url == database_url
    assert str(tmp_path) in database_url


def test_what_needs_torch_is_marked_so_that_it_runs_where_torch_is():
    """Without it these are skipped, and the check of the project runs no others once it is installed."""
    needs = re.compile(r'importorskip\("(torch|transformers|tokenizers)"\)|^from tests\.checkpoints import', re.M)
    files = [file for file in Path(__file__).parent.glob("test_*.py") if needs.search(file.read_text())]
    assert len(files) > 5
    assert [file.name for file in files if "pytest.mark.lab" not in file.read_text()] == []
