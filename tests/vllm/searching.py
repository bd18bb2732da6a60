"""Whole searches over engines that a test names, and what their prompts cost at least."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.conformance.harness import Result, read_answer, take
from ttc_core import models, registry
from ttc_core.jobs import GenerateJob, Job
from ttc_core.scheduler import Scheduler
from ttc_core.types import Problem, RunSpec


@dataclass
class Engines:
    """A backend of engines at hand; verifiers are the family's own."""

    engines: dict[str, Any]

    def engine(self, name: str) -> Any:
        return self.engines[name]

    def verifier(self, name: str) -> Any:
        card = models.find(name, policy=False)
        return registry.get("verifier", card.kind).load(card)


class Watched:
    """An engine whose jobs and replies are kept."""

    def __init__(self, engine: Any) -> None:
        self._engine, self.jobs, self.replies = engine, list[Job](), list[Any]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def submit(self, jobs: list[Job]) -> None:
        self.jobs += jobs
        self._engine.submit(jobs)

    def poll(self, timeout: float = 0.0) -> list[Any]:
        came = self._engine.poll(timeout)
        self.replies += came
        return came

    def prompt_tokens(self) -> tuple[int, int]:
        """Tokens of prompts computed, and the least: distinct ones of all prompts sent, as in a trie."""
        trie: dict[int, Any] = {}
        least = 0
        for job in self.jobs:
            if isinstance(job, GenerateJob):
                below = trie
                for token in self._engine.writing.of(job.context):
                    least += token not in below
                    below = below.setdefault(token, {})
        return sum(reply.computed for reply in self.replies if hasattr(reply, "generated")), least


def search(
    engines: dict[str, Any], problems: Iterable[Problem], strategy: str, budget: int, *, seconds: float, **params: Any
) -> list[Result]:
    """One search a problem, all together, by mini-s and mini-prm; raises AssertionError when they do not end."""
    asked: Sequence[Problem] = list(problems)
    scheduler = Scheduler(Engines(engines), read_answer=read_answer)
    results = [Result() for _ in asked]
    for i, problem in enumerate(asked):
        spec = RunSpec(problem.question, strategy, budget, 0, params, model="mini-s", verifier="mini-prm")
        scheduler.add(str(i), spec, problem, registry.build("strategy", strategy, params))
    clock = next(iter(engines.values()))
    end = clock.now() + seconds
    while clock.now() < end:
        for event in scheduler.step():
            take(results[int(event.search_id)], event)
        if scheduler.idle:
            return results
    raise AssertionError(f"searches still under way after {seconds} s")
