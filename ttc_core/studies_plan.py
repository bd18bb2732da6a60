"""From a study file to the methods and work units that are stored, and what they will cost."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from ttc_core import models, registry, studies_time
from ttc_core.accounting import flops
from ttc_core.seeds import derive
from ttc_core.store import studies_tables as tables
from ttc_core.store.database import Database
from ttc_core.store.studies_made import NewMethod, NewStudy, NewUnit
from ttc_core.studies_asked import StudyFile
from ttc_core.studies_pools import POOLED
from ttc_core.types import Problem

POOL = "pool"  # the label of pools, which are methods that no figure shows
ASSUMED_TOKENS = 256  # a solution, where nothing was measured
STEPS = 5  # nodes a generation in a kept tree, about
ROW_BYTES, SAMPLE_BYTES, NODE_BYTES = 180, 60, 120  # an outcome, a sample of a pool and a node, as measured


def laid_out(study: StudyFile) -> NewStudy:
    """The study as it is stored: pools first, then searches from the smallest budget up.

    Where searches share replies all of a block follow each other, from the largest budget down: what it brings is what
    smaller ones ask for.
    """
    methods: list[NewMethod] = []
    heat = {method.model: method.temperature for method in study.methods}
    places: dict[tuple[str, str], int] = {}
    for pair, samples in _pools(study).items():
        places[pair] = len(methods)
        params = asdict(registry.build("strategy", "best_of_n", {} if pair[1] else {"select": "majority"}))
        methods.append(NewMethod(*pair, "best_of_n", params, POOL, [samples], heat[pair[0]], samples))
    for method in study.methods:
        pool = places.get((method.model, method.verifier)) if method.strategy in POOLED else None
        asked = (method.model, method.verifier, method.strategy, method.params, method.label, method.budgets)
        methods.append(NewMethod(*asked, method.temperature, 0, pool))
    options: dict[str, Any] = {"max_cost": dict(study.max_cost)} if study.max_cost else {}
    if study.share:
        options["share"] = True
    if study.keep is not None:
        options["kept"] = _kept(study)
    units = list(_units(study, methods))
    return NewStudy(study.name, "sweep", study.text, options, study.problems, methods, units, study.priority)


def _pools(study: StudyFile) -> dict[tuple[str, str], int]:
    """Size of the pool of each (model, verifier) that has one: those whose methods can use it, or all if none can."""
    sizes: dict[tuple[str, str], int] = {}
    for method in study.methods:
        if method.strategy in POOLED:
            pair = (method.model, method.verifier)
            sizes[pair] = max(study.pool, sizes.get(pair, 0), *method.budgets)
    if not sizes and study.pool:
        return {(method.model, method.verifier): study.pool for method in study.methods}
    return sizes


def _kept(study: StudyFile) -> list[int]:
    """Positions of the problems whose trees are kept, the same for every method: so many of each data set, by lot."""
    by_dataset: dict[str, list[int]] = {}
    for i, problem in enumerate(study.problems):
        by_dataset.setdefault(problem.dataset, []).append(i)
    drawn = [
        sorted(of, key=lambda i: derive(0, study.problems[i].id, "kept"))[: study.keep] for of in by_dataset.values()
    ]
    return sorted(itertools.chain(*drawn))


def _units(study: StudyFile, methods: Sequence[NewMethod]) -> Iterator[NewUnit]:
    blocks = list(_blocks(study.problems, study.block))
    pools = [(i, budget) for i, method in enumerate(methods) if method.samples for budget in method.budgets]
    own = [(i, method) for i, method in enumerate(methods) if not method.samples and method.pool is None]
    searches = [(i, budget) for i, method in own for budget in method.budgets]
    searches.sort(key=lambda one: one[1], reverse=study.share)
    cells = [*pools, *searches]
    if study.share:
        for (first, count), seed, (method, budget) in itertools.product(blocks, study.seeds, cells):
            yield NewUnit(method, budget, seed, first, count)
    else:
        for (method, budget), seed, (first, count) in itertools.product(cells, study.seeds, blocks):
            yield NewUnit(method, budget, seed, first, count)


def _blocks(problems: Sequence[Problem], size: int) -> Iterator[tuple[int, int]]:
    """First position and count of runs of at most `size` problems of one data set."""
    first = 0
    for _, of in itertools.groupby(problems, key=lambda problem: problem.dataset):
        left = len(list(of))
        while left:
            yield first, min(size, left)
            first, left = first + min(size, left), left - min(size, left)


def plan(study: StudyFile, new: NewStudy, db: Database, *, probe: bool = False) -> dict[str, Any]:
    """What carrying these units out takes: counts are exact, the rest is estimated from what was searched before.

    Where searches share replies all of it is what they come to alone, and less is done.

    new: the study as `laid_out`, or what of it is left to do; probe: try the bundled models for the time
    (`studies_time.estimate`).
    """
    seconds, basis = studies_time.estimate(new, db, probe=probe)
    basis += ["less as searches share replies: how much is not known before"] if study.share else []
    rates = {name: tables.measured(db, name) for name in {method.model for method in new.methods}}
    used = {name for method in new.methods for name in (method.model, method.verifier) if name}
    sizes = {name: models.find(name).parameters for name in used}
    problems, seeds = len(study.problems), len(study.seeds)
    asked = sum(len(problem.question) for problem in study.problems) / problems / 4  # four characters a token
    totals = {
        "generations": 0,
        "policy_tokens": 0.0,
        "verifier_tokens": 0.0,
        "policy_flops": 0.0,
        "verifier_flops": 0.0,
    }
    for unit in new.units:
        method, work = new.methods[unit.method], unit.budget * unit.count
        rate = rates[method.model]
        generated = work * rate.get("generated_tokens", ASSUMED_TOKENS) + unit.count * asked
        judged = work * rate.get("verifier_tokens", ASSUMED_TOKENS) if method.verifier else 0.0
        totals["generations"] += work
        totals["policy_tokens"] += generated
        totals["verifier_tokens"] += judged
        totals["policy_flops"] += flops(sizes[method.model], round(generated))
        if method.verifier:
            totals["verifier_flops"] += flops(sizes[method.verifier], round(judged))
    return {
        "study": study.name,
        "problems": problems,
        "methods": sum(not method.samples for method in new.methods),
        "pools": sum(method.samples > 0 for method in new.methods),
        "seeds": seeds,
        "units": len(new.units),
        "runs": sum(unit.count for unit in new.units),
        "outcomes": _outcomes(new),
        **{name: round(value) for name, value in totals.items()},
        "disk_bytes": _disk(study, new),
        "seconds": None if seconds is None else round(seconds, 1),
        "seconds_from": basis,
        "measured": sorted(name for name, rate in rates.items() if rate),
        "assumed": sorted(name for name, rate in rates.items() if not rate),
        "max_cost": dict(study.max_cost),
    }


def _outcomes(new: NewStudy) -> int:
    """What its units come to: a search has one, a pool one for each budget of the methods that it serves."""
    served = {i: 0 if method.samples else 1 for i, method in enumerate(new.methods)}
    for method in new.methods:
        if method.pool is not None:
            served[method.pool] += len(method.budgets)
    return sum(unit.count * served[unit.method] for unit in new.units)


def _disk(study: StudyFile, new: NewStudy) -> int:
    """Bytes in the database, about."""
    samples = sum(unit.count * new.methods[unit.method].samples for unit in new.units)
    kept = set(range(len(study.problems))) if study.keep is None else set(new.options["kept"])
    nodes = sum(STEPS * u.budget * len(kept & set(range(u.first, u.first + u.count))) for u in new.units)
    asked = sum(len(problem.question) + 100 for problem in study.problems)
    return asked + _outcomes(new) * ROW_BYTES + samples * SAMPLE_BYTES + nodes * NODE_BYTES
