"""Several verifiers as one: the mean of their scores, or the smallest (Coste et al. 2024, arXiv 2310.02743)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from ttc_core import models, registry
from ttc_core.errors import BadValue, EngineFault
from ttc_core.jobs import Evaluate, Grade, Scoring, StepScores, Verifier
from ttc_core.models import ModelCard
from ttc_core.registry import verifier
from ttc_core.types import Node, Problem

COMBINE: Mapping[str, Callable[[Sequence[float]], float]] = {
    "mean": lambda values: math.fsum(values) / len(values),
    "min": min,
}


@verifier("ensemble")
@dataclass(frozen=True)
class Ensemble:
    """combine = "mean": the mean of the members' scores of each step; "min": the smallest, which is hard to flatter.

    Members are asked side by side. Where they score in unlike pieces, as an outcome model beside a process reward
    model, the last score of each counts. Without a score from every member there is none.
    """

    name: str
    members: tuple[Verifier, ...]
    combine: str = "mean"

    @classmethod
    def load(cls, card: ModelCard) -> Ensemble:
        """From a table of models.toml with `of`, the names of verifiers, and perhaps `combine`.

        Raises:
            UserError: no such verifier, fewer than two, an ensemble among them, or another way to combine.
        """
        named, combine = card.card.get("of", ()), card.card.get("combine", "mean")
        if combine not in COMBINE:
            raise BadValue(f"verifier {card.name!r} combines by {', '.join(COMBINE)}, not {combine!r}")
        if isinstance(named, str) or not isinstance(named, Sequence) or len(named) < 2:
            raise BadValue(f"verifier {card.name!r} needs two members or more", hint='write of = ["ONE", "OTHER"]')
        cards = [models.find(str(member), policy=False) for member in named]
        if nested := [member.name for member in cards if member.kind == card.kind]:
            raise BadValue(f"verifier {card.name!r} has an ensemble among its members: {nested[0]}")
        return cls(card.name, tuple(registry.get("verifier", member.kind).load(member) for member in cards), combine)

    @property
    def models(self) -> tuple[str, ...]:
        """All that its members read, each once."""
        return tuple(dict.fromkeys(name for member in self.members for name in member.models))

    @property
    def upper_bound(self) -> bool:
        """One of its members looks at the answer."""
        return any(getattr(member, "upper_bound", False) for member in self.members)

    @property
    def confidence(self) -> bool:
        """One of its members wants samples to hold the confidence of each token."""
        return any(getattr(member, "confidence", False) for member in self.members)

    def score(self, problem: Problem, node: Node, carry: tuple[float, ...]) -> Scoring:
        """carry: how many numbers each member carries, then these numbers."""
        carried = _split(carry, len(self.members))
        running = {
            i: member.score(problem, node, c) for i, (member, c) in enumerate(zip(self.members, carried, strict=True))
        }
        replies: dict[int, Any] = dict.fromkeys(running)
        found: dict[int, StepScores] = {}
        while running:
            asked: dict[int, list[Evaluate | Grade]] = {}
            for i, scoring in [*running.items()]:
                try:
                    asked[i] = scoring.send(replies[i])
                except StopIteration as stop:
                    found[i] = stop.value
                    del running[i]
            if running:
                came = yield [request for requests in asked.values() for request in requests]
                for i, requests in asked.items():
                    replies[i], came = came[: len(requests)], came[len(requests) :]
        return self._combined([found[i] for i in range(len(self.members))])

    def _combined(self, scores: Sequence[StepScores]) -> StepScores:
        values = [score.values for score in scores]
        if not all(values):
            raise EngineFault("a verifier of the ensemble gave no score")
        if len({len(of) for of in values}) > 1:
            values = [of[-1:] for of in values]
        carry = (*(float(len(score.carry)) for score in scores), *(c for score in scores for c in score.carry))
        return StepScores(tuple(COMBINE[self.combine](of) for of in zip(*values, strict=True)), carry)


def _split(carry: tuple[float, ...], members: int) -> list[tuple[float, ...]]:
    """What each member carries."""
    if not carry:
        return [()] * members
    cuts = [*accumulate((int(size) for size in carry[:members]), initial=members)]
    return [carry[a:b] for a, b in pairwise(cuts)]
