"""How good a verifier's scores are: calibration, discrimination, and what happens when one optimises against them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ttc_core.analysis import estimators, votes
from ttc_core.analysis.pool import Bools, Floats, Pool
from ttc_core.errors import BadValue
from ttc_core.selection import AGGREGATES


@dataclass(frozen=True)
class Reliable:
    """One bar of a reliability diagram: scores in [low, high), their mean and the share that is right, NaN if empty."""

    low: float
    high: float
    count: int
    score: float
    right: float


def reliability(scores: Floats, right: Bools, bins: int = 10) -> list[Reliable]:
    """Equally wide bars over [0, 1]; the last one includes 1.

    Raises:
        BadValue: a score outside [0, 1], or none at all.
    """
    _check(scores, right)
    place = np.minimum((scores * bins).astype(int), bins - 1)
    found = []
    for b in range(bins):
        inside = place == b
        mean = (float(x[inside].mean()) if inside.any() else math.nan for x in (scores, right))
        found.append(Reliable(b / bins, (b + 1) / bins, int(inside.sum()), *mean))
    return found


def expected_calibration_error(scores: Floats, right: Bools, bins: int = 10) -> float:
    """Mean distance between score and share of right ones over the bars (Guo et al. 2017, arXiv 1706.04599, eq. 3)."""
    bars = [bar for bar in reliability(scores, right, bins) if bar.count]
    return sum(bar.count * abs(bar.score - bar.right) for bar in bars) / len(scores)


def brier(scores: Floats, right: Bools) -> float:
    """Mean squared distance between score and outcome (0 or 1)."""
    _check(scores, right)
    return float(((scores - right) ** 2).mean())


def auc(scores: Floats, right: Bools) -> float:
    """Probability that a right one scores above a wrong one, ties counted half; NaN without both. scores: all known."""
    good, bad = scores[right], np.sort(scores[~right])
    if not (len(good) and len(bad)):
        return math.nan
    below = sum(int(np.searchsorted(bad, good, side).sum()) for side in ("left", "right"))  # twice: ties are in one
    return below / 2 / (len(good) * len(bad))


def _check(scores: Floats, right: Bools) -> None:
    if not len(scores) or len(scores) != len(right):
        raise BadValue(f"{len(scores)} scores do not fit {len(right)} outcomes, or there are none")
    if not ((scores >= 0) & (scores <= 1)).all():
        raise BadValue("calibration needs scores between 0 and 1")


def scored(pool: Pool) -> tuple[Floats, Bools]:
    """Scores and outcomes of all graded samples that have a score, problem by problem."""
    pool = pool.judged()
    known = pool.valid & np.isfinite(pool.scores)
    return pool.scores[known], pool.correct[known]


def within_problems(pool: Pool) -> float:
    """Mean AUC inside problems, over those with right and wrong samples: what choosing among samples depends on."""
    pool = pool.judged()
    known = pool.valid & np.isfinite(pool.scores)
    found = [auc(s[k], c[k]) for s, c, k in zip(pool.scores, pool.correct, known, strict=True)]
    return float(np.nanmean(found)) if any(not math.isnan(a) for a in found) else math.nan


def by_position(pool: Pool, fewest: int = 20) -> list[dict[str, float]]:
    """AUC of the score of each step, counted from the first, for the final outcome: {"step", "samples", "auc"}.

    Steps that fewer than `fewest` samples reach are left out.

    Raises:
        BadValue: no step has a score.
    """
    pool = pool.judged()
    steps = [*itertools.compress(itertools.chain(*pool.steps), pool.valid.ravel().tolist())]
    lengths, scores = np.array([*map(len, steps)], int), np.array([*itertools.chain(*steps)], float)
    if not len(scores):
        raise BadValue("no sample of this pool has scores of its steps")
    place = np.arange(len(scores)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    right, found = np.repeat(pool.correct[pool.valid], lengths), []
    for j in range(int(lengths.max())):
        reached = (place == j) & np.isfinite(scores)
        if (number := int(reached.sum())) >= fewest:
            found.append({"step": j + 1.0, "samples": float(number), "auc": auc(scores[reached], right[reached])})
    return found


def over_optimised(pool: Pool, ks: Sequence[int]) -> list[dict[str, float]]:
    """Best-of-k's score and accuracy, exactly: {"n", "score", "accuracy"}; the one may rise while the other falls.

    Raises:
        BadValue: a k out of range, or no scores.
    """
    pool = pool.judged().packed()
    accuracy = estimators.estimate(pool, "best", ks).mean
    total, sure = (estimators.best_value(pool, of, ks).mean(axis=0) for of in (pool.scores, np.ones_like(pool.scores)))
    with np.errstate(invalid="ignore"):
        score = total / sure  # of sets in which any sample has an answer and a score
    return [
        {"n": float(k), "score": float(s), "accuracy": float(a)} for k, s, a in zip(ks, score, accuracy, strict=True)
    ]


def chosen(outcomes: pd.DataFrame) -> pd.DataFrame:
    """The same as a study measured it: by method and budget, score of the chosen answer, accuracy, and AUC of the one
    for the other, over the outcomes that have both."""
    kept = outcomes[outcomes["correct"].notna() & outcomes["score"].notna()]
    rows = [
        {
            "method": method,
            "budget": budget,
            "outcomes": len(of),
            "score": float(of["score"].mean()),
            "accuracy": float(of["correct"].astype(float).mean()),
            "auc": auc(of["score"].to_numpy(float), of["correct"].to_numpy(bool)),
        }
        for (method, budget), of in kept.groupby(["method", "budget"], sort=True)
    ]
    return pd.DataFrame(rows, columns=["method", "budget", "outcomes", "score", "accuracy", "auc"])


def aggregations(pool: Pool, ks: Sequence[int], draws: int = votes.DRAWS) -> dict[str, dict[str, list[float] | float]]:
    """Ways to make one score of step scores compared: {way: {"auc", "within", "best": [by k], "weighted": [by k]}}.

    Raises:
        BadValue: no sample has step scores; a k out of range.
    """
    found: dict[str, dict[str, list[float] | float]] = {}
    for how in AGGREGATES:
        anew = pool.rescored(how)
        found[how] = {
            "auc": auc(*scored(anew)),
            "within": within_problems(anew),
            **{m: estimators.estimate(anew, m, ks, draws).mean.tolist() for m in ("best", "weighted")},
        }
    return found
