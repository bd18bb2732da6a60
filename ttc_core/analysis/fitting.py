"""Fits the policy that `compute_optimal` follows; `ttc_core.policies` says what its file holds.

In a policy file the hardest bin comes first, elsewhere in the analysis the easiest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ttc_core import policies
from ttc_core.analysis import difficulty
from ttc_core.analysis.measured import Measured, measured
from ttc_core.analysis.pool import Floats, Pool
from ttc_core.errors import BadValue

Candidate = tuple[str, Mapping[str, Any]]


def fit(
    outcomes: pd.DataFrame,
    pool: Pool,
    probe: int,
    name: str = "fitted",
    aggregate: str = "last",
    bins: int = difficulty.BINS,
    study: str = "",
) -> dict[str, Any]:
    """The policy of a study as the JSON of its file.

    Arguments:
        outcomes: of one model and verifier.
        pool: samples of the same problems; the first `probe` of each predict its difficulty, as when it is followed.
        aggregate: how a sample's step scores become its score.
        study: noted in the file.

    Raises:
        BadValue: too few samples, no scores, scores outside [0, 1], or no method that a policy can name.
    """
    own = outcomes[outcomes["strategy"] != "compute_optimal"]
    found = measured(own)
    place = {p: i for i, p in enumerate(pool.problems)}
    found = found.of([p for p in found.problems if p in place])
    scores = predicted(pool.rescored(aggregate).of([place[p] for p in found.problems]), probe)
    methods = own.drop_duplicates("method").set_index("method").loc[found.methods]
    candidates = list(zip(methods["strategy"], map(json.loads, methods["params"]), strict=True))
    rated = [v for v in own["verifier"].fillna("").unique() if v]
    if len(rated) != 1:
        raise BadValue(f"a policy is fitted with one verifier, not {', '.join(rated) or 'none'}")
    made = document(
        found.accuracy.transpose(2, 1, 0),
        [None if np.isnan(s) else float(s) for s in scores],
        [int(b) for b in found.budgets],
        candidates,
        {"model": str(own["model"].iloc[0]), "verifier": rated[0], "probe": probe, "aggregate": aggregate},
        bins,
    )
    made["fitted"] = {"study": study, "dataset": str(own["dataset"].iloc[0]), "problems": len(found.problems)}
    made["fitted"]["accuracy"] = _table(found, scores, made["thresholds"])
    policies.parse(name, made)
    return made


def predicted(pool: Pool, probe: int) -> Floats:
    """(P) mean score of the first `probe` samples of each problem, NaN where none has one."""
    if not 1 <= probe <= pool.valid.shape[1]:
        raise BadValue(f"the pool has {pool.valid.shape[1]} samples of a problem, predicting cannot take {probe}")
    return difficulty.mean_score(pool.scores[:, :probe], (pool.valid & np.isfinite(pool.scores))[:, :probe])


def document(
    accuracy: Floats,
    easiness: Sequence[float | None],
    budgets: Sequence[int],
    candidates: Sequence[Candidate],
    made_for: Mapping[str, Any],
    bins: int = difficulty.BINS,
) -> dict[str, Any]:
    """A policy file's JSON.

    Arguments:
        accuracy: (budgets, candidates, problems), NaN where nothing was measured.
        easiness: predicted, of each problem; None counts as hardest.
        made_for: model, verifier, probe and aggregate.
    """
    thresholds = quantiles([score for score in easiness if score is not None], bins)
    best = chosen(accuracy, placed(easiness, thresholds), len(thresholds) + 1)
    choices = [[{"strategy": candidates[j][0], "params": dict(candidates[j][1])} for j in row] for row in best]
    return {
        "version": policies.VERSION,
        **made_for,
        "thresholds": thresholds,
        "budgets": list(budgets),
        "choices": choices,
    }


def placed(easiness: Sequence[float | None], thresholds: Sequence[float]) -> list[int]:
    """Bin of each problem, the hardest 0, as the policy will place it."""
    values = [-1.0 if score is None else score for score in easiness]
    return [int(b) for b in np.searchsorted(thresholds, values, "right")]


def quantiles(scores: Sequence[float], bins: int) -> list[float]:
    """Return the at most `bins` - 1 rising values that part the scores into bins of about equal size."""
    inner = np.arange(1, bins) / bins
    return sorted({round(float(q), 6) for q in np.quantile(scores, inner)}) if scores else []


def chosen(accuracy: Floats, placed: Sequence[int], bins: int) -> list[list[int]]:
    """Return for each budget and bin the best candidate by mean accuracy; ties, and an empty bin, take the earlier.

    Arguments:
        accuracy: (budgets, candidates, problems), NaN where nothing was measured.
        placed: each problem's bin.
    """
    of = np.asarray(placed)
    return [[_best(rows, of == b) for b in range(bins)] for rows in accuracy]


def _best(rows: Floats, inside: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
    known = ~np.isnan(rows)
    number = (known & inside).sum(axis=1)
    means = np.where(known & inside, rows, 0.0).sum(axis=1) / np.maximum(number, 1)
    usable = number > 0 if number.any() else known.any(axis=1)
    return int(np.argmax(np.where(usable, means, -np.inf)))


def _table(found: Measured, scores: Floats, thresholds: Sequence[float]) -> dict[str, dict[str, list[float | None]]]:
    """Mean accuracy of each method at each budget in each bin, hardest first."""
    of = np.asarray(placed([None if np.isnan(s) else float(s) for s in scores], thresholds))
    table: dict[str, dict[str, list[float | None]]] = {}
    for m, method in enumerate(found.methods):
        table[method] = {}
        for b, budget in enumerate(found.budgets):
            parts = [found.accuracy[of == k, m, b] for k in range(len(thresholds) + 1)]
            known = [part[~np.isnan(part)] for part in parts]
            table[method][f"{budget:g}"] = [round(float(k.mean()), 4) if len(k) else None for k in known]
    return table
