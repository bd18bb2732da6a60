"""Small measures of models and verifiers on rollouts, in numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # rollouts need torch, measures and fitting a policy do not
    from ttc_core.lab.rollouts import Rollout

Floats = NDArray[np.float64]
Scores = list[list[float]]
BINS = 5


def auc(scores: Sequence[float], labels: Sequence[bool]) -> float:
    """Return the probability that a right one scores above a wrong one, ties counted half; NaN without both."""
    x, y = np.asarray(scores, float), np.asarray(labels, bool)
    good, bad = np.sort(x[y]), x[~y]
    if len(good) == 0 or len(bad) == 0:
        return float("nan")
    below = np.searchsorted(good, bad, "left") + np.searchsorted(good, bad, "right")
    return float(1 - below.mean() / (2 * len(good)))


def expected_calibration_error(scores: Sequence[float], labels: Sequence[bool], bins: int = 10) -> float:
    """Return the mean distance between score and share of right ones over equally wide bins."""
    x, y = np.asarray(scores, float), np.asarray(labels, float)
    place = np.minimum((x * bins).astype(int), bins - 1)
    gaps = [abs(x[place == b].sum() - y[place == b].sum()) for b in range(bins)]
    return float(sum(gaps) / len(x))


def fit_logistic(features: Floats, labels: Floats, ridge: float = 1e-3) -> tuple[Floats, float]:
    """Fit a logistic regression by Newton's method.

    Arguments:
        features: (examples, features).
        labels: (examples,) of 0 or 1.
    Returns:
        Coefficients and intercept for the features as given.
    """
    mean, deviation = features.mean(0), features.std(0) + 1e-9
    x = np.concatenate([(features - mean) / deviation, np.ones((len(features), 1))], 1)
    weights = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        curvature = (x * (p * (1 - p))[:, None]).T @ x + ridge * np.eye(x.shape[1])
        change = np.linalg.solve(curvature, x.T @ (p - labels) + ridge * weights)
        weights -= change
        if np.abs(change).max() < 1e-8:
            break
    coefficients = weights[:-1] / deviation
    return coefficients, float(weights[-1] - coefficients @ mean)


def vote(answers: Sequence[str | None], weights: Sequence[float]) -> str | None:
    """Return the answer with the largest sum of weights; the first seen wins a tie; no answer never wins."""
    sums: dict[str, float] = {}
    for answer, weight in zip(answers, weights, strict=True):
        if answer is not None:
            sums[answer] = sums.get(answer, 0.0) + weight
    return max(sums, key=lambda a: sums[a]) if sums else None


Selector = Callable[[Sequence["Rollout"], Sequence[float]], bool]


def majority(rollouts: Sequence[Rollout], scores: Sequence[float]) -> bool:
    """Tell whether the most frequent answer is right."""
    return _is_right(rollouts, vote([r.answer for r in rollouts], [1.0] * len(rollouts)))


def weighted(rollouts: Sequence[Rollout], scores: Sequence[float]) -> bool:
    """Tell whether the answer with the largest sum of scores is right."""
    return _is_right(rollouts, vote([r.answer for r in rollouts], scores))


def best(rollouts: Sequence[Rollout], scores: Sequence[float]) -> bool:
    """Tell whether the solution with the highest score is right."""
    return rollouts[int(np.argmax(scores))].correct


def passed(rollouts: Sequence[Rollout], scores: Sequence[float]) -> bool:
    """Tell whether any solution is right."""
    return any(r.correct for r in rollouts)


def _is_right(rollouts: Sequence[Rollout], answer: str | None) -> bool:
    return any(r.correct and r.answer == answer for r in rollouts)


SELECTORS: dict[str, Selector] = {"pass": passed, "majority": majority, "best": best, "weighted": weighted}


def selected(name: str, rollouts: Sequence[Sequence[Rollout]], scores: Sequence[Sequence[float]], n: int) -> Floats:
    """Return per problem the share of disjoint blocks of n samples from which a right answer is selected."""
    select = SELECTORS[name]
    shares = []
    for row, row_scores in zip(rollouts, scores, strict=True):
        blocks = range(0, len(row) - n + 1, n)
        shares.append(np.mean([select(row[b : b + n], row_scores[b : b + n]) for b in blocks]))
    return np.asarray(shares)


def difficulty_bins(pass_rates: Floats) -> list[NDArray[np.int64]]:
    """Return the indices of the problems of five equally large bins, easiest first; ties in file order."""
    return [np.asarray(part) for part in np.array_split(np.argsort(-pass_rates, kind="stable"), BINS)]


def within_problem_auc(rollouts: Sequence[Sequence[Rollout]], scores: Sequence[Sequence[float]]) -> float:
    """Return the mean over problems of the AUC of final scores for correct answers, over distinct solutions."""
    values = []
    for row, row_scores in zip(rollouts, scores, strict=True):
        distinct = {r.tokens: (s, r.correct) for r, s in zip(row, row_scores, strict=True)}
        value = auc([s for s, _ in distinct.values()], [c for _, c in distinct.values()])
        if not np.isnan(value):
            values.append(value)
    return float(np.mean(values)) if values else float("nan")


def bootstrap(values: Floats, seed: int = 0, draws: int = 2000) -> tuple[float, float, float]:
    """Return mean and 95 % interval of per-problem values, resampling problems."""
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (draws, len(values)))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(values.mean()), float(low), float(high)


def equal_budget(curve: Mapping[int, Floats], reached: Floats, seed: int = 0, draws: int = 2000) -> dict[str, float]:
    """Return the budget at which a method first reaches another one's accuracy, with its 95 % interval over problems.

    Interpolated in log2 of the budget; the curve's last budget where it never gets there.

    Arguments:
        curve: per-problem values of the method by budget, rising.
        reached: per-problem values of the other.
    """
    rng = np.random.default_rng(seed)
    budgets = np.log2(np.asarray(list(curve), float))

    def crossing(chosen: NDArray[np.int64]) -> float:
        rising = np.maximum.accumulate([values[chosen].mean() for values in curve.values()])
        return float(2 ** np.interp(reached[chosen].mean(), rising, budgets))

    found = [crossing(rng.integers(0, len(reached), len(reached))) for _ in range(draws)]
    low, high = np.quantile(found, [0.025, 0.975])
    return {"mean": crossing(np.arange(len(reached))), "low": float(low), "high": float(high)}
