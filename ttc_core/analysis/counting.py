"""The exact probability that a majority of k of n samples is right, by counting subsets.

A subset is won by answer g with m votes whose first sample is i if it holds i and m-1 of g's samples after i, of every
other answer h fewer than m samples, or m samples all after i (equals: the first seen wins), and any of the samples
without an answer. The subsets of k are the coefficient of x^k in

    x^m C(g after i, m-1) (1+x)^blank prod over h of (sum over j < m of C(h, j) x^j + C(h after i, m) x^m)

whose terms are all positive: no digits cancel, and the ratio to C(n, k) is good to some 1e-13. The polynomials of all
(problem, g, i) are multiplied at once, one h after another from the largest. Where m > k - m no answer can have m votes
beside g's, and the product is (1+x)^(n - votes for g). For k <= 4 sums of powers of "h after i" say it all (`few`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from ttc_core.analysis.pool import Bools, Floats, Ints

LARGEST = 1000  # samples: C(1000, 500) is the largest that a float holds
FEW = 4  # samples of which `few` knows the majority
FEW_CELLS = 1 << 13  # samples that `few` has in hand at once: they stay in the processor's cache
CELLS = 1 << 20  # of a table of samples by answers: some MiB


def comb(n: int | Ints, k: int | Ints) -> Floats:
    """C(n, k), elementwise."""
    return np.asarray(special.comb(n, k), float)


def work(of: Ints, right: Bools, k: int, enough: float = math.inf) -> float:
    """What `majority` takes for subsets of up to k, in multiplications; infinite where it is not possible.

    enough: count no further than to this.
    """
    if of.shape[1] > LARGEST:
        return math.inf
    counts = _counts(of, right.shape[1])
    total = 0.0
    for m in range(1, k + 1):
        if total > enough:
            break
        firsts = np.where(right, np.maximum(counts - m + 1, 0), 0).sum(axis=1)
        rivals = (counts >= m).sum(axis=1) if 2 * m <= k else 0
        total += float((firsts * (rivals * m + 20)).sum()) * (k - m + 1)
    return total


def few(of: Ints, right: Bools, ks: Sequence[int]) -> Floats:
    """(P, K) what `majority` gives, for subsets of 2 to FEW of any number of samples."""
    rows = max(1, FEW_CELLS // of.shape[1])
    parts = [_few(of[p : p + rows], right[p : p + rows], ks) for p in range(0, len(of), rows)]
    return np.concatenate(parts)


def _few(of: Ints, right: Bools, ks: Sequence[int]) -> Floats:
    n, voting = of.shape[1], of >= 0
    later = np.where(voting, _later(of), 0).astype(float)
    square = later * later
    grown = (np.ones_like(later), 2 * later + 1, 3 * square + 3 * later + 1)  # by one sample more: x^r, r = 1, 2, 3
    mine = (later, square, square * later)
    # (P, n) sum over the other answers of their samples after this one, to the power of r
    powers = [_after(np.where(voting, more, 0.0)) - less for more, less in zip(grown, mine, strict=True)]
    one, two = powers[0], (powers[0] * powers[0] - powers[1]) / 2  # ways to take samples of 1, 2, 3 other answers
    three = (powers[0] * (powers[0] * powers[0] - 3 * powers[1]) + 2 * powers[2]) / 6
    blank = (~voting).sum(axis=1, keepdims=True).astype(float)
    counts = _counts(of, right.shape[1]).astype(float)
    own = np.take_along_axis(counts, np.maximum(of, 0), axis=1)
    pairs = (counts * (counts - 1) / 2).sum(axis=1, keepdims=True) - own * (own - 1) / 2  # equal ones of other answers
    alone = {
        2: blank + one,
        3: blank * (blank - 1) / 2 + blank * one + two,
        4: blank * (blank - 1) * (blank - 2) / 6 + blank * (blank - 1) / 2 * one + blank * two + three,
    }
    others = n - own
    twice = {
        2: later,
        3: later * others,
        4: later * (others * (others - 1) / 2 - pairs + (powers[1] - powers[0]) / 2),
    }
    thrice = {3: later * (later - 1) / 2, 4: later * (later - 1) / 2 * (others + (later - 2) / 3)}
    hits = np.take_along_axis(right, np.maximum(of, 0), axis=1) & voting
    won = [np.where(hits, alone[k] + twice[k] + thrice.get(k, 0.0), 0.0).sum(axis=1) / math.comb(n, k) for k in ks]
    return np.stack(won, axis=1)


def _later(of: Ints) -> Ints:
    """(P, n) how many samples after each are of the same group."""
    order = np.argsort(of.astype(np.int16) if of.max(initial=0) < 1 << 15 else of, axis=1, kind="stable")
    sorted_ = np.take_along_axis(of, order, axis=1)
    places = np.arange(of.shape[1])
    ends = np.ones(of.shape, bool)
    ends[:, :-1] = sorted_[:, 1:] != sorted_[:, :-1]
    end = np.minimum.accumulate(np.where(ends, places, of.shape[1])[:, ::-1], axis=1)[:, ::-1]
    later = np.empty_like(of)
    np.put_along_axis(later, order, end - places, axis=1)
    return later


def _after(values: Floats) -> Floats:
    """(P, n) sum of the values after each place."""
    return np.asarray(values[:, ::-1].cumsum(axis=1)[:, ::-1] - values)


def majority(of: Ints, right: Bools, ks: Sequence[int]) -> Floats:
    """(P, K) probability that the most frequent answer among k samples is right.

    Arguments:
        of: (P, n) group of each sample's answer, -1 for none; n at most 1000.
        right: (P, G) whether a group's answer is right.
        ks: at most n.
    """
    n, most = of.shape[1], max(ks)
    subsets = np.array([float(math.comb(n, k)) for k in ks])
    choose = comb(np.arange(n + 1), np.arange(most + 1)[:, None])  # (most + 1, n + 1)
    values = np.zeros((len(of), len(ks)))
    for rows in _parts(of, right):
        firsts = _firsts(of[rows], right[rows])
        won = np.zeros((most + 1, len(rows)))
        for m in range(1, most + 1):
            first, ways = _ways(firsts, m, most, choose)
            if not len(first):
                break
            won[m:] += [np.bincount(firsts.problem[first], row, len(rows)) for row in ways]
        values[rows] = won[list(ks)].T / subsets
    return values


def _counts(of: Ints, groups: int) -> Ints:
    """(P, G) samples of each answer."""
    keys = (np.arange(len(of))[:, None] * groups + of)[of >= 0]
    return np.bincount(keys, minlength=len(of) * groups).reshape(len(of), groups)


def _parts(of: Ints, right: Bools) -> Iterator[Ints]:
    """Problems a few at a time, so that the table of samples by answers stays small."""
    size = max(1, CELLS // (of.shape[1] * right.shape[1]))
    for first in range(0, len(of), size):
        yield np.arange(first, min(first + size, len(of)))


@dataclass(frozen=True)
class _Firsts:
    """Samples with a right answer: each may be the first of a winning majority.

    Arguments:
        problem: (I) whose it is; later: (I) samples of the same answer after it.
        sizes: (I, G) samples of each other answer, falling; after: (I, G) of these, how many come after it.
        blank: (I) samples without an answer.
    """

    problem: Ints
    later: Ints
    sizes: Ints
    after: Ints
    blank: Ints


def _firsts(of: Ints, right: Bools) -> _Firsts:
    groups = right.shape[1]
    hits = np.take_along_axis(right, np.maximum(of, 0), axis=1) & (of >= 0)
    problem, place = np.nonzero(hits)
    own = of[problem, place]
    given = (of[:, ::-1, None] == np.arange(groups)).cumsum(axis=1, dtype=np.int16)[:, ::-1]  # at and after each place
    after = given[problem, place]
    later = after[np.arange(len(own)), own].astype(np.int64) - 1
    pairs, pair = np.unique(problem * groups + own, return_inverse=True)
    sizes = given[pairs // groups, 0]
    sizes[np.arange(len(pairs)), pairs % groups] = 0  # it is no rival of itself, and comes last
    order = np.argsort(-sizes, axis=1, kind="stable")
    sizes = np.take_along_axis(sizes, order, axis=1)
    return _Firsts(
        problem, later, sizes[pair], np.take_along_axis(after, order[pair], axis=1), (of < 0).sum(axis=1)[problem]
    )


def _ways(firsts: _Firsts, m: int, most: int, choose: Floats) -> tuple[Ints, Floats]:
    """Which firsts may have m - 1 more votes, and (most - m + 1, I) with how many subsets of how many other samples."""
    able = np.flatnonzero(firsts.later >= m - 1)
    rivals = (firsts.sizes[able] >= m).sum(axis=1)
    order = np.argsort(-rivals, kind="stable")  # so that those with many rivals are the beginning
    able, rivals = able[order], rivals[order]
    sizes, after = firsts.sizes[able].T, firsts.after[able].T
    if 2 * m > most:
        rivals[:] = 0
    bounded = (sizes >= m) & (2 * m <= most)
    free = firsts.blank[able] + np.where(bounded, 0, sizes).sum(axis=0)  # nobody of these reaches m: all choices
    ways = choose[m - 1, firsts.later[able]] * choose[: most - m + 1, free]
    for h, count in enumerate(np.searchsorted(-rivals, -np.arange(rivals.max(initial=0)))):
        ways[:, :count] = _times(ways[:, :count], choose[:m, sizes[h, :count]], choose[m, after[h, :count]])
    return able, ways


def _times(ways: Floats, fewer: Floats, equal: Floats) -> Floats:
    """Polynomials (degree + 1, I) times sum of fewer[j] x^j + equal x^m with m = len(fewer), cut at their degree."""
    product = ways.copy()  # fewer[0] is 1
    for j in range(1, min(len(fewer), len(ways))):
        product[j:] += fewer[j] * ways[:-j]
    m = len(fewer)
    if m < len(ways):
        product[m:] += equal * ways[:-m]
    return product
