"""How close a study comes to the least possible time when steps have very different lengths.

On scripted engines with `LANES` lanes each and log-normal step lengths (sigma 0.6) on a virtual clock, so that the
figures depend on nothing but the order in which work is handed out. The least possible time is the larger of each
engine's total work divided by its lanes and the critical path: the time that the same searches take with as many lanes
as they could use.
"""

from __future__ import annotations

from typing import Any

from ttc_core.bench.lockstep import LockStep
from ttc_core.bench.searches import POLICY, ScriptedBackend, drive, scripted_problems, search, spec
from ttc_core.bench.sizes import Size
from ttc_core.scheduler import Scheduler

LANES = 64
UNLIMITED = 10**9


def measure(size: Size) -> dict[str, Any]:
    """Makespan / least possible, ours and lock-step, and the lanes' idle time while there was work for them."""
    by_beams = {f"n{n}": _one(size.problems, n) for n in size.beams}
    worst = {key: max(figures[key] for figures in by_beams.values()) for key in next(iter(by_beams.values()))}
    best_lockstep = min(figures["lockstep_makespan_ratio"] for figures in by_beams.values())
    return {**worst, "lockstep_makespan_ratio": best_lockstep, "makespan_by_beams": by_beams}


def _one(n_problems: int, beams: int) -> dict[str, float]:
    asked = scripted_problems(n_problems)
    specs = [spec(problem, "beam_search", beams) for problem in asked]
    backend = ScriptedBackend(LANES)
    scheduler = Scheduler(backend, max_active=n_problems)
    idle = 0.0

    def watch(seconds: float) -> None:
        nonlocal idle
        idle += sum(seconds * engine.free for name, engine in backend.engines.items() if scheduler.backlog(name))

    backend.clock.watch = watch
    drive(scheduler, specs, asked)
    free = ScriptedBackend(UNLIMITED)
    search(free, specs, asked, max_active=n_problems)
    least = max(free.clock.now, *(engine.busy_seconds / LANES for engine in backend.engines.values()))
    slow = ScriptedBackend(LANES)
    loop = LockStep(slow, spec(asked[0], "beam_search", beams))
    for problem in asked:
        loop.search(problem)
    return {
        "makespan_ratio": backend.clock.now / least,
        "lockstep_makespan_ratio": slow.clock.now / least,
        "idle_with_work_fraction": idle / (LANES * backend.clock.now),
        "lanes_busy_fraction": backend.engines[POLICY].busy_seconds / (LANES * backend.clock.now),
    }
