"""Pretraining against inference (Snell et al. 2024, arXiv 2408.03314, section 7): a small model that may search, or a
larger one that answers at once?

Pretraining costs X = 6 N D_pre, inference Y = 2 N D_inf, R = D_inf / D_pre. A model M times larger costs M (X + Y); for
the same FLOPs the small one may spend M + 3 (M - 1) / R times its inference tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ttc_core.analysis.pipeline import ratio as divided
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
class Standing:
    """One bin: where the small model stands at each of some budgets (G), and the larger one.

    Arguments:
        number: problems of the bin.
        small: (G) accuracies of the small model; NaN below the smallest budget measured, and the last known value
            beyond the largest.
        large: accuracy of the larger model.
        gain: small less large.

    Each with low and high, its 95 % interval by a bootstrap over problems, as rows of a (3, G) or (3,) array.
    """

    number: int
    small: Floats
    large: Floats
    gain: Floats


def standings(
    budgets: Sequence[float],
    small: Floats,
    large: Floats,
    bins: Sequence[int],
    at: Sequence[float],
    resamples: int = 1000,
    seed: int = 0,
) -> list[Standing]:
    """Both models in every bin at these budgets, the easiest bin first.

    Intervals are those of the problems in a bin with the policy as it was chosen: neither choosing nor binning is
    repeated in a resample.

    Arguments:
        budgets: (B) generations, rising.
        small: (P, B) accuracy of the small model's policy on each problem.
        large: (P) accuracy of the larger model, one greedy answer.
        bins: (P) bin of each problem.
        at: (G) budgets of the small model.
    """
    rng, found, of = np.random.default_rng(seed), [], np.asarray(bins)
    for k in np.unique(of):
        rows = np.flatnonzero(of == k)
        counts = np.concatenate(
            [np.ones((1, len(rows))), rng.multinomial(len(rows), [1 / len(rows)] * len(rows), resamples)]
        )
        curves = np.array([_interpolated(budgets, curve, at) for curve in _means(counts, small[rows])])
        reached = _means(counts, large[rows])
        found.append(Standing(len(rows), *map(_bounded, (curves, reached, curves - reached[:, None]))))
    return found


def _means(counts: Floats, values: Floats) -> Floats:
    """(R, ...) means over problems (P, ...) as often as each is drawn, of those that are known."""
    known = ~np.isnan(values)
    return divided(counts @ np.where(known, values, 0.0), counts @ known.astype(float))


def _bounded(drawn: Floats) -> Floats:
    """The first of R + 1 values, which is of the problems as they are, and the interval that the others give."""
    with np.errstate(invalid="ignore"):
        ends = (
            np.quantile(drawn[1:], [0.025, 0.975], axis=0) if len(drawn) > 1 else np.full((2, *drawn.shape[1:]), np.nan)
        )
    return np.concatenate([drawn[:1], ends])


@dataclass(frozen=True)
class Star:
    """The larger model in one bin at one R: where it stands on the small model's curve.

    Arguments:
        bin: 0 the easiest.
        ratio: R.
        budget: generations the small model may spend for the same FLOPs.
        beyond: whether that is more than was measured.
        small, large: accuracies there, as `Standing` says.
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
    answers: tuple[float, float] | None = None,
) -> list[Star]:
    """Compare the models in every bin at every R.

    Arguments:
        larger: M; the others as in `standings`.
        answers: what one answer of the small and of the large model costs; None: in proportion to their parameters.
    """
    at = [multiplier(larger, ratio) if answers is None else priced(larger, ratio, *answers) for ratio in ratios]
    names = np.unique(np.asarray(bins)).tolist()
    found = []
    for k, one in zip(names, standings(budgets, small, large, bins, at, resamples, seed), strict=True):
        for j, ratio in enumerate(ratios):
            mean, low, high = (float(end) for end in one.gain[:, j])
            reached = (float(one.small[0, j]), float(one.large[0]))
            found.append(Star(int(k), ratio, at[j], at[j] > budgets[-1], *reached, (mean, low, high)))
    return found


def _interpolated(budgets: Sequence[float], curve: Floats, at: Sequence[float]) -> Floats:
    """(G) accuracy at budgets, interpolated in their logarithm; the last one beyond the largest budget."""
    found = np.interp(np.log2(np.asarray(at)), np.log2(np.asarray(budgets)), curve)
    return np.where(np.asarray(at) < budgets[0], np.nan, found)
