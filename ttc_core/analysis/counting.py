"""The exact probability that a majority of k of n samples is right, by counting subsets.

A subset is won by answer g with m votes whose first sample is i if it holds i and m-1 of g's samples after i, of every
other answer h fewer than m samples, or m samples all after i (equals: the first seen wins), and any of the samples
without an answer. The subsets of k are the coefficient of x^k in

    x^m C(g after i, m-1) (1+x)^blank prod over h of (sum over j < m of C(h, j) x^j + C(h after i, m) x^m)

whose terms are all positive: no digits cancel, and the ratio to C(n, k) is good to some 1e-13.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from ttc_core.analysis.pool import Bools, Floats, Ints

LARGEST = 1000  # samples: C(1000, 500) is the largest that a float holds
CALL = 5000  # multiplications that take as long as calling for some


def comb(n: int | Ints, k: int | Ints) -> Floats:
    """C(n, k), elementwise."""
    return np.asarray(special.comb(n, k), float)


def work(of: Ints, right: Bools, k: int) -> float:
    """What `majority` takes for subsets of up to k, in multiplications; infinite where it is not possible."""
    if of.shape[1] > LARGEST:
        return math.inf
    total = 0.0
    for row, good in zip(of, right, strict=True):
        counts = np.bincount(row[row >= 0], minlength=len(good))
        for g in np.flatnonzero(good[: len(counts)] & (counts > 0)):
            others = np.minimum(np.delete(counts, g), min(counts[g], k)).astype(float)
            total += float((others * (others + 1) / 2).sum() + 20) * counts[g] * k + CALL * float(others.sum())
    return total


def majority(of: Ints, right: Bools, ks: Sequence[int]) -> Floats:
    """(P, K) probability that the most frequent answer among k samples is right.

    Arguments:
        of: (P, n) group of each sample's answer, -1 for none; n at most 1000.
        right: (P, G) whether a group's answer is right.
        ks: at most n.
    """
    n = of.shape[1]
    subsets = np.array([float(math.comb(n, k)) for k in ks])
    values = np.zeros((len(of), len(ks)))
    for p, (row, good) in enumerate(zip(of, right, strict=True)):
        for g in np.unique(row[row >= 0]):
            if good[g]:
                values[p] += _won_by(row, int(g), max(ks))[list(ks)] / subsets
    return values


def _won_by(row: Ints, g: int, most: int) -> Floats:
    """(most + 1) number of subsets of each size that group g wins."""
    places = np.flatnonzero(row == g)
    later = np.arange(len(places))[::-1]  # of g's samples, how many come after each
    others = [h for h in np.unique(row[row >= 0]) if h != g]
    sizes = {h: int((row == h).sum()) for h in others}
    after = {h: (row == h)[::-1].cumsum()[::-1][places] for h in others}
    blank = int((row < 0).sum())
    won = np.zeros(most + 1)
    for m in range(1, min(len(places), most) + 1):
        free = blank + sum(size for size in sizes.values() if size < m)  # too few to reach m: all choices
        first = later >= m - 1
        ways = comb(later[first], m - 1)[:, None] * comb(free, np.arange(most - m + 1))
        for h in others:
            if sizes[h] >= m:
                ways = _times(ways, comb(sizes[h], np.arange(m)), comb(after[h][first], m))
        won[m:] += ways.sum(axis=0)
    return won


def _times(ways: Floats, fewer: Floats, equal: Floats) -> Floats:
    """Polynomials (I, degree + 1) times sum of fewer[j] x^j + equal[i] x^m with m = len(fewer), cut at their degree."""
    product: Floats = fewer[0] * ways
    for j, factor in enumerate(fewer[1 : ways.shape[1]], start=1):
        product[:, j:] += factor * ways[:, :-j]
    m = len(fewer)
    if m < ways.shape[1]:
        product[:, m:] += equal[:, None] * ways[:, :-m]
    return product
