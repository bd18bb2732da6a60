"""What revising does to attempts (Snell et al. 2024, arXiv 2408.03314, section 6 and figures 6 and 7)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ttc_core.analysis.pool import Bools, Floats, Ints
from ttc_core.errors import BadValue

STRATEGIES = ("revisions", "sequential_revisions")


@dataclass(frozen=True)
class Position:
    """Attempts at one place of their chains.

    Arguments:
        position: 1 for the first attempt.
        attempts: how many there are.
        right: share of right ones, pass@1 at this position; low and high: its 95 % interval over problems.
        kept: of the pairs whose earlier attempt was right, the share that stays right: 1 - right->wrong.
        mended: of those whose earlier one was wrong, the share that becomes right: wrong->right.
    """

    position: int
    attempts: int
    right: float
    low: float
    high: float
    kept: float
    mended: float


def positions(
    correct: Bools, valid: Bools, problems: list[str], resamples: int = 1000, seed: int = 0
) -> list[Position]:
    """Measures by position.

    Arguments:
        correct: (C, L) whether each attempt of each chain is right.
        valid: (C, L) whether there is such an attempt; one that failed has none, and its neighbours make a pair.
        problems: (C) whose chain it is; the interval is over problems.

    Raises:
        BadValue: no attempt.
    """
    if not valid.any():
        raise BadValue("there is no attempt to measure")
    names, of = np.unique(np.asarray(problems), return_inverse=True)
    counts = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), resamples)
    before = _before(correct, valid)
    found = []
    for j in range(correct.shape[1]):
        there = valid[:, j]
        if not there.any():
            continue
        right = np.bincount(of[there], correct[there, j].astype(float), len(names))
        number = np.bincount(of[there], minlength=len(names))
        with np.errstate(invalid="ignore"):
            shares = (counts @ right) / (counts @ number)
        low, high = np.nanquantile(shares, [0.025, 0.975])
        kept, mended = (_share(correct[there & (before[:, j] == was), j]) for was in (1, 0))
        mean = float(right.sum() / number.sum())
        found.append(Position(j + 1, int(there.sum()), mean, float(low), float(high), kept, mended))
    return found


def turned(correct: Bools, valid: Bools) -> dict[str, float]:
    """Over all pairs of neighbours: {"right_to_wrong", "wrong_to_right", "pairs"}; rates of what could turn."""
    before = _before(correct, valid)
    was_right, was_wrong = (valid & (before == was) for was in (1, 0))
    return {
        "right_to_wrong": 1 - _share(correct[was_right]),
        "wrong_to_right": _share(correct[was_wrong]),
        "pairs": float(was_right.sum() + was_wrong.sum()),
    }


def _before(correct: Bools, valid: Bools) -> Floats:
    """(C, L) the latest valid attempt before each: 1 right, 0 wrong, -1 none."""
    found, last = np.full(correct.shape, -1.0), np.full(len(correct), -1.0)
    for j in range(correct.shape[1]):
        found[:, j] = last
        last = np.where(valid[:, j], correct[:, j], last)
    return found


def _share(values: Bools) -> float:
    return float(values.mean()) if values.size else math.nan


def parameter(outcomes: pd.DataFrame, name: str, default: object = None) -> pd.Series:
    """(rows) a parameter of each outcome's method; a series, for a list of no rows would choose no columns."""
    known = {params: json.loads(params).get(name, default) for params in outcomes["params"].unique()}  # few
    return outcomes["params"].map(known)


def chains(outcomes: pd.DataFrame) -> Ints:
    """(rows) chains side by side of each outcome of revisions."""
    asked = np.where(outcomes["strategy"] == STRATEGIES[1], 1, parameter(outcomes, "chains", 4))
    return np.asarray(np.minimum(asked, outcomes["budget"].to_numpy(np.int64)), np.int64)


def ratios(outcomes: pd.DataFrame, bins: Mapping[str, int], select: str | None = None) -> pd.DataFrame:
    """Accuracy by budget, ratio of sequential to parallel and bin, of `revisions` and its ends.

    A budget of N in C chains has the ratio (N / C) / C; `sequential_revisions` is one chain.

    Arguments:
        outcomes: of one model, as `ttc_core.studies.outcomes` gives them.
        bins: bin of each problem, 0 the easiest; a problem without one is left out.
        select: only those that choose so; None: all.

    Returns:
        Columns budget, chains, ratio, bin (-1: all problems), problems, accuracy.

    Raises:
        BadValue: there are no such outcomes.
    """
    kept = outcomes[
        outcomes["strategy"].isin(STRATEGIES) & outcomes["correct"].notna() & outcomes["problem"].isin(list(bins))
    ]
    if select is not None:
        kept = kept[parameter(kept, "select") == select]
    if kept.empty:
        raise BadValue("the study has no outcomes of revisions" + (f" that choose by {select}" if select else ""))
    table = kept.assign(
        chains=chains(kept),
        bin=kept["problem"].map(bins),
        right=kept["correct"].astype(float),
    )
    parts = [table, table.assign(bin=-1)]
    means = (
        pd.concat(parts)
        .groupby(["budget", "chains", "bin"])
        .agg(problems=("problem", "nunique"), accuracy=("right", "mean"))
        .reset_index()
    )
    means.insert(2, "ratio", means["budget"] / means["chains"] ** 2)
    return means
