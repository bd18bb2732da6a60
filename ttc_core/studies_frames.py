"""Outcomes as a table for analysis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def frame(found: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """`store.studies_tables.outcome_columns` as `studies.outcomes` describes them."""
    names = {"problem": "problem_id", "method": "label", "policy_prompt_tokens": "prompt_tokens_computed"}
    names |= {"policy_cached_tokens": "prompt_tokens_cached", "policy_tokens": "generated_tokens"}
    failed = [a + b for a, b in zip(found["failed_samples"], found["failed_scores"], strict=True)]
    unspent = [max(0, a - b) for a, b in zip(found["budget"], found["generations"], strict=True)]
    of = {**found, "failed": failed, "unspent": unspent}
    made = pd.DataFrame({name: _readable(of[names.get(name, name)]) for name in COLUMNS})
    made["method"] = made["method"].replace(FOLLOWED)
    return made.astype({"correct": "boolean", "score": "float64", "seconds": "float64"})


def _readable(values: Sequence[Any]) -> list[Any]:
    """A column with its texts as tables can hold them; few of them are different."""
    texts = {value: readable(value) for value in set(values) if isinstance(value, str)}
    return [texts.get(value, value) for value in values] if texts else list(values)
