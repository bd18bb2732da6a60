"""`serve`: the app and its worker, started together, watched, and ended together."""

from __future__ import annotations

import argparse
import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

from ttc_core import runs
from ttc_core.settings import REPOSITORY, settings
from ttc_core.store.database import database
from ttc_core.worker import Only, Terminated

log = logging.getLogger("ttc.serve")

WATCH_SECONDS = 0.5
LONGEST_PAUSE = 30.0  # between restarts of a worker that keeps dying
STEADY_SECONDS = 60.0  # a worker that lived so long did not die of what killed the one before
END_SECONDS = 10.0  # what the children get to end by themselves
_PR_SET_PDEATHSIG = 1


@dataclass
class Restarts:
    """How long to wait before a worker is started again: twice as long each time it dies soon."""

    pause: float = 0.0
    due: float = field(default=0.0)

    def died(self, lived: float, now: float) -> None:
        """Note a death after `lived` seconds."""
        self.pause = 0.5 if lived > STEADY_SECONDS or self.pause == 0.0 else min(2 * self.pause, LONGEST_PAUSE)
        self.due = now + self.pause


def serve(args: argparse.Namespace) -> int:
    """Run the app until it ends or this process is asked to; returns the exit code."""
    url = database(args.db or settings().database_url).absolute_url  # the children start in another folder
    runs.ensure_database(db=url)
    ended = Terminated()
    app = _start_app(url, args)
    worker = _Worker(url)
    try:
        while not ended() and app.poll() is None:
            if not settings().read_only:  # nobody may ask for anything then
                worker.watch()
            time.sleep(WATCH_SECONDS)
    finally:
        _end([app, *([worker.process] if worker.process else [])])
        worker.only.give_back()
    return 0 if ended() else int(app.returncode != 0)


class _Worker:
    """The worker process of this database, unless another `serve` has one."""

    def __init__(self, url: str) -> None:
        self.only = Only(database(url))
        self.process: subprocess.Popen[bytes] | None = None
        self._url = url
        self._restarts = Restarts()
        self._started = 0.0
        self._told = False

    def watch(self) -> None:
        """Start it when it is not there and nobody else has one; note its death."""
        now = time.monotonic()
        if self.process is not None and self.process.poll() is not None:
            log.warning("the worker ended with code %s and is started again", self.process.returncode)
            self._restarts.died(now - self._started, now)
            self.process = None
        if self.process is not None or now < self._restarts.due:
            return
        if self.only.take():
            self.process = _start(
                ["ttc_core", "worker", "--forever"],
                self._url,
                pass_fds=() if self.only.handle is None else (self.only.handle,),
            )
            self._started = now
        elif not self._told:
            log.warning("another serve has a worker for this database; this one uses it")
            self._told = True


def _start_app(url: str, args: argparse.Namespace) -> subprocess.Popen[bytes]:
    headless = "true" if args.no_browser else "false"
    options = ["--server.port", str(args.port), "--server.headless", headless]
    return _start(["ttc_core.ui.served", "run", str(REPOSITORY / "app.py"), *options], url)


def _start(module: list[str], url: str, pass_fds: tuple[int, ...] = ()) -> subprocess.Popen[bytes]:
    """Start a Python module in the repository, where it finds .streamlit/; the URL may hold a password: no argument."""
    return subprocess.Popen(
        [sys.executable, "-m", *module],
        cwd=REPOSITORY,
        env={**os.environ, "TTC_DATABASE_URL": url},
        stdin=subprocess.DEVNULL,
        pass_fds=pass_fds,
        preexec_fn=_end_with_parent,  # noqa: PLW1509 (serve has one thread)
    )


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    """Ask all to end, wait, and insist."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    patience = time.monotonic() + END_SECONDS
    for process in processes:
        try:
            process.wait(max(0.1, patience - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _end_with_parent() -> None:
    """In the child, before it starts: be terminated when `serve` dies, however it dies (Linux); leave its terminal.

    Its own process group keeps Ctrl-C away, so that `serve` alone decides the order in which things end.
    """
    os.setpgrp()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
