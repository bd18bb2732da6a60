"""What a study measured, as arrays: accuracy and cost of every method at every budget on every problem."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ttc_core.analysis.pool import Floats
from ttc_core.errors import BadValue

AXES = ("generations", "tokens", "flops", "seconds")


@dataclass(frozen=True)
class Measured:
    """Methods by budget and problem.

    Arguments:
        problems: (P) ids.
        methods: (M) labels, in the order they were first seen, which breaks ties.
        budgets: (B) limits on the cost axis, rising.
        accuracy: (P, M, B) share of right answers over seeds, NaN where nothing was measured.
        costs: (M, B) mean cost of a problem on the same axis, NaN where nothing was measured.
        baseline: index of the method that others are compared with: best-of-N weighted.
        strategies: (M) strategy of each method.
        dropped: outcomes that nobody could grade, which count in nothing.
        levels: (M, B) generations that each value was measured with, NaN where nothing was; None: the budgets.
    """

    problems: list[str]
    methods: list[str]
    budgets: list[float]
    accuracy: Floats
    costs: Floats
    baseline: int
    strategies: list[str]
    dropped: int = 0
    levels: Floats | None = None

    def generations(self, method: int, at: int) -> float:
        """The budget in generations behind a method's value at a limit."""
        return self.budgets[at] if self.levels is None else float(self.levels[method, at])

    @property
    def fewest(self) -> int:
        """Problems behind the value that has fewest, of all methods and budgets: not all where work is left."""
        number = (~np.isnan(self.accuracy)).sum(axis=0)
        return int(number[number > 0].min())

    def of(self, problems: Sequence[str]) -> Measured:
        """The same on these problems alone, in this order."""
        place = {name: i for i, name in enumerate(self.problems)}
        rows = [place[name] for name in problems]
        return replace(self, problems=list(problems), accuracy=self.accuracy[rows])


def cost(outcomes: pd.DataFrame, axis: str, verifier: bool = True) -> pd.Series[float]:
    """Cost of each outcome: nominal budget in generations, forwarded tokens, FLOPs, or seconds.

    Arguments:
        verifier: whether the verifier's tokens and FLOPs count; generations and seconds do not know it apart.

    Returns:
        NaN for the seconds of outcomes that have none: they were not measured.

    Raises:
        BadValue: an unknown axis.
    """
    o = outcomes
    ways: dict[str, Callable[[], pd.Series[float]]] = {
        "generations": lambda: o["budget"],
        "tokens": lambda: o["policy_prompt_tokens"] + o["policy_tokens"] + verifier * o["verifier_tokens"],
        "flops": lambda: o["policy_flops"] + verifier * o["verifier_flops"],
        "seconds": lambda: o["seconds"].where(o["seconds"] > 0),
    }
    if axis not in ways:
        raise BadValue(f"the cost axis must be one of {', '.join(AXES)}, not {axis!r}")
    return ways[axis]().astype(float)


def measured(
    outcomes: pd.DataFrame, axis: str = "generations", verifier: bool = True, baseline: str | None = None
) -> Measured:
    """Arrays of one model's outcomes on one data set.

    Over generations the limits are the budgets, and a method is what it reached with that budget. Over another axis the
    limits are what the baseline's budgets cost on it, and a method is its dearest budget that costs no more.

    Arguments:
        outcomes: columns as `ttc_core.studies.outcomes` gives them.
        baseline: label of the method to compare with; None: best_of_n that chooses by weight, else another
            best_of_n, else the first method.

    Raises:
        BadValue: nothing to measure, outcomes of different models or data sets, or no such baseline.
    """
    for column in ("dataset", "model"):
        if len(names := sorted(outcomes[column].unique())) > 1:
            raise BadValue(f"the outcomes are of several {column}s ({', '.join(names)})", hint=f"choose one {column}")
    kept = outcomes[outcomes["correct"].notna()]
    if kept.empty:
        raise BadValue("the study has no graded outcome yet")
    labels = list(kept["method"].unique())
    kept = kept.assign(
        cost=cost(kept, axis, verifier),
        right=kept["correct"].astype(float),
        row=pd.Categorical(kept["problem"]),
        place=pd.Categorical(kept["method"], labels),
        level=pd.Categorical(kept["budget"]),
    )
    shape = [len(kept[c].cat.categories) for c in ("row", "place", "level")]
    codes = np.ravel_multi_index(tuple(kept[c].cat.codes.to_numpy() for c in ("row", "place", "level")), shape)
    accuracy = _means(codes, kept["right"].to_numpy(), shape)
    costs = _mean_over_problems(_means(codes, kept["cost"].to_numpy(), shape))
    strategies = kept.drop_duplicates("method").set_index("method")["strategy"].reindex(labels).tolist()
    found = Measured(
        [str(name) for name in kept["row"].cat.categories],
        labels,
        [float(b) for b in kept["level"].cat.categories],
        accuracy,
        costs,
        _baseline(kept, labels, baseline),
        strategies,
        len(outcomes) - len(kept),
    )
    return found if axis == "generations" else _limited(found)


def _means(codes: np.ndarray[tuple[int], np.dtype[np.intp]], values: Floats, shape: Sequence[int]) -> Floats:
    """Mean of the values with each code, NaN where there is none; (shape)."""
    size = int(np.prod(shape))
    number = np.bincount(codes, minlength=size)
    with np.errstate(invalid="ignore"):
        return (np.bincount(codes, values, size) / number).reshape(shape)


def _mean_over_problems(values: Floats) -> Floats:
    known = ~np.isnan(values)
    number = known.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0.0).sum(axis=0) / number)


def _baseline(kept: pd.DataFrame, labels: list[str], name: str | None) -> int:
    if name is not None:
        if name not in labels:
            raise BadValue(f"the study has no method {name!r} (it has: {', '.join(labels)})")
        return labels.index(name)
    parallel = kept[kept["strategy"] == "best_of_n"].drop_duplicates("method")
    by_weight = [json.loads(params).get("select", "weighted") == "weighted" for params in parallel["params"]]
    if parallel.empty:
        return 0
    return labels.index(str((parallel[by_weight] if any(by_weight) else parallel)["method"].iloc[0]))


def _limited(found: Measured) -> Measured:
    """The methods within limits of cost: what the baseline costs at each of its budgets."""
    base = found.costs[found.baseline]
    limits = np.unique(base[~np.isnan(base)])
    if not limits.size or limits[0] <= 0:
        raise BadValue("the study does not know what its outcomes cost on this axis", hint="use the axis generations")
    accuracy = np.full((len(found.problems), len(found.methods), len(limits)), np.nan)
    costs, levels = (np.full((len(found.methods), len(limits)), np.nan) for _ in range(2))
    for m, row in enumerate(found.costs):
        for j, limit in enumerate(limits):
            fits = np.where(row <= limit * (1 + 1e-9), row, -np.inf)  # NaN compares false
            if (at := int(np.argmax(fits))) is not None and np.isfinite(fits[at]):
                accuracy[:, m, j], costs[m, j], levels[m, j] = found.accuracy[:, m, at], row[at], found.budgets[at]
    return replace(found, budgets=limits.tolist(), accuracy=accuracy, costs=costs, levels=levels)
