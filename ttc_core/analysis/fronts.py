"""Frontiers without choosing by difficulty: the Pareto front, and how much a strategy's hyper-parameters matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ttc_core.analysis.measured import Measured
from ttc_core.analysis.pool import Floats


@dataclass(frozen=True)
class Point:
    """A method at a budget, with its mean cost of a problem and its mean accuracy."""

    method: str
    budget: float
    cost: float
    accuracy: float


def means(measured: Measured) -> Floats:
    """(M, B) mean accuracy over problems, NaN where nothing was measured."""
    known = ~np.isnan(measured.accuracy)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, measured.accuracy, 0.0).sum(axis=0) / known.sum(axis=0))


def pareto(measured: Measured) -> list[Point]:
    """Points that no cheaper or equally dear one reaches, by rising cost: the best without knowing difficulty."""
    accuracy = means(measured)
    points = [
        Point(name, budget, float(measured.costs[m, b]), float(accuracy[m, b]))
        for m, name in enumerate(measured.methods)
        for b, budget in enumerate(measured.budgets)
        if not np.isnan(accuracy[m, b])
    ]
    front: list[Point] = []
    for point in sorted(points, key=lambda p: (p.cost, -p.accuracy)):
        if not front or point.accuracy > front[-1].accuracy:
            front.append(point)
    return front


def sensitivity(measured: Measured) -> dict[str, list[dict[str, float | str]]]:
    """For each strategy with several hyper-parameters, at each budget its best and worst and what lies between them."""
    accuracy, found = means(measured), {}
    for strategy in dict.fromkeys(measured.strategies):
        rows = [m for m, name in enumerate(measured.strategies) if name == strategy]
        points: list[dict[str, float | str]] = []
        for b, budget in enumerate(measured.budgets):
            known = [m for m in rows if not np.isnan(accuracy[m, b])]
            if len(known) > 1:
                best, worst = (choose(known, key=lambda m: float(accuracy[m, b])) for choose in (max, min))
                points.append(
                    {
                        "budget": budget,
                        "best": measured.methods[best],
                        "worst": measured.methods[worst],
                        "range": float(accuracy[best, b] - accuracy[worst, b]),
                    }
                )
        if points:
            found[strategy] = points
    return found
