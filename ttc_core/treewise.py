"""What searches share that choose among all steps of the tree, wherever they hang, instead of growing beams together.

A budget of N generations means at most N samples at every depth (accounting.py). So a search that dwells on early
steps uses those depths up and is sent deeper; whatever it prefers, there is always room below its deepest step, and
solutions get completed. Best-first search, MCTS and AB-MCTS differ only in how they choose the next step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

from ttc_core.selection import aggregate
from ttc_core.types import ROOT, Node, NodeId, Prune, Request, Sample, Sampled, Score, Until


@dataclass(eq=False)
class Step:
    """A place in the tree that may be continued: the root (no node), a scored step, or a whole answer.

    value: its aggregated score in [0, 1]; depth: reasoning steps through it; asked: continuations sampled so far;
    closed: nothing below it can be continued any more.
    """

    node: Node | None = None
    parent: Self | None = None
    value: float = 0.0
    depth: int = 0
    asked: int = 0
    closed: bool = False
    children: list[Self] = field(default_factory=list)

    @property
    def id(self) -> NodeId:
        """Of its node."""
        return self.node.id if self.node is not None else ROOT

    @property
    def complete(self) -> bool:
        """It is a whole solution."""
        return self.node is not None and self.node.complete


S = TypeVar("S", bound=Step)


class Room:
    """What is left of a budget of N generations at each depth, by the rule of `accounting.Generations`."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._steps: Counter[int] = Counter()  # samples of the step after so many steps
        self._whole: Counter[int] = Counter()  # samples from there to the end

    def take(self, depth: int, n: int, until: Until) -> None:
        """Count `n` samples that start after `depth` steps."""
        (self._steps if until == "step" else self._whole)[depth] += n

    def left(self, depth: int, until: Until) -> int:
        """How many more samples may start there."""
        deeper = {d for d in (*self._steps, *self._whole) if d > depth} if until == "end" else ()
        return self._budget - max(self._taken(d) for d in (depth, *deeper))

    def _taken(self, depth: int) -> int:
        return self._steps[depth] + sum(n for start, n in self._whole.items() if start <= depth)


class Growth(Generic[S]):
    """A tree under way. `complete` holds its solutions in order of completion, `excluded` counts what failed.

    Arguments:
        make: class of the tree's steps.
        budget: generations, N.
        how: aggregation of step scores to a step's value.
        rounds: most reasoning steps of a solution.
        attempts: 0 for a tree of reasoning steps; else one of whole answers, in which a continuation of an answer is
            its revision in sight of that many attempts.
        once: a step is continued once, by however many continuations.
        rollouts: every new step needs room to be sampled to the end.
        distinct: an unfinished step equal to one of its siblings is given up at once.
    """

    def __init__(
        self,
        make: type[S],
        budget: int,
        how: str,
        rounds: int,
        attempts: int = 0,
        once: bool = False,
        rollouts: bool = False,
        distinct: bool = False,
    ) -> None:
        self.root = make()
        self.complete: list[Node] = []
        self.excluded = 0
        self._make, self._how, self._rounds = make, how, rounds
        self._attempts, self._once, self._distinct = attempts, once, distinct
        self._until: Until = "end" if attempts else "step"
        self._fits: Until = "end" if attempts or rollouts else "step"
        self._budget = Room(budget)
        self._steps: list[S] = []

    def room(self, step: S) -> int:
        """How many more continuations the step may have."""
        if step.depth >= self._rounds or (step.complete and not self._attempts) or (self._once and step.asked):
            return 0
        return max(0, self._budget.left(step.depth, self._fits))

    def reserve(self, step: S, n: int) -> Sample:
        """The request for `n` more continuations of the step, counted from now on."""
        first, step.asked = step.asked, step.asked + n
        self._budget.take(step.depth, n, self._until)
        attempts = 0 if step.node is None else self._attempts
        return Sample(step.id, n, first, self._until, attempts=attempts)

    def choose(self, prefer: Callable[[S, list[S]], S | None]) -> S | None:
        """Walk from the root to the step that is continued next; None when nothing can be.

        prefer: given a step and those children below which something can be continued, the child to go on to, or None
        to continue the step itself. It is not asked where there is no choice. What turns out to lead nowhere is closed
        and the walk goes back by one step, so that it is walked in vain once at most.
        """
        step = self.root
        if self._attempts and not self.room(step):
            return None  # answers have no depth: no room here is no room anywhere
        while True:
            below = [child for child in step.children if not child.closed]
            room = self.room(step) > 0
            if not below and not room:
                step.closed = True
                if step.parent is None:
                    return None
                step = step.parent
                continue
            child = prefer(step, below) if below and (room or len(below) > 1) else next(iter(below), None)
            if child is None:
                return step
            step = child

    def rollout(self, step: S) -> list[Sample]:
        """The request for a solution sampled from the step to the end, counted from now on; [] where none fits."""
        if not self.room(step):
            return []
        self._budget.take(step.depth, 1, "end")
        return [Sample(step.id, until="end", branch="~")]

    def grow(self, asked: Sequence[tuple[S, Sample]]) -> Generator[list[Request], list[Any], list[S]]:
        """Sample and score what was reserved; returns the new steps in order. What failed is counted and left out."""
        batches = yield [sample for _, sample in asked]
        parents = {step.id: step for step, _ in asked}
        nodes, twins = self._sift(asked, batches)
        *_, scored = yield [*twins, Score(tuple(node.id for node in nodes))]
        self.excluded += scored.failed
        return [self._enter(parents[node.parent], node) for node in scored.nodes]

    def rest(self, why: str) -> list[Request]:
        """Give up the steps that were never continued."""
        left = [s for s in self._steps if not s.asked and not s.complete]
        deep = tuple(s.id for s in left if s.depth >= self._rounds)
        other = tuple(s.id for s in left if s.depth < self._rounds)
        return [Prune(deep, f"not complete after {self._rounds} steps"), Prune(other, why)]

    def _sift(self, asked: Sequence[tuple[S, Sample]], batches: Sequence[Sampled]) -> tuple[list[Node], list[Prune]]:
        """The nodes to score, and unfinished ones that say what a sibling says."""
        nodes: list[Node] = []
        twins: list[Prune] = []
        said: dict[tuple[NodeId, str], NodeId] = {
            (step.id, child.node.text): child.id for step, _ in asked for child in step.children if child.node
        }
        for batch in batches:
            self.excluded += batch.failed
            for node in batch.nodes:
                twin = said.setdefault((node.parent, node.text), node.id)
                if self._distinct and twin != node.id and not node.complete:
                    twins.append(Prune((node.id,), f"same step as {twin}"))
                else:
                    nodes.append(node)
        return nodes, twins

    def _enter(self, parent: S, node: Node) -> S:
        depth = 0 if self._attempts else parent.depth + max(1, node.steps)
        step = self._make(node, parent, aggregate(node.path_scores, self._how), depth)
        step.closed = not self.room(step)
        parent.children.append(step)
        self._steps.append(step)
        if node.complete:
            self.complete.append(node)
        above: S | None = None if step.closed else parent
        while above is not None:
            above.closed, above = False, above.parent
        return step
