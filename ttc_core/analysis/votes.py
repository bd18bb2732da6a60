"""Majority and weighted votes among k of n samples: exact where feasible, else Monte Carlo with its standard error.

The answer with the most votes, or the largest sum of scores, wins; of equals the one whose first sample with a vote was
drawn first (as `selection.choose`). In order of preference, for each problem and k:

    settled      no sample with a vote is right, or all are
    counting     majority only, by a product of polynomials (counting.py), where n is moderate
    enumeration  of all subsets, where there are few
    Monte Carlo  the first k of a random order of the samples are a subset drawn uniformly, of which all k have a share
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ttc_core.analysis import counting
from ttc_core.analysis.pool import Bools, Floats, Ints, Pool
from ttc_core.errors import BadValue

DRAWS = 256
SUBSETS = 20_000  # enumerated for one problem and k at most
BALLOTS = 200_000_000  # counted in all that is enumerated for one k at most
WORK = 100_000_000  # multiplications at most in counting the majorities of all problems: a third of a second
LANES = 1 << 11  # drawn subsets at once


@dataclass(frozen=True)
class Groups:
    """Equivalent answers. of: (P, n) group or -1 for no answer; right: (P, G) whether the group's answer is right."""

    of: Ints
    right: Bools


def groups(pool: Pool) -> Groups:
    """The groups of a pool's samples.

    A right sample without an answer belongs to the right answer's group; where a problem knows no answers at all, each
    sample is a group of its own.
    """
    of = np.where(pool.valid, pool.answers, -1)
    lost = pool.valid & pool.correct & (of < 0)
    unknown = ~(of >= 0).any(axis=1) & lost.any(axis=1)
    of[unknown] = np.where(pool.valid[unknown], np.arange(of.shape[1]), -1)
    for p in np.flatnonzero(lost.any(axis=1) & ~unknown):
        known = of[p][pool.correct[p] & (of[p] >= 0)]
        of[p, lost[p]] = known[0] if len(known) else of[p].max() + 1
    right = np.zeros((len(of), int(of.max(initial=0)) + 1), bool)
    rows, places = np.nonzero(pool.correct & (of >= 0))
    right[rows, of[rows, places]] = True
    return Groups(of, right)


def vote_at(pool: Pool, ks: Sequence[int], how: str, draws: int = DRAWS, seed: int = 0) -> tuple[Floats, Floats]:
    """(P, K) probability that the vote among k samples is right, and its standard error (0 where exact).

    how: majority, weighted, or best: the answer of the highest score.

    Raises:
        BadValue: a problem's samples have no answers.
    """
    answered = (pool.valid & (pool.answers >= 0)).any(axis=1)
    for p in np.flatnonzero((pool.correct & pool.valid).any(axis=1) & ~answered) if how != "best" else ():
        raise BadValue(f"a vote needs the samples' answers, and problem {pool.problems[p]} has none")
    found = groups(pool)
    of = found.of if how == "majority" else np.where(np.isfinite(pool.scores), found.of, -1)
    ballots = _Ballots(of, found.right, np.where(of >= 0, pool.scores, 0.0))
    values, errors = np.zeros((len(of), len(ks))), np.zeros((len(of), len(ks)))
    for n in np.unique(pool.sizes):
        rows = np.flatnonzero(pool.sizes == n)
        values[rows], errors[rows] = _same_size(ballots.part(rows, int(n)), ks, how, draws, seed)
    return values, errors


@dataclass(frozen=True)
class _Ballots:
    """Samples as votes. of: (P, n) group or -1; right: (P, G); weights: (P, n)."""

    of: Ints
    right: Bools
    weights: Floats

    def part(self, rows: Ints, n: int) -> _Ballots:
        return _Ballots(self.of[rows, :n], self.right[rows], self.weights[rows, :n])

    @property
    def hits(self) -> Bools:
        """(P, n) samples that vote for the right answer."""
        return np.asarray((self.of >= 0) & np.take_along_axis(self.right, np.maximum(self.of, 0), axis=1))


