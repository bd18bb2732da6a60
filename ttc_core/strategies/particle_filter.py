"""Particle filtering over reasoning steps (Puri et al. 2025, arXiv 2502.01618).

N particles grow one step at a time; after each step they are resampled in proportion to their weight, the softmax of
the verifier's log-odds. Resampling is systematic: one random offset, N equally spaced pointers (Kitagawa 1996).
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
from ttc_core.types import ROOT, Budget, NodeId, Problem, Prune, Sample, Search


@strategy("particle_filter")
@dataclass(frozen=True)
class ParticleFilter:
    """Resample N particles after every step by the verifier's odds. Costs N generations.

    A complete particle stays in the population as often as it was drawn; its places are then left unspent.
    """

    rank_based: ClassVar[bool] = False  # weights follow the scores themselves

    temperature: float = param(1.0, min=0.05, max=20, help="of the softmax over log-odds: large resamples less sharply")
    rounds: int = param(40, min=1, max=1000, help="give up unfinished particles after so many steps")
    select: str = param("weighted", choices=SELECTS, help="how one answer is chosen among complete solutions")
    aggregate: str = param("last", choices=AGGREGATES, help="how step scores weigh a particle")

    def run(self, problem: Problem, budget: Budget, rng: Random) -> Search:
        """The offset of each resampling comes from the search's own random numbers."""
        n, held = budget.generations, dict[NodeId, int]()  # as how many particles a complete solution was drawn

        def share(beams: Sequence[Beam]) -> Shares:
            weights = [self._log_odds(beam.value) + math.log(held.get(beam.node.id, 1)) for beam in beams]
            counts = systematic(weights, n, rng.random())
            held.update((beam.node.id, count) for beam, count in zip(beams, counts, strict=True) if count)
            drawn = [(beam, count) for beam, count in zip(beams, counts, strict=True) if count]
            lost = [beam for beam, count in zip(beams, counts, strict=True) if not count]
            return Shares(
                tuple(drawn), tuple(Prune((b.node.id,), f"not drawn in resampling ({b.value:.3f})") for b in lost)
            )

        found = yield from grow(Sample(ROOT, n=n), by_score(self.aggregate), share, self.rounds)
        return choose(candidates(found.complete, self.aggregate), self.select, found.excluded)

    def _log_odds(self, score: float) -> float:
        p = min(max(score, 1e-6), 1 - 1e-6)
        return (math.log(p) - math.log1p(-p)) / self.temperature


def systematic(log_weights: Sequence[float], n: int, offset: float) -> list[int]:
    """How often each particle is drawn by n pointers at (offset + i)/n of the cumulative weight; offset in [0, 1)."""
    if not log_weights:
        return []
    top = max(log_weights)
    weights = [math.exp(w - top) for w in log_weights]
    mass = math.fsum(weights)
    counts, reached, below = [], 0, 0.0
    for weight in weights:
        below += weight / mass * n
        upto = min(n, max(0, math.ceil(below - offset)))
        counts.append(max(0, upto - reached))
        reached = max(reached, upto)
    counts[-1] += n - reached  # rounding of the cumulative sum must not lose a particle
    return counts
