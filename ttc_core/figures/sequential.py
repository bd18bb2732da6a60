"""One chain of revisions against as many independent samples (the paper's Figure 6, right)."""

from __future__ import annotations

from ttc_core.drawing.info import Info, Panel, budgets, shares
from ttc_core.drawing.lines import lines_of
from ttc_core.drawing.tables import Tables
from ttc_core.registry import figure


@figure("sequential")
def info(tables: Tables) -> Info:
    """Sequential revisions and parallel samples of the same model."""
    found = tables.sequential()
    panel = Panel("", budgets(sorted(set(found["budget"]))), shares("accuracy"), lines_of(found, "method"))
    caption = (
        f"Accuracy of one chain of attempts, each revising those before it, and of as many independent attempts of the "
        f"same model, chosen by the verifier or by majority. {tables.about_revising} "
        "Bands: 95 % by a bootstrap over problems."
    )
    return Info("sequential", [panel], caption)
