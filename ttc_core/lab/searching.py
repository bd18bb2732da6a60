"""Searches over a problem set with the program's own scheduler, engine and strategies, for the lab's reports."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ttc_core import grading, registry
from ttc_core.backend import LocalBackend
from ttc_core.lab.measures import Floats
from ttc_core.scheduler import Failed, Finished, Recorded, Scheduler
from ttc_core.types import Node, NodeId, Problem, RunSpec


def searched(
    problems: Sequence[Problem],
    strategy: str,
    budget: int,
    params: Mapping[str, Any],
    verifier: str,
    model: str = "mini-s",
    seed: int = 0,
    kept: dict[str, dict[NodeId, Node]] | None = None,
) -> list[Finished]:
    """Run one search a problem and return what came of each, in order.

    Arguments:
        problems: their answers are kept from the searches.
        strategy: name of a registered strategy.
        budget: generations a search.
        params: the strategy's hyper-parameters; the others keep their defaults.
        verifier: name of a verifier, empty for none.
        model: name of the policy.
        seed: seed of all searches; their nodes' seeds differ by problem.
        kept: nodes by problem that earlier searches of the same strategy, verifier and seed recorded, at whatever
            budget; they are not computed again, and new ones are added.
    Raises:
        Exception: whatever made a search fail.
    """
    kept = {} if kept is None else kept
    chosen = registry.get("strategy", strategy)(**params)
    scheduler = Scheduler(LocalBackend())
    for problem in problems:
        spec = RunSpec(
            question=problem.question,
            strategy=strategy,
            budget=budget,
            seed=seed,
            params=dict(params),
            problem_id=problem.id,
            model=model,
            verifier=verifier,
        )
        recorded = kept.setdefault(problem.id, {})
        scheduler.add(problem.id, spec, dataclasses.replace(problem, answer=None), chosen, recorded.values())
    finished: dict[str, Finished] = {}
    while not scheduler.idle:
        for event in scheduler.step():
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Recorded):
                kept[event.search_id][event.node.id] = event.node
            if isinstance(event, Finished):
                finished[event.search_id] = event
    return [finished[problem.id] for problem in problems]


def right(problems: Sequence[Problem], finished: Sequence[Finished]) -> Floats:
    """Return for each search 1 if its answer is its problem's, else 0."""
    pairs = zip(problems, finished, strict=True)
    return np.asarray([_right(event.outcome.answer, problem.answer) for problem, event in pairs], float)


def solved(
    problems: Sequence[Problem],
    strategy: str,
    budget: int,
    params: Mapping[str, Any],
    verifier: str,
    model: str = "mini-s",
    seed: int = 0,
) -> Floats:
    """Run one search a problem, as `searched` does, and return for each 1 if its answer is right, else 0."""
    return right(problems, searched(problems, strategy, budget, params, verifier, model, seed))


def _right(answer: str | None, gold: str | None) -> bool:
    return answer is not None and gold is not None and grading.canonical(answer) == grading.canonical(gold)
