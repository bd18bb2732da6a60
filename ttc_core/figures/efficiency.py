"""How many times less compute the compute-optimal policy needs."""

from __future__ import annotations

from ttc_core.drawing.info import BLACK, GREY, Axis, Info, Panel, Series, Style, budgets, labelled
from ttc_core.drawing.tables import Tables
from ttc_core.registry import figure

_BOUNDS = {"at least": "triangle", "at most": "down"}


@figure("efficiency")
def info(tables: Tables) -> Info:
    """The efficiency multiple by budget."""
    found = tables.frontier("oracle")
    points = {float(budget): value for budget, value in found["efficiency"].items()}
    xs = sorted(points)
    mean, low, high = ([points[x][name] for x in xs] for name in ("mean", "low", "high"))
    series = [
        Series("as much", [min(found["budgets"]), max(found["budgets"])], [1.0, 1.0], Style(GREY), kind="guide"),
        Series("efficiency multiple", xs, mean, Style(BLACK), low, high),
    ]
    for bound, marker in _BOUNDS.items():
        at = [x for x in xs if points[x]["bound"] == bound]
        if at:
            style = Style("#D55E00", "solid", marker)
            series.append(Series(f"{bound} this", at, [points[x]["mean"] for x in at], style, kind="points"))
    caption = (
        f"Budget of {labelled(found['baseline'])} over the budget at which the compute-optimal policy first reaches "
        f"its accuracy; 1 is no gain. {tables.about} Band: 95 % by a bootstrap over problems."
    )
    panel = Panel("", budgets(found["budgets"]), Axis("efficiency multiple"), series)
    return Info("efficiency", [panel], caption)
