"""What a page says of every method at every budget: accuracy, and the paired difference to the baseline.

All of it for all problems and for each bin of difficulty, with intervals by one bootstrap over problems, the exact
McNemar test corrected for the methods compared at one budget, and how many problems it would take to tell.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ttc_core.analysis import comparison, difficulty
from ttc_core.analysis.documents import binned
from ttc_core.analysis.measured import Measured, measured
from ttc_core.analysis.pool import Floats, Ints, Pool
from ttc_core.errors import BadValue

RESAMPLES = 1000
MOST = 20_000  # problems beyond which nobody hopes to tell two methods apart
Rows = list[dict[str, dict[str, Any]]]


def table(
    outcomes: pd.DataFrame,
    pool: Pool,
    axis: str = "generations",
    by: str = "oracle",
    count: int = difficulty.BINS,
    verifier: bool = True,
    baseline: str | None = None,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """{"all": by budget {method: row}, "bins": the same of each bin, the easiest first}; without what was not run.

    A row: "accuracy" [mean, low, high], "generations" behind it, "problems", and where the baseline was run too
    "difference" [mean, low, high], "won", "lost", "p", "adjusted" and "needed": problems that tell the two apart in
    80 % of studies at 5 %, None if more than MOST.
    """
    found, of = placed(outcomes, pool, axis, by, count, verifier, baseline)
    return {
        "all": rows(found, resamples),
        "bins": [_rows(found, np.flatnonzero(of == b), resamples) for b in range(count)],
    }


def placed(
    outcomes: pd.DataFrame,
    pool: Pool,
    axis: str,
    by: str,
    count: int = difficulty.BINS,
    verifier: bool = True,
    baseline: str | None = None,
) -> tuple[Measured, Ints]:
    """What was measured, and (P) the bin of each of its problems, as the frontier has them."""
    found, pool, binning = binned(measured(outcomes, axis, verifier, baseline), pool, by, count)
    if len(found.problems) < count:
        raise BadValue(f"{len(found.problems)} problems do not fill {count} bins")
    return found, difficulty.quantile_bins(binning.values, found.problems, count).of


def rows(found: Measured, resamples: int = RESAMPLES) -> Rows:
    """The rows of `table` for all problems, by budget."""
    return _rows(found, np.arange(len(found.problems)), resamples)


def _rows(found: Measured, inside: Ints, resamples: int) -> Rows:
    return [_at(found, j, found.accuracy[inside, :, j], resamples) for j in range(len(found.budgets))]


def _at(found: Measured, j: int, accuracy: Floats, resamples: int) -> dict[str, dict[str, Any]]:
    """Every method that was run at budget j. accuracy: (P, M)."""
    run = {name: accuracy[:, m] for m, name in enumerate(found.methods) if not np.isnan(accuracy[:, m]).all()}
    rows: dict[str, dict[str, Any]] = {}
    for name, values in run.items():
        known = values[~np.isnan(values)]
        spent = found.generations(found.methods.index(name), j)
        mean = [float(known.mean()), *comparison.interval(known, resamples)]
        rows[name] = {"accuracy": mean, "generations": spent, "problems": len(known)}
    base = found.methods[found.baseline]
    if base in run:
        common = {name: values for name, values in run.items() if not np.isnan(values + run[base]).all()}
        for name, one in comparison.compare_all(common, base, resamples).items():
            rows[name] |= _difference(one, int((~np.isnan(run[name] + run[base])).sum()))
    return rows


def _difference(one: comparison.Difference, problems: int) -> dict[str, Any]:
    needed = comparison.needed(one.won / problems, one.lost / problems, most=MOST)
    told = {name: getattr(one, name) for name in ("won", "lost", "p", "adjusted")}
    return {"difference": [one.mean, one.low, one.high], **told, "needed": needed}
