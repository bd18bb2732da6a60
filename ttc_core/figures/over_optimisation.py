"""What happens when one optimises against the verifier: its score goes on rising, accuracy does not follow."""

from __future__ import annotations

from ttc_core.drawing.info import BLACK, GREY, Axis, Info, Panel, Series, Style, budgets, labelled, shares, styles
from ttc_core.drawing.tables import Tables
from ttc_core.registry import figure


@figure("over_optimisation")
def info(tables: Tables) -> Info:
    """Score and accuracy of what the verifier chose."""
    points, style = tables.over_optimised(), styles(tables.methods)
    ns = [p["n"] for p in points]
    series = [
        Series("score of the chosen", ns, [p["score"] for p in points], Style(GREY, "dash", "square")),
        Series("accuracy", ns, [p["accuracy"] for p in points], Style(BLACK, "dot", "diamond")),
    ]
    panels = [Panel("best of n", budgets(ns, "n"), shares("share"), series)]
    chosen = tables.chosen()
    lines = []
    for method in [m for m in tables.methods if m in set(chosen["method"])]:
        of = chosen[chosen["method"] == method]
        if len(of) > 1:
            gap = (of["score"] - of["accuracy"]).tolist()
            lines.append(Series(labelled(method), of["budget"].astype(float).tolist(), gap, style[method]))
    if lines:
        ticks = sorted({x for line in lines for x in line.x})
        even = Series("even", [ticks[0], ticks[-1]], [0.0, 0.0], Style(GREY), kind="guide")
        panels.append(Panel("by method", budgets(ticks), Axis("score − accuracy"), [even, *lines]))
    caption = (
        f"Left: mean score and accuracy of the best of n samples by score, over all subsets of the pool. Right: mean "
        f"score of the answer a method chose less its accuracy; above 0 the verifier is fooled. {tables.fewer}"
        f"{tables.about}"
    )
    return Info("over_optimisation", panels, caption, columns=2)
