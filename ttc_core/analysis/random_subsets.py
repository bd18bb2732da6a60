"""Votes among random subsets of n samples, many problems at once.

The first k samples of a random order are a subset drawn uniformly, and all k have a share of one order. All problems
share `draws` orders of n places, on which each puts its samples in a random order of its own: so its subsets are
uniform and know nothing of those of other problems.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ttc_core.analysis.pool import Bools, Floats, Ints

BYTES = 1 << 18  # of the table of answers by subsets drawn at once: it stays in the processor's cache
ROWS = 32  # samples that come to these subsets at once
SINGLE = 1000  # samples whose scores are added in single precision: above it too many totals would seem equal


def shares(
    of: Ints, right: Bools, weights: Floats, ks: Sequence[int], how: str, draws: int, seed: int
) -> tuple[Floats, Floats]:
    """(P, K) share of random subsets of each size whose vote is right, and its standard error.

    Arguments:
        of: (P, n) group or -1 for no vote; right: (P, G) whether the group's answer is right; weights: (P, n).
        how: an answer's weights are added up; "majority": each is 1, or "weighted".
    """
    problems, n = of.shape
    rng = np.random.default_rng([seed, n])
    orders = _orders(rng, draws, n).T[: max(ks)].copy()
    own = _orders(rng, problems, n)
    # answers are numbered anew: right ones first, then wrong ones, then those who do not vote
    rights, wrongs = (int(x.sum(axis=1).max()) for x in (right, ~right))
    number = np.where(right, right.cumsum(axis=1) - 1, rights + (~right).cumsum(axis=1) - 1)
    renumbered = np.where(of < 0, rights + wrongs, np.take_along_axis(number, np.maximum(of, 0), axis=1))
    weights = np.ldexp(weights, -np.frexp(np.abs(weights).max())[1])  # at most 1, no digit lost
    placed, carried = np.take_along_axis(renumbered, own, axis=1), np.take_along_axis(weights, own, axis=1)
    drawn = _Drawing(placed, carried, own, orders, rights, rights + wrongs, how)
    together = max(1, BYTES // ((rights + wrongs + 1) * draws * np.dtype(drawn.kind(max(ks))).itemsize))
    won = np.concatenate([drawn.part(p, p + together).shares(ks) for p in range(0, problems, together)])
    # Laplace's rule: a share of 0 or 1 among finitely many draws is not certain.
    likely = (won * draws + 1) / (draws + 2)
    return won, np.sqrt(likely * (1 - likely) / (draws + 2))


def split(weights: Floats) -> tuple[Floats, Floats]:
    """Two parts of which any sum of the first is exact, so that a total of both is rounded once, as by fsum."""
    coarse = np.round(weights * 2.0**26) / 2.0**26
    return coarse, weights - coarse


def _orders(rng: np.random.Generator, count: int, n: int) -> Ints:
    """(count, n) random orders of n."""
    return np.asarray(rng.permuted(np.tile(np.arange(n), (count, 1)), axis=1))


@dataclass(frozen=True)
class _Drawing:
    """Votes among samples that come one after another, in D orders for each of P problems.

    Arguments:
        of, weights, own: (P, n) answer, weight (of a size up to 1) and number of the sample at each place.
        orders: (most, D) places as they are drawn.
        rights: answers below it are right; blank: from it to this wrong, and this is none.
    """

    of: Ints
    weights: Floats
    own: Ints
    orders: Ints
    rights: int
    blank: int
    how: str

    def part(self, first: int, end: int) -> _Drawing:
        """The same of some problems."""
        rows = slice(first, end)
        return replace(self, of=self.of[rows], weights=self.weights[rows], own=self.own[rows])

    def kind(self, most: int) -> type[np.float64 | np.float32 | np.uint16]:
        """What totals of up to `most` samples are kept in: what is small is fast."""
        if self.how == "majority" and most < 1 << 16:
            return np.uint16
        return np.float32 if self.how == "weighted" and most <= SINGLE else np.float64

    def shares(self, ks: Sequence[int]) -> Floats:
        """(P, K) share of the orders whose first k samples vote right."""
        problems, lanes = len(self.of), len(self.of) * self.orders.shape[1]
        lane = np.arange(lanes).reshape(-1, problems)  # (D, P)
        starts, size = np.multiply(self.of.T, lanes, order="C"), (self.blank + 1) * lanes
        kind = self.kind(max(ks))
        weights = self.weights.T.astype(kind, order="C") if self.how != "majority" else np.empty(0)
        totals = np.zeros(size, kind)
        votes = np.zeros(size, np.int64) if self._signed else None
        keys, added = np.empty((ROWS, *lane.shape), np.int64), np.empty((ROWS, *lane.shape), kind)
        before, found = 0, np.empty((problems, len(ks)))
        for column, k in sorted(enumerate(ks), key=lambda one: one[1]):
            for first in range(before, k, ROWS):
                drawn = self.orders[first : min(first + ROWS, k)]
                key, weight = keys[: len(drawn)], added[: len(drawn)]
                np.take(starts, drawn, axis=0, out=key, mode="clip")  # of the modes the one that makes no copy
                key += lane
                if self.how == "majority":
                    np.add.at(totals, key.ravel(), kind(1))
                else:
                    np.take(weights, drawn, axis=0, out=weight, mode="clip")
                    np.add.at(totals, key.ravel(), weight.ravel())
                if votes is not None:
                    np.add.at(votes, key.ravel(), 1)
            before = k
            shown = totals if votes is None else np.where(votes > 0, totals, -np.inf)  # no votes do not win with 0
            found[:, column] = self._won(shown.reshape(-1, lanes), k).reshape(lane.shape).mean(axis=0)
        return found

    @property
    def _signed(self) -> bool:
        return self.how != "majority" and bool((self.weights[self.of < self.blank] <= 0).any())

    def _won(self, totals: Floats, k: int) -> Bools:
        """(lanes) whether the answer with the largest total (answers, lanes) is right; of equals the first one seen."""
        right, wrong = totals[: self.rights].max(axis=0), totals[self.rights : self.blank].max(axis=0)
        won, near = right > wrong, right == wrong
        if self.how == "weighted":  # what rounding may have turned round is looked at more closely, too
            off = np.finfo(totals.dtype).eps * k * (k + 1)
            with np.errstate(invalid="ignore"):  # nobody votes: -inf on both sides
                near |= np.abs(right - wrong) <= off
        lane = np.flatnonzero(near)
        if not len(lane):
            return np.asarray(won)
        draw, problem = np.divmod(lane, len(self.of))
        rows, places = problem[:, None], self.orders[:k].T[draw]  # (T, k)
        of, own = self.of[rows, places], self.own[rows, places]
        if self.how == "weighted":
            each = self._exactly(of, self.weights[rows, places])
        else:
            each = totals[of, lane[:, None]]
        each = np.where(of < self.blank, each, -np.inf)
        leads = (of < self.blank) & (each == each.max(axis=1, keepdims=True))
        first = np.where(leads, own, self.own.shape[1]).argmin(axis=1)
        every = np.arange(len(lane))
        won[lane] = leads[every, first] & (of[every, first] < self.rights)
        return np.asarray(won)

    def _exactly(self, of: Ints, weights: Floats) -> Floats:
        """(T, k) total of each sample's answer in T subsets, rounded once."""
        keys = (of + np.arange(len(of))[:, None] * (self.blank + 1)).ravel()
        size = (self.blank + 1) * len(of)
        coarse, fine = (np.bincount(keys, part.ravel(), size) for part in split(weights))
        return np.asarray((coarse + fine)[keys].reshape(of.shape))
