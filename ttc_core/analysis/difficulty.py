"""How difficult questions are for a model (Snell et al. 2024, arXiv 2408.03314, section 3.2).

Oracle difficulty is the share of right samples, predicted difficulty the mean final score of the same samples: both are
easiness in [0, 1]. Bins are numbered by rising difficulty, as in the paper: bin 0 is the easiest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ttc_core.analysis.pool import Floats, Ints, Pool
from ttc_core.errors import BadValue

ABSOLUTE = (0.5, 0.1)  # bins: at least 50 %, 10 to 50 %, below 10 %
BINS = 5
WAYS = ("oracle", "predicted")


@dataclass(frozen=True)
class Bins:
    """Problems in bins. of: (P) bin of each, 0 the easiest; edges: falling easiness at which neighbours part."""

    of: Ints
    edges: list[float]

    @property
    def count(self) -> int:
        """Number of bins."""
        return len(self.edges) + 1


def easiness(pool: Pool, by: str) -> Floats:
    """(P) easiness of each problem; NaN where none of its samples is graded, or has a score to predict from.

    Raises:
        BadValue: neither "oracle" nor "predicted", no samples at all, or no scores to predict from.
    """
    if by not in WAYS:
        raise BadValue(f"difficulty goes by {' or '.join(WAYS)}, not {by!r}")
    if not pool.valid.any():
        raise BadValue("no problem has samples to tell its difficulty from")
    if by == "oracle":
        graded = pool.valid if pool.graded is None else pool.valid & pool.graded
        return mean_score(pool.correct.astype(float), graded)
    scored = pool.valid & np.isfinite(pool.scores)
    if not scored.any():
        raise unscored()
    return mean_score(pool.scores, scored)


def unscored() -> BadValue:
    """That there is nothing to predict from."""
    return BadValue("no sample has a score by this verifier to predict from", hint="use the oracle difficulty")


def mean_score(scores: Floats, scored: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Floats:
    """(P) mean of the scores that count; NaN where none does."""
    number = scored.sum(axis=1)
    total = np.where(scored, scores, 0.0).sum(axis=1)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def ranked(values: Floats, problems: Sequence[str]) -> Ints:
    """(P) indices from the easiest to the most difficult; ties by problem id, problems without a value last."""
    numbers = np.argsort(np.argsort(np.asarray(problems, dtype=object), kind="stable"), kind="stable")
    return np.lexsort([numbers, -np.where(np.isnan(values), -np.inf, values)])


def starts(problems: int, bins: int) -> Ints:
    """(bins) rank at which each bin starts: equal sizes, where that is impossible the first ones hold one more.

    Raises:
        BadValue: no bins.
    """
    if bins < 1:
        raise BadValue(f"there must be at least 1 bin of difficulty, not {bins}")
    sizes = problems // bins + (np.arange(bins) < problems % bins)
    return np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)


def quantile_bins(values: Floats, problems: Sequence[str], bins: int = BINS) -> Bins:
    """Bins of equal size.

    Raises:
        BadValue: fewer problems than bins, or no bin.
    """
    if not 1 <= bins <= len(values):
        raise BadValue(f"{len(values)} problems do not fill {bins} bins")
    order = ranked(values, problems)
    of = np.empty(len(values), np.int64)
    of[order] = np.searchsorted(starts(len(values), bins), np.arange(len(values)), "right") - 1
    known = np.where(np.isnan(values), 0.0, values)[order]
    return Bins(of, [float(known[s - 1] + known[s]) / 2 for s in starts(len(values), bins)[1:]])


def absolute_bins(values: Floats, edges: Sequence[float] = ABSOLUTE) -> Bins:
    """Bins that part at falling values of easiness; a value at an edge is in the easier bin."""
    known = np.where(np.isnan(values), -np.inf, values)
    return Bins(np.asarray((known[:, None] < np.asarray(edges)).sum(axis=1), np.int64), list(edges))


@dataclass(frozen=True)
class Agreement:
    """How well predicted difficulty agrees with the oracle's.

    Arguments:
        confusion: (bins, bins) problems by oracle bin (row) and predicted bin (column).
        same: share of problems in the same bin by both.
        spearman, kendall: rank correlations of the values themselves, NaN where one is constant.
    """

    confusion: list[list[int]]
    same: float
    spearman: float
    kendall: float


def agreement(oracle: Floats, predicted: Floats, problems: Sequence[str], bins: int = BINS) -> Agreement:
    """Compare two difficulties of the same problems in quantile bins."""
    a, b = (quantile_bins(values, problems, bins).of for values in (oracle, predicted))
    table = np.zeros((bins, bins), np.int64)
    np.add.at(table, (a, b), 1)
    guess = np.where(np.isnan(predicted), 0.0, predicted)
    constant = np.ptp(oracle) == 0 or np.ptp(guess) == 0
    spearman, kendall = (
        (float("nan"),) * 2
        if constant
        else (float(stats.spearmanr(oracle, guess).statistic), float(stats.kendalltau(oracle, guess).statistic))
    )
    return Agreement(table.tolist(), float(np.trace(table) / len(a)), spearman, kendall)


def needed(pool: Pool, ks: Sequence[int], bins: int = BINS, draws: int = 20, seed: int = 0) -> list[dict[str, float]]:
    """How well difficulty predicted from k samples agrees with the oracle's over all: {"samples", "spearman", "same"}.

    Each is the mean over random choices of k samples of every problem; predicting costs k generations a problem.

    Raises:
        BadValue: a k beyond the smallest problem's samples.
    """
    oracle, rng, curve = easiness(pool, "oracle"), np.random.default_rng(seed), []
    if max(ks) > pool.sizes.min() or min(ks) < 1:
        raise BadValue(f"the numbers of samples must be from 1 to {pool.sizes.min()}")
    for k in ks:
        found = []
        for _ in range(draws):
            rank = np.where(pool.valid, rng.random(pool.valid.shape), 2.0).argsort(axis=1).argsort(axis=1)
            guess = mean_score(pool.scores, (rank < k) & np.isfinite(pool.scores))
            found.append(agreement(oracle, guess, pool.problems, bins))
        means = {name: float(np.mean([getattr(f, name) for f in found])) for name in ("spearman", "same")}
        curve.append({"samples": float(k), **means})
    return curve
