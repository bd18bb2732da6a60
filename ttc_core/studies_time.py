"""How long a study will take here: from a short try of the models in this process, or from how earlier studies went."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence

from ttc_core import models, runs_checks
from ttc_core.backend import LocalBackend
from ttc_core.scheduler import Scheduler
from ttc_core.settings import settings
from ttc_core.store import studies_tables as tables
from ttc_core.store.database import Database
from ttc_core.store.studies_made import NewStudy
from ttc_core.types import Problem, RunSpec

TRIED = ("embedded",)  # engines whose models are loaded at once and cost nothing: they are tried
ANSWERS = 4  # problems that a try samples solutions of


def estimate(new: NewStudy, db: Database, *, probe: bool) -> tuple[float | None, list[str]]:
    """Seconds that one worker takes, None where nobody can say, and what that is based on: a sentence for each pair.

    Searches count by their generations, which are tried as whole solutions; those by steps take somewhat longer.

    probe: try models of the embedded engine, which takes some seconds; others are never loaded or called for this.
    """
    work: dict[tuple[str, str], int] = {}
    for unit in new.units:
        method = new.methods[unit.method]
        pair = (method.model, method.verifier)
        work[pair] = work.get(pair, 0) + unit.budget * unit.count
    total, known, basis = 0.0, True, []
    for (model, verifier), generations in work.items():
        name = f"{model} with {verifier}" if verifier else model
        rate, why = _rate(model, verifier, new.problems, db, probe)
        if rate is None:
            known = False
            basis.append(f"{name}: nothing to tell from")
            continue
        total += generations / rate
        basis.append(f"{name}: {rate:.3g} generations a second, {why}")
    return (total if known else None), basis


def _rate(
    model: str, verifier: str, problems: Sequence[Problem], db: Database, probe: bool
) -> tuple[float | None, str]:
    cards = [models.find(name) for name in (model, verifier) if name]
    if probe and all(card.engine in TRIED and not card.lacks for card in cards):
        return _tried(model, verifier, problems), "tried just now"
    found = tables.pace(db, model, verifier)
    return (None, "") if found is None else (found[1], f"as study {found[0]!r} went, by however many workers and where")


def _tried(model: str, verifier: str, problems: Sequence[Problem]) -> float:
    """Generations a second of one full batch of solutions; loading is not counted."""
    scheduler = Scheduler(LocalBackend())
    _sample(scheduler, model, verifier, problems[:1], 1)
    begun = time.perf_counter()
    each = max(1, settings().batch // ANSWERS)
    chosen = list(itertools.islice(itertools.cycle(problems), ANSWERS))
    _sample(scheduler, model, verifier, chosen, each)
    return len(chosen) * each / (time.perf_counter() - begun)


def _sample(scheduler: Scheduler, model: str, verifier: str, problems: Sequence[Problem], budget: int) -> None:
    params = {} if verifier else {"select": "majority"}
    strategy = runs_checks.named("strategy", "best_of_n", params)
    for i, problem in enumerate(problems):
        asked = RunSpec(problem.question, "best_of_n", budget, i, params, model=model, verifier=verifier)
        scheduler.add(f"{budget}-{i}", asked, problem, strategy)
    while not scheduler.idle:
        scheduler.step()
