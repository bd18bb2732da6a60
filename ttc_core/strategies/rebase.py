"""Reward-balanced search, REBASE (Wu et al. 2024, arXiv 2408.00724, section 3.2).

Every step gets a share of the next round's continuations in proportion to exp(score / T): between beam search, which
keeps few, and sampling, which keeps all. A complete solution leaves the search and takes its share of N with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from ttc_core.registry import param, strategy
from ttc_core.selection import AGGREGATES, SELECTS, candidates, choose
from ttc_core.stepwise import Beam, Shares, by_score, grow
from ttc_core.types import ROOT, Budget, Problem, Prune, Sample, Search


@strategy("rebase")
@dataclass(frozen=True)
class Rebase:
    """Share N continuations over all steps by the softmax of their scores. Costs N generations."""

    rank_based: ClassVar[bool] = False  # shares follow the scores themselves

    temperature: float = param(0.2, min=0.01, max=10, help="balance temperature T: small follows the verifier closely")
    rounds: int = param(40, min=1, max=1000, help="give up unfinished branches after so many steps")
    select: str = param("weighted", choices=SELECTS, help="how one answer is chosen among complete solutions")
    aggregate: str = param("last", choices=AGGREGATES, help="how step scores rank a step")

    def run(self, problem: Problem, budget: Budget, rng: Random) -> Search:
        """Rounded by largest remainder, so that each round samples exactly what is left of N."""
        left = budget.generations

        def share(beams: Sequence[Beam]) -> Shares:
            nonlocal left
            growing = [beam for beam in beams if not beam.node.complete]
            left -= len(beams) - len(growing)
            weights = [math.exp((beam.value - 1.0) / self.temperature) for beam in growing]
            widths = proportional(weights, left)
            pruned = [
                Prune((beam.node.id,), f"softmax share of {left} continuations rounds to none ({beam.value:.3f})")
                for beam, width in zip(growing, widths, strict=True)
                if not width
            ]
            kept = [(beam, width) for beam, width in zip(growing, widths, strict=True) if width]
            return Shares(tuple(kept), tuple(pruned))

        found = yield from grow(Sample(ROOT, n=left), by_score(self.aggregate), share, self.rounds)
        return choose(candidates(found.complete, self.aggregate), self.select, found.excluded)


def proportional(weights: Sequence[float], total: int) -> list[int]:
    """`total` divided in proportion to non-negative weights, rounded by largest remainder, ties to the earlier."""
    if not weights or total <= 0:
        return [0] * len(weights)
    mass = math.fsum(weights)
    exact = [total * w / mass if mass > 0 else total / len(weights) for w in weights]
    parts = [math.floor(x) for x in exact]
    order = sorted(range(len(parts)), key=lambda i: parts[i] - exact[i])
    for i in order[: total - sum(parts)]:
        parts[i] += 1
    return parts
