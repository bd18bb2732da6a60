"""What the command line prints and pages draw: estimates, difficulty, frontiers and exchanges as JSON.

An estimate is a number where it is exact, else {"mean", "low", "high"} with a 95 % interval; null where there is none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ttc_core.analysis import difficulty, estimators, exchange, fronts
from ttc_core.analysis.frontier import RESAMPLES, Frontier, Interval, followed, frontier
from ttc_core.analysis.measured import Measured, cost, measured
from ttc_core.analysis.pipeline import Binning
from ttc_core.analysis.pool import Floats, Pool
from ttc_core.errors import BadValue

_WIDE = 1.959963984540054  # standard errors to either side of a 95 % interval
OPTIMAL = "compute_optimal"


def estimates(pool: Pool, ks: Sequence[int], metrics: Sequence[str], draws: int = 500) -> dict[str, Any]:
    """{metric: {k: accuracy over all problems}}; drawn votes come with the interval of the drawing.

    Where something is left out there is also "dropped": samples that are not graded, and problems without any other.
    """
    document: dict[str, Any] = {}
    for metric in metrics:
        found = estimators.estimate(pool, metric, ks, draws)
        document[metric] = {
            str(k): _drawn(float(mean), float(error)) if error > 0 else float(mean)
            for k, mean, error in zip(found.ks, found.mean, found.error, strict=True)
        }
    return document | _dropped(pool)


def _dropped(pool: Pool) -> dict[str, Any]:
    graded = pool.valid if pool.graded is None else pool.valid & pool.graded
    found = {"samples": pool.ungraded, "problems": int((~graded.any(axis=1)).sum())}
    return {"dropped": found} if any(found.values()) else {}


def _drawn(mean: float, error: float) -> dict[str, float]:
    low, high = max(0.0, mean - _WIDE * error), min(1.0, mean + _WIDE * error)
    return {"mean": mean, "low": low, "high": high, "error": error}


def bins(pool: Pool, by: str, count: int = difficulty.BINS, absolute: bool = False) -> dict[str, Any]:
    """{"edges": falling easiness, "bins": [{"n", "mean"}]} from the easiest bin to the most difficult.

    Where samples are not graded there is also "dropped", as in `estimates`, unless difficulty is predicted.
    """
    dropped = {"samples": pool.ungraded, "problems": len(pool.problems) - len(pool.judged().problems)}
    pool = pool.judged() if by == "oracle" else pool
    values = difficulty.easiness(pool, by)
    found = difficulty.absolute_bins(values) if absolute else difficulty.quantile_bins(values, pool.problems, count)
    document: dict[str, Any] = {"edges": found.edges, "bins": []}
    if by == "oracle" and any(dropped.values()):
        document["dropped"] = dropped
    for b in range(found.count):
        inside = values[found.of == b]
        known = inside[~np.isnan(inside)]
        document["bins"].append({"n": len(inside), "mean": float(known.mean()) if len(known) else None})
    judged = pool.judged()
    if by == "predicted" and not absolute and len(judged.problems) >= count:
        oracle = difficulty.easiness(judged, "oracle")
        of = dict(zip(pool.problems, values, strict=True))
        guess = np.array([of[name] for name in judged.problems])
        same = difficulty.agreement(oracle, guess, judged.problems, count)
        names = ("confusion", "same", "spearman", "kendall")
        document["agreement"] = {name: _null(getattr(same, name)) for name in names}
    return document


def binned(found: Measured, pool: Pool, by: str, count: int, absolute: bool = False) -> tuple[Measured, Pool, Binning]:
    """The problems that were measured and sampled, with their binning.

    Raises:
        BadValue: none is in both.
    """
    pool = pool.judged() if by == "oracle" else pool
    place = {name: i for i, name in enumerate(pool.problems)}
    common = [name for name in found.problems if name in place]
    if not common:
        raise BadValue("no problem has both outcomes and samples to tell its difficulty from")
    pool = pool.of([place[name] for name in common])
    values = difficulty.easiness(pool, by)
    return found.of(common), pool, Binning(values, count, difficulty.ABSOLUTE if absolute else ())


def curves(
    outcomes: pd.DataFrame,
    pool: Pool,
    axis: str = "generations",
    by: str = "oracle",
    count: int = difficulty.BINS,
    absolute: bool = False,
    verifier: bool = True,
    baseline: str | None = None,
    charge: float = 0.0,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """The frontier of one model on one data set: {"budgets", "curves", "policy", "efficiency", ...}.

    Lists go by budget; inside a budget of "policy" and "spent", in "sizes", "by_bin" and "regret_by_bin" the easiest
    bin comes first. "spent" is the budget that the policy gives to its choice, this one or a smaller one.
    "efficiency" is {budget: {"mean", "low", "high", "bound"}}; bound is "at least", "at most" or "".
    """
    whole = measured(outcomes, axis, verifier, baseline)
    found, pool, binning = binned(whole, pool, by, count, absolute)
    compared = by == "predicted" and not absolute
    other = Binning(difficulty.easiness(pool, "oracle"), count) if compared else None
    made = frontier(found, binning, resamples, seed=seed, charge=charge, other=other)
    document = _frontier(made, found)
    document |= {
        "axis": axis,
        "by": by,
        "baseline": found.methods[found.baseline],
        "problems": len(found.problems),
        "dropped": {"outcomes": found.dropped, "problems": len(whole.problems) - len(found.problems)},
        "fewest": found.fewest,
        "pareto": [vars(point) for point in fronts.pareto(found)],
        "sensitivity": fronts.sensitivity(found),
    }
    if made.gap is not None:
        document["gap"] = _lists(made.gap)
    return document


def _frontier(made: Frontier, found: Measured) -> dict[str, Any]:
    parts = {
        name: Interval(made.methods.mean[m], made.methods.low[m], made.methods.high[m])
        for m, name in enumerate(found.methods)
    }
    points = zip(
        made.budgets, made.efficiency.mean, made.efficiency.low, made.efficiency.high, made.bounded, strict=True
    )
    return {
        "budgets": [_whole(b) for b in made.budgets],
        "curves": {name: _lists(part) for name, part in {**parts, OPTIMAL: made.optimal}.items()},
        "policy": [[found.methods[m] for m in row] for row in made.policy],
        "spent": [[_whole(made.budgets[b]) for b in row] for row in made.spent],
        "efficiency": {
            str(_whole(budget)): {"mean": _null(mean), "low": _null(low), "high": _null(high), "bound": bound}
            for budget, mean, low, high, bound in points
            if not math.isnan(mean)
        },
        "gain": _lists(made.gain),
        "regret": _list(made.regret),
        "regret_by_bin": [_list(of) for of in made.regret_by_bin],
        "by_bin": [{name: _list(of[m]) for m, name in enumerate(found.methods)} for of in made.by_bin],
        "sizes": made.sizes.tolist(),
    }


@dataclass(frozen=True)
class Rivals:
    """A small model's compute-optimal policy and a larger model on the same problems.

    Arguments:
        budgets: (B) of the small model.
        small: (P, B) accuracy of its policy.
        large: (P) accuracy of the larger model; NaN without one.
        bins: (P) bin of each problem, of `count`.
        fewest: problems behind the small model's value that has fewest.
    """

    budgets: list[float]
    small: Floats
    large: Floats
    bins: list[int]
    count: int
    fewest: int = 0


def rivals(
    outcomes: pd.DataFrame,
    large: pd.DataFrame | None,
    pool: Pool,
    by: str = "oracle",
    count: int = difficulty.BINS,
    absolute: bool = False,
    baseline: str | None = None,
) -> Rivals:
    """The models on the problems that they have in common.

    Arguments:
        outcomes: of the small model. baseline: one of its methods, where there is no best_of_n that chooses by weight.
        large: of the larger one, answering at once; None tells only what the small one reaches.

    Raises:
        BadValue: they have none in common.
    """
    found, pool, binning = binned(measured(outcomes, baseline=baseline), pool, by, count, absolute)
    other = np.full(len(found.problems), np.nan)
    if large is not None:
        graded = large[large["correct"].notna()]
        reached = graded.assign(right=graded["correct"].astype(float)).groupby("problem")["right"].mean()
        if not (common := [name for name in found.problems if name in reached.index]):
            raise BadValue("the models have no problem in common")
        found, pool, binning = binned(found.of(common), pool, by, count, absolute)
        other = reached.loc[found.problems].to_numpy(float)
    placed = (
        difficulty.absolute_bins(binning.values)
        if absolute
        else difficulty.quantile_bins(binning.values, found.problems, count)
    )
    return Rivals(found.budgets, followed(found, binning), other, placed.of.tolist(), placed.count, found.fewest)


def answered(
    outcomes: pd.DataFrame, large: pd.DataFrame, axis: str, larger: float, prices: tuple[float, float] | None = None
) -> tuple[float, float]:
    """What one answer of the small and of the large model cost as measured, the small one's verifier included.

    The small one's is the mean over its outcomes of what a generation cost; the large one's that of its answers.

    Arguments:
        axis: flops or seconds; or tokens, which are worth their model's parameters and are the policy's alone.
        larger: M.
        prices: of a token of each model, in place of its parameters.

    Raises:
        BadValue: an unknown axis.
    """
    small, one = ((cost(of, axis, axis != "tokens") / of["budget"]).mean() for of in (outcomes, large))
    if axis == "tokens":
        small, one = (worth * tokens for worth, tokens in zip(prices or (1.0, larger), (small, one), strict=True))
    return float(small), float(one)


def exchanges(
    outcomes: pd.DataFrame,
    large: pd.DataFrame | None,
    pool: Pool,
    ratios: Sequence[float],
    larger: float,
    by: str = "oracle",
    count: int = difficulty.BINS,
    absolute: bool = False,
    resamples: int = RESAMPLES,
    answers: tuple[float, float] | None = None,
    baseline: str | None = None,
) -> dict[str, Any]:
    """The small model's compute-optimal policy against the larger model, per bin and R.

    Arguments:
        outcomes, large, baseline: as in `rivals`.
        larger: M.
        ratios: R.
        answers: what one answer of each costs, as `answered` measures it; None: in proportion to their parameters.
    """
    both = rivals(outcomes, large, pool, by, count, absolute, baseline)
    stars = exchange.stars(both.budgets, both.small, both.large, both.bins, larger, ratios, resamples, answers=answers)
    worth = answers or (1.0, larger)
    document: dict[str, Any] = {
        "larger": larger,
        "by": by,
        "problems": len(both.bins),
        "fewest": both.fewest,
        "ratios": [{"ratio": r, "multiplier": exchange.priced(larger, r, *worth)} for r in ratios],
        "bins": [],
    }
    for b in range(both.count):
        inside = [s for s in stars if s.bin == b]
        shown = [
            {
                "ratio": s.ratio,
                "budget": s.budget,
                "beyond": s.beyond,
                "small": _null(s.small),
                "large": _null(s.large),
                "gain": dict(zip(("mean", "low", "high"), map(_null, s.gain), strict=True)),
            }
            for s in inside
        ]
        document["bins"].append({"n": both.bins.count(b), "stars": shown})
    return document


def standings(both: Rivals, at: Sequence[float] = (), fine: int = 8, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Both models at every budget that M and R may lead to: what a page needs to draw any exchange by itself.

    at: budgets at which that is not to be interpolated, such as those of `exchanges`.

    {"budgets", "grid": `fine` budgets to each doubling, "problems", "bins": [{"n", "small" and "gain": {"mean", "low",
    "high"} by grid, "large": {"mean", "low", "high"}}]}; values of "gain" and "large" are null without a larger model.
    """
    octaves = math.log2(both.budgets[-1] / both.budgets[0])
    grid = np.union1d(np.geomspace(both.budgets[0], both.budgets[-1], max(1, round(fine * octaves)) + 1), both.budgets)
    grid = np.union1d(grid, [budget for budget in at if both.budgets[0] <= budget <= both.budgets[-1]])
    found = exchange.standings(both.budgets, both.small, both.large, both.bins, grid.tolist(), resamples)
    return {
        "budgets": [_whole(b) for b in both.budgets],
        "grid": grid.tolist(),
        "problems": len(both.bins),
        "bins": [
            {
                "n": one.number,
                "small": _lists(Interval(*one.small)),
                "large": {name: _null(float(v)) for name, v in zip(("mean", "low", "high"), one.large, strict=True)},
                "gain": _lists(Interval(*one.gain)),
            }
            for one in found
        ],
    }


def _lists(interval: Interval) -> dict[str, list[float | None]]:
    return {name: _list(getattr(interval, name)) for name in ("mean", "low", "high")}


def _list(values: Floats) -> list[float | None]:
    return [_null(float(v)) for v in values]


def _null(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _whole(value: float) -> float | int:
    return int(value) if value == int(value) else value
