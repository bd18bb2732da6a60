"""Pretraining against inference (Snell et al. 2024, arXiv 2408.03314, section 7): a small model that may search, or a
larger one that answers at once?

Pretraining costs X = 6 N D_pre, inference Y = 2 N D_inf, R = D_inf / D_pre. A model M times larger costs M (X + Y); for
the same FLOPs the small one may spend M + 3 (M - 1) / R times its inference tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ttc_core.analysis.pool import Floats
from ttc_core.errors import BadValue


def multiplier(larger: float, ratio: float) -> float:
    """How many times its inference tokens the small model may spend.

    Arguments:
        larger: M, how many times more parameters the large model has, at least 1.
        ratio: R = D_inf / D_pre > 0.

    Raises:
        BadValue: a value out of range.
    """
    if not larger >= 1:
        raise BadValue(f"the larger model must have at least as many parameters, not {larger:g} times as many")
    if not ratio > 0:
        raise BadValue(f"R, inference tokens for each token of pretraining, must be above 0, not {ratio:g}")
    return larger + 3 * (larger - 1) / ratio


def priced(larger: float, ratio: float, small: float, large: float) -> float:
    """The same where one answer costs `small` and `large` as measured: FLOPs, seconds or money of inference.

    Pretraining is worth 3 / R of the inference of one answer (X / Y = 3 / R), for each model of its own.
    """
    if not small > 0 or not large > 0:
        raise BadValue("the measured costs of an answer must be above 0")
    multiplier(larger, ratio)
    return (large + 3 / ratio * (larger - 1) * small) / small


@dataclass(frozen=True)
class Star:
    """The larger model in one bin at one R: where it stands on the small model's curve.

    Arguments:
        bin: 0 the easiest.
        ratio: R.
        budget: generations the small model may spend for the same FLOPs.
        small, large: accuracies there; small is NaN beyond the smallest budget measured, and the last known value
            beyond the largest (`beyond`).
        gain: small less large, with its interval over problems.
    """

    bin: int
    ratio: float
    budget: float
    beyond: bool
    small: float
    large: float
    gain: tuple[float, float, float]


def stars(
    budgets: Sequence[float],
    small: Floats,
    large: Floats,
    bins: Sequence[int],
    larger: float,
    ratios: Sequence[float],
    resamples: int = 1000,
    seed: int = 0,
) -> list[Star]:
    """Compare the models in every bin at every R.

    Arguments:
        budgets: (B) generations, rising.
        small: (P, B) accuracy of the small model's policy on each problem.
        large: (P) accuracy of the larger model, one greedy answer.
        bins: (P) bin of each problem.
        larger: M.
        ratios: R.
    """
    rng, found, of = np.random.default_rng(seed), [], np.asarray(bins)
    for k in np.unique(of):
        rows = np.flatnonzero(of == k)
        counts = np.concatenate(
            [np.ones((1, len(rows))), rng.multinomial(len(rows), [1 / len(rows)] * len(rows), resamples)]
        )
        curves = counts @ small[rows] / len(rows)
        reached = counts @ large[rows] / len(rows)
        for ratio in ratios:
            budget = multiplier(larger, ratio)
            at = np.array([_interpolated(budgets, curve, budget) for curve in curves])
            low, high = np.quantile((at - reached)[1:], [0.025, 0.975]) if resamples else (float("nan"),) * 2
            gain = (float(at[0] - reached[0]), float(low), float(high))
            found.append(Star(int(k), ratio, budget, budget > budgets[-1], float(at[0]), float(reached[0]), gain))
    return found


def _interpolated(budgets: Sequence[float], curve: Floats, budget: float) -> float:
    """Accuracy at a budget, interpolated in its logarithm; the last one beyond the largest budget."""
    if budget < budgets[0]:
        return float("nan")
    return float(np.interp(np.log2(budget), np.log2(np.asarray(budgets)), curve))
