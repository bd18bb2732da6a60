"""Compute-optimal frontiers (Snell et al. 2024, arXiv 2408.03314, section 3.2 and 5.3), with intervals.

In each bin of difficulty and at each budget the best method is chosen on one fold of the problems and measured on the
other, both ways, and averaged over several random folds. Intervals come from a bootstrap over problems through the
whole pipeline: each resample is binned anew, chosen on and measured; copies of one problem stay in one fold, or the
choice would have seen what it is measured on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ttc_core.analysis.measured import Measured
from ttc_core.analysis.pipeline import Binning, Pipeline, chosen, mean_of_known, ratio, resampled
from ttc_core.analysis.pool import Floats, Ints
from ttc_core.errors import BadValue

RESAMPLES, FOLDS, LEVEL = 1000, 20, 0.95


@dataclass(frozen=True)
class Interval:
    """Values with the bounds of their 95 % intervals; NaN where there is nothing to tell. All (B) or (M, B)."""

    mean: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Frontier:
    """Accuracy by budget.

    Arguments:
        budgets: (B).
        methods: (M, B) accuracy of each method for all problems alike.
        optimal: (B) accuracy of the compute-optimal policy.
        gain: (B) its accuracy less the baseline's.
        efficiency: (B) budget over the budget at which the optimal curve first reaches the baseline's accuracy there.
        bounded: (B) "at least" where it is reached at the smallest budget already, "at most" where it never is.
        policy: (B, K) index of the method chosen in each bin, from all problems.
        spent: (B, K) index of the budget that it is given there: this one or a smaller one.
        by_bin: (K, M, B) accuracy of each method in each bin.
        regret: (B) accuracy of the best method of each single problem, less the optimal policy's. It holds luck too:
            the best of many single answers is right more often than any method.
        regret_by_bin: (K, B) the same in each bin.
        sizes: (K) problems of each bin.
        gap: (B) accuracy of the optimal policy by another difficulty less that by this one, paired; None without one.
    """

    budgets: list[float]
    methods: Interval
    optimal: Interval
    gain: Interval
    efficiency: Interval
    bounded: list[str]
    policy: Ints
    spent: Ints
    by_bin: Floats
    regret: Floats
    regret_by_bin: Floats
    sizes: Ints
    gap: Interval | None


def frontier(
    measured: Measured,
    binning: Binning,
    resamples: int = RESAMPLES,
    folds: int = FOLDS,
    seed: int = 0,
    charge: float = 0.0,
    crossed: bool = True,
    other: Binning | None = None,
) -> Frontier:
    """The frontier of a study.

    Arguments:
        measured: P problems.
        resamples: of the bootstrap; 0 gives no intervals (NaN).
        folds: random pairs of folds that are averaged.
        charge: cost of estimating a problem's difficulty, added to what the policy spends.
        other: another difficulty to compare with, as the oracle's.
        crossed: False chooses and measures on the same problems, which flatters; it is there to show by how much.

    Raises:
        BadValue: difficulties do not fit the problems, or there are fewer problems than bins.
    """
    p = len(measured.problems)
    if len(binning.values) != p:
        raise BadValue(f"{p} problems were measured, {len(binning.values)} have a difficulty")
    if p < binning.count:
        raise BadValue(f"{p} problems do not fill {binning.count} bins")
    pipeline = Pipeline(measured, binning, folds, seed, charge, crossed)
    rival = Pipeline(measured, other, folds, seed, 0.0, crossed) if other else None

    def run(counts: Floats) -> dict[str, Floats]:
        made = pipeline.run(counts)
        return made if rival is None else made | {"gap": rival.run(counts)["optimal"] - made["optimal"]}

    ones = np.ones((1, p))
    point = run(ones)
    rng = np.random.default_rng([seed, 1])
    parts = [run(c) for c in resampled(rng, p, resamples)]
    drawn = {name: np.concatenate([part[name] for part in parts]) if parts else None for name in point}
    of = pipeline.placed(ones)
    sums, counts = pipeline.totals(ones, of, np.zeros(p, np.int64))
    total, number = sums.sum(axis=0)[:, 0], counts.sum(axis=0)[:, 0]
    by_bin = ratio(total, number).reshape(binning.count, *measured.accuracy.shape[1:])  # (K, M, B)
    number = np.broadcast_to(number, total.shape).reshape(by_bin.shape)
    taken = chosen(np.where(np.isnan(by_bin), -np.inf, by_bin), number, pipeline.source)  # (K, B)
    regrets = _regret(measured, pipeline.followed())
    made = {name: _interval(value[0], drawn[name]) for name, value in point.items()}
    return Frontier(
        budgets=measured.budgets,
        methods=made["methods"],
        optimal=made["optimal"],
        gain=made["gain"],
        efficiency=made["efficiency"],
        bounded=pipeline.bounded(point),
        policy=(taken // len(measured.budgets)).T,
        spent=(taken % len(measured.budgets)).T,
        by_bin=by_bin,
        regret=mean_of_known(regrets),
        regret_by_bin=np.stack([mean_of_known(regrets[of[0] == k]) for k in range(binning.count)]),
        sizes=np.bincount(of[0], minlength=binning.count),
        gap=made.get("gap"),
    )


def followed(measured: Measured, binning: Binning, folds: int = FOLDS, seed: int = 0) -> Floats:
    """(P, B) accuracy of the cross-validated policy on each problem, NaN where its method was not run."""
    return Pipeline(measured, binning, folds, seed, 0.0, True).followed()


def _regret(measured: Measured, policy: Floats) -> Floats:
    """(P, B) accuracy of the best method of each problem at each budget, less the policy's."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.fmax.reduce(measured.accuracy, axis=1) - policy)


def _interval(mean: Floats, drawn: Floats | None) -> Interval:
    if drawn is None:
        return Interval(mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan))
    tails: Sequence[float] = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    with np.errstate(invalid="ignore"):
        low, high = np.quantile(drawn, tails, axis=0)
    return Interval(mean, low, high)
