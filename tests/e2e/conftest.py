"""A served app with its worker on a database of its own, and a browser that tells every request it makes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from ttc_core import runs
from ttc_core.settings import REPOSITORY

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
START_SECONDS = 240.0  # a busy machine is slow, not broken
SEEN = """() => ({url: location.href, page: document.body.innerText.slice(0, 1500),
  trees: Object.values(window.__ttcs || {}).map(t =>
    ({run: t.run, revision: t.revision, nodes: t.nodes, chosen: t.chosen, selected: t.selected}))})"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def database(tmp_path_factory) -> str:
    """Address of the database that the app is served with."""
    return f"sqlite:///{tmp_path_factory.mktemp('database') / 'workbench.db'}"


@pytest.fixture(scope="session")
def log_file(tmp_path_factory):
    """What the served app and its worker say."""
    return tmp_path_factory.mktemp("served") / "log"


@pytest.fixture(scope="session")
def served(log_file, database) -> Iterator[str]:
    """Address of `python -m ttc_core serve` (app and worker) on a new database."""
    port = _free_port()
    env = {**os.environ, "TTC_DATABASE_URL": database, "TTC_EXAMPLES": "1"}
    command = [sys.executable, "-m", "ttc_core", "serve", "--no-browser", "--port", str(port)]
    with open(log_file, "wb") as log:
        process = subprocess.Popen(command, cwd=REPOSITORY, env=env, stdout=log, stderr=log)
    address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + START_SECONDS
    try:
        while not _healthy(address):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail("serve did not come up: " + log_file.read_text(errors="replace")[-2000:])
            time.sleep(0.2)
        yield address
        assert "Exception in thread" not in log_file.read_text(errors="replace")
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def _healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="session")
def browser():
    """Debian's chromium."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if not os.path.exists(CHROMIUM):
        pytest.skip("chromium is not installed: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """With a failure comes what the browser, the database and the app's log say at that moment."""
    report = yield
    if report.when == "call" and report.failed and "served" in item.funcargs:
        report.sections += _scene(item.funcargs)
    return report


def _scene(fixtures) -> list[tuple[str, str]]:
    pages = [page for context in fixtures["browser"].contexts for page in context.pages]
    database = fixtures["database"]
    newest = runs.listing(db=database, limit=8).rows
    return [
        *((f"page {n}", _seen(page)) for n, page in enumerate(pages, start=1)),
        ("worker", str(runs.worker_state(db=database))),
        ("newest runs", "\n".join(f"{run.id} {run.status} {run.usage.generations} {run.error}" for run in newest)),
        ("log of the app", fixtures["log_file"].read_text(errors="replace")[-6000:]),
    ]


def _seen(page) -> str:
    try:
        return json.dumps(page.wait_for_function(SEEN, timeout=5_000).json_value(), indent=1)
    except Exception as error:  # it crashed, or hangs
        return repr(error)


@pytest.fixture
def open_page(browser):
    """Opens an address in a new context, as a second reader would; at the end nothing may have left this machine."""
    contexts, asked, errors = [], [], []

    def open_(address: str, **options):
        context = browser.new_context(viewport={"width": 1440, "height": 900}, **options)
        contexts.append(context)
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.set_default_timeout(90_000)  # a busy machine is slow, not broken
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("websocket", lambda socket_: asked.append(socket_.url))
        page.goto(address, wait_until="commit")
        return page

    yield open_
    for context in contexts:
        context.close()
    strangers = {url for url in asked if urlsplit(url).scheme not in ("data", "blob")}
    assert {urlsplit(url).hostname for url in strangers} <= {"127.0.0.1"}
    assert asked, "no request was recorded: the check would prove nothing"
    assert errors == []
