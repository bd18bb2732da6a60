"""Best-of-N: sample N solutions independently and choose one.

Majority: Wang et al. 2023 (self-consistency, arXiv 2203.11171). Best: Cobbe et al. 2021 (arXiv 2110.14168).
Weighted: Li et al. 2023 (arXiv 2206.02336), the form that Snell et al. 2024 use as "best-of-N weighted".
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from random import Random
from typing import Any

from ttc_core.registry import param, strategy
from ttc_core.selection import AGGREGATES, SELECTS, candidates, choose
from ttc_core.types import ROOT, Budget, Node, Parallel, Problem, Request, Sample, Score, Search


@strategy("best_of_n")
@dataclass(frozen=True)
class BestOfN:
    """Sample N whole solutions side by side, let the verifier score each, choose one answer. Costs N generations."""

    select: str = param("weighted", choices=SELECTS, help="how one answer is chosen; majority needs no verifier")
    aggregate: str = param("last", choices=AGGREGATES, help="how step scores become one score for a solution")

    def run(self, problem: Problem, budget: Budget, rng: Random) -> Search:
        """Each sample is its own sub-search, so that scoring one need not wait for the slowest other."""
        [solutions] = yield [Parallel(tuple(self._solution(i) for i in range(budget.generations)))]
        found = [node for node in solutions if node is not None]
        how = None if self.select == "majority" else self.aggregate
        return choose(candidates(found, how), self.select, excluded=len(solutions) - len(found))

    def _solution(self, index: int) -> Generator[list[Request], list[Any], Node | None]:
        """The sample number `index`, scored where the choice needs it; None when sampling or scoring it failed."""
        [sampled] = yield [Sample(ROOT, first=index, until="end")]
        if self.select == "majority" or not sampled.nodes:
            return next(iter(sampled.nodes), None)
        [scored] = yield [Score((sampled.nodes[0].id,))]
        return next(iter(scored.nodes), None)
