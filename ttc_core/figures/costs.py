"""What methods cost at the same budget: FLOPs of the policy and of the verifier."""

from __future__ import annotations

from ttc_core.drawing.info import COLOURS, Axis, Info, Panel, Series, Style, categories, labelled, plain
from ttc_core.drawing.tables import Tables
from ttc_core.registry import figure


@figure("costs")
def info(tables: Tables) -> Info:
    """FLOPs of a problem by method, policy and verifier apart."""
    found = tables.costs()
    places = list(range(len(found)))
    axis = categories("", [labelled(m) for m in found["method"]])
    series = [
        Series(name, places, found[name].astype(float).tolist(), Style(COLOURS[i]), kind="stack")
        for i, name in enumerate(("policy", "verifier"))
    ]
    caption = (
        f"Mean FLOPs of one problem at a budget of {plain(float(found['budget'].iloc[0]))} generations, counted as "
        f"2 × parameters × tokens. {tables.about}"
    )
    return Info("costs", [Panel("", axis, Axis("FLOPs a problem"), series)], caption)
