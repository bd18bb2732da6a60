"""Whether the verifier's scores mean what they say."""

from __future__ import annotations

from ttc_core.drawing.info import COLOURS, GREY, Axis, Info, Panel, Series, Style
from ttc_core.drawing.tables import Tables
from ttc_core.registry import figure


@figure("reliability")
def info(tables: Tables) -> Info:
    """Reliability of the verifier."""
    found = tables.reliability()
    bars = [bar for bar in found["bars"] if bar["count"]]
    total = sum(bar["count"] for bar in bars)
    middle = [(bar["low"] + bar["high"]) / 2 for bar in bars]
    series = [
        Series("exact", [0.0, 1.0], [0.0, 1.0], Style(GREY, "dash"), kind="guide"),
        Series("share right", [bar["score"] for bar in bars], [bar["right"] for bar in bars], Style(COLOURS[0])),
        Series("share of samples", middle, [bar["count"] / total for bar in bars], Style(COLOURS[4], "dot", "square")),
    ]
    panels = [Panel("calibration", Axis("score", limits=(0, 1)), Axis("share", limits=(0, 1)), series)]
    if steps := [s for s in found["steps"] if s["auc"] is not None]:
        xs = [s["step"] for s in steps]
        line = Series("AUC", xs, [s["auc"] for s in steps], Style(COLOURS[2], "solid", "triangle"))
        chance = Series("chance", [min(xs), max(xs)], [0.5, 0.5], Style(GREY, "dash"), kind="guide")
        panels.append(Panel("by step", Axis("step"), Axis("AUC"), [chance, line]))
    numbers = ", ".join(
        f"{word} {found[key]:.3f}"
        for key, word in (
            ("ece", "expected calibration error"),
            ("brier", "Brier score"),
            ("auc", "AUC"),
            ("within", "mean AUC inside a problem"),
        )
        if found[key] is not None
    )
    caption = (
        f"Scores of {total:,} samples and the share of them that is right ({numbers}); "
        f"AUC of each step's score for the final outcome. {tables.about}"
    )
    return Info("reliability", panels, caption, columns=2)
