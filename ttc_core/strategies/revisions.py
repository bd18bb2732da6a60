"""Revisions in sequence and in parallel at a chosen ratio (Snell et al. 2024, arXiv 2408.03314, sections 6.1 and 6.2).

N attempts are shared among C chains that know nothing of each other: C = 1 is purely sequential, C = N is best-of-N.
Easy questions like long chains, hard ones many. With a verifier the paper chooses best-of-N weighted inside each chain
and then the best across chains; with majority it counts all attempts of all chains alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar

from ttc_core.chains import HIERARCHICAL, chain, choose_among, lengths
from ttc_core.registry import param, strategy
from ttc_core.selection import AGGREGATES, SELECTS
from ttc_core.types import Budget, Parallel, Problem, Search


@strategy("revisions")
@dataclass(frozen=True)
class Revisions:
    """Write C chains of N/C attempts side by side, each attempt revising those before it. Costs N generations.

    Where N/C is no whole number the first chains have one attempt more; where C exceeds N there are N chains.
    """

    needs: ClassVar[str] = "revises"

    chains: int = param(4, min=1, max=65_536, help="chains side by side (C): sequential to parallel is N/C to C")
    context: int = param(4, min=1, max=64, help="how many of the latest attempts a revision sees")
    select: str = param(
        HIERARCHICAL,
        choices=(HIERARCHICAL, *SELECTS),
        help="how one answer is chosen: weighted in each chain, then the best; or from all attempts alike",
    )
    aggregate: str = param("last", choices=AGGREGATES, help="how step scores become one score for an attempt")

    def run(self, problem: Problem, budget: Budget, rng: Random) -> Search:
        """The chains never wait for each other."""
        how = None if self.select == "majority" else self.aggregate
        each = lengths(budget.generations, self.chains)
        [found] = yield [
            Parallel(
                tuple(
                    chain(length, self.context, how is not None, first=i, stride=len(each))
                    for i, length in enumerate(each)
                )
            )
        ]
        return choose_among(found, self.select, how)