def _same_size(b: _Ballots, ks: Sequence[int], how: str, draws: int, seed: int) -> tuple[Floats, Floats]:
    """Values and errors of problems with equally many samples."""
    problems, n = b.of.shape
    voting, right = (b.of >= 0).sum(axis=1), b.hits.sum(axis=1)
    values, errors = np.zeros((problems, len(ks))), np.zeros((problems, len(ks)))
    open_ = np.flatnonzero((right > 0) & (right < voting))
    all_right = (right > 0) & (right == voting)
    part = b.part(open_, n)
    counted = _countable(part, ks) if how == "majority" else []
    exact = counting.majority(part.of, part.right, counted) if counted else np.empty((len(open_), 0))
    drawn: list[int] = []
    for column, k in enumerate(ks):
        values[all_right, column] = [_any(n, int(v), k) for v in voting[all_right]]
        if not len(open_):
            continue
        if k == 1:
            values[open_, column] = part.hits.mean(axis=1)
        elif k in counted:
            values[open_, column] = exact[:, counted.index(k)]
        elif math.comb(n, k) <= SUBSETS and len(open_) * math.comb(n, k) * k <= BALLOTS:
            values[open_, column] = _enumerated(part, k, how)
        else:
            drawn.append(column)
    if drawn:
        shares = _drawn(part, [ks[column] for column in drawn], how, draws, seed)
        values[open_[:, None], drawn] = shares
        # Laplace's rule: a share of 0 or 1 among finitely many draws is not certain.
        shares = (shares * draws + 1) / (draws + 2)
        errors[open_[:, None], drawn] = np.sqrt(shares * (1 - shares) / (draws + 2))
    return values, errors


def _countable(b: _Ballots, ks: Sequence[int]) -> list[int]:
    """The sizes of subsets, from the smallest up, for which counting majorities is not too much work in all."""
    found: list[int] = []
    for k in sorted(set(ks) - {1}):
        if counting.work(b.of, b.right, k) > WORK:
            break
        found.append(k)
    return found


def _any(n: int, voting: int, k: int) -> float:
    """Probability that any of k samples votes."""
    return 1.0 - math.comb(n - voting, k) / math.comb(n, k)


def _enumerated(b: _Ballots, k: int, how: str) -> Floats:
    """(P) share of all subsets of k whose vote is right."""
    subsets = np.array(list(combinations(range(b.of.shape[1]), k)), np.int64)
    rows, values = np.repeat(np.arange(len(subsets)), k), np.empty(len(b.of))
    for p in range(len(b.of)):
        of, weights = b.of[p][subsets].ravel(), b.weights[p][subsets].ravel()
        values[p] = _won(of, weights, rows, len(subsets), b.right[[p]], how).mean()
    return values


