"""Fits the policy that `compute_optimal` follows; `ttc_core.policies` says what its file holds.

What is chosen is what the frontier's policy chooses (`pipeline.chosen`), so that it may spend less than it has. In a
policy file the hardest bin comes first, elsewhere in the analysis the easiest.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ttc_core import policies
from ttc_core.analysis import difficulty
from ttc_core.analysis.measured import Measured, measured
from ttc_core.analysis.pipeline import MARGIN, Binning, Pipeline, chosen, within
from ttc_core.analysis.pool import Floats, Ints, Pool
from ttc_core.errors import BadValue

Candidate = tuple[str, Mapping[str, Any]]
FOLDS = 20  # random halvings by which predicting is compared with not predicting


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
    if np.isnan(scores).all():
        raise difficulty.unscored()
    methods = own.drop_duplicates("method").set_index("method").loc[found.methods]
    candidates = list(zip(methods["strategy"], map(json.loads, methods["params"]), strict=True))
    rated = [v for v in own["verifier"].fillna("").unique() if v]
    if len(rated) != 1:
        raise BadValue(f"a policy is fitted with one verifier, not {', '.join(rated) or 'none'}")
    easiness = [None if np.isnan(s) else float(s) for s in scores]
    made = document(
        found,
        easiness,
        candidates,
        {"model": str(own["model"].iloc[0]), "verifier": rated[0], "probe": probe, "aggregate": aggregate},
        bins,
    )
    made["fitted"] = {"study": study, "dataset": str(own["dataset"].iloc[0])}
    made["fitted"] |= noted(found, easiness, made["thresholds"])
    policies.parse(name, made)
    return made


def predicted(pool: Pool, probe: int) -> Floats:
    """(P) mean score of the first `probe` samples of each problem, NaN where none has one."""
    if not 1 <= probe <= pool.valid.shape[1]:
        raise BadValue(f"the pool has {pool.valid.shape[1]} samples of a problem, predicting cannot take {probe}")
    return difficulty.mean_score(pool.scores[:, :probe], (pool.valid & np.isfinite(pool.scores))[:, :probe])


def document(
    found: Measured,
    easiness: Sequence[float | None],
    candidates: Sequence[Candidate],
    made_for: Mapping[str, Any],
    bins: int = difficulty.BINS,
) -> dict[str, Any]:
    """A policy file's JSON.

    Arguments:
        found: P problems.
        easiness: (P) predicted; None counts as hardest.
        candidates: (M) strategy and hyper-parameters of each method.
        made_for: model, verifier, probe and aggregate.
    """
    thresholds = quantiles([score for score in easiness if score is not None], bins)
    whole = best(found, [0] * len(easiness), 1)[0]
    of = placed(easiness, thresholds)
    binned = best(found, of, len(thresholds) + 1, whole)
    paying = pays(found, easiness, thresholds, binned, made_for["probe"])

    def choice(place: int, budget: int) -> dict[str, Any]:
        method, spent = divmod(int(place), len(found.budgets))
        named = {"strategy": candidates[method][0], "params": dict(candidates[method][1])}
        return named if spent == budget else {**named, "generations": int(found.budgets[spent])}

    rows = range(len(found.budgets))
    return {
        "version": policies.VERSION,
        **made_for,
        "thresholds": thresholds,
        "budgets": [int(b) for b in found.budgets],
        "choices": [[choice(place, j) for place in binned[:, j]] for j in rows],
        "at_once": [None if paying[j] else choice(whole[j], j) for j in rows],
    }


def best(found: Measured, of: Sequence[int], bins: int, otherwise: Ints | None = None) -> Ints:
    """(bins, B) index into methods x budgets of what is taken in each bin at each budget, see `pipeline.chosen`.

    Arguments:
        of: (P) bin of each problem.
        otherwise: (B) what is taken in a bin that holds no problem.
    """
    shape = (bins, *found.accuracy.shape[1:])
    known = ~np.isnan(found.accuracy)
    sums, numbers = np.zeros(shape), np.zeros(shape)
    np.add.at(sums, np.asarray(of), np.where(known, found.accuracy, 0.0))
    np.add.at(numbers, np.asarray(of), known)
    means = np.where(numbers > 0, sums / np.maximum(numbers, 1), -np.inf)
    taken = chosen(means, numbers, within(found))
    empty = numbers.sum(axis=(1, 2)) == 0
    return taken if otherwise is None else np.where(empty[:, None], otherwise, taken)


def pays(
    found: Measured, easiness: Sequence[float | None], thresholds: Sequence[float], binned: Ints, probe: int
) -> list[bool]:
    """(B) whether to predict first and choose by bin what to do with the rest: unless that is clearly worse.

    It is where predicting leaves nothing or the same choice for every bin (`binned`: (bins, B)), and where one choice
    for all, with the whole budget, is better by more than two standard errors. Both ways are chosen on one half of the
    problems and measured on the other, over `FOLDS` halvings. What is reached with what is left is interpolated in the
    logarithm of the budget.
    """
    values = np.array([np.nan if score is None else score for score in easiness], float)
    edges = tuple(reversed(thresholds))
    by_bin, alike = (
        Pipeline(found, Binning(values, 1, parted), FOLDS, 0, 0.0, True).followed() for parted in (edges, ())
    )
    budgets, paying = np.asarray(found.budgets), []
    for j, left in enumerate(budgets - probe):
        at = int(np.searchsorted(budgets, left, "right")) - 1
        if at < 0 or len(set(binned[:, at])) == 1:
            paying.append(False)
            continue
        part = math.log(left / budgets[at]) / math.log(budgets[at + 1] / budgets[at])
        less = alike[:, j] - (1 - part) * by_bin[:, at] - part * by_bin[:, at + 1]
        less = less[~np.isnan(less)]
        paying.append(not len(less) or less.mean() <= MARGIN * less.std() / math.sqrt(len(less)))
    return paying


def placed(easiness: Sequence[float | None], thresholds: Sequence[float]) -> list[int]:
    """Bin of each problem, the hardest 0, as the policy will place it."""
    values = [-1.0 if score is None else score for score in easiness]
    return [int(b) for b in np.searchsorted(thresholds, values, "right")]


def quantiles(scores: Sequence[float], bins: int) -> list[float]:
    """Return the at most `bins` - 1 rising values that part the scores into bins of about equal size."""
    inner = np.arange(1, bins) / bins
    return sorted({round(float(q), 6) for q in np.quantile(scores, inner)}) if scores else []


def noted(found: Measured, easiness: Sequence[float | None], thresholds: Sequence[float]) -> dict[str, Any]:
    """What a file notes of how it was chosen: problems of each bin and mean accuracies there, the hardest first."""
    of = np.asarray(placed(easiness, thresholds))
    table: dict[str, dict[str, list[float | None]]] = {}
    for m, method in enumerate(found.methods):
        table[method] = {}
        for b, budget in enumerate(found.budgets):
            parts = [found.accuracy[of == k, m, b] for k in range(len(thresholds) + 1)]
            known = [part[~np.isnan(part)] for part in parts]
            if any(map(len, known)):
                table[method][f"{budget:g}"] = [round(float(k.mean()), 4) if len(k) else None for k in known]
    sizes = np.bincount(of, minlength=len(thresholds) + 1).tolist()
    return {"problems": len(found.problems), "sizes": sizes, "accuracy": table}
