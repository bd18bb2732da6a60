"""Best-first search over reasoning steps (Pearl 1984), several at a time (K-best-first search, Felner et al. 2003).

All unfinished steps of the tree wait in one queue, ordered by the verifier's score. The best is continued by `width`
steps, which join the queue; unlike a beam, the search comes back to an early step when all that followed from the
others looks worse.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass
from random import Random

from ttc_core.registry import param, strategy
from ttc_core.selection import AGGREGATES, SELECTS, candidates, choose
from ttc_core.treewise import Growth, Step
from ttc_core.types import Budget, Problem, Sample, Search


@strategy("best_first")
@dataclass(frozen=True)
class BestFirst:
    """Always continue the best unfinished step of the whole tree. Costs at most N generations.

    Ends when N solutions are complete or nothing can be continued. Each depth has room for N steps; where it is used
    up, the step is passed over for the next best, so the search cannot stay with early steps and complete nothing.
    """

    width: int = param(4, min=1, max=1024, help="continuations of each step taken from the queue")
    first: int = param(0, min=0, max=65536, help="first steps of all; 0 means N")
    batch: int = param(1, min=1, max=1024, help="steps taken from the queue together (K of K-best-first)")
    rounds: int = param(40, min=1, max=1000, help="most steps of a solution")
    distinct: bool = param(True, help="give up a step that says what a sibling says")
    select: str = param("weighted", choices=SELECTS, help="how one answer is chosen among complete solutions")
    aggregate: str = param("last", choices=AGGREGATES, help="how step scores rank a step")

    def run(self, problem: Problem, budget: Budget, rng: Random) -> Search:
        """Equal scores: the earlier step first."""
        n = budget.generations
        tree = Growth(Step, n, self.aggregate, self.rounds, once=True, distinct=self.distinct)
        order = itertools.count()
        queue = [(0.0, next(order), tree.root)]
        while queue and len(tree.complete) < n:
            asked: list[tuple[Step, Sample]] = []
            while queue and len(asked) < self.batch:
                _, _, step = heapq.heappop(queue)
                width = (self.first or n) if step is tree.root else self.width
                fits = min(width, tree.room(step))
                if fits:
                    asked.append((step, tree.reserve(step, fits)))
            for step in (yield from tree.grow(asked)):
                if not step.complete:
                    heapq.heappush(queue, (-step.value, next(order), step))
        full = f"better steps took the {n} places at this depth"
        yield tree.rest(f"not reached before {n} solutions were complete" if len(tree.complete) >= n else full)
        return choose(candidates(tree.complete, self.aggregate), self.select, tree.excluded)
