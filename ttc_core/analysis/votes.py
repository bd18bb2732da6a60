"""Majority and weighted votes among k of n samples: exact where feasible, else Monte Carlo with its standard error.

The answer with the most votes, or the largest sum of scores, wins; of equals the one whose first sample with a vote was
drawn first (as `selection.choose`). In order of preference, for each problem and k:

    settled      no sample with a vote is right, or all are
    counting     majority only, by a product of polynomials (counting.py), where n is moderate
    enumeration  of all subsets, where there are few
    Monte Carlo  a random order of the samples is cut into blocks of k; every block is a subset drawn uniformly
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
WORK = 200_000_000  # multiplications at most in counting the majorities of all problems: half a second
CELLS = 1 << 21  # of a table of votes: some ten MiB


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
            values[open_, column], errors[open_, column] = _drawn(part, k, how, draws, seed)
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


def _drawn(b: _Ballots, k: int, how: str, draws: int, seed: int) -> tuple[Floats, Floats]:
    """(P) share of at least `draws` random subsets whose vote is right, and its standard error."""
    problems, n = b.of.shape
    blocks, together = min(n // k, draws), max(1, CELLS // (n * 8))
    hits, subsets = np.zeros(problems), -(-draws // blocks) * blocks
    for first in range(0, problems, together):
        part = b.part(np.arange(first, min(first + together, problems)), n)
        rng = np.random.default_rng([seed, k, first])
        for _ in range(subsets // blocks):
            order = rng.random(part.of.shape, np.float32).argsort(axis=1)[:, : blocks * k]
            hits[first : first + together] += _blocks_won(part, order, k, how)
    # Laplace's rule: a share of 0 or 1 among finitely many draws is not certain.
    share = (hits + 1) / (subsets + 2)
    return hits / subsets, np.sqrt(share * (1 - share) / (subsets + 2))


def _blocks_won(b: _Ballots, order: Ints, k: int, how: str) -> Floats:
    """(P) number of the blocks of k samples each, cut from an order of them (P, blocks * k), whose vote is right."""
    problems, blocks = len(order), order.shape[1] // k
    won, at_once = np.zeros(problems), max(1, CELLS // (problems * b.right.shape[1]))
    for first in range(0, blocks, at_once):
        count = min(at_once, blocks - first)
        # a block's samples keep the order in which they were drawn into the pool: the first seen wins
        places = np.sort(order[:, first * k : (first + count) * k].reshape(problems, count, k), axis=2)
        places = places.reshape(problems, count * k)
        of = np.take_along_axis(b.of, places, axis=1).ravel()
        weights = np.take_along_axis(b.weights, places, axis=1).ravel()
        rows = np.repeat(np.arange(problems * count), k)
        right = np.repeat(b.right, count, axis=0)
        won += _won(of, weights, rows, problems * count, right, how).reshape(problems, count).sum(axis=1)
    return won


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
        coarse = np.round(weights * 2.0**26) / 2.0**26  # sums of these are exact: the total is rounded once, as by fsum
        totals = np.bincount(keys, coarse, count * width) + np.bincount(keys, weights - coarse, count * width)
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
