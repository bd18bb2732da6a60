"""Accuracy against budget of every method and of the compute-optimal policy (the paper's Figure 3, left)."""

from __future__ import annotations

from ttc_core.drawing.info import Info, Panel, Series, budgets, labelled, shares, styles
from ttc_core.drawing.tables import Tables
from ttc_core.registry import figure


@figure("frontier")
def info(tables: Tables) -> Info:
    """Accuracy against budget."""
    found = tables.frontier("oracle")
    style = styles(tables.methods)
    series = [
        Series(labelled(name), found["budgets"], curve["mean"], style[name], curve["low"], curve["high"])
        for name, curve in found["curves"].items()
    ]
    caption = (
        f"Accuracy against budget of every method and of the compute-optimal policy (by oracle difficulty, chosen on "
        f"one half of the problems and measured on the other). {tables.about} Bands: 95 % by a bootstrap over problems."
    )
    return Info("frontier", [Panel("", budgets(found["budgets"]), shares("accuracy"), series)], caption)
