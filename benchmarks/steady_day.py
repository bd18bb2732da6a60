"""`python -m benchmarks.steady_day [--hours 24]`: a day of searches and studies among faults, by a virtual clock.

The scripted engine takes two virtual seconds a token, so that a day is some thousand searches. Each virtual hour brings
a study; one in fifty replies fails; this machine's clock is set an hour forwards or back; the engine breaks in the
middle of a batch; and under SQLite a write, a read, an opened file or a lock fails (`tests/hostile/disk.py`), after
which a new worker goes on. Said are, for each hour: searches, faults met, memory and open files.

Exit code 1 where a search or a study did not end, one that met no fault of the engine found another answer than
undisturbed, the database is not sound, memory after the last hour is more than 5 % above that after the sixth, or more
files are open.
"""

from __future__ import annotations

import argparse
import errno
import gc
import logging
import os
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from typing import Any

from benchmarks.steady import CHOSEN, registry_params, resident
from tests.conformance.harness import spec
from tests.hostile.disk import SHORT, disk
from tests.unit.test_studies import BEAM, add
from ttc_core import runs, studies
from ttc_core.bench.searches import POLICY, VERIFIER, ScriptedBackend
from ttc_core.errors import EngineBusy, EngineFault, StoreError
from ttc_core.jobs import Job
from ttc_core.runs_driver import Driver
from ttc_core.store import repository, upkeep
from ttc_core.store.database import database
from ttc_core.store.studies_made import NewMethod
from ttc_core.types import RunSpec

HOUR = 3600.0
SECONDS_A_TOKEN = 2.0
ROUND = 50  # searches that are added together
DISK = [("write", errno.EIO), ("write", errno.ENOSPC), ("write", SHORT), ("read", errno.EIO), ("open", errno.EMFILE),
        ("lock", errno.EAGAIN)]  # fmt: skip
SAMPLE = 10  # of a round's searches, so many are done again undisturbed


