"""Diverse verifier tree search (Beeching et al. 2024, "Scaling test-time compute with open models").

N/M independent greedy trees instead of one beam: each samples M continuations and keeps the best one, so that a
verifier's favourite cannot crowd out the others. The trees never wait for each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from ttc_core.registry import param, strategy
from ttc_core.selection import AGGREGATES, SELECTS, candidates, choose
from ttc_core.stepwise import best, by_score, grow
from ttc_core.types import ROOT, Budget, Parallel, Problem, Sample, Search


@strategy("dvts")
@dataclass(frozen=True)
class DiverseTreeSearch:
    """Grow N/M separate trees, each keeping the best of M continuations at every step. Costs N generations."""

    width: int = param(4, min=1, max=1024, help="continuations in each tree (M); there are N/M trees")
    rounds: int = param(40, min=1, max=1000, help="give up unfinished trees after so many steps")
    select: str = param("weighted", choices=SELECTS, help="how one answer is chosen among complete solutions")
    aggregate: str = param("last", choices=AGGREGATES, help="how step scores rank a step")

    def run(self, problem: Problem, budget: Budget, rng: Random) -> Search:
        """A budget below M grows one narrower tree."""
        m = min(self.width, budget.generations)
        trees = tuple(
            grow(
                Sample(ROOT, n=m, first=i * m),
                by_score(self.aggregate),
                lambda beams: best(beams, 1, m),
                self.rounds,
            )
            for i in range(budget.generations // m)
        )
        [grown] = yield [Parallel(trees)]
        complete = [node for tree in grown for node in tree.complete]
        return choose(candidates(complete, self.aggregate), self.select, sum(tree.excluded for tree in grown))
