"""One chain of revisions (Snell et al. 2024, arXiv 2408.03314, section 6; after Qu et al. 2024, arXiv 2407.18219).

A model trained to revise writes attempt after attempt, each in sight of the latest four. It turns some right answers
wrong again, so the answer is chosen from the whole chain rather than from its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar

from ttc_core.chains import chain, choose_among
from ttc_core.registry import param, strategy
from ttc_core.selection import AGGREGATES, SELECTS
from ttc_core.types import Budget, Problem, Search


@strategy("sequential_revisions")
@dataclass(frozen=True)
class SequentialRevisions:
    """Write N attempts one after another, each revising the ones before it. Costs N generations."""

    needs: ClassVar[str] = "revises"

    context: int = param(4, min=1, max=64, help="how many of the latest attempts a revision sees")
    select: str = param("weighted", choices=SELECTS, help="how one answer is chosen; majority needs no verifier")
    aggregate: str = param("last", choices=AGGREGATES, help="how step scores become one score for an attempt")

    def run(self, problem: Problem, budget: Budget, rng: Random) -> Search:
        """The verifier scores an attempt while the next one is being written."""
        how = None if self.select == "majority" else self.aggregate
        found = yield from chain(budget.generations, self.context, scored=how is not None)
        return choose_among([found], self.select, how)
