"""The worker process: takes runs from the database and carries them out until told to end.

`work` is that process's whole life. A terminated worker gives its runs back; a killed one leaves them to the next.
"""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Callable
from types import FrameType

from ttc_core import access
from ttc_core.runs import ensure_database
from ttc_core.runs_driver import Driver
from ttc_core.store.database import Database, database


class Terminated:
    """Whether this process has been asked to end, by SIGTERM or SIGINT. A second signal ends it at once."""

    def __init__(self) -> None:
        self.yes = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._hear)

    def __call__(self) -> bool:
        return self.yes

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.yes = True
        signal.signal(number, signal.SIG_DFL)


def work(url: str, *, forever: bool, until: Callable[[], bool] | None = None) -> None:
    """Carry out what waits in the database; with `forever` also what comes later.

    Arguments:
        url: of the database, which is created if it is not there.
        until: called between turns; work ends when it returns true. None: when the process is asked to end.
    Raises:
        StoreFault: the database cannot be written; the runs remain claimable. Refused: this process is read-only.
    """
    access.check_writable()
    until = until or Terminated()
    ensure_database(db=url)
    with Driver(database(url), role="worker") as driver:
        driver.work(until, forever=forever)


class Only:
    """The right to look after a database: one `serve` has it at a time, whatever happens to the others.

    A lock on a file beside the SQLite database. The worker inherits it, so that it stays taken for as long as the
    worker lives even if `serve` was killed. Other databases need none: leases keep their workers apart.
    """

    def __init__(self, db: Database) -> None:
        self._path = None if db.path is None else db.path.with_name(db.path.name + ".lock")
        self.handle: int | None = None

    def take(self) -> bool:
        """Try to get it; False if another process has it."""
        if self._path is None or self.handle is not None:
            return True
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self.handle = handle
        return True

    def give_back(self) -> None:
        """Let another process have it."""
        if self.handle is not None:
            os.close(self.handle)
            self.handle = None
