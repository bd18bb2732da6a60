"""Runs searches on the scripted engine: what the conformance laws and the scheduler's tests share."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ttc_core import registry
from ttc_core.engines.scripted import Scripted
from ttc_core.jobs import Evaluate, Job, Scoring, StepScores
from ttc_core.scheduler import Failed, Finished, Progress, Recorded, Scheduler
from ttc_core.types import NO_USAGE, Node, Outcome, Problem, RunSpec, Usage

PROBLEM = Problem("p1", "How many?", "1", "scripted")


@dataclass(frozen=True)
class ScriptedVerifier:
    """Squashes the scripted engine's logit; `twist` may change a score, to test bad ones."""

    name: str = "scripted-prm"
    models: tuple[str, ...] = ("scripted-prm",)
    twist: Callable[[float, str], float] = lambda value, text: value

    def score(self, problem: Problem, node: Node, carry: tuple[float, ...]) -> Scoring:
        [reply] = yield [Evaluate("scripted-prm", read=(0,))]
        values = tuple(self.twist(1 / (1 + math.exp(-row[0])), str(reply.ticket)) for row in reply.logits)
        return StepScores(values, (*carry, *values))


@dataclass
class ScriptedBackend:
    """Two scripted models: a policy and a verifier's."""

    capacity: int = 64
    fault: Callable[[Job], Exception | None] = lambda job: None
    twist: Callable[[float, str], float] = lambda value, text: value
    options: dict[str, Any] = field(default_factory=dict)
    _engines: dict[str, Any] = field(default_factory=dict)

    def engine(self, name: str) -> Any:
        if name not in self._engines:
            self._engines[name] = Scripted(name, capacity=self.capacity, fault=self.fault, **self.options)
        return self._engines[name]

    def verifier(self, name: str) -> ScriptedVerifier:
        return ScriptedVerifier(name, twist=self.twist)


@dataclass
class Result:
    """What came of one search."""

    nodes: dict[str, Node] = field(default_factory=dict)
    usage: Usage = NO_USAGE
    outcome: Outcome | None = None
    error: Exception | None = None
    records: list[Node] = field(default_factory=list)  # in the order they came: what a store would write
    moments: list[tuple[dict[str, Node], Usage]] = field(default_factory=list)  # what a store holds after each turn

    def tree(self) -> list[Node]:
        """The whole record, comparable."""
        return sorted(self.nodes.values(), key=lambda node: node.id)


def read_answer(text: str) -> str | None:
    return text.rsplit("Answer: ", 1)[1].strip() if "Answer: " in text else None


def spec(strategy: str, budget: int, seed: int = 0, **params: Any) -> RunSpec:
    return RunSpec(PROBLEM.question, strategy, budget, seed, params, model="scripted-policy", verifier="scripted-prm")


def run(
    specs: Iterable[RunSpec],
    backend: Any = None,
    *,
    problems: Iterable[Problem] | None = None,
    strategies: Iterable[Any] | None = None,
    recorded: Iterable[Node] = (),
    usage: Usage = NO_USAGE,
    max_steps: int = 100_000,
    max_active: int = 256,
) -> list[Result]:
    """Run the specs together to their ends; results in order. Raises AssertionError when one never ends."""
    scheduler = Scheduler(backend or ScriptedBackend(), read_answer=read_answer, max_active=max_active)
    listed = list(specs)
    chosen = list(strategies or (registry.build("strategy", s.strategy, s.params) for s in listed))
    asked = list(problems or (PROBLEM for _ in listed))
    results = [Result() for _ in listed]
    for i, s in enumerate(listed):
        scheduler.add(str(i), s, asked[i], chosen[i], recorded, usage=usage)
    for _ in range(max_steps):
        for event in scheduler.step():
            take(results[int(event.search_id)], event)
        if scheduler.idle:
            return results
    raise AssertionError(f"searches still under way after {max_steps} turns")


def take(result: Result, event: Any) -> None:
    if isinstance(event, Recorded):
        result.nodes[event.node.id] = event.node
        result.records.append(event.node)
    elif isinstance(event, Progress):
        result.usage = event.usage
        result.moments.append((dict(result.nodes), event.usage))
    elif isinstance(event, Finished):
        result.outcome, result.usage = event.outcome, event.usage
    elif isinstance(event, Failed):
        result.error, result.usage = event.error, event.usage


def drive(search: Generator[Any, Any, Any], world: Any) -> tuple[Any, list[Any]]:
    """Hand-feed a strategy: `world(request)` answers each request; Parallel runs depth-first. Returns (value, log)."""
    log: list[Any] = []

    def go(generator: Generator[Any, Any, Any]) -> Any:
        replies: Any = None
        while True:
            try:
                requests = generator.send(replies)
            except StopIteration as stop:
                return stop.value
            replies = []
            for request in requests:
                if hasattr(request, "searches"):
                    replies.append(tuple(go(sub) for sub in request.searches))
                else:
                    log.append(request)
                    replies.append(world(request))

    return go(search), log


def rng() -> Random:
    return Random(0)
