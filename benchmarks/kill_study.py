"""Kill the process that carries out a study, at random moments and at each named commit point, and see what is lost.

    python -m benchmarks.kill_study [--kills 500] [--minutes M] [--seed 0] [--out FILE]

The study runs on the scripted engine: a pool and two searches on 12 problems. It is begun anew whenever it has ended.
Writes one JSON document; exit code 1 when an outcome that was stored is gone or changed, one is there twice, the
database is damaged, more was sampled again than was in flight, or the final tables differ from an undisturbed study's.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.faults import kept
from ttc_core import runs, studies
from ttc_core.bench.searches import POLICY, VERIFIER, ScriptedBackend, scripted_problems
from ttc_core.jobs import GenerateJob
from ttc_core.runs_checks import named
from ttc_core.store import database, leases, units
from ttc_core.store import studies_made as stored
from ttc_core.store.studies_made import NewMethod, NewStudy, NewUnit

STUDY = "killed"
POINTS = ("claimed", "written", "committed")
PROBLEMS, BLOCK, POOL, BUDGET = 12, 3, 16, 8
CAPACITY = 64
LONGEST = 0.6  # seconds that a process lives


def main() -> int:
    """Run it."""
    return reported(__doc__, "--kills", 500, measure, fine)


def reported(
    about: str | None,
    option: str,
    default: int,
    measure: Callable[[Path, int, int, float], dict[str, Any]],
    fine: Callable[[dict[str, Any]], bool],
) -> int:
    """Measure so often in a folder of its own, with empty databases, and print what came of it; 0 where it is fine.

    It may be told to end sooner, after so many minutes; the report says how far it came.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument(option, type=int, default=default, dest="times")
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    os.environ["TTC_EXAMPLES"] = "0"  # databases begin empty
    with tempfile.TemporaryDirectory() as folder:
        report = measure(Path(folder), args.times, args.seed, time.monotonic() + 60 * args.minutes)
    kept(report, args.out)
    return 0 if fine(report) else 1


def fine(report: dict[str, Any]) -> bool:
    """Whether nothing was lost."""
    wrong = ("lost", "changed", "damaged", "different", "sampled again beyond those in flight")
    return not any(report[name] for name in wrong)


def measure(folder: Path, kills: int, seed: int, until: float = math.inf) -> dict[str, Any]:
    """Kill so many processes and count what went wrong; begin no other study after `until`, of the monotonic clock."""
    chance = random.Random(seed)
    calm = folder / "calm.db"
    _in_child(lambda: _prepare(calm))
    _in_child(lambda: _work(calm))
    wanted, needed = _tables(calm), len(_jobs(calm.with_suffix(".log")))
    report: dict[str, Any] = {"kills": 0, "by": {"moment": 0, **dict.fromkeys(POINTS, 0)}, "studies": 0}
    report |= {"outcomes": len(wanted[0]), "lost": 0, "changed": 0, "damaged": 0, "different": 0}
    report |= {"sampled again": 0, "sampled again beyond those in flight": 0}
    begun = time.monotonic()
    while report["kills"] < kills and time.monotonic() < until:
        path = folder / f"{report['studies']}.db"
        _in_child(lambda path=path: _prepare(path))
        _disturbed(path, chance, kills, report)
        _in_child(lambda path=path: _work(path))
        report["studies"] += 1
        report["different"] += _tables(path) != wanted
        _count_again(path.with_suffix(".log"), needed, report)
    return {**report, "seconds": round(time.monotonic() - begun, 1)}


def _disturbed(path: Path, chance: random.Random, kills: int, report: dict[str, Any]) -> None:
    """Kill processes until the study has ended or enough were killed."""
    seen: dict[Any, Any] = {}
    while report["kills"] < kills and not _ended(path):
        point, number = chance.choice(("moment", *POINTS)), chance.randint(1, 30)
        number = min(number, 6) if point == "claimed" else number
        after = chance.uniform(0.0, LONGEST) if point == "moment" else 30.0
        if _in_child(lambda p=point, n=number: _work(path, p, n), after) == -signal.SIGKILL:
            report["kills"] += 1
            report["by"][point] += 1
        now = _outcomes(path)
        report["lost"] += sum(key not in now for key in seen)
        report["changed"] += sum(key in now and now[key] != row for key, row in seen.items())
        report["damaged"] += _integrity(path) != "ok"
        seen = now


# --- children --------------------------------------------------------------------------------------------------------


