"""Searches over a problem set with the program's own scheduler, engine and strategies, for the lab's reports."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ttc_core import grading, registry
from ttc_core.backend import LocalBackend
from ttc_core.lab.measures import Floats
from ttc_core.scheduler import Failed, Finished, Scheduler
from ttc_core.types import Problem, RunSpec


def solved(
    problems: Sequence[Problem],
    strategy: str,
    budget: int,
    params: Mapping[str, Any],
    verifier: str,
    model: str = "mini-s",
    seed: int = 0,
) -> Floats:
    """Run one search a problem and return for each 1 if its answer is right, else 0.

    Arguments:
        problems: with their right answers.
        strategy: name of a registered strategy.
        budget: generations a search.
        params: the strategy's hyper-parameters; the others keep their defaults.
        verifier: name of a verifier, empty for none.
        model: name of the policy.
        seed: seed of all searches; their nodes' seeds differ by problem.
    Raises:
        Exception: whatever made a search fail.
    """
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
        scheduler.add(problem.id, spec, dataclasses.replace(problem, answer=None), chosen)
    answers: dict[str, str | None] = {}
    while not scheduler.idle:
        for event in scheduler.step():
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Finished):
                answers[event.search_id] = event.outcome.answer
    return np.asarray([_right(answers[problem.id], problem.answer) for problem in problems], float)


def _right(answer: str | None, gold: str | None) -> bool:
    return answer is not None and gold is not None and grading.canonical(answer) == grading.canonical(gold)
