"""The worker process and the `serve` that looks after it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from ttc_core import runs
from ttc_core.cli.serve import LONGEST_PAUSE, STEADY_SECONDS, Restarts, _end, _Worker
from ttc_core.settings import REPOSITORY
from ttc_core.store.database import database
from ttc_core.worker import Only


@pytest.fixture
def url(tmp_path):
    url = f"sqlite:///{tmp_path / 'x.db'}"
    runs.ensure_database(db=url)
    yield url
    database(url).close()


def wait_for(what, seconds=20.0):
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.05)


def alive(url):
    return lambda: runs.worker_state(db=url).alive


def test_a_worker_ends_cleanly_when_terminated(tmp_path):
    url = f"sqlite:///{tmp_path / 'new.db'}"
    command = [sys.executable, "-m", "ttc_core", "worker", "--forever", "--db", url]
    process = subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
    runs.ensure_database(db=url)  # as the app does at the same moment
    wait_for(alive(url))
    assert runs.worker_state(db=url).pid == process.pid
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 0 and "Traceback" not in err
    assert not alive(url)() and runs.worker_state(db=url).heartbeat_age is None


def test_serve_restarts_its_worker_and_there_is_only_one(url):
    first, second = _Worker(url), _Worker(url)
    try:
        first.watch()
        second.watch()
        assert first.process is not None and second.process is None
        wait_for(alive(url))
        killed = first.process.pid
        os.kill(killed, signal.SIGKILL)
        first.process.wait()
        assert not alive(url)()
        wait_for(lambda: first.watch() or (first.process is not None and first.process.pid != killed))
        wait_for(alive(url))
        second.watch()
        assert second.process is None
        _end([first.process])
        first.only.give_back()
        second.watch()
        assert second.process is not None  # the other serve has ended, so this one takes over
    finally:
        _end([w.process for w in (first, second) if w.process is not None])
        second.only.give_back()


@pytest.mark.slow
def test_serve_starts_app_and_worker_and_ends_both(url):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "ttc_core", "serve", "--no-browser", "--port", str(port), "--db", url]
    serve = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers():
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2).status == 200
        except OSError:
            return False

    try:
        wait_for(answers, 60)
        wait_for(alive(url), 60)
        serve.send_signal(signal.SIGTERM)
        assert serve.wait(15) == 0
        assert not answers() and not alive(url)()
    finally:
        serve.kill()
        serve.wait()


def test_the_right_outlives_a_serve_that_was_killed(url):
    """The worker inherits the lock, so a new serve does not start a second worker beside the orphan."""
    only, other = Only(database(url)), Only(database(url))
    assert only.take() and only.take()
    child = subprocess.Popen(["sleep", "60"], pass_fds=(only.handle,))
    only.give_back()
    assert not other.take()
    child.kill()
    child.wait()
    assert other.take()
    other.give_back()


def test_a_worker_that_keeps_dying_is_restarted_more_and_more_slowly():
    restarts, pauses = Restarts(), []
    for _ in range(9):
        restarts.died(lived=0.1, now=100.0)
        pauses.append(restarts.due - 100.0)
    assert pauses[:4] == [0.5, 1.0, 2.0, 4.0] and pauses[-1] == LONGEST_PAUSE
    restarts.died(lived=STEADY_SECONDS + 1, now=100.0)
    assert restarts.due == 100.5
