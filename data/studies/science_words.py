"""What the page about the paper's findings is made of: comparisons of a study's methods, and how they are written."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ttc_core.analysis import comparison, difficulty, documents
from ttc_core.studies_chosen import Chosen

BINS, RESAMPLES = 5, 400
WEIGHTED = "best_of_n select=weighted"

_MADE: dict[tuple[str, str, str], dict[str, Any]] = {}


def curves(chosen: Chosen, by: str) -> dict[str, Any]:
    """The frontier's document, made once."""
    key = (chosen.study, chosen.model, by)
    if key not in _MADE:
        _MADE[key] = documents.curves(chosen.outcomes, chosen.pool, by=by, resamples=RESAMPLES)
    return _MADE[key]


def reached(own: Chosen) -> float:
    """Share of the hardest bin's problems that any sample of the pool solves."""
    pool = own.pool
    hardest = difficulty.quantile_bins(difficulty.easiness(pool, "oracle"), pool.problems, BINS).of == BINS - 1
    return float(pool.correct[hardest].any(axis=1).mean())


def by_bin(chosen: Chosen, one: tuple[str, int], other: tuple[str, int]) -> list[comparison.Difference]:
    pool = chosen.pool
    of = difficulty.quantile_bins(difficulty.easiness(pool, "oracle"), pool.problems, BINS).of
    a, b = (right(chosen, *which).reindex(pool.problems).to_numpy(float) for which in (one, other))
    return [comparison.compare(a[of == k], b[of == k]) for k in range(BINS)]


def whole(chosen: Chosen, one: tuple[str, int], other: tuple[str, int]) -> comparison.Difference:
    a, b = (right(chosen, *which) for which in (one, other))
    return comparison.compare(a.to_numpy(float), b.reindex(a.index).to_numpy(float))


def right(chosen: Chosen, method: str, budget: int) -> "pd.Series[float]":
    frame = chosen.outcomes
    of = frame[(frame["method"] == method) & (frame["budget"] == budget)]
    return of.assign(right=of["correct"].astype(float)).groupby("problem")["right"].mean()


def chains(chains: int, n: int) -> tuple[str, int]:
    return f"revisions chains={chains}", n


def section(title: str, paper: str, here: str, verdict: str, shown: str) -> str:
    return (
        f"## {title}\n\nThe paper: {paper}\n\nHere: {here}\n\n{shown + chr(10) * 2 if shown else ''}Verdict: {verdict}."
    )


def table(head: Sequence[Any], rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in lines)


def bin_names() -> list[str]:
    return [f"bin {k + 1}" for k in range(BINS)]


def share(values: "pd.Series[Any]") -> str:
    return f"{float(values.astype(float).mean()):.3f}" if len(values) else "-"


def difference(d: comparison.Difference) -> str:
    return interval({"mean": d.mean, "low": d.low, "high": d.high}, 100)


def interval(value: dict[str, float], times: float = 1) -> str:
    # to 6 digits first: 12.65 is the same wherever the last bits of a sum differ
    mean, low, high = (np.round(np.round(times * value[name], 6), 1) + 0.0 for name in ("mean", "low", "high"))
    return f"{mean:.1f} ({low:.1f} to {high:.1f})"


def multiple(value: dict[str, Any]) -> str:
    mean, low, high = (round(value[name], 6) for name in ("mean", "low", "high"))
    return f"{value['bound']} {mean:.1f} ({low:.1f} to {high:.1f})".strip()
