"""Best-of-k where equal scores are shared by right and wrong answers: exact, by counting subsets.

The program takes the answer of the highest score and of equals the answer that was seen first (`selection.choose`), be
it by a sample of a lower score. Let s be the highest score of a subset and T the answers that have it there. The subset
is won by answer g with first sample i if it holds i, none of g's samples before i and a sample of g scored s; if every
other answer either has no sample scored s in it or none before i; and if it holds nothing scored above s. Their number
for subsets of k is the coefficient of x^k in a product of one polynomial for each answer, whose terms are positive.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ttc_core.analysis.counting import LARGEST, comb
from ttc_core.analysis.pool import Bools, Floats, Ints

MOST = 200_000  # products of polynomials for one pool: some seconds


def contested(of: Ints, hits: Bools, scores: Floats) -> Bools:
    """(P) whether a right and a wrong sample of a problem have the same score.

    Arguments:
        of: (P, n) group of each sample that takes part, -1 of others; hits: (P, n) of these the right ones.
    """
    lowest = np.where(of >= 0, scores, -np.inf)
    order = np.argsort(lowest, axis=1)
    values, right = (np.take_along_axis(x, order, axis=1) for x in (lowest, hits))
    return np.asarray(((values[:, 1:] == values[:, :-1]) & (right[:, 1:] != right[:, :-1])).any(axis=1))


def products(of: Ints, right: Bools, scores: Floats) -> float:
    """How many products of polynomials `best` takes for one problem; infinite where it is not possible."""
    if len(of) > LARGEST:
        return math.inf
    return float(sum((of == g).sum() * len(tied) for _, tied in _levels(of, right, scores) for g in tied if right[g]))


def best(of: Ints, right: Bools, scores: Floats, ks: Sequence[int]) -> Floats:
    """(K) probability that the best of k of a problem's n samples is right.

    Arguments:
        of: (n) group of each sample that takes part, -1 of others.
        right: (G) whether a group's answer is right.
        scores: (n); of those that take part finite.
    """
    n, most = len(of), max(ks)
    won = np.zeros(most + 1)
    subsets = comb(n, np.arange(most + 1))
    for level, tied in _levels(of, right, scores):
        inside = (of >= 0) & (scores <= level)
        above = int(((of >= 0) & (scores > level)).sum())
        if right[tied].all():
            at = int((inside & (scores == level)).sum())
            sizes = np.arange(most + 1)
            won += comb(n - above, sizes) - comb(n - above - at, sizes)
            continue
        free = n - above - int(np.isin(of[inside], tied).sum())
        for g in tied[right[tied]]:
            won += _won_by(int(g), [int(h) for h in tied if h != g], of, inside, scores == level, free, most)
    return np.asarray((won / subsets)[list(ks)])


def _levels(of: Ints, right: Bools, scores: Floats) -> list[tuple[float, Ints]]:
    """Scores that a right answer has, each with the answers that have it."""
    part = of >= 0
    found = [(float(level), np.unique(of[part & (scores == level)])) for level in np.unique(scores[part])]
    return [(level, tied) for level, tied in found if right[tied].any()]


def _won_by(g: int, others: Sequence[int], of: Ints, inside: Bools, top: Bools, free: int, most: int) -> Floats:
    """(most + 1) number of subsets of each size with the highest score of `top` that answer g wins.

    Arguments:
        inside: samples scored no higher; free: those of them, and of the samples that take no part, of no tied answer.
    """
    sizes = np.arange(most)
    lies = {h: (inside & (of == h), inside & (of == h) & ~top) for h in (g, *others)}
    blank, won = comb(free, sizes), np.zeros(most + 1)
    for i in np.flatnonzero(lies[g][0]):
        later, lower = (int(x[i + 1 :].sum()) for x in lies[g])
        ways = comb(later, sizes) if top[i] else comb(later, sizes) - comb(lower, sizes)
        ways = np.convolve(ways, blank)[:most]
        for h in others:
            after, lower_after = (int(x[i:].sum()) for x in lies[h])
            lower = int(lies[h][1].sum())
            allowed = comb(after, sizes) + comb(lower, sizes) - comb(lower_after, sizes)
            ways = np.convolve(ways, allowed)[:most]
        won[1:] += ways
    return won
