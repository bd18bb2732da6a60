"""A pool: the many samples of each problem that estimators draw smaller sets from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ttc_core.errors import BadValue
from ttc_core.selection import AGGREGATES, aggregate

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def ascending(values: Floats) -> Ints:
    """(P, n) places of each row's values from the smallest up, of equal finite ones the first first."""
    order = np.argsort(values, axis=1)
    put = np.take_along_axis(values, order, axis=1)
    tied = ((put[:, 1:] == put[:, :-1]) & np.isfinite(put[:, 1:])).any(axis=1)
    order[tied] = np.argsort(values[tied], axis=1, kind="stable")  # four times as slow
    return order


@dataclass(frozen=True)
class Pool:
    """Samples of P problems, at most n of each, in the order they were drawn; places without one are not valid.

    Arguments:
        problems: (P) problem ids.
        correct: (P, n) whether the sample's answer is right.
        answers: (P, n) number of the group of equivalent answers, by first appearance in its problem; -1: no answer.
        scores: (P, n) final score in [0, 1], NaN where there is none.
        tokens: (P, n) generated tokens, 0 where not known.
        valid: (P, n) whether there is a sample at this place.
        steps: scores of every step, by problem and sample; empty where they are not known.
        graded: (P, n) whether anybody could say if the sample is right; None: of all.

    Raises:
        BadValue: the shapes do not fit together.
    """

    problems: list[str]
    correct: Bools
    answers: Ints
    scores: Floats
    tokens: Ints
    valid: Bools
    steps: list[list[list[float]]] = field(default_factory=list)
    graded: Bools | None = None

    def __post_init__(self) -> None:
        shape = self.correct.shape
        if len(shape) != 2 or shape[0] != len(self.problems):
            raise BadValue(f"a pool of {len(self.problems)} problems needs as many rows, not the shape {shape}")
        for name in self._arrays:
            if (other := getattr(self, name).shape) != shape:
                raise BadValue(f"{name} of a pool have the shape {other}, correct has {shape}")
        if self.steps and [len(row) for row in self.steps] != [shape[1]] * shape[0]:
            raise BadValue(f"steps of a pool must be {shape[0]} rows of {shape[1]}")

    @property
    def _arrays(self) -> tuple[str, ...]:
        """Names of all that is (P, n)."""
        known = ("correct", "answers", "scores", "tokens", "valid")
        return known if self.graded is None else (*known, "graded")

    @property
    def sizes(self) -> Ints:
        """(P) samples of each problem."""
        return np.asarray(self.valid.sum(axis=1), np.int64)

    def of(self, rows: Sequence[int]) -> Pool:
        """The same of these problems alone, in this order."""
        parts = {name: getattr(self, name)[list(rows)] for name in self._arrays}
        return Pool(
            [self.problems[p] for p in rows], **parts, steps=[self.steps[p] for p in rows] if self.steps else []
        )

    def unscored(self) -> Pool:
        """The same samples without their scores."""
        return replace(self, scores=np.full(self.scores.shape, np.nan), steps=[])

    def packed(self) -> Pool:
        """The same with every problem's samples before its empty places, in their order."""
        order = np.argsort(~self.valid, axis=1, kind="stable")
        if (order == np.arange(order.shape[1])).all():
            return self
        moved = {name: np.take_along_axis(getattr(self, name), order, axis=1) for name in self._arrays}
        steps = [[row[i] for i in places] for row, places in zip(self.steps, order.tolist(), strict=bool(self.steps))]
        return Pool(self.problems, **moved, steps=steps)

    @property
    def ungraded(self) -> int:
        """Samples of which nobody could say whether they are right."""
        return 0 if self.graded is None else int((self.valid & ~self.graded).sum())

    def judged(self) -> Pool:
        """The graded samples alone; a problem that has others and no graded one is left out."""
        if self.graded is None:
            return self
        kept = self.valid & self.graded
        there = np.flatnonzero(kept.any(axis=1) | ~self.valid.any(axis=1))
        return replace(self, valid=kept, graded=None).of(there.tolist())

    def rescored(self, how: str) -> Pool:
        """The same samples with final scores aggregated anew from their steps: last, min, prod or mean.

        A sample without step scores keeps its score; where none has any, only "last" is known.

        Raises:
            BadValue: an unknown way, or one that needs step scores that no sample has.
        """
        if how not in AGGREGATES:
            raise BadValue(f"aggregate must be one of {', '.join(AGGREGATES)}, not {how!r}")
        if not any(any(row) for row in self.steps):
            if how == "last":
                return self
            raise BadValue("no sample of this pool has scores of its steps", hint="leave the aggregate out")
        scores = self.scores.copy()
        for p, row in enumerate(self.steps):
            for i, steps in enumerate(row):
                if steps:
                    scores[p, i] = aggregate(steps, how)
        return replace(self, scores=scores)
