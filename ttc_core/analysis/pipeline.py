"""One pass from counts of problems to curves: bins, folds, what is chosen in them, and the efficiency that results.

A bootstrap passes hundreds of resamples at once, as products of matrices; `frontier` says what they are for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ttc_core.analysis import difficulty
from ttc_core.analysis.measured import Measured
from ttc_core.analysis.pool import Floats, Ints

ROUNDING = 1e-9  # by which equal accuracies may differ as sums over problems in different orders
MARGIN = 2.0  # standard errors by which a smaller budget must be better to be spent in place of a larger one
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


class Pipeline:
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
        self.budgets, self.source = np.asarray(measured.budgets, float), within(measured)
        self.order = difficulty.ranked(binning.values, measured.problems)
        rng = np.random.default_rng([seed, 0])
        self.folds = [_halves(self.order, rng) for _ in range(folds)] if crossed else [np.zeros(p, np.int64)]

    def run(self, counts: Floats) -> dict[str, Floats]:
        """Curves of every resample: methods (R, M, B), optimal, gain, efficiency (R, B)."""
        whole = counts @ self.table
        methods = ratio(*self._halved(whole, counts.sum(axis=1)[:, None])).reshape(-1, self.m, self.b)
        of = self.placed(counts)
        optimal = np.mean([self._chosen(*self.totals(counts, of, fold)) for fold in self.folds], axis=0)
        base = methods[:, self.measured.baseline]
        return {
            "methods": methods,
            "optimal": optimal,
            "gain": optimal - base,
            "efficiency": self._efficiency(optimal, base),
        }

    def followed(self) -> Floats:
        """(P, B) accuracy of the policy on each problem as it is, a mean over the pairs of folds that tell it."""
        ones = np.ones((1, len(self.order)))
        of, flat = self.placed(ones), self.measured.accuracy.reshape(len(self.order), -1)
        taken = [self.best(*self.totals(ones, of, fold))[fold, of[0], 0] for fold in self.folds]  # (P, B) each
        return mean_of_known(np.array([np.take_along_axis(flat, best, axis=1) for best in taken]))

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

    def totals(self, counts: Floats, of: Ints, fold: Ints) -> tuple[Floats, Floats]:
        """Sums of accuracy and numbers of problems, (F, K, R, MB) or broadcast to it, by fold (P) and bin (R, P)."""
        inside = [np.flatnonzero(fold == f) for f in range(int(fold.max()) + 1)]
        shape = (len(inside), self.binning.count, len(counts))
        products, numbers = np.empty((*shape, self.table.shape[1])), np.empty((*shape, 1))
        for f, rows in enumerate(inside):
            part, bins, table = counts[:, rows], of[:, rows], self.table[rows]
            for k in range(self.binning.count):
                weights = np.where(bins == k, part, 0.0)
                np.matmul(weights, table, out=products[f, k])
                numbers[f, k] = weights.sum(axis=1)[:, None]
        return self._halved(products, numbers)

    def _halved(self, product: Floats, number: Floats) -> tuple[Floats, Floats]:
        width = self.m * self.b
        return product[..., :width], number if self.complete else product[..., width:]

    def _chosen(self, sums: Floats, numbers: Floats) -> Floats:
        """(R, B) accuracy of what is chosen in each bin on one fold and measured on the other, both ways."""
        best = self.best(sums, numbers)
        there = np.broadcast_to(numbers, sums.shape)
        return ratio(*(np.take_along_axis(of, best, axis=3).sum(axis=(0, 1)) for of in (sums, there)))

    def best(self, sums: Floats, numbers: Floats) -> Ints:
        """(F, K, R, B) the method and budget (index into MB) with the best mean on the other fold, see `chosen`."""
        shape = (*sums.shape[:3], self.m, self.b)
        means, numbers = _known(sums, numbers).reshape(shape), np.broadcast_to(numbers, sums.shape).reshape(shape)
        return chosen(means, numbers, self.source)[::-1]

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


def within(measured: Measured) -> Ints:
    """(M, B) index of the budget at which a method was run, of those not above each; where there is none, the same."""
    run = (~np.isnan(measured.accuracy)).any(axis=0)
    last = np.maximum.accumulate(np.where(run, np.arange(run.shape[1]), -1), axis=1)
    return np.asarray(np.where(last < 0, np.arange(run.shape[1]), last), np.int64)


def chosen(means: Floats, numbers: Floats, source: Ints) -> Ints:
    """(..., B) index into MB of what a policy takes at each budget.

    It takes the best method at the dearest budget it was run with within that one, of equals the one that it took at
    the budget before, else the first; or it goes on with what it took before, and spends less than it has, where that
    is better by more than two standard errors. Without this margin the best of many smaller budgets is soon one that
    was lucky: five equal methods seem worth 0.8 times themselves.

    Arguments:
        means: (..., M, B) accuracies, minus infinity where there are none.
        numbers: (..., M, B) problems behind them.
        source: (M, B) as `within` gives it.
    """
    (*lead, m, b), numbers = means.shape, np.broadcast_to(numbers, means.shape).reshape(-1)
    means = means.reshape(-1)
    rows = np.arange(len(means) // (m * b)) * (m * b)  # where each begins
    taken: list[Ints] = []
    for j in range(b):
        within = np.arange(m) * b + source[:, j]
        there = means[rows[:, None] + within]
        first = there.argmax(axis=1)
        if not taken:
            taken.append(within[first])
            continue
        before = taken[-1]
        same = there[np.arange(len(rows)), before // b] >= there.max(axis=1)
        best = within[np.where(same, before // b, first)]
        (now, spread), (then, more) = (_told(means[rows + of], numbers[rows + of]) for of in (before, best))
        with np.errstate(invalid="ignore"):  # of minus infinities
            margin = MARGIN * np.sqrt(np.maximum(spread + more, 0.0))
            taken.append(np.where(now - then > margin, before, best))
    return np.stack(taken, axis=-1).reshape(*lead, b)


def _told(means: Floats, numbers: Floats) -> tuple[Floats, Floats]:
    """Means of accuracy, and the squares of their standard errors."""
    return means, np.where(np.isfinite(means), means * (1 - means), 0.0) / np.maximum(numbers, 1)


def _known(sums: Floats, numbers: Floats) -> Floats:
    """Means, minus infinity where there is nothing."""
    return np.asarray(np.where(numbers > 0, sums / np.maximum(numbers, 1e-300), -np.inf))


def crossing(budgets: Floats, curve: Floats, target: Floats) -> Floats:
    """(R) budget at which each curve (R, B) first reaches its target, interpolated in the logarithm of the budget.

    The first budget where the curve starts there; infinity where it never gets there.
    """
    known = ~np.isnan(curve)
    reached = known & (curve >= target[:, None] - ROUNDING)
    rows, at = np.arange(len(curve)), reached.argmax(axis=1)
    before = np.maximum(at - 1, 0)
    low, high = curve[rows, before], curve[rows, at]
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.where((at > 0) & known[rows, before], np.clip((target - low) / (high - low), 0.0, 1.0), 1.0)
    logs = np.log2(budgets)
    found = 2.0 ** (logs[before] + part * (logs[at] - logs[before]))
    return np.where(reached.any(axis=1), found, np.inf)


def _halves(order: Ints, rng: np.random.Generator) -> Ints:
    """(P) fold 0 or 1: neighbours in difficulty come into different ones, so that each bin is halved."""
    fold = np.empty(len(order), np.int64)
    first = rng.integers(0, 2, (len(order) + 1) // 2)
    fold[order] = np.stack([first, 1 - first], axis=1).ravel()[: len(order)]
    return fold


def resampled(rng: np.random.Generator, p: int, resamples: int) -> Iterator[Floats]:
    """How often each of p problems is drawn in each resample, (at most _AT_ONCE, P) at a time."""
    for first in range(0, resamples, _AT_ONCE):
        yield rng.multinomial(p, np.full(p, 1 / p), min(_AT_ONCE, resamples - first)).astype(float)


def mean_of_known(values: Floats) -> Floats:
    """Mean over the first axis of what is not NaN; NaN where there is nothing."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0).astype(float))


def ratio(sums: Floats, numbers: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(numbers > 0, sums / numbers, np.nan))
