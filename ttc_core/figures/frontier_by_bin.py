"""Accuracy against budget in each bin of difficulty."""

from __future__ import annotations

from ttc_core.drawing.info import Info, Panel, Series, bin_name, budgets, labelled, shares, styles
from ttc_core.drawing.tables import Tables
from ttc_core.registry import figure


@figure("frontier_by_bin")
def info(tables: Tables) -> Info:
    """Accuracy against budget by difficulty."""
    found, style = tables.frontier("oracle"), styles(tables.methods)
    bins = len(found["by_bin"])
    panels = [
        Panel(
            bin_name(b, bins),
            budgets(found["budgets"]),
            shares("accuracy", 1.0),
            [Series(labelled(name), found["budgets"], y, style[name]) for name, y in found["by_bin"][b].items()],
        )
        for b in range(bins)
    ]
    caption = (
        f"Accuracy against budget in each of {bins} bins of difficulty ({', '.join(map(str, found['sizes']))} "
        f"problems, by oracle difficulty). {tables.about}"
    )
    return Info("frontier_by_bin", panels, caption, columns=3)