def _drawn(b: _Ballots, ks: Sequence[int], how: str, draws: int, seed: int) -> Floats:
    """(P, K) share of random subsets of each size whose vote is right.

    All problems share `draws` orders of n places, on which each puts its samples in a random order of its own: so its
    subsets are uniform and know nothing of those of other problems. The subset of k is the beginning of that of k + 1.
    """
    problems, n = b.of.shape
    rng = np.random.default_rng([seed, n])
    orders = _orders(rng, draws, n)[: max(ks)]
    shares, together = np.empty((problems, len(ks))), max(1, LANES // draws)
    for first in range(0, problems, together):
        rows = np.arange(first, min(first + together, problems))
        shares[rows] = _Drawing(b.part(rows, n), _orders(rng, len(rows), n), orders, how).shares(ks)
    return shares


def _orders(rng: np.random.Generator, count: int, n: int) -> Ints:
    """(n, count) random orders of n."""
    return np.asarray(rng.permuted(np.tile(np.arange(n), (count, 1)), axis=1).T)


class _Drawing:
    """Votes among samples that come one after another, in `draws` orders (D) for each of P problems."""

    def __init__(self, b: _Ballots, own: Ints, orders: Ints, how: str) -> None:
        """own: (n, P) the samples of each problem by place; orders: (most, D) places as they are drawn."""
        self._own, self._orders, self._how, self._columns = own, orders, how, np.arange(own.shape[1])
        # answers are numbered anew: right ones first, then wrong ones, then those who do not vote
        self._rights, wrongs = (int(x.sum(axis=1).max()) for x in (b.right, ~b.right))
        number = np.where(b.right, b.right.cumsum(axis=1) - 1, self._rights + (~b.right).cumsum(axis=1) - 1)
        self._blank = self._rights + wrongs
        of, weights = b.of.T[own, self._columns], b.weights.T[own, self._columns]
        self._of = np.where(of < 0, self._blank, number[self._columns, np.maximum(of, 0)])
        ones = np.ones_like(weights)
        self._weights = list(_split(weights)) if how == "weighted" else [ones if how == "majority" else weights]
        self._signed = how != "majority" and bool((weights[of >= 0] <= 0).any())

    def shares(self, ks: Sequence[int]) -> Floats:
        """(P, K) share of the orders whose first k samples vote right."""
        lane = np.arange(self._orders.shape[1] * len(self._columns)).reshape(-1, len(self._columns))  # (D, P)
        size = (self._blank + 1) * lane.size
        sums = [np.full(size, -np.inf if self._how == "best" else 0.0) for _ in self._weights]
        votes, before, shares = np.zeros(size), 0, np.empty((len(self._columns), len(ks)))
        for column, k in sorted(enumerate(ks), key=lambda one: one[1]):
            drawn, before = self._orders[before:k], k
            keys = (self._of[drawn] * lane.size + lane).ravel()
            for total, weights in zip(sums, self._weights, strict=True):
                if self._how == "best":
                    np.maximum.at(total, keys, weights[drawn].ravel())
                else:
                    total += np.bincount(keys, weights[drawn].ravel(), size)
            totals = sums[0] + sums[1] if len(sums) > 1 else sums[0]
            if self._signed:
                votes += np.bincount(keys, minlength=size)
                totals = np.where(votes > 0, totals, -np.inf)  # who has no votes does not win with 0
            shares[:, column] = self._won(totals.reshape(-1, *lane.shape), k).mean(axis=0)
        return shares

    def _won(self, totals: Floats, k: int) -> Bools:
        """(D, P) whether the answer with the largest total (answers, D, P) is right; of equals the first one seen."""
        right, wrong = totals[: self._rights].max(axis=0), totals[self._rights : self._blank].max(axis=0)
        draw, problem = np.nonzero(right == wrong)
        of, own = (x[self._orders[:k, draw], problem] for x in (self._of, self._own))  # (k, ties)
        leads = (of < self._blank) & (totals[of, draw, problem] == right[draw, problem])
        first = np.where(leads, own, len(self._own)).argmin(axis=0)
        every, won = np.arange(len(draw)), right > wrong
        won[draw, problem] = leads[first, every] & (of[first, every] < self._rights)
        return np.asarray(won)


def _split(weights: Floats) -> tuple[Floats, Floats]:
    """Two parts of which any sum of the first is exact, so that a total of both is rounded once, as by fsum."""
    coarse = np.round(weights * 2.0**26) / 2.0**26
    return coarse, weights - coarse


def _won(of: Ints, weights: Floats, rows: Ints, count: int, right: Bools, how: str) -> Bools:
    """(count) whether each vote is won by a right answer.

    Arguments:
        of, weights, rows: of every ballot its group (-1: none), its weight and its vote; in the order of being drawn.
        right: (count, G), or (1, G) if it is the same for all.
        how: an answer's weights are added up ("majority", "weighted"), or the highest counts ("best").
    """
    voting, width = of >= 0, right.shape[1]
    weights, keys = weights[voting], (rows * width + of)[voting]
    if how == "weighted":
        coarse, fine = _split(weights)
        totals = np.bincount(keys, coarse, count * width) + np.bincount(keys, fine, count * width)
        if (weights <= 0).any():
            totals[np.bincount(keys, minlength=count * width) == 0] = -np.inf  # who has no votes does not win with 0
    elif how == "majority":
        totals = np.bincount(keys, minlength=count * width).astype(float)
    else:
        totals = np.full(count * width, -np.inf)
        np.maximum.at(totals, keys, weights)
    table = totals.reshape(count, width)
    most = table.max(axis=1)
    leads = table == most[:, None]
    winner, votes = leads.argmax(axis=1), np.zeros(count, bool)
    votes[keys // width] = True
    # equals, and totals of nothing, which an answer that nobody gave has too: the first to be drawn wins
    equal = np.flatnonzero(((leads.sum(axis=1) > 1) | (most <= 0)) & votes)
    if len(equal):
        among = np.zeros(count, bool)
        among[equal] = True
        keys = keys[among[keys // width] & leads.ravel()[keys]]
        winner[keys[::-1] // width] = keys[::-1] % width  # the last to be written is the first to be drawn
    good = right[0][winner] if len(right) == 1 else right[np.arange(count), winner]
    return np.asarray(good & votes)
