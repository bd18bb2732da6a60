"""The bins of difficulty."""

from __future__ import annotations

from ttc_core.drawing.info import COLOURS, Info, Panel, Series, Style, categories, shares
from ttc_core.drawing.tables import Tables
from ttc_core.errors import UserError
from ttc_core.registry import figure


@figure("difficulty")
def info(tables: Tables) -> Info:
    """How easy the problems of each bin are."""
    series, places = [], []
    for i, (by, name) in enumerate((("oracle", "share of right samples"), ("predicted", "mean verifier score"))):
        try:
            found = tables.bins(by)["bins"]
        except UserError:
            if by == "oracle":
                raise
            continue  # no scores to predict from
        places = list(range(len(found)))
        style = Style(COLOURS[i], "solid", "circle")
        series.append(Series(name, places, [b["mean"] for b in found], style, kind="bar"))
    axis = categories("bin of difficulty", [str(b + 1) for b in places])
    caption = (
        "Mean easiness of the problems in each bin, 1 the easiest: bins by the share of right samples (oracle) and, "
        f"beside them, bins by the verifier's mean score of the same samples (predicted). {tables.about}"
    )
    return Info("difficulty", [Panel("", axis, shares("easiness", 1.0), series)], caption)
