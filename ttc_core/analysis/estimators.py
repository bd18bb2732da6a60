"""What k samples would have given, from a pool of n >= k: expectations over all subsets of k of a problem's n samples.

Samples keep their order inside a subset, so that "the first seen" is the one drawn first. Four ways to choose among k:

    pass      any is right (coverage)            exact: Chen et al. 2021 (arXiv 2107.03374), equation 1
    best      the sample of the highest score    exact: the sample with r better ones is chosen in C(n-1-r, k-1) of the
                                                 C(n, k) subsets
    majority  the most frequent answer           votes.py: exact where that is feasible, else Monte Carlo
    weighted  the largest sum of scores          votes.py: the same

Ties, as where the program chooses (`selection.choose`): of equal scores the first sample wins, of equal votes the
answer that was seen first, with its first sample that takes part. A sample without an answer takes part in none of
best, majority and weighted, one without a score in neither best nor weighted; both still count among the k. Where none
takes part nothing is chosen, which is wrong. Where samples of one answer are graded differently, pass and best go by
the sample's own grade, votes by that of the one that stands for the answer (`votes.groups`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ttc_core.analysis import votes
from ttc_core.analysis.pool import Bools, Floats, Ints, Pool, ascending
from ttc_core.errors import BadValue

METRICS = ("pass", "majority", "best", "weighted")


@dataclass(frozen=True)
class Estimate:
    """Expected accuracy of each problem at each k.

    Arguments:
        ks: (K).
        values: (P, K) in [0, 1].
        errors: (P, K) standard error of the Monte Carlo estimate, 0 where the value is exact.
    """

    ks: list[int]
    values: Floats
    errors: Floats

    @property
    def mean(self) -> Floats:
        """(K) mean over problems."""
        return np.asarray(self.values.mean(axis=0))

    @property
    def error(self) -> Floats:
        """(K) standard error of that mean for these very problems: of the Monte Carlo alone."""
        return np.asarray(np.sqrt((self.errors**2).sum(axis=0)) / len(self.errors))


def estimate(pool: Pool, metric: str, ks: Sequence[int], draws: int = votes.DRAWS, seed: int = 0) -> Estimate:
    """The expectation of a metric at every k, from the graded samples of each problem that has some.

    Arguments:
        metric: pass, majority, best or weighted.
        ks: sizes of the subsets, each between 1 and the number of samples of the smallest problem.
        draws: subsets drawn where a vote is not computed exactly.
        seed: of those draws.

    Raises:
        BadValue: an unknown metric; a k out of range; answers or scores that the metric needs are missing.
    """
    if metric not in METRICS:
        raise BadValue(f"metric must be one of {', '.join(METRICS)}, not {metric!r}")
    if pool.valid.any():
        pool = pool.judged()
        if not pool.valid.any():
            hint = "estimates need the right answers, or whether each sample is right"
            raise BadValue("no sample is graded", hint=hint)
        pool = pool.of(np.flatnonzero(pool.valid.any(axis=1)).tolist())
    check(pool, ks)
    pool = pool.packed()
    if metric in ("best", "weighted") and not np.isfinite(pool.scores[pool.valid]).any():
        raise BadValue(f"{metric} needs scores, and no sample has one")
    if metric in ("pass", "best"):
        values = pass_at(pool, ks) if metric == "pass" else best_at(pool, ks)
        return Estimate(list(ks), values, np.zeros_like(values))
    values, errors = votes.vote_at(pool, ks, metric, draws, seed)
    return Estimate(list(ks), values, errors)


def known(pool: Pool) -> list[str]:
    """The metrics for which the pool has what they need."""
    scored, answered = np.isfinite(pool.scores[pool.valid]).any(), (pool.answers[pool.valid] >= 0).any()
    needs = {"pass": True, "majority": answered, "best": scored, "weighted": scored and answered}
    return [metric for metric in METRICS if needs[metric]]


def check(pool: Pool, ks: Sequence[int]) -> None:
    """Raise BadValue unless every k is at least 1 and at most the number of samples of every problem."""
    sizes = pool.sizes
    if not len(sizes):
        raise BadValue("there are no problems to estimate from")
    least = int(np.argmin(sizes))
    for k in ks:
        if k < 1:
            raise BadValue(f"n must be at least 1, not {k}")
        if k > sizes[least]:
            raise BadValue(f"n = {k} needs as many samples, and problem {pool.problems[least]} has {sizes[least]}")


def pass_at(pool: Pool, ks: Sequence[int]) -> Floats:
    """(P, K) probability that any of k samples of a packed pool is right: 1 - C(n-c, k) / C(n, k) with c of n right.

    The ratio is the product of (1 - k/i) for i = n-c+1..n, here a difference of sums of logarithms: fit for any n.
    """
    n = pool.sizes
    wrong = n - (pool.correct & pool.valid).sum(axis=1)
    values = np.ones((len(n), len(ks)))
    for column, k in enumerate(ks):
        logs = np.zeros(int(n.max()) + 1)
        logs[k + 1 :] = np.log1p(-k / np.arange(k + 1, len(logs)))
        sums = np.cumsum(logs)
        enough = wrong >= k
        values[enough, column] = -np.expm1(sums[n[enough]] - sums[wrong[enough]])
    return np.clip(values, 0.0, 1.0)


def best_at(pool: Pool, ks: Sequence[int]) -> Floats:
    """(P, K) probability that the sample with the highest score of k of a packed pool is right."""
    return best_value(pool, pool.correct.astype(float), ks)


def best_value(pool: Pool, values: Floats, ks: Sequence[int]) -> Floats:
    """(P, K) expected value of the sample with the highest score of k, of a packed pool; 0 where none takes part.

    values: (P, n) of each sample.
    """
    takes_part = np.isfinite(pool.scores) & (votes.groups(pool).of >= 0)
    order = ascending(np.where(takes_part, -pool.scores, np.inf))
    ranked = np.take_along_axis(np.where(takes_part, values, 0.0), order, axis=1)
    return _by_size(pool.sizes, lambda rows, n: ranked[rows, :n] @ _chosen(n, ks))


def _chosen(n: int, ks: Sequence[int]) -> Floats:
    """(n, K) share of the subsets of k whose best is the r-th of n: C(n-1-r, k-1) / C(n, k), by its recurrence in r."""
    k, r = np.asarray(ks, float), np.arange(n - 1)[:, None]
    ratios = np.maximum(n - k - r, 0.0) / (n - 1 - r)
    return np.cumprod(np.concatenate([(k / n)[None], ratios]), axis=0)


def _by_size(sizes: Ints, compute: Callable[[Bools, int], Floats]) -> Floats:
    """Rows computed together with those of the same size, put back in order."""
    parts = [(rows := sizes == n, compute(rows, int(n))) for n in np.unique(sizes)]
    values = np.empty((len(sizes), parts[0][1].shape[1]))
    for rows, part in parts:
        values[rows] = part
    return values
