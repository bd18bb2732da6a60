"""What choosing by difficulty saves, and what test-time compute is worth in parameters (the paper's Figure 1)."""

from __future__ import annotations

from ttc_core.drawing.info import (
    COLOURS,
    OPTIMAL,
    Axis,
    Info,
    Panel,
    Series,
    Style,
    budgets,
    categories,
    labelled,
    plain,
    shares,
    styles,
)
from ttc_core.drawing.tables import Tables
from ttc_core.registry import figure


@figure("summary")
def info(tables: Tables) -> Info:
    """Compute-optimal against best-of-N, and test-time compute against parameters."""
    found, exchanged, style = tables.frontier("oracle"), tables.exchange(), styles(tables.methods)
    lines = []
    for name in (OPTIMAL, found["baseline"]):
        curve = found["curves"][name]
        lines.append(Series(labelled(name), found["budgets"], curve["mean"], style[name], curve["low"], curve["high"]))
    bins = exchanged["bins"]
    bars = [
        Series(
            f"R = {plain(ratio['ratio'])}",
            list(range(len(bins))),
            [of["stars"][r]["gain"]["mean"] for of in bins],
            Style(COLOURS[r % len(COLOURS)]),
            kind="bar",
        )
        for r, ratio in enumerate(exchanged["ratios"])
    ]
    panels = [
        Panel("choosing by difficulty", budgets(found["budgets"]), shares("accuracy"), lines),
        Panel(
            "test-time compute or parameters",
            categories("bin of difficulty", [str(b + 1) for b in range(len(bins))]),
            Axis("small − large"),
            bars,
        ),
    ]
    caption = (
        f"Left: the compute-optimal policy and {labelled(found['baseline'])}. "
        f"Right: accuracy of the small model with test-time compute less that of {exchanged['large_model']} answering "
        f"once ({exchanged['larger']:.3g} times the parameters) at equal FLOPs, by the ratio R of inference to "
        f"pretraining tokens; bin 1 is the easiest. {tables.about} Bands: 95 % by a bootstrap over problems."
    )
    return Info("summary", panels, caption, columns=2)
