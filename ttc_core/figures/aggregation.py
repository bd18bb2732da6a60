"""Ways to make one score of a solution's step scores (the paper's Figure 13)."""

from __future__ import annotations

from ttc_core.drawing.info import COLOURS, DASHES, MARKERS, Info, Panel, Series, Style, budgets, shares
from ttc_core.drawing.tables import Tables
from ttc_core.registry import figure

_WORDS = {"prod": "product"}


@figure("aggregation")
def info(tables: Tables) -> Info:
    """Step scores aggregated in four ways."""
    found = dict(tables.aggregations())
    ks = found.pop("ks")
    panels = [
        Panel(
            title,
            budgets(ks, "n"),
            shares("accuracy"),
            [
                Series(_WORDS.get(way, way), ks, of[key], Style(COLOURS[i], DASHES[i], MARKERS[i]))
                for i, (way, of) in enumerate(found.items())
            ],
        )
        for key, title in (("best", "best of n"), ("weighted", "best of n, weighted"))
    ]
    caption = (
        f"Accuracy of n samples chosen by the last, the least, the product or the mean of their step scores, over all "
        f"subsets of the pool. {tables.fewer}{tables.about}"
    )
    return Info("aggregation", panels, caption, columns=2)
