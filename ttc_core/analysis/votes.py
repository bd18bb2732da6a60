"""Majority and weighted votes among k of n samples: exact where feasible, else Monte Carlo with its standard error.

The answer with the most votes, or the largest sum of scores, wins; of equals the one whose first sample with a vote was
drawn first (as `selection.choose`). In order of preference, for each problem and k:

    settled      no sample with a vote is right, or all are
    counting     majority: of up to 4 samples, else by a product of polynomials (counting.py), where n is moderate
    ranking      weighted, of 2 samples
    enumeration  of all subsets, where there are few
    Monte Carlo  of random subsets (random_subsets.py)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ttc_core.analysis import counting, random_subsets
from ttc_core.analysis.pool import Bools, Floats, Ints, Pool, ascending
from ttc_core.errors import BadValue

DRAWS = 256
SUBSETS = 20_000  # enumerated for one problem and k at most
BALLOTS = 200_000_000  # counted in all that is enumerated for one k at most
WORK = 50_000_000  # multiplications at most in counting the majorities of all problems: a sixth of a second
ENTRIES = 1 << 14  # of subsets that are enumerated together


@dataclass(frozen=True)
class Groups:
    """Equivalent answers. of: (P, n) group or -1 for no answer; right: (P, G) whether the group's answer is right."""

    of: Ints
    right: Bools


def groups(pool: Pool) -> Groups:
    """The groups of a pool's samples.

    A group is right if its sample of the highest score is, of equals the first: a vote's answer is graded by the sample
    that stands for it. A right sample without an answer belongs to the right answer's group; where a problem knows no
    answers at all, each sample is a group of its own.
    """
    of = np.where(pool.valid, pool.answers, -1)
    lost = pool.valid & pool.correct & (of < 0)
    unknown = ~(of >= 0).any(axis=1) & lost.any(axis=1)
    of[unknown] = np.where(pool.valid[unknown], np.arange(of.shape[1]), -1)
    for p in np.flatnonzero(lost.any(axis=1) & ~unknown):
        known = of[p][pool.correct[p] & (of[p] >= 0)]
        of[p, lost[p]] = known[0] if len(known) else of[p].max() + 1
    right, wrong = (np.zeros((len(of), int(of.max(initial=0)) + 1), bool) for _ in range(2))
    for flags, table in ((pool.correct, right), (~pool.correct, wrong)):
        rows, places = np.nonzero(flags & (of >= 0))
        table[rows, of[rows, places]] = True
    for p, g in np.argwhere(right & wrong):
        members = np.flatnonzero(of[p] == g)
        scores = np.where(np.isnan(pool.scores[p, members]), -np.inf, pool.scores[p, members])
        right[p, g] = pool.correct[p, members[scores.argmax()]]
    return Groups(of, right)


def vote_at(pool: Pool, ks: Sequence[int], how: str, draws: int = DRAWS, seed: int = 0) -> tuple[Floats, Floats]:
    """(P, K) probability that the vote among k samples is right, and its standard error (0 where exact).

    how: majority or weighted.

    Raises:
        BadValue: a problem's samples have no answers.
    """
    answered = (pool.valid & (pool.answers >= 0)).any(axis=1)
    for p in np.flatnonzero((pool.correct & pool.valid).any(axis=1) & ~answered):
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
    all_right = (right > 0) & (right == voting)
    for column, k in enumerate(ks):
        values[all_right, column] = [_any(n, int(v), k) for v in voting[all_right]]
    open_ = np.flatnonzero((right > 0) & (right < voting))
    if not len(open_):
        return values, errors
    part = b.part(open_, n)
    exact = _exact(part, ks, how)
    for column, k in enumerate(ks):
        if k in exact:
            values[open_, column] = exact[k]
    if drawn := [column for column, k in enumerate(ks) if k not in exact]:
        asked = [ks[column] for column in drawn]
        found = random_subsets.shares(part.of, part.right, part.weights, asked, how, draws, seed)
        values[open_[:, None], drawn], errors[open_[:, None], drawn] = found
    return values, errors


def _exact(b: _Ballots, ks: Sequence[int], how: str) -> dict[int, Floats]:
    """(P) probability that the vote is right by k, of those k for which that is feasible."""
    n = b.of.shape[1]
    found = {1: b.hits.mean(axis=1)}
    if how == "majority":
        few = [k for k in set(ks) if 2 <= k <= counting.FEW]
        found |= dict(zip(few, counting.few(b.of, b.right, few).T if few else (), strict=True))
        counted = _countable(b, set(ks) - set(found))
        found |= dict(zip(counted, counting.majority(b.of, b.right, counted).T if counted else (), strict=True))
    elif how == "weighted" and 2 in ks:
        found[2] = _pairs(b)
    for k in set(ks) - set(found):
        if math.comb(n, k) <= SUBSETS and len(b.of) * math.comb(n, k) * k <= BALLOTS:
            found[k] = _enumerated(b, k, how)
    return found


def _countable(b: _Ballots, ks: Iterable[int]) -> list[int]:
    """The sizes of subsets, from the smallest up, for which counting majorities is not too much work in all."""
    found: list[int] = []
    for k in sorted(ks):
        if counting.work(b.of, b.right, k, WORK) > WORK:
            break
        found.append(k)
    return found


def _pairs(b: _Ballots) -> Floats:
    """(P) share of all pairs whose weighted vote is right: of two different answers that of the higher score wins."""
    n = b.of.shape[1]
    order = ascending(np.where(b.of >= 0, -b.weights, np.inf))
    return np.asarray(np.take_along_axis(b.hits, order, axis=1) @ np.arange(n - 1, -1, -1) / math.comb(n, 2))


def _any(n: int, voting: int, k: int) -> float:
    """Probability that any of k samples votes."""
    return 1.0 - math.comb(n - voting, k) / math.comb(n, k)


def _enumerated(b: _Ballots, k: int, how: str) -> Floats:
    """(P) share of all subsets of k whose vote is right."""
    subsets = np.array(list(combinations(range(b.of.shape[1]), k)), np.int64)
    values, together = np.empty(len(b.of)), max(1, ENTRIES // subsets.size)
    for first in range(0, len(b.of), together):
        part = b.part(np.arange(first, min(first + together, len(b.of))), b.of.shape[1])
        of, weights = part.of[:, subsets].ravel(), part.weights[:, subsets].ravel()
        votes = len(part.of) * len(subsets)
        right = np.repeat(part.right, len(subsets), axis=0)
        won = _won(of, weights, np.repeat(np.arange(votes), k), votes, right, how)
        values[first : first + together] = won.reshape(len(part.of), -1).mean(axis=1)
    return values


def _won(of: Ints, weights: Floats, rows: Ints, count: int, right: Bools, how: str) -> Bools:
    """(count) whether each vote is won by a right answer.

    Arguments:
        of, weights, rows: of every ballot its group (-1: none), its weight and its vote; in the order of being drawn.
        right: (count, G).
        how: majority, where each ballot counts 1, or weighted.
    """
    voting, width = of >= 0, right.shape[1]
    weights, keys = weights[voting], (rows * width + of)[voting]
    if how == "weighted":
        coarse, fine = random_subsets.split(weights)
        totals = np.bincount(keys, coarse, count * width) + np.bincount(keys, fine, count * width)
        if (weights <= 0).any():
            totals[np.bincount(keys, minlength=count * width) == 0] = -np.inf  # who has no votes does not win with 0
    else:
        totals = np.bincount(keys, minlength=count * width).astype(float)
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
    return np.asarray(right[np.arange(count), winner] & votes)
