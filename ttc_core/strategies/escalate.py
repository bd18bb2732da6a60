"""Escalation: a cheap attempt first, more compute only while the verifier is unsure of the answer.

The cascade idea of FrugalGPT (Chen et al. 2023, arXiv 2305.05176) with budgets in place of models, and the early
stopping of adaptive consistency (Aggarwal et al. 2023, arXiv 2305.11860) with the verifier in place of the vote.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar

from ttc_core import registry
from ttc_core.registry import param, strategy
from ttc_core.selection import AGGREGATES, candidates, choose
from ttc_core.solutions import Found, after, solutions, solved
from ttc_core.types import Budget, Outcome, Problem, Prune, Search


@strategy("escalate")
@dataclass(frozen=True)
class Escalate:
    """Sample 1, 2, 4, ... solutions, stop as soon as the verifier is sure of the answer. Costs at most N generations.

    It is sure when the leading answer holds the share `threshold` of all weight and one of its solutions has that
    score. What is left unspent is seen from the generations used.
    """

    rank_based: ClassVar[bool] = False  # the threshold is one of the scores themselves

    threshold: float = param(0.9, min=0, max=1, help="stop when the leading answer's share and best score reach this")
    start: int = param(1, min=1, max=1024, help="solutions in the first round; every round doubles their number")
    last: str = param("", help="strategy, with its defaults, that takes over for the last round; empty: more solutions")
    aggregate: str = param("last", choices=AGGREGATES, help="how step scores become one score for a solution")

    def __post_init__(self) -> None:
        """Refuse the name of no strategy before anything is run."""
        if self.last:
            registry.get("strategy", self.last)

    def run(self, problem: Problem, budget: Budget, rng: Random) -> Search:
        """The last round is the one that the budget does not let double again; its number may be less than double."""
        n, size = budget.generations, 0
        found: Found = []
        while True:
            size = min(n, 2 * size or self.start)
            found += yield from solutions(len(found), size - len(found))
            outcome = choose(candidates(solved(found), self.aggregate), "weighted", found.count(None))
            if size == n:
                return outcome
            if outcome.chosen is not None and (sure := confidence(outcome)) >= self.threshold:
                yield [Prune((outcome.chosen,), f"sure enough ({sure:.3f}) after {size} of {n} generations")]
                return outcome
            if self.last and 2 * size >= n:
                return (yield from after(found, self.last, {}, problem, budget, rng))


def confidence(outcome: Outcome) -> float:
    """How sure the verifier is of the chosen answer: its share of all weight or its best score, whichever is less."""
    scores = [(c.answer, c.score) for c in outcome.candidates if c.score is not None and c.answer is not None]
    mine = [score for answer, score in scores if answer == outcome.answer]
    total = sum(score for _, score in scores)
    return min(sum(mine) / total if total else 0.0, max(mine))
