"""Compute-optimal scaling against best-of-N (the paper's Figures 4 and 8)."""

from __future__ import annotations

from ttc_core.drawing.info import OPTIMAL, Info, Panel, Series, Style, budgets, labelled, shares, styles
from ttc_core.drawing.tables import Tables
from ttc_core.errors import UserError
from ttc_core.registry import figure


@figure("compute_optimal")
def info(tables: Tables) -> Info:
    """Compute-optimal by oracle and predicted difficulty, and best-of-N."""
    found, style = tables.frontier("oracle"), styles(tables.methods)
    curves = [(f"{labelled(OPTIMAL)}, oracle bins", found["curves"][OPTIMAL], style[OPTIMAL])]
    try:
        other = tables.frontier("predicted")["curves"][OPTIMAL]
        curves.append((f"{labelled(OPTIMAL)}, predicted bins", other, Style("#009E73", "dash", "triangle")))
    except UserError:  # no scores to predict from
        pass
    same = [name for name in found["curves"] if name.split(" ")[0] == found["baseline"].split(" ")[0]]
    curves += [(labelled(name), found["curves"][name], style[name]) for name in same]
    series = [Series(name, found["budgets"], c["mean"], look, c["low"], c["high"]) for name, c, look in curves]
    caption = (
        f"Compute-optimal scaling against {labelled(found['baseline'])}. {tables.about} "
        "Bands: 95 % by a bootstrap over problems, choice included."
    )
    return Info("compute_optimal", [Panel("", budgets(found["budgets"]), shares("accuracy"), series)], caption)
