"""Servers of models: which may be called, and where a key can be found after a search over one that betrays it."""

from __future__ import annotations

import json
import logging
import os
import traceback
from dataclasses import replace

import pytest

from tests.conformance.harness import ScriptedBackend, spec
from tests.unit.http_server import http, serving
from tests.unit.test_openai_http import CHAT, ask, engine, impatient  # noqa: F401
from ttc_core import runs, runs_documents
from ttc_core.engines.openai_http import client as clients
from ttc_core.engines.openai_http import hosts
from ttc_core.errors import BadValue, EngineGone
from ttc_core.runs_driver import Driver
from ttc_core.settings import settings
from ttc_core.store import repository
from ttc_core.store.database import database

SENTINEL = "sk-sen/tinel-0123456789"
SPELLED = {  # JSON has several spellings of one text
    "as it is": lambda text: text,
    "escaped slashes": lambda text: text.replace("/", "\\/"),
    "escaped letters": lambda text: text.replace("sk-", "\\u0073k\\u002D"),
}
REFUSED = (
    "169.254.169.254", "100.100.100.200", "192.168.1.1", "10.0.0.1", "172.16.0.1", "100.64.0.1", "0.0.0.0",
    "224.0.0.1", "255.255.255.255", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "fc00::1", "::", "ff02::1",
    "::ffff:169.254.169.254", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "198.18.0.1", "192.0.0.192",
    "168.63.129.16", "192.88.99.1", "::169.254.169.254", "::10.0.0.1", "::ffff:0:169.254.169.254", "fec0::1", "3fff::1",
    "64:ff9b:1::a9fe:a9fe", "5f00::1", "2001:0:a9fe:a9fe::1", "2002:a00:1::1", "64:ff9b::a00:1",
)  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_private_and_metadata_addresses_are_refused(address):
    assert not hosts.allowed("models.example", address, ())
    assert not hosts.allowed(address, address, ("gpu1", "10.9.0.0/16"))


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "8.8.8.8", "2606:4700::1111"])
def test_this_machine_and_public_addresses_are_called(address):
    assert hosts.allowed("models.example", address, ())


def test_what_is_named_is_called():
    assert hosts.allowed("GPU1.", "10.0.0.7", ("gpu1",))
    assert hosts.allowed("x", "10.0.0.7", ("10.0.0.0/8",)) and hosts.allowed("x", "10.0.0.7", ("10.0.0.7",))
    assert not hosts.allowed("x", "172.16.0.7", ("10.0.0.0/8",))


METADATA = ("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254",
            "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1")  # fmt: skip


@pytest.mark.parametrize("address", METADATA)
def test_a_host_that_is_named_does_not_lead_to_metadata(address):
    """Whoever answers for its name would decide what is called."""
    assert not hosts.allowed("gpu1", address, ("gpu1", "10.0.0.0/8"))
    assert hosts.allowed(address, address, ("169.254.0.0/16", "100.100.100.200", "168.63.129.16", "192.0.0.0/24",
                                            "fd00:ec2::254"))  # fmt: skip


@pytest.fixture
def resolving(monkeypatch):
    """Names stand for what the test says; returns what was looked up."""
    asked: list[str] = []
    original = hosts.transport

    def install(answers):
        async def look(host, port):
            asked.append(host)
            return answers(len(asked))

        monkeypatch.setattr(clients.hosts, "transport", lambda c, limits, named: original(c, limits, named, look))
        return asked

    return install


def test_a_name_is_judged_by_all_it_stands_for_and_not_called(resolving):
    resolving(lambda number: ["8.8.8.8", "169.254.169.254"])
    reply = ask(engine("http://models.example:1"))
    assert type(reply.error) is EngineGone and "169.254.169.254" in str(reply.error)
    assert reply.error.hint == "if it may be called: TTC_HOSTS=169.254.169.254"
    resolving(lambda number: ["10.0.0.7"])
    assert ask(engine("http://models.example:1")).error.hint == "if it may be called: TTC_HOSTS=models.example"