def _in_child(work: Callable[[], None], seconds: float = 1200.0) -> int:
    """Do it in a forked process, which is killed after so many seconds; returns how it ended, as `subprocess` does."""
    pid = os.fork()
    if not pid:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            os._exit(1)
    until = time.monotonic() + seconds
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            if code == 1:
                raise RuntimeError("the child failed")
            return code
        if time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)


def _prepare(path: Path) -> None:
    url = f"sqlite:///{path}"
    runs.ensure_database(db=url)
    prepare(url, STUDY)


def prepare(url: str, name: str) -> None:
    """Store the study, for workers to carry out."""
    best, beam = named("strategy", "best_of_n", {}), named("strategy", "beam_search", {})
    methods = [
        NewMethod(POLICY, VERIFIER, "best_of_n", vars(best), "pool", [POOL], samples=POOL),
        NewMethod(POLICY, VERIFIER, "best_of_n", vars(best), "best_of_n", [1, 4, POOL], pool=0),
        NewMethod(POLICY, VERIFIER, "beam_search", vars(beam), "beam_search", [4, BUDGET]),
    ]
    blocks = [(first, BLOCK) for first in range(0, PROBLEMS, BLOCK)]
    planned = [NewUnit(0, POOL, 0, *block) for block in blocks]
    planned += [NewUnit(2, budget, 0, *block) for budget in (4, BUDGET) for block in blocks]
    new = NewStudy(name, "sweep", "", {"kept": [0, 7]}, scripted_problems(PROBLEMS), methods, planned)
    with database.database(url).write() as connection:
        stored.create(connection, new)


def _work(path: Path, point: str = "", number: int = 0) -> None:
    """Carry the study out; end at the passing of this number of a named point."""
    passed = [0]

    def passing(name: str) -> None:
        passed[0] += name == point
        if passed[0] == number and number:
            os.kill(os.getpid(), signal.SIGKILL)

    units.passing = passing
    leases.DEATHS = 1_000_000  # no unit is to blame for these
    backend = ScriptedBackend(CAPACITY)
    log = os.open(path.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(log, b"begun\n")
    engine = backend.engines[POLICY]
    submit, poll = engine.submit, engine.poll

    def noted(jobs: list[Any]) -> None:
        os.write(log, "".join(f"{job.seed}\n" for job in jobs if isinstance(job, GenerateJob)).encode())
        submit(jobs)

    def slowly(timeout: float = 0.0) -> Any:
        time.sleep(0.002)
        return poll(timeout)

    engine.submit, engine.poll = noted, slowly  # type: ignore[method-assign]
    studies.work(STUDY, backend=backend, db=f"sqlite:///{path}")


# --- what is in the database, read without the program ---------------------------------------------------------------


def _ask(path: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def _ended(path: Path) -> bool:
    return not _ask(path, "SELECT 1 FROM units WHERE status IN ('pending', 'running')")


def _outcomes(path: Path) -> dict[Any, Any]:
    return {row[:4]: row[4:] for row in _ask(path, "SELECT * FROM outcomes")}


def _integrity(path: Path) -> str:
    return str(_ask(path, "PRAGMA integrity_check")[0][0])


def _tables(path: Path) -> tuple[Any, ...]:
    """Outcomes, pools and kept trees, without what depends on time or on what a cache held."""
    outcomes = _ask(
        path,
        "SELECT method, problem, budget, seed, answer, score, excluded, run, generations, generated_tokens,"
        " failed_samples FROM outcomes",
    )
    pools = _ask(path, "SELECT * FROM pools")
    trees = _ask(
        path,
        "SELECT r.id, n.id, n.text, n.state, n.scores FROM nodes n JOIN runs r ON r.key = n.run"
        " WHERE r.study IS NOT NULL ORDER BY 1, 2",
    )
    return outcomes, pools, trees, _ask(path, "SELECT status, count(*) FROM units GROUP BY 1")


def _jobs(log: Path) -> list[str]:
    """Seeds of all samples that were asked of the engine."""
    return [line for line in log.read_text("ascii").split() if line != "begun"]


def _count_again(log: Path, needed: int, report: dict[str, Any]) -> None:
    """Samples asked for more than once; each process that was killed may have had a full engine in flight."""
    killed = log.read_text("ascii").split().count("begun") - 1
    again = len(_jobs(log)) - needed
    report["sampled again"] += again
    report["sampled again beyond those in flight"] += max(0, again - killed * CAPACITY)


if __name__ == "__main__":
    sys.exit(main())
