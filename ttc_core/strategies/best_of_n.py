"""Best-of-N: sample N solutions independently and choose one.

Majority: Wang et al. 2023 (self-consistency, arXiv 2203.11171). Best: Cobbe et al. 2021 (arXiv 2110.14168).
Weighted: Li et al. 2023 (arXiv 2206.02336), the form that Snell et al. 2024 use as "best-of-N weighted".
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from ttc_core.registry import param, strategy
from ttc_core.selection import AGGREGATES, SELECTS, candidates, choose
from ttc_core.solutions import solutions, solved
from ttc_core.types import Budget, Problem, Search


@strategy("best_of_n")
@dataclass(frozen=True)
class BestOfN:
    """Sample N whole solutions side by side, let the verifier score each, choose one answer. Costs N generations."""

    select: str = param("weighted", choices=SELECTS, help="how one answer is chosen; majority needs no verifier")
    aggregate: str = param("last", choices=AGGREGATES, help="how step scores become one score for a solution")

    def run(self, problem: Problem, budget: Budget, rng: Random) -> Search:
        """Each sample is its own sub-search, so that scoring one need not wait for the slowest other."""
        how = None if self.select == "majority" else self.aggregate
        found = yield from solutions(0, budget.generations, scored=how is not None)
        return choose(candidates(solved(found), how), self.select, excluded=found.count(None))
