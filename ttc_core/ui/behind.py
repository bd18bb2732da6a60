"""The problems behind a point of the frontier: what one method answered with one budget, problem by problem."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ttc_core.analysis import estimators
from ttc_core.analysis.pool import Pool
from ttc_core.errors import BadValue

SHOWN = {
    "all": "All",
    "wrong": "Wrong",
    "right": "Right",
    "lost": "Only the baseline right",
    "won": "Only this one right",
    "tree": "With a tree",
}
ORDERS = ("in their order", "easiest first", "hardest first")


def problems(
    outcomes: pd.DataFrame,
    rows: Sequence[Mapping[str, Any]],
    method: tuple[str, float],
    baseline: tuple[str, float | None],
) -> list[dict[str, Any]]:
    """One dictionary a problem that has an outcome.

    Arguments:
        outcomes: of one model on one data set, as `studies_chosen.choose` gives them.
        rows: of `Chosen.pool_rows`, which hold the questions.
        method, baseline: label and budget in generations; None where the baseline was not run.

    Returns:
        problem, question, gold, answer, right and base (share of seeds in which method and baseline are right, None
        where nobody can say), seeds, run (None without a stored tree).
    """
    own, base = _of(outcomes, *method), _shares(_of(outcomes, *baseline))
    right, asked = _shares(own), {row["problem_id"]: row for row in rows}
    found = []
    for problem, of in own.groupby("problem", sort=False):
        name, row = str(problem), asked.get(str(problem), {})
        runs = [run for run in of["run"] if isinstance(run, str)]
        answer = of["answer"].iloc[0]
        found.append(
            {"problem": name, "question": row.get("question", ""), "gold": row.get("gold"),
             "answer": answer if isinstance(answer, str) else None, "right": right.get(name), "base": base.get(name),
             "seeds": len(of), "run": runs[0] if runs else None}
        )  # fmt: skip
    return found


def expected(pool: Pool, outcomes: pd.DataFrame, method: str, budget: float) -> dict[str, float]:
    """Expected accuracy of each problem over all subsets of its samples of the budget's size.

    Empty where the method does not choose among independent samples, or there are too few of them.
    """
    of = outcomes[outcomes["method"] == method].iloc[0]
    chooses = json.loads(str(of["params"])).get("select", "weighted")
    if of["strategy"] != "best_of_n" or chooses not in estimators.METRICS:
        return {}
    pool = pool.judged()
    try:
        values = estimators.estimate(pool, chooses, [int(budget)], draws=200).values[:, 0]
    except BadValue:
        return {}
    return dict(zip(pool.problems, map(float, values), strict=True))


def chosen(found: Sequence[Mapping[str, Any]], shown: str, order: str) -> list[Mapping[str, Any]]:
    """Those of one of SHOWN, in one of ORDERS; what more than half of the seeds say is a verdict."""
    kept = [one for one in found if _fits(one, shown)]
    if order == ORDERS[0]:
        return kept
    sign = -1 if order == ORDERS[1] else 1
    return sorted(kept, key=lambda one: sign * (one["ease"] if one["ease"] is not None else 0.0))


def _fits(one: Mapping[str, Any], shown: str) -> bool:
    if shown in ("all", "tree"):
        return shown == "all" or one["run"] is not None
    own, other = (None if share is None else share > 0.5 for share in (one["right"], one["base"]))
    if shown in ("won", "lost"):
        return None not in (own, other) and own is (shown == "won") and other is (shown == "lost")
    return own is not None and own is (shown == "right")


def _of(outcomes: pd.DataFrame, method: str, budget: float | None) -> pd.DataFrame:
    return outcomes[(outcomes["method"] == method) & (outcomes["budget"] == budget)]


def _shares(outcomes: pd.DataFrame) -> dict[str, float]:
    graded = outcomes[outcomes["correct"].notna()]
    means = graded.assign(right=graded["correct"].astype(float)).groupby("problem")["right"].mean()
    return {str(name): float(value) for name, value in means.items()}
