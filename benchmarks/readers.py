"""Many who look while a few work: how long reading takes, and whether anybody finds the database locked.

    python -m benchmarks.readers [--db postgresql] [--readers 32] [--workers 4] [--seconds 120] [--out FILE]

Workers are processes that carry out studies on the scripted engine, as fast as they can. Readers are threads of 4
processes, each of which asks once a second for what the page Studies polls (`studies.progress`), every fifth time for
what it draws (`studies.outcomes`), and for the list of runs. Writes one JSON document; exit code 1 where anything was
refused, or the 95th percentile of reading is 200 ms or more. `--db postgresql` starts a server of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import kill_study
from benchmarks.faults import kept
from ttc_core import runs, studies
from ttc_core.bench.searches import ScriptedBackend
from ttc_core.errors import StoreError, UserError

PROCESSES = 4  # that readers are spread over
MOST = 0.2  # seconds


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--readers", type=int, default=32)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    os.environ["TTC_EXAMPLES"] = "0"  # databases begin empty
    with tempfile.TemporaryDirectory() as folder:
        if args.db == "postgresql":
            from tests.postgres import Server

            server = Server(fsync=True)
            try:
                report = measure(server.url(), args)
            finally:
                server.end()
        else:
            report = measure(f"sqlite:///{Path(folder) / 'x.db'}", args)
    kept(report, args.out)
    return int(bool(report["refused"]) or report["read_ms"]["p95"] >= 1000 * MOST)


def measure(url: str, args: argparse.Namespace) -> dict[str, Any]:
    """Let them all run for so long and gather what they noted."""
    spawned = multiprocessing.get_context("spawn")
    runs.ensure_database(db=url)
    until = time.time() + args.seconds + 5.0  # to start takes them some seconds
    told = spawned.Queue()
    of = [args.readers // PROCESSES] * PROCESSES
    children = [spawned.Process(target=_work, args=(url, i, until, told)) for i in range(args.workers)]
    children += [spawned.Process(target=_read, args=(url, n, i, until, told)) for i, n in enumerate(of)]
    for child in children:
        child.start()
    found = [told.get(timeout=args.seconds + 120) for _ in children]
    for child in children:
        child.join()
    times = 1000 * np.array([t for one in found for t in one.get("times", [])])
    percentiles = {f"p{p}": round(float(np.percentile(times, p)), 1) for p in (50, 95, 99)}
    refused = [text for one in found for text in one["refused"]]
    counted = {"database": args.db, "readers": sum(of), "workers": args.workers, "seconds": args.seconds}
    counted |= {"reads": len(times), "studies_carried_out": sum(one.get("studies", 0) for one in found)}
    shown = {"refused": len(refused), "said": sorted(set(refused))[:5], "load_average": os.getloadavg()[0]}
    return {**counted, "read_ms": {**percentiles, "max": round(float(times.max()), 1)}, **shown}


def _work(url: str, number: int, until: float, told: Any) -> None:
    """Carry out one study after another."""
    done, refused = 0, []
    while time.time() < until:
        name = f"w{number}-{done}"
        try:
            kill_study.prepare(url, name)
            studies.work(name, until=lambda: time.time() > until, backend=ScriptedBackend(64), db=url)
            done += 1
        except StoreError as error:
            refused.append(f"worker: {error}")
    told.put({"studies": done, "refused": refused})


def _read(url: str, threads: int, number: int, until: float, told: Any) -> None:
    """So many sessions that look once a second."""
    times: list[float] = []
    refused: list[str] = []

    runs.listing(db=url)
    with suppress(UserError):
        studies.outcomes("w0-0", db=url)  # what is imported when it is first needed is no reading

    def session(offset: float) -> None:
        time.sleep(offset)
        looked = 0
        while time.time() < until:
            for turn in range(2):
                begun = time.perf_counter()
                try:
                    _look(url, looked, turn)
                except StoreError as error:
                    refused.append(f"reader: {error}")
                times.append(time.perf_counter() - begun)
            looked += 1
            time.sleep(1.0)

    sessions = [threading.Thread(target=session, args=(i / threads,)) for i in range(threads)]
    for one in sessions:
        one.start()
    for one in sessions:
        one.join()
    told.put({"times": times, "refused": refused})


def _look(url: str, looked: int, turn: int) -> None:
    if not turn:
        runs.listing(db=url)
        return
    with suppress(UserError):  # that study has not begun yet
        name = f"w{looked % 4}-0"
        studies.progress(name, db=url)
        if not looked % 5:
            studies.outcomes(name, db=url)


if __name__ == "__main__":
    sys.exit(main())
