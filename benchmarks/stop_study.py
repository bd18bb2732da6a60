"""Stop a worker until another one has taken its study over and ended it, let it go on, and see what it still writes.

    python -m benchmarks.stop_study [--times 100] [--minutes M] [--seed 0] [--out FILE]

A process that carries out a study (as in `benchmarks.kill_study`) is stopped by SIGSTOP at a random moment at which it
holds units, for longer than a lease lasts; leases are of 0.4 s here. Another one ends the study; then SIGCONT. Writes
one JSON document; exit code 1 unless every write that the first one still tried was refused and changed nothing.

A worker stopped inside a transaction keeps SQLite's only lock, so that nobody can take over before it goes on: such a
moment is left, counted, and another one is chosen.
"""

from __future__ import annotations

import math
import os
import random
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks import kill_study
from ttc_core import runs_driver
from ttc_core.runs_views import STALLED_SECONDS
from ttc_core.store import leases, units

LEASE = 0.4  # seconds, in place of STALLED_SECONDS
BEAT = 0.1
PATIENCE = 60.0


def main() -> int:
    """Run it."""
    return kill_study.reported(__doc__, "--times", 100, measure, fine)


def fine(report: dict[str, Any]) -> bool:
    """Whether nothing of a stopped worker got through."""
    return report["rejected"] == report["stopped"] and not (report["changed"] or report["different"])


def measure(folder: Path, times: int, seed: int, until: float = math.inf) -> dict[str, Any]:
    """Stop so many workers and count what became of their writes; begin with none after `until`."""
    chance = random.Random(seed)
    calm = folder / "calm.db"
    kill_study._in_child(lambda: kill_study._prepare(calm))
    kill_study._in_child(lambda: kill_study._work(calm))
    wanted = kill_study._tables(calm)
    report: dict[str, Any] = {"stopped": 0, "rejected": 0, "changed": 0, "different": 0}
    report |= {"lease_seconds": LEASE, "instead_of": STALLED_SECONDS, "moments inside a transaction": 0, "too late": 0}
    number = 0
    while report["stopped"] < times and time.monotonic() < until:
        path = folder / f"{number}.db"
        number += 1
        kill_study._in_child(lambda path=path: kill_study._prepare(path))
        _once(path, chance, report, wanted)
    return report


def _once(path: Path, chance: random.Random, report: dict[str, Any], wanted: tuple[Any, ...]) -> None:
    first = _child(path, path.with_suffix(".lost"))
    time.sleep(chance.uniform(0.0, 0.5))
    while not _held(path) and not _gone(first):
        time.sleep(0.01)
    while not _stop(first, path):
        report["moments inside a transaction"] += 1
        time.sleep(chance.uniform(0.0, 0.02))
    if _gone(first) or not _held(path):
        report["too late"] += 1
        _go_on(first)
        return
    kill_study._in_child(lambda: _work(path, None))
    before = _all(path)
    report["stopped"] += 1
    _go_on(first)
    lost = path.with_suffix(".lost")
    report["rejected"] += lost.exists() and "lost" in lost.read_text("ascii")
    report["changed"] += _all(path) != before
    report["different"] += kill_study._tables(path) != wanted


# --- children --------------------------------------------------------------------------------------------------------


def _work(path: Path, log: Path | None) -> None:
    """Carry the study out with short leases; log: note commits that lost a lease."""
    for module in (units, leases):
        module.STALLED_SECONDS = LEASE  # type: ignore[attr-defined]
    runs_driver.BEAT_SECONDS = BEAT
    commit, held = units.commit, units.held

    def note(written: leases.Written) -> leases.Written:
        if written.lost and log is not None:
            with log.open("a") as file:
                file.write(f"lost {len(written.lost)}\n")
        return written

    units.commit = lambda db, changes: note(commit(db, changes))
    units.held = lambda db, mine: note(held(db, mine))
    kill_study._work(path)


def _child(path: Path, log: Path) -> int:
    if pid := os.fork():
        return pid
    try:
        _work(path, log)
        os._exit(0)
    except BaseException as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        os._exit(1)


def _stop(pid: int, path: Path) -> bool:
    """Stop it; False, and it goes on, where that was inside a transaction. One that has ended counts as stopped."""
    if _gone(pid):
        return True
    os.kill(pid, signal.SIGSTOP)
    while _state(pid) not in ("T", "Z", ""):
        time.sleep(0.001)
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            return True
        except sqlite3.OperationalError:
            os.kill(pid, signal.SIGCONT)
            return False


def _go_on(pid: int) -> None:
    os.kill(pid, signal.SIGCONT)
    until = time.monotonic() + PATIENCE
    while not os.waitpid(pid, os.WNOHANG)[0]:
        if time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _gone(pid: int) -> bool:
    return _state(pid) in ("Z", "")


def _held(path: Path) -> bool:
    return bool(kill_study._ask(path, "SELECT 1 FROM units WHERE status = 'running'"))


def _all(path: Path) -> Any:
    """Everything that a study's worker writes, its lease's columns too."""
    return [kill_study._ask(path, f"SELECT * FROM {name}") for name in ("outcomes", "pools", "units", "runs", "nodes")]


if __name__ == "__main__":
    sys.exit(main())
