"""Whether two worker processes on one database do twice as much as one: `python -m ttc_core worker`, as in the app."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ttc_core import runs
from ttc_core.bench.searches import DATASET, problems
from ttc_core.bench.sizes import Size
from ttc_core.types import RunSpec

BEAMS = 16
SECONDS = 600.0


def measure(size: Size) -> dict[str, Any]:
    """Wall-clock time of one worker / of two for the same runs, from the first step recorded to the last run's end."""
    one, two = (_timed(workers, size.work) for workers in (1, 2))
    return {"two_process_speedup": one / two, "one_process_seconds": one, "two_process_seconds": two}


def _timed(workers: int, count: int) -> float:
    asked = problems(count)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'bench.db'}"
        runs.ensure_database(db=url)
        known = runs.listing(db=url).total
        started = [subprocess.Popen(_command(url), stderr=subprocess.DEVNULL) for _ in range(workers)]
        try:
            warm = [_start(problem.id, 1, url) for problem in asked[: 4 * workers]]  # every worker loads its models
            _until_done(url, known + len(warm))
            begun = time.monotonic()
            for problem in asked:
                _start(problem.id, BEAMS, url)
            _until_done(url, known + len(warm) + len(asked))
            return time.monotonic() - begun
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait()


def _command(url: str) -> list[str]:
    return [sys.executable, "-m", "ttc_core", "worker", "--forever", "--db", url]


def _start(problem_id: str, budget: int, url: str) -> str:
    return runs.start(RunSpec("", "beam_search", budget, dataset=DATASET, problem_id=problem_id), db=url)


def _until_done(url: str, count: int) -> None:
    end = time.monotonic() + SECONDS
    while runs.listing(status="done", limit=1, db=url).total < count:
        if time.monotonic() > end:
            raise TimeoutError(f"the workers did not finish within {SECONDS:g} seconds")
        time.sleep(0.05)
