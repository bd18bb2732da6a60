"""Asks the limited process: a few of them, restarted when they die, each request bounded, every failure counted."""

from __future__ import annotations

import atexit
import functools
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import IO, Any

from ttc_core.errors import TTCError

CHILD = Path(__file__).with_name("mathematics_child.py")
SPARES = 2  # processes: while a killed one is started again, the other answers
START_SECONDS = 120.0  # to load sympy, on a machine that does much else
WALL_SECONDS = 60.0  # for a request; the child allows itself 2 s of processor time, on a busy machine that takes longer
INSTALL = "pip install -r requirements.txt"
LONGEST_REPLY = 1 << 20  # bytes


class NoGrader(TTCError):
    """math-verify cannot be started; nothing mathematical can be graded."""


class Child:
    """One limited process."""

    def __init__(self) -> None:
        # An environment of its own: nothing of ours, keys least of all; one order of sets, so that spelling repeats.
        self._process = subprocess.Popen(
            [sys.executable, "-s", "-P", "-X", "utf8", str(CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PYTHONHASHSEED": "0", "PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        self._ready = False

    def ask(self, request: dict[str, str]) -> dict[str, Any] | None:
        """The reply, None when the process died or had to be killed.

        Raises:
            NoGrader: it cannot do its work on this machine at all.
        """
        if not self._ready:
            hello = self._read(START_SECONDS)
            if hello is None or "missing" in hello:
                self.kill()
            if hello is None:
                return None
            if "missing" in hello:
                raise NoGrader(f"mathematical answers cannot be graded: {hello['missing']}", hint=INSTALL)
            self._ready = True
        try:
            _pipe(self._process.stdin).write(json.dumps(request).encode("ascii") + b"\n")
            _pipe(self._process.stdin).flush()
        except OSError:  # it has died since
            self.kill()
            return None
        found = self._read(WALL_SECONDS)
        if found is None:
            self.kill()
            if self._process.returncode == -signal.SIGXCPU:  # its time was up, and would be again
                return {"failed": "time"}
        return found

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """It has not been killed."""
        return self._process.returncode is None

    def kill(self) -> None:
        """End it and wait until it is gone."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                _pipe(pipe).close()
            except OSError:  # what was written and not read is lost with it
                continue

    def _read(self, seconds: float) -> dict[str, Any] | None:
        """One line as JSON; None when it does not come, is too long, or is not that."""
        handle = _pipe(self._process.stdout).fileno()
        line, until = b"", time.monotonic() + seconds
        with selectors.DefaultSelector() as ready:
            ready.register(handle, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if len(line) > LONGEST_REPLY or not ready.select(max(0.0, until - time.monotonic())):
                    return None
                piece = os.read(handle, 1 << 16)
                if not piece:
                    return None
                line += piece
        try:
            found = json.loads(line)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None


class Pool:
    """Takes requests from any thread, one at a time.

    counts     what went wrong so far, by name: "time", "memory", "killed" (and tried once more), "given up" (twice)
    seconds    processor time of the requests that were answered
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.seconds = 0.0
        self._children = [Child() for _ in range(SPARES)]
        self._lock = threading.Lock()

    def ask(self, **request: str) -> dict[str, Any]:
        """The child's reply; {"failed": why} when there is none, after a second try in another process.

        Raises:
            NoGrader: math-verify is not there.
        """
        with self._lock:
            for last in (False, True):
                found = self._children[0].ask(request)
                if found is not None:
                    self.seconds += float(found.get("seconds", 0.0))
                    if "failed" in found:
                        self.counts[str(found["failed"])] += 1
                    short = found.get("failed") == "memory"
                    if short or not self._children[0].alive:
                        self._replace()  # after a lack of memory it may not find room again
                    if not short or last:
                        return found
                    continue
                self.counts["killed"] += 1
                self._replace()
            self.counts["given up"] += 1
            return {"failed": "killed"}

    @property
    def processes(self) -> list[int]:
        """Their numbers, the next one to be asked first."""
        return [child.pid for child in self._children]

    def close(self) -> None:
        """End all processes."""
        for child in self._children:
            child.kill()

    def _replace(self) -> None:
        """Put a new process, which loads meanwhile, behind the others."""
        self._children.pop(0).kill()
        self._children.append(Child())


@functools.cache
def _pool(owner: int) -> Pool:
    made = Pool()
    atexit.register(_close, owner, made)
    return made


def pool() -> Pool:
    """This process's pool, started when first asked for; a forked process has its own."""
    return _pool(os.getpid())


def _close(owner: int, made: Pool) -> None:
    if owner == os.getpid():
        made.close()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise NoGrader("the grading process has no pipes")
    return pipe
