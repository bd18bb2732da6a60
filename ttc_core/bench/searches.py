"""Searches to measure: on the bundled models, or on scripted ones with a virtual clock."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ttc_core import registry
from ttc_core.backend import Backend
from ttc_core.engines.scripted import Clock, Scripted
from ttc_core.jobs import Engine, Evaluate, Scoring, StepScores, Verifier
from ttc_core.scheduler import Failed, Finished, Recorded, Scheduler
from ttc_core.types import Node, Outcome, Problem, RunSpec, Usage

POLICY, VERIFIER = "scripted-policy", "scripted-verifier"
DATASET = "mini-validation"


@dataclass
class _ScriptedVerifier:
    """Squashes the scripted model's logit."""

    name: str = VERIFIER
    models: tuple[str, ...] = (VERIFIER,)

    def score(self, problem: Problem, node: Node, carry: tuple[float, ...]) -> Scoring:
        """One evaluation, one score a step end."""
        [reply] = yield [Evaluate(VERIFIER, read=(0,))]
        return StepScores(tuple(1 / (1 + math.exp(-row[0])) for row in reply.logits))


class ScriptedBackend:
    """A scripted policy and a scripted verifier's model that work side by side on one clock."""

    def __init__(self, capacity: int, **options: Any) -> None:
        self.clock = Clock()
        self.engines = {
            name: Scripted(name, capacity=capacity, clock=self.clock, **options) for name in (POLICY, VERIFIER)
        }

    def engine(self, name: str) -> Engine:
        """One of the two."""
        return self.engines[name]

    def verifier(self, name: str) -> Verifier:
        """The verifier."""
        return _ScriptedVerifier()


def scripted_problems(n: int) -> list[Problem]:
    """Problems that differ in nothing but their number."""
    return [Problem(f"scripted-{i}", f"How many are {i}?") for i in range(n)]


def problems(n: int) -> list[Problem]:
    """The first bundled validation problems."""
    return list(registry.get("dataset", DATASET)())[:n]


def spec(problem: Problem, strategy: str, budget: int, params: dict[str, Any] | None = None) -> RunSpec:
    """A run of a bundled problem on the default models, or of a scripted one on the scripted models."""
    if problem.dataset:
        return RunSpec(problem.question, strategy, budget, 0, params or {}, problem.dataset, problem.id)
    return RunSpec(problem.question, strategy, budget, 0, params or {}, model=POLICY, verifier=VERIFIER)


@dataclass
class Searched:
    """What came of searches: nodes by search, outcomes and costs in the order asked."""

    nodes: list[dict[str, Node]]
    outcomes: list[Outcome | None]
    usages: list[Usage | None]
    seconds: float = 0.0  # of this process's CPU


def search(
    backend: Backend, specs: Sequence[RunSpec], asked: Sequence[Problem], *, max_active: int = 256, keep: bool = False
) -> Searched:
    """Run all together to their ends; nodes are kept where wanted.

    Raises:
        Exception: of the first search that failed.
    """
    scheduler = Scheduler(backend, max_active=max_active)
    return drive(scheduler, specs, asked, keep=keep)


def drive(scheduler: Scheduler, specs: Sequence[RunSpec], asked: Sequence[Problem], *, keep: bool = False) -> Searched:
    """The same on a scheduler of the caller's."""
    done = Searched([{} for _ in specs], [None] * len(specs), [None] * len(specs))
    begun = time.process_time()
    for i, (s, problem) in enumerate(zip(specs, asked, strict=True)):
        scheduler.add(str(i), s, problem, registry.build("strategy", s.strategy, s.params))
    while not scheduler.idle:
        for event in scheduler.step():
            if isinstance(event, Recorded):
                if keep:
                    done.nodes[int(event.search_id)][event.node.id] = event.node
            elif isinstance(event, Finished):
                done.outcomes[int(event.search_id)], done.usages[int(event.search_id)] = event.outcome, event.usage
            elif isinstance(event, Failed):
                raise event.error
    done.seconds = time.process_time() - begun
    return done


@contextmanager
def settled() -> Iterator[None]:
    """Let the collector pass over what is in memory already: only the work inside pays for what it allocates."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def seconds_of(work: Callable[[], Any]) -> float:
    """CPU seconds of this process for one call."""
    begun = time.process_time()
    work()
    return time.process_time() - begun
