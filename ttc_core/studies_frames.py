"""Outcomes as a table for analysis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from ttc_core.store.columns import readable

# The strategy, as it was run, beside the policy that the analysis chooses, which is called the same.
FOLLOWED = {"compute_optimal": "compute_optimal followed"}
COLUMNS = (
    "dataset",
    "problem",
    "model",
    "verifier",
    "strategy",
    "params",
    "method",
    "budget",
    "seed",
    "answer",
    "correct",
    "score",
    "generations",
    "policy_prompt_tokens",
    "policy_cached_tokens",
    "policy_tokens",
    "verifier_tokens",
    "policy_flops",
    "verifier_flops",
    "seconds",
    "failed",
    "unspent",
    "run",
)


def frame(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Rows of `store.studies_tables.outcome_rows` as `studies.outcomes` describes them."""
    names = {"problem": "problem_id", "method": "label", "policy_prompt_tokens": "prompt_tokens_computed"}
    names |= {"policy_cached_tokens": "prompt_tokens_cached", "policy_tokens": "generated_tokens"}
    for row in rows:
        row["failed"] = row["failed_samples"] + row["failed_scores"]
        row["unspent"] = max(0, row["budget"] - row["generations"])
    found = {name: [row[names.get(name, name)] for row in rows] for name in COLUMNS}
    made = pd.DataFrame({name: _readable(values) for name, values in found.items()})
    made["method"] = made["method"].replace(FOLLOWED)
    return made.astype({"correct": "boolean", "score": "float64", "seconds": "float64"})


def _readable(values: list[Any]) -> list[Any]:
    """A column with its texts as tables can hold them; few of them are different."""
    texts = {value: readable(value) for value in set(values) if isinstance(value, str)}
    return [texts.get(value, value) for value in values] if texts else values
