"""One solution and nothing else: what every other strategy is measured against."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar

from ttc_core.registry import param, strategy
from ttc_core.selection import candidates, choose
from ttc_core.types import ROOT, Budget, Problem, Sample, Search


@strategy("single")
@dataclass(frozen=True)
class Single:
    """Write one solution and take its answer. Costs 1 generation, whatever the budget; the rest stays unspent."""

    extendable: ClassVar[bool] = False
    not_extendable: ClassVar[str] = "one solution is all it writes, whatever the budget"

    greedy: bool = param(True, help="the likeliest token at every place; false samples at the run's temperature")

    def run(self, problem: Problem, budget: Budget, rng: Random) -> Search:
        """Greedy decoding is sampling at temperature 0: every seed gives the same solution."""
        [sampled] = yield [Sample(ROOT, until="end", temperature=0.0 if self.greedy else None)]
        return choose(candidates(sampled.nodes, None), "majority", sampled.failed)
