"""Compute-optimal frontiers (Snell et al. 2024, arXiv 2408.03314, section 3.2 and 5.3), with intervals.

In each bin of difficulty and at each budget the best method is chosen on one fold of the problems and measured on the
other, both ways, and averaged over several random folds. Intervals come from a bootstrap over problems through the
whole pipeline: each resample is binned anew, chosen on and measured; copies of one problem stay in one fold, or the
choice would have seen what it is measured on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ttc_core.analysis import difficulty
from ttc_core.analysis.measured import Measured
from ttc_core.analysis.pool import Floats, Ints
from ttc_core.errors import BadValue

RESAMPLES, FOLDS, LEVEL = 1000, 10, 0.95
_AT_ONCE = 250  # resamples: some ten MiB


@dataclass(frozen=True)
class Binning:
    """How problems come into bins.

    Arguments:
        values: (P) easiness, NaN where it is not known (most difficult).
        bins: number of bins of equal size, made anew in every resample; or with
        edges: falling easiness that parts fixed bins.
    """

    values: Floats
    bins: int = difficulty.BINS
    edges: tuple[float, ...] = ()

    @property
    def count(self) -> int:
        """Number of bins."""
        return len(self.edges) + 1 if self.edges else self.bins


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
        by_bin: (K, M, B) accuracy of each method in each bin.
        regret: (B) accuracy of the best method of each single problem, less the optimal policy's.
        sizes: (K) problems of each bin.
    """

    budgets: list[float]
    methods: Interval
    optimal: Interval
    gain: Interval
    efficiency: Interval
    bounded: list[str]
    policy: Ints
    by_bin: Floats
    regret: Floats
    sizes: Ints


def frontier(
    measured: Measured,
    binning: Binning,
    resamples: int = RESAMPLES,
    folds: int = FOLDS,
    seed: int = 0,
    charge: float = 0.0,
    crossed: bool = True,
) -> Frontier:
    """The frontier of a study.

    Arguments:
        measured: P problems.
        resamples: of the bootstrap; 0 gives no intervals (NaN).
        folds: random pairs of folds that are averaged.
        charge: cost of estimating a problem's difficulty, added to what the policy spends.
        crossed: False chooses and measures on the same problems, which flatters; it is there to show by how much.

    Raises:
        BadValue: difficulties do not fit the problems, or there are fewer problems than bins.
    """
    p = len(measured.problems)
    if len(binning.values) != p:
        raise BadValue(f"{p} problems were measured, {len(binning.values)} have a difficulty")
    if p < binning.count:
        raise BadValue(f"{p} problems do not fill {binning.count} bins")
    pipeline = _Pipeline(measured, binning, folds, seed, charge, crossed)
    ones = np.ones((1, p))
    point = pipeline.run(ones)
    rng = np.random.default_rng([seed, 1])
    parts = [pipeline.run(c) for c in _resampled(rng, p, resamples)]
    drawn = {name: np.concatenate([part[name] for part in parts]) if parts else None for name in point}
    sums, counts = pipeline.totals(ones)
    by_bin = _ratio(sums.sum(1)[0], counts.sum(1)[0])  # (K, MB)
    by_bin = by_bin.reshape(binning.count, *measured.accuracy.shape[1:])
    policy = np.where(np.isnan(by_bin), -np.inf, by_bin).argmax(axis=1).T
    with np.errstate(invalid="ignore"):
        best = np.fmax.reduce(measured.accuracy, axis=1)
    regret = _ratio(np.nansum(best, axis=0), (~np.isnan(best)).sum(axis=0)) - point["optimal"][0]
    made = {name: _interval(value[0], drawn[name]) for name, value in point.items()}
    return Frontier(
        budgets=measured.budgets,
        methods=made["methods"],
        optimal=made["optimal"],
        gain=made["gain"],
        efficiency=made["efficiency"],
        bounded=pipeline.bounded(point),
        policy=policy,
        by_bin=by_bin,
        regret=regret,
        sizes=np.bincount(pipeline.placed(ones)[0], minlength=binning.count),
    )


