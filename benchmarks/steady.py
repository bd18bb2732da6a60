"""`python -m benchmarks.steady [--searches 10000]`: do memory and open files stay flat over many searches?

Searches of every strategy on the scripted engine, one in ten of whose replies fail, through the worker's driver into a
SQLite file, in twenty rounds. Said are resident memory and open files after each tenth of them; the first warms up.
Exit code 1 where memory after the last tenth is more than 5 % above that after the second, or more files are open.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from tests.conformance.harness import ScriptedBackend, spec
from ttc_core import registry, runs
from ttc_core.errors import EngineFault
from ttc_core.jobs import Job
from ttc_core.runs_driver import Driver
from ttc_core.store import repository
from ttc_core.store.database import database

CHOSEN = {
    "best_of_n": {"select": "weighted"},
    "beam_search": {"width": 2},
    "dvts": {"width": 2},
    "mcts": {},
    "rebase": {},
}


def main() -> int:
    """Print a line a tenth."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--searches", type=int, default=10_000)
    searches = options.parse_args().searches
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/x.db"
        os.environ["TTC_EXAMPLES"] = "0"
        runs.ensure_database(db=url)
        seen = measured(url, searches)
    grown = seen[-1][0] / seen[1][0] - 1
    print(f"memory from the second tenth to the last: {grown:+.1%}; open files {seen[1][1]} and {seen[-1][1]}")
    return int(grown > 0.05 or seen[-1][1] > seen[1][1])


def measured(url: str, searches: int) -> list[tuple[float, int]]:
    """Resident MB and open files after each tenth."""
    rng, seen, done, round_ = random.Random(1), [], 0, searches // 20

    def unlucky(job: Job) -> Exception | None:
        return EngineFault("unlucky") if rng.random() < 0.1 else None

    with Driver(database(url), role="worker", backend=ScriptedBackend(fault=unlucky)) as driver:
        for engine in ("scripted-policy", "scripted-prm"):
            driver_engine = driver_backend(driver).engine(engine)
            driver_engine.jobs_seen = type(
                "Nothing", (list,), {"extend": lambda self, jobs: None}
            )()  # it keeps all jobs
        while done < searches:
            for _ in range(round_):
                name = list(CHOSEN)[done % len(CHOSEN)]
                asked = replace(spec(name, 8, seed=done), params=registry_params(name))
                repository.add(database(url), f"r{done}", asked)
                done += 1
            driver.work(lambda: False, forever=False)
            runs.delete([f"r{i}" for i in range(done - round_, done)], db=url)
            if done * 10 // (20 * round_) > len(seen):
                gc.collect()
                seen.append((resident(), len(os.listdir("/proc/self/fd"))))
                print(f"{done:8,} searches  {seen[-1][0]:7.1f} MB  {seen[-1][1]:3} files", flush=True)
    return seen


def driver_backend(driver: Driver) -> ScriptedBackend:
    """The backend that its scheduler asks."""
    found: ScriptedBackend = driver._scheduler._backend  # type: ignore[assignment]
    return found


def registry_params(name: str) -> dict[str, object]:
    """The strategy's settings, written out."""
    built = registry.build("strategy", name, CHOSEN[name])
    return {param.name: getattr(built, param.name) for param in registry.params(type(built))}


def resident() -> float:
    """MB of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    sys.exit(main())
