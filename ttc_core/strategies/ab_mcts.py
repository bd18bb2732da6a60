"""Adaptive branching Monte Carlo tree search with node aggregation, AB-MCTS-A (Inoue et al. 2025, arXiv 2503.04412).

At every node of the tree the search chooses by Thompson sampling between GEN, generating one more child (wider), and
CONT, going down into one of the children there are (deeper), then among these. Each choice has a posterior over
scores: GEN's evidence are the scores of the node's children, CONT's the scores of all that was generated below them,
a child's its own score and those of everything below it. A leaf can only generate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar

from ttc_core.registry import param, strategy
from ttc_core.selection import AGGREGATES, SELECTS, candidates, choose
from ttc_core.treewise import Growth, Step
from ttc_core.types import Budget, Problem, Sample, Search


@dataclass
class Evidence:
    """Scores observed: how many, their sum, their sum of squares."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, score: float) -> None:
        """Observe one more."""
        self.n, self.total, self.squares = self.n + 1, self.total + score, self.squares + score * score


@dataclass(eq=False)
class Branching(Step):
    """A node with the evidence for itself as a child, for generating below it, and for going on below it."""

    own: Evidence = field(default_factory=Evidence)
    gen: Evidence = field(default_factory=Evidence)
    cont: Evidence = field(default_factory=Evidence)


def beta(seen: Evidence, rng: Random) -> float:
    """A draw from the posterior of a mean in [0, 1] under Jeffreys' prior Beta(1/2, 1/2), scores as fractional wins."""
    return rng.betavariate(0.5 + seen.total, 0.5 + seen.n - seen.total)


def gaussian(seen: Evidence, rng: Random) -> float:
    """A draw from the posterior of a mean under the normal-inverse-gamma prior of mean 0, kappa 1, nu 1, tau^2 0.1."""
    mean = seen.total / max(1, seen.n)
    spread = max(0.0, seen.squares - seen.n * mean * mean)
    kappa, nu = 1 + seen.n, 1 + seen.n
    tau2 = (0.1 + spread + seen.n / kappa * mean * mean) / nu  # of the scaled inverse chi-squared of the variance
    variance = nu * tau2 / 2 / rng.gammavariate(nu / 2, 1.0)
    return rng.gauss(seen.total / kappa, math.sqrt(variance / kappa))


POSTERIORS: dict[str, Callable[[Evidence, Random], float]] = {"beta": beta, "gaussian": gaussian}


@strategy("ab_mcts")
@dataclass(frozen=True)
class AdaptiveBranching:
    """Decide at every node by Thompson sampling whether to go wider or deeper. Costs at most N generations.

    With level = "answer", the paper's form, nodes are whole answers: wider is a fresh answer or another revision of the
    same one, deeper a revision of a revision; that is N answers and needs a model made for revising. With level =
    "step" nodes are reasoning steps, for any model: wider is one more continuation of a step, deeper a later step; the
    search ends when no step fits into the budget. Every complete answer is a candidate.
    """

    rank_based: ClassVar[bool] = False  # posteriors are of the scores themselves

    level: str = param("step", choices=("step", "answer"), help="what a node is; answers need a model that revises")
    posterior: str = param("gaussian", choices=tuple(POSTERIORS), help="model of scores behind Thompson sampling")
    attempts: int = param(1, min=1, max=64, help="with answers: how many of the latest attempts a revision sees")
    batch: int = param(1, min=1, max=1024, help="generations drawn from the same posteriors and sampled together")
    rounds: int = param(40, min=1, max=1000, help="with steps: most steps of a solution")
    select: str = param("weighted", choices=SELECTS, help="how one answer is chosen among the complete ones")
    aggregate: str = param("last", choices=AGGREGATES, help="how step scores become a node's score")

    @property
    def needs(self) -> str:
        """What the policy has to be able to do."""
        return "revises" if self.level == "answer" else ""

    def run(self, problem: Problem, budget: Budget, rng: Random) -> Search:
        """All draws come from `rng`, in order; children in order of creation."""
        n = budget.generations
        attempts = self.attempts if self.level == "answer" else 0
        tree = Growth(Branching, n, self.aggregate, self.rounds, attempts)
        draw = POSTERIORS[self.posterior]

        def prefer(node: Branching, children: Sequence[Branching]) -> Branching | None:
            if tree.room(node) and draw(node.gen, rng) >= draw(node.cont, rng):
                return None
            return max(children, key=lambda child: draw(child.own, rng))

        while True:
            asked: list[tuple[Branching, Sample]] = []
            while len(asked) < self.batch and (node := tree.choose(prefer)):
                asked.append((node, tree.reserve(node, 1)))
            if not asked:
                break
            for child in (yield from tree.grow(asked)):
                observe(child)
        yield tree.rest(f"not continued: what Thompson sampling preferred took the {n} generations at this depth")
        return choose(candidates(tree.complete, self.aggregate), self.select, tree.excluded)


def observe(child: Branching) -> None:
    """Hand a new child's score up: to GEN of its parent, and to itself and CONT of the parent at each level above."""
    score = child.value
    child.own.add(score)
    node = child.parent
    if node is not None:
        node.gen.add(score)
    while node is not None and node.parent is not None:
        node.own.add(score)
        node.parent.cont.add(score)
        node = node.parent
