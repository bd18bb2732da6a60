"""Which model, method and budget are best within limits of cost, from what was measured."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ttc_core.analysis.measured import AXES, cost
from ttc_core.errors import BadValue

KEYS = ["model", "verifier", "method", "budget"]
_LIMITS = (*AXES, "price", "memory")
_WIDE = 1.959963984540054  # standard errors to either side of a 95 % interval


def plan(
    outcomes: pd.DataFrame,
    limits: Mapping[str, float],
    memory: Mapping[str, float] | None = None,
    verifier: bool = True,
    prices: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Everything that keeps the limits, the most accurate first; of equals the one with fewer FLOPs.

    Only what was measured on all problems takes part: on others, accuracies cannot be compared.

    Arguments:
        outcomes: of one data set, of any models, methods and budgets, of one study or several.
        limits: most of each cost that a problem may take on average: generations, tokens, flops, seconds, and "price";
            and "memory", in bytes, of model and verifier together.
        memory: bytes that each model and verifier takes; one that is not named takes none.
        verifier: whether the verifier's tokens and FLOPs count.
        prices: of a token that each model or verifier computes or generates; one that is not named is free.

    Returns:
        Columns model, verifier, method, budget, problems, accuracy, low, high (95 %, over problems), then the costs.

    Raises:
        BadValue: an unknown limit, several data sets, nothing graded, or nothing keeps the limits.
    """
    if unknown := [name for name in limits if name not in _LIMITS]:
        raise BadValue(f"a limit is of {', '.join(_LIMITS)}, not {unknown[0]!r}")
    if outcomes["dataset"].nunique() > 1:
        raise BadValue("the outcomes are of several data sets", hint="choose one data set")
    kept = outcomes[outcomes["correct"].notna()]
    if kept.empty:
        raise BadValue("the study has no graded outcome yet")
    kept = kept.assign(verifier=kept["verifier"].fillna(""), right=kept["correct"].astype(float))
    of = kept["verifier"].map(prices or {}).fillna(0.0).astype(float) * kept["verifier_tokens"]
    of += kept["model"].map(prices or {}).fillna(0.0).astype(float) * cost(kept, "tokens", verifier=False)
    kept = kept.assign(**{axis: cost(kept, axis, verifier) for axis in AXES}, price=of)
    costs = [*AXES, "price"]
    problems = kept.groupby([*KEYS, "problem"], sort=False)[["right", *costs]].mean().reset_index()
    table = problems.groupby(KEYS, sort=False).agg(
        problems=("problem", "size"),
        accuracy=("right", "mean"),
        spread=("right", "std"),
        **{name: (name, "mean") for name in costs},
    )
    table = table[table["problems"] == kept["problem"].nunique()].reset_index()
    error = _WIDE * table["spread"].fillna(0.5) / np.sqrt(table["problems"])
    table.insert(6, "low", (table["accuracy"] - error).clip(0, 1))
    table.insert(7, "high", (table["accuracy"] + error).clip(0, 1))
    sizes = memory or {}
    table["memory"] = table["model"].map(sizes).fillna(0.0) + table["verifier"].map(sizes).fillna(0.0)
    for name, most in limits.items():
        table = table[table[name] <= most * (1 + 1e-9)]
    if table.empty:
        raise BadValue("nothing that was measured on all problems keeps these limits")
    return table.drop(columns="spread").sort_values(["accuracy", "flops"], ascending=[False, True], ignore_index=True)