def gap(
    measured: Measured,
    one: Binning,
    other: Binning,
    resamples: int = RESAMPLES,
    folds: int = FOLDS,
    seed: int = 0,
) -> Interval:
    """(B) accuracy of the optimal policy by one difficulty (oracle) less that by another (predicted), paired."""
    p = len(measured.problems)
    a, b = (_Pipeline(measured, binning, folds, seed, 0.0, True) for binning in (one, other))
    rng = np.random.default_rng([seed, 1])
    ones = np.ones((1, p))
    drawn = [a.run(c)["optimal"] - b.run(c)["optimal"] for c in _resampled(rng, p, resamples)]
    return _interval((a.run(ones)["optimal"] - b.run(ones)["optimal"])[0], np.concatenate(drawn) if drawn else None)


def crossing(budgets: Floats, curve: Floats, target: Floats) -> Floats:
    """(R) budget at which each curve (R, B) first reaches its target, interpolated in the logarithm of the budget.

    The first budget where the curve starts there; infinity where it never gets there.
    """
    known = ~np.isnan(curve)
    reached = known & (curve >= target[:, None])
    rows, at = np.arange(len(curve)), reached.argmax(axis=1)
    before = np.maximum(at - 1, 0)
    low, high = curve[rows, before], curve[rows, at]
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.where((at > 0) & known[rows, before], (target - low) / (high - low), 1.0)
    logs = np.log2(budgets)
    found = 2.0 ** (logs[before] + part * (logs[at] - logs[before]))
    return np.where(reached.any(axis=1), found, np.inf)


def followed(measured: Measured, binning: Binning, folds: int = FOLDS, seed: int = 0) -> Floats:
    """(P, B) accuracy of the cross-validated policy on each problem, NaN where its method was not run."""
    p = len(measured.problems)
    pipeline, ones = _Pipeline(measured, binning, folds, seed, 0.0, True), np.ones((1, p))
    of, found = pipeline.placed(ones)[0], []
    for fold in pipeline.folds:
        best = pipeline.best(*pipeline.totals(ones, fold))[0][fold, of]  # (P, B)
        found.append(np.take_along_axis(measured.accuracy, best[:, None], axis=1)[:, 0])
    return np.asarray(np.mean(found, axis=0))