def test_a_name_is_looked_up_once_a_connection_so_that_it_cannot_change_its_mind(resolving):
    """The first answer is this machine; whoever asked again would get the metadata address."""
    asked = resolving(lambda number: ["127.0.0.1"] if number == 1 else ["169.254.169.254"])
    with serving(lambda request, number: http(200, json.dumps(CHAT).encode())) as server:
        reply = ask(engine(server.url.replace("127.0.0.1", "models.example")))
        assert reply.error is None and asked == ["models.example"]
        assert server.asked[0].headers["host"].startswith("models.example")


def test_hosts_come_from_the_environment(monkeypatch, resolving):
    monkeypatch.setenv("TTC_HOSTS", "other, 192.168.0.0/16")
    settings.cache_clear()
    resolving(lambda number: ["192.168.250.250"])
    try:
        reply = ask(engine("http://models.example:9", timeout=0.2, deadline=0.3))
    finally:
        monkeypatch.undo()
        settings.cache_clear()
    assert "neither this machine" not in str(reply.error)


# --- keys ------------------------------------------------------------------------------------------------------------


def test_a_key_file_is_its_owners_alone(tmp_path):
    path = tmp_path / "key"
    path.write_text(f"{SENTINEL}\n")
    path.chmod(0o600)
    assert engine("http://127.0.0.1:1", key_file=str(path)).options.key() == SENTINEL
    for mode in (0o640, 0o604, 0o660):
        path.chmod(mode)
        with pytest.raises(BadValue, match="others can read"):
            engine("http://127.0.0.1:1", key_file=str(path))
    with pytest.raises(BadValue, match="cannot be read"):
        engine("http://127.0.0.1:1", key_file=str(tmp_path / "none"))


@pytest.mark.parametrize("spelled", SPELLED)
@pytest.mark.parametrize("status", [500, 401, 200], ids=["failing", "refused", "a search that ends"])
def test_a_key_is_nowhere_afterwards(database_url, tmp_path, monkeypatch, caplog, capsys, status, spelled):
    """A server that sends the key back in every reply, as text of the model, as error and as header."""
    monkeypatch.setenv("A_KEY", SENTINEL)
    caplog.set_level(logging.DEBUG)  # more than the program ever says
    runs.ensure_database(db=database_url)
    said = json.loads(json.dumps(CHAT))
    said["choices"][0]["message"]["content"] = f"{SENTINEL} \\boxed{{{SENTINEL}}}"
    fails = status != 200
    document = {"error": {"message": f"bad key {SENTINEL}", SENTINEL: [SENTINEL]}} if fails else said
    error = http(status, SPELLED[spelled](json.dumps(document)).encode(),
                 f"content-type: application/json\r\nx-key: {SENTINEL}")  # fmt: skip
    with serving(lambda request, number: error) as server:
        backend = ScriptedBackend()
        far = engine(server.url, key_env="A_KEY", logprobs=False, deadline=30.0 if status == 401 else 1.0)
        backend.engine = lambda name: far
        repository.add(
            database(database_url), "keyed", replace(spec("best_of_n", 2), verifier="", params={"select": "majority"})
        )
        with Driver(database(database_url), role="worker", backend=backend) as driver:
            driver.work(lambda: False, forever=False)
        assert server.asked and server.asked[0].headers["authorization"] == f"Bearer {SENTINEL}"
    view = runs.get("keyed", db=database_url)
    assert view.status in ("done", "failed") and view.usage.failed_samples == (2 if status == 500 else 0)
    document = runs_documents.dumps(runs.export_run("keyed", db=database_url))
    database(database_url).close()
    files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    reply = ask(far) if not fails else None
    out, err = capsys.readouterr()
    told = document + caplog.text + out + err + repr(view) + repr(vars(far)) + repr(far.options) + repr(far.client)
    if reply is not None and reply.error is not None:
        told += "".join(traceback.format_exception(reply.error))
    assert b"keyed" in files and SENTINEL.encode() not in files
    assert SENTINEL not in told and SENTINEL in os.environ["A_KEY"]