def main() -> int:
    """Print a line an hour and what was wrong."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hours", type=int, default=24)
    hours = options.parse_args().hours
    logging.disable(logging.CRITICAL)
    os.environ["TTC_EXAMPLES"] = "0"
    with tempfile.TemporaryDirectory() as folder:
        day = Day(f"sqlite:///{folder}/x.db")
        seen = [day.hour(number) for number in range(1, hours + 1)]
        if not upkeep.check(day.db)["fine"]:
            day.wrong.append("the database is not sound")
    early = seen[min(5, len(seen) // 4)]
    grown = seen[-1][0] / early[0] - 1
    print(f"memory from hour {seen.index(early) + 1} to the last: {grown:+.1%}; files {early[1]} and {seen[-1][1]}")
    print(f"faults: {dict(day.met)}")
    print(f"{day.ended} searches, {day.compared} done again undisturbed; wrong: {len(day.wrong)} {day.wrong[:5]}")
    return int(bool(day.wrong) or grown > 0.05 or seen[-1][1] > early[1])


class Day:
    """The workbench over that day."""

    def __init__(self, url: str) -> None:
        runs.ensure_database(db=url)
        self.url, self.db, self.rng = url, database(url), random.Random(1)
        self.met: Counter[str] = Counter()
        self.ended = self.compared = self.made = 0
        self.wrong: list[str] = []
        self._ahead, real = 0.0, time.time
        time.time = lambda: real() + self._ahead
        self._now = 0.0  # on the engines' clock
        self.calm = f"{url}.calm"
        runs.ensure_database(db=self.calm)

    def hour(self, number: int) -> tuple[float, int]:
        """Resident MB and open files after it."""
        self._study(f"hour-{number}")
        while self._now < number * HOUR:
            self._searches()
        self.db.close()
        gc.collect()
        seen = resident(), len(os.listdir("/proc/self/fd"))
        told = f"{self.ended:6,} searches  {sum(self.met.values()):6,} faults"
        print(f"{number:2} h  {told}  {seen[0]:6.1f} MB  {seen[1]} files", flush=True)
        return seen

    def _study(self, name: str) -> None:
        beam = NewMethod(POLICY, VERIFIER, "beam_search", BEAM, "beam_search", [4])
        add(self.url, name, pooled=False, methods=[beam])
        for _ in range(20):
            self._work()
            view = studies.progress(name, db=self.url)
            if view.status == "done":
                break
            if view.ended:
                studies.resume(name, db=self.url)  # the engine's faults may fail a unit
        else:
            self.wrong.append(f"study {name} is {view.status}")
        studies.delete(name, db=self.url)

    def _searches(self) -> None:
        asked = {}
        for _ in range(ROUND):
            name = list(CHOSEN)[self.made % len(CHOSEN)]
            one = replace(spec(name, 8, seed=self.made), params=registry_params(name), model=POLICY, verifier=VERIFIER)
            asked[f"r{self.made}"] = one
            repository.add(self.db, f"r{self.made}", one)
            self.made += 1
        for _ in range(200):
            self._work()
            views = {run_id: runs.get(run_id, db=self.url) for run_id in asked}
            broken = [run_id for run_id, view in views.items() if view.status == "failed"]
            for run_id in broken:
                runs.resume(run_id, db=self.url)
            if all(view.status == "done" for view in views.values()):
                break
        else:
            self.wrong += [f"{run_id} is {view.status}" for run_id, view in views.items() if view.status != "done"]
        self.ended += len(asked)
        self._compare(asked, views)
        runs.delete(list(asked), db=self.url)

    def _compare(self, asked: dict[str, RunSpec], views: dict[str, runs.RunView]) -> None:
        whole = [i for i, v in views.items() if not v.usage.failed_samples and not v.usage.failed_scores][:SAMPLE]
        for run_id in whole:
            repository.add(database(self.calm), run_id, asked[run_id])
        with Driver(database(self.calm), role="worker", backend=_backend()) as driver:
            driver.work(lambda: False, forever=False)
        for run_id in whole:
            self.compared += 1
            if views[run_id].outcome != runs.get(run_id, db=self.calm).outcome:
                self.wrong.append(f"{run_id} found another answer")
        runs.delete(whole, db=self.calm)

    def _work(self) -> None:
        """One life of a worker, which a fault of the disk may end."""
        kind, error = self.rng.choice(DISK)
        backend = _backend(self._now, latency=SECONDS_A_TOKEN, fault=self._unlucky)
        with disk(kind, error=error, at=self.rng.randrange(1, 4000)) as state:
            try:
                with Driver(self.db, role="worker", backend=backend) as driver:
                    driver.work(self._jump, forever=False)
            except StoreError:
                self.met["worker ended"] += 1
        self._now = backend.clock.now
        self.met[f"{kind} {errno.errorcode.get(error, 'short')}"] += state.failed
        if repository.still_open(self.db, [f"r{i}" for i in range(self.made - ROUND, self.made)]):
            time.sleep(0.25)

    def _jump(self) -> bool:
        if self.rng.random() < 0.0005:
            self.met["clock"] += 1
            self._ahead += self.rng.choice([-HOUR, HOUR])
        return False

    def _unlucky(self, job: Job) -> Exception | None:
        luck = self.rng.random()
        if luck < 0.0002:
            self.met["engine broke"] += 1
            raise RuntimeError("the engine broke")
        if luck < 0.02:
            self.met["reply failed"] += 1
            return EngineBusy("too slow") if luck < 0.01 else EngineFault("nonsense")
        return None


def _backend(now: float = 0.0, **options: Any) -> ScriptedBackend:
    """A new one, as each worker has; its clock goes on."""
    made = ScriptedBackend(64, **options)
    made.clock.now = now
    for engine in made.engines.values():
        engine.jobs_seen = _Nothing()
    return made


class _Nothing(list):  # type: ignore[type-arg]
    """In place of the record of jobs, which would grow."""

    def extend(self, jobs: object) -> None:
        """Forget them."""


if __name__ == "__main__":
    sys.exit(main())