class _Pipeline:
    """From counts of problems (R, P) to curves; all resamples at once, as products of matrices."""

    def __init__(
        self, measured: Measured, binning: Binning, folds: int, seed: int, charge: float, crossed: bool
    ) -> None:
        p, self.m, self.b = measured.accuracy.shape
        known = ~np.isnan(measured.accuracy)
        flat = np.where(known, measured.accuracy, 0.0).reshape(p, -1)
        self.complete = bool(known.all())
        # (P, 2 MB): accuracies and whether they are known; the second half is left out where all are.
        self.table = flat if self.complete else np.concatenate([flat, known.reshape(p, -1)], axis=1)
        self.measured, self.binning, self.charge, self.crossed = measured, binning, charge, crossed
        self.budgets = np.asarray(measured.budgets, float)
        self.order = difficulty.ranked(binning.values, measured.problems)
        rng = np.random.default_rng([seed, 0])
        self.folds = [_halves(self.order, rng) for _ in range(folds)] if crossed else [np.zeros(p, np.int64)]

    def run(self, counts: Floats) -> dict[str, Floats]:
        """Curves of every resample: methods (R, M, B), optimal, gain, efficiency (R, B)."""
        whole = counts @ self.table
        methods = _ratio(*self._halved(whole, counts.sum(axis=1)[:, None])).reshape(-1, self.m, self.b)
        optimal = np.mean([self._chosen(*self.totals(counts, fold)) for fold in self.folds], axis=0)
        base = methods[:, self.measured.baseline]
        return {
            "methods": methods,
            "optimal": optimal,
            "gain": optimal - base,
            "efficiency": self._efficiency(optimal, base),
        }

    def placed(self, counts: Floats) -> Ints:
        """(R, P) bin of each problem in each resample."""
        if self.binning.edges:
            of = difficulty.absolute_bins(self.binning.values, self.binning.edges).of
            return np.broadcast_to(of, counts.shape)
        ordered = counts[:, self.order]
        middle = np.cumsum(ordered, axis=1) - (ordered + 1) / 2  # rank of a problem, of its middle copy if it has more
        edges = difficulty.starts(counts.shape[1], self.binning.bins)
        of = np.empty(counts.shape, np.int64)
        of[:, self.order] = np.searchsorted(edges, middle, "right") - 1
        return np.maximum(of, 0)  # problems that are not drawn count in no bin

    def totals(self, counts: Floats, fold: Ints | None = None) -> tuple[Floats, Floats]:
        """Sums of accuracy and numbers of problems, (R, F, K, MB) or broadcast to it, by fold and bin."""
        of = self.placed(counts)
        fold = np.zeros(counts.shape[1], np.int64) if fold is None else fold
        inside = [np.flatnonzero(fold == f) for f in range(int(fold.max()) + 1)]
        sums, numbers = [], []
        for rows in inside:
            part, bins, table = counts[:, rows], of[:, rows], self.table[rows]
            weights = [np.where(bins == k, part, 0.0) for k in range(self.binning.count)]
            both = [self._halved(w @ table, w.sum(axis=1)[:, None]) for w in weights]
            sums.append(np.stack([s for s, _ in both], axis=1))
            numbers.append(np.stack([n for _, n in both], axis=1))
        return np.stack(sums, axis=1), np.stack(numbers, axis=1)

    def _halved(self, product: Floats, number: Floats) -> tuple[Floats, Floats]:
        width = self.m * self.b
        return product[:, :width], number if self.complete else product[:, width:]

    def _chosen(self, sums: Floats, numbers: Floats) -> Floats:
        """(R, B) accuracy of the method chosen in each bin on one fold and measured on the other, both ways."""
        best = self.best(sums, numbers)[:, :, :, None]
        sums, numbers = (x.reshape(*sums.shape[:3], self.m, self.b) for x in np.broadcast_arrays(sums, numbers))
        right = np.take_along_axis(sums, best, axis=3).sum(axis=(1, 2, 3))
        return _ratio(right, np.take_along_axis(numbers, best, axis=3).sum(axis=(1, 2, 3)))

    def best(self, sums: Floats, numbers: Floats) -> Ints:
        """(R, F, K, B) method with the best mean on the other fold, the first of equals; with one fold on the same."""
        sums, numbers = (x.reshape(*sums.shape[:3], self.m, self.b) for x in np.broadcast_arrays(sums, numbers))
        means = np.where(numbers > 0, sums / np.maximum(numbers, 1e-300), -np.inf)
        return np.asarray(means.argmax(axis=3)[:, ::-1])

    def _efficiency(self, optimal: Floats, base: Floats) -> Floats:
        """(R, B) budget over the crossing, held within what the budgets can tell."""
        spent = self.budgets + self.charge
        found = np.full(base.shape, np.nan)
        for j, budget in enumerate(self.budgets):
            at = np.minimum(crossing(spent, optimal, base[:, j]), spent[-1])
            found[:, j] = np.where(np.isnan(base[:, j]), np.nan, budget / at)
        return found

    def bounded(self, point: dict[str, Floats]) -> list[str]:
        """(B) which efficiencies are only bounds."""
        base, optimal = point["methods"][:, self.measured.baseline], point["optimal"]
        words = []
        for j in range(self.b):
            at = crossing(self.budgets, optimal, base[:, j])[0]
            words.append("at most" if np.isinf(at) else "at least" if at <= self.budgets[0] and j else "")
        return words


def _halves(order: Ints, rng: np.random.Generator) -> Ints:
    """(P) fold 0 or 1: neighbours in difficulty come into different ones, so that each bin is halved."""
    fold = np.empty(len(order), np.int64)
    first = rng.integers(0, 2, (len(order) + 1) // 2)
    fold[order] = np.stack([first, 1 - first], axis=1).ravel()[: len(order)]
    return fold


def _resampled(rng: np.random.Generator, p: int, resamples: int) -> Iterator[Floats]:
    """How often each of p problems is drawn in each resample, (at most _AT_ONCE, P) at a time."""
    for first in range(0, resamples, _AT_ONCE):
        yield rng.multinomial(p, np.full(p, 1 / p), min(_AT_ONCE, resamples - first)).astype(float)


def _ratio(sums: Floats, numbers: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(numbers > 0, sums / numbers, np.nan))


def _interval(mean: Floats, drawn: Floats | None) -> Interval:
    if drawn is None:
        return Interval(mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan))
    tails: Sequence[float] = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    with np.errstate(invalid="ignore"):
        low, high = np.quantile(drawn, tails, axis=0)
    return Interval(mean, low, high)
