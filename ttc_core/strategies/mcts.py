"""Monte Carlo tree search over reasoning steps with a process reward model for values.

Selection is PUCT (Silver et al. 2017, Nature 550, equation in "Search algorithm"; for language models Feng et al. 2023,
arXiv 2309.17179): from each step on to the child with the largest Q + c P sqrt(N(parent)) / (1 + N). The step reached
is expanded by `width` continuations; the value of each new one goes up to all steps above it.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from ttc_core.registry import param, strategy
from ttc_core.selection import AGGREGATES, SELECTS, aggregate, candidates, choose
from ttc_core.treewise import Growth, Step
from ttc_core.types import Budget, NodeId, Problem, Request, Sample, Score, Search

Ends = dict[NodeId, float]


@dataclass(eq=False)
class Visited(Step):
    """A step with what was found in and below it: how many values, their sum and the largest; P among its siblings."""

    visits: int = 0
    total: float = 0.0
    top: float = 0.0
    prior: float = 1.0


@strategy("mcts")
@dataclass(frozen=True)
class MonteCarloTreeSearch:
    """Descend by PUCT, expand, score, back up, until no step fits into the budget. Costs at most N generations.

    Every new step is one simulation; its value is the verifier's score of it or, with leaf = "rollout", of the end of
    one solution sampled from it, which then also is a candidate and costs its part of a generation. A complete solution
    is never visited again: there is nothing new to learn from it. A step is expanded once.
    """

    rank_based: ClassVar[bool] = False  # means and bounds are of the scores themselves

    exploration: float = param(1.0, min=0, max=100, help="c of PUCT: large tries what was visited little")
    width: int = param(4, min=0, max=1024, help="continuations of an expanded step; 0 means sqrt(N)")
    first: int = param(0, min=0, max=65536, help="first steps; 0 means N, or with rollouts `width`")
    leaf: str = param("value", choices=("value", "rollout"), help="a new step's value: its score or a rollout's")
    prior: str = param("uniform", choices=("uniform", "scores"), help="P: equal, or softmax of the siblings' scores")
    backup: str = param("mean", choices=("mean", "max"), help="Q: mean or largest of the values in and below a step")
    batch: int = param(1, min=1, max=1024, help="steps expanded together, told apart by virtual losses")
    rounds: int = param(40, min=1, max=1000, help="most steps of a solution")
    distinct: bool = param(True, help="give up a step that says what a sibling says")
    select: str = param("weighted", choices=SELECTS, help="how one answer is chosen among complete solutions")
    aggregate: str = param("last", choices=AGGREGATES, help="how step scores become a step's value")

    def run(self, problem: Problem, budget: Budget, rng: Random) -> Search:
        """Ties go to the earlier step; nothing here is random but the samples."""
        n = budget.generations
        rollouts = self.leaf == "rollout"
        tree = Growth(Visited, n, self.aggregate, self.rounds, once=True, rollouts=rollouts, distinct=self.distinct)
        while leaves := self._leaves(tree, n):
            new = yield from tree.grow(leaves)
            ends = (yield from self._rollouts(tree, new)) if rollouts else {}
            for leaf, _ in leaves:
                _visit(leaf, -1)  # the virtual loss
                self._set_priors(leaf)
            for step in new:
                _visit(step, 1, ends.get(step.id, step.value))
        yield tree.rest(f"not expanded: what PUCT preferred took the {n} generations at this depth")
        return choose(candidates(tree.complete, self.aggregate), self.select, tree.excluded)

    def _leaves(self, tree: Growth[Visited], n: int) -> list[tuple[Visited, Sample]]:
        """Up to `batch` steps to expand; each counts as visited in vain until its values come."""
        leaves: list[tuple[Visited, Sample]] = []
        while len(leaves) < self.batch and (leaf := tree.choose(self._puct)):
            leaves.append((leaf, tree.reserve(leaf, min(self._width(leaf, n), tree.room(leaf)))))
            leaf.closed = True  # opens again when its children come
            _visit(leaf, 1)
        return leaves

    def _width(self, leaf: Visited, n: int) -> int:
        if leaf.node is None and (self.first or self.leaf == "value"):
            return self.first or n
        return self.width or math.isqrt(n)

    def _puct(self, step: Visited, children: Sequence[Visited]) -> Visited:
        """The child with the largest upper confidence bound."""
        spread = self.exploration * math.sqrt(step.visits)

        def bound(child: Visited) -> float:
            q = child.top if self.backup == "max" else child.total / max(1, child.visits)
            return q + spread * child.prior / (1 + child.visits)

        return max(children, key=bound)

    def _set_priors(self, leaf: Visited) -> None:
        for child in leaf.children:
            child.prior = 1 / len(leaf.children)
        if self.prior == "scores" and leaf.children:
            odds = [math.exp(child.value) for child in leaf.children]
            for child, odd in zip(leaf.children, odds, strict=True):
                child.prior = odd / math.fsum(odds)

    def _rollouts(self, tree: Growth[Visited], new: Sequence[Visited]) -> Generator[list[Request], list[Any], Ends]:
        """Sample each new step to the end; values at those ends by step id, none where it did not fit or failed."""
        replies = yield [sample for step in new for sample in tree.rollout(step)]
        ended = [node for reply in replies for node in reply.nodes]
        [scored] = yield [Score(tuple(node.id for node in ended))]
        tree.complete += scored.nodes
        tree.excluded += sum(reply.failed for reply in replies) + scored.failed
        return {node.parent: aggregate(node.path_scores, self.aggregate) for node in scored.nodes}


def _visit(step: Visited | None, visits: int, value: float | None = None) -> None:
    """Count visits (virtual without a value) in the step and all above it."""
    while step is not None:
        step.visits += visits
        if value is not None:
            step.total += value
            step.top = max(step.top, value)
        step = step.parent
