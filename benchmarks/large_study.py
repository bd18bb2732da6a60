"""A study as large as a paper's, carried out by worker processes: time, tokens a second, database and memory.

    python -m benchmarks.large_study [--problems 500] [--samples 256] [--workers 2] [--out FILE]

A pool of samples of each problem of `mini-test` by mini-s, scored by mini-implicit, which serves best-of-N and majority
at every power of two; every tree is kept. A node of a pool is a whole solution with all its steps, hence bytes by both.
Writes one JSON document. Exit code 1 when the study does not end well or a process took 1.5 GB or more.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.faults import kept
from ttc_core import runs, studies
from ttc_core.settings import REPOSITORY
from ttc_core.store.database import database

STUDY = "large"
MOST_BYTES = 1.5e9
FILE = """
name = "{name}"
datasets = [{{ name = "mini-test", problems = {problems} }}]
models = ["mini-s"]
verifiers = ["mini-implicit"]
seeds = [0]
block = {block}
keep_trees = "all"

[[strategies]]
name = "best_of_n"
grid = {{ select = ["majority", "weighted", "best"] }}
budgets = {{ from = 1, to = {samples} }}
"""


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=500)
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    os.environ["TTC_EXAMPLES"] = "0"  # the database begins empty
    with tempfile.TemporaryDirectory() as folder:
        report = measure(Path(folder) / "x.db", args)
    kept(report, args.out)
    return int(report["status"] != "done" or max(report["peak_resident_bytes"]) >= MOST_BYTES)


def measure(path: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Store the study, let workers carry it out, and look at what they left."""
    url = f"sqlite:///{path}"
    runs.ensure_database(db=url)
    block = max(1, min(25, args.problems // (4 * args.workers)))  # so that all end at about the same time
    studies.start(FILE.format(name=STUDY, block=block, **vars(args)), db=url)
    command = [sys.executable, "-m", "ttc_core", "worker", "--study", STUDY, "--db", url]
    begun, before = time.monotonic(), os.getloadavg()[0]
    workers = [subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL) for _ in range(args.workers)]
    peaks = [0] * len(workers)
    watcher = threading.Thread(target=_watch, args=(workers, peaks))
    watcher.start()
    for worker in workers:
        worker.wait()
    seconds = time.monotonic() - begun
    watcher.join()
    view = studies.progress(STUDY, db=url)
    database(url).close()
    asked = {"problems": args.problems, "samples": args.samples, "workers": args.workers}
    spent = {"generations": view.generations, "tokens": view.tokens, "outcomes": view.outcomes}
    rates = {"seconds": round(seconds, 1), "tokens_per_second": round(view.tokens / seconds)}
    load = {"load_average_before": round(before, 2), "load_average_after": round(os.getloadavg()[0], 2)}
    return {**asked, "status": view.status, **spent, **rates, "peak_resident_bytes": peaks, **_stored(path), **load}


def _watch(workers: list[subprocess.Popen[bytes]], peaks: list[int]) -> None:
    """The most memory that each took, read while it lives."""
    while any(worker.poll() is None for worker in workers):
        for i, worker in enumerate(workers):
            try:
                status = Path(f"/proc/{worker.pid}/status").read_text("ascii", "replace")
            except OSError:
                continue
            kib = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")]
            peaks[i] = max([peaks[i], *(1024 * n for n in kib)])
        time.sleep(0.5)


def _stored(path: Path) -> dict[str, Any]:
    """The database's size, and what a node takes of it with its part of the indexes, read without the program."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
        nodes, steps = connection.execute("SELECT count(*), sum(steps) FROM nodes").fetchone()
        of = "SELECT sum(pgsize) FROM dbstat WHERE name IN (SELECT name FROM sqlite_master WHERE tbl_name = 'nodes')"
        used = connection.execute(of).fetchone()[0]
        fine = connection.execute("PRAGMA integrity_check").fetchone()[0]
    each = {"bytes_a_node": round(used / nodes, 1), "bytes_a_step": round(used / steps, 1)}
    return {"database_bytes": pages * size, "nodes": nodes, "steps": steps, **each, "integrity": fine}


if __name__ == "__main__":
    sys.exit(main())
