"""Sequential against parallel: revisions in more or fewer chains (the paper's Figure 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttc_core.drawing.info import COLOURS, DASHES, MARKERS, Axis, Info, Panel, Series, Style, bin_name, by_bin, plain
from ttc_core.drawing.tables import Tables
from ttc_core.registry import figure

if TYPE_CHECKING:
    import pandas as pd


@figure("revision_ratio")
def info(tables: Tables) -> Info:
    """Accuracy by the ratio of sequential to parallel attempts."""
    return _drawn("revision_ratio", tables.ratios(), tables.about_revising)


@figure("revision_ratio_predicted")
def predicted(tables: Tables) -> Info:
    """Accuracy by the ratio of sequential to parallel attempts, by predicted difficulty."""
    found = tables.ratios("predicted")
    return _drawn("revision_ratio_predicted", found, f"Bins by predicted difficulty. {tables.about_revising}")


@figure("revision_ratio_majority")
def majority(tables: Tables) -> Info:
    """Accuracy by the ratio of sequential to parallel attempts, chosen by majority."""
    found = tables.ratios(majority=True)
    return _drawn(
        "revision_ratio_majority", found, f"Answers chosen by majority over all attempts. {tables.about_revising}"
    )


def _drawn(name: str, found: pd.DataFrame, about: str) -> Info:
    ratios = sorted({float(r) for r in found["ratio"]})
    axis = Axis("sequential : parallel", log=True, ticks=ratios, labels=[_ratio(r) for r in ratios])
    whole = found[found["bin"] == -1]
    lines = []
    for i, (budget, of) in enumerate(whole.groupby("budget")):
        look = i % len(COLOURS)
        style = Style(COLOURS[look], DASHES[i % len(DASHES)], MARKERS[i % len(MARKERS)])
        lines.append(_line(f"{plain(float(str(budget)))} generations", of, style))
    largest = found[(found["budget"] == found["budget"].max()) & (found["bin"] >= 0)]
    bins = int(found["bin"].max()) + 1
    each = [_line(bin_name(int(str(b)), bins), of, by_bin(int(str(b)), bins)) for b, of in largest.groupby("bin")]
    accuracy = Axis("accuracy")
    panels = [Panel("all problems", axis, accuracy, lines)]
    if each:
        title = f"{plain(float(found['budget'].max()))} generations"
        panels.append(Panel(title, axis, Axis("accuracy", limits=(0, 1)), each))
    caption = (
        "Accuracy of revisions by the ratio of sequential attempts (length of a chain) to parallel ones (number of "
        f"chains), a line a budget, and in each bin of difficulty at the largest budget. {about}"
    )
    return Info(name, panels, caption, columns=2)


def _line(name: str, of: pd.DataFrame, style: Style) -> Series:
    of = of.sort_values("ratio")
    return Series(name, of["ratio"].astype(float).tolist(), of["accuracy"].astype(float).tolist(), style)


def _ratio(value: float) -> str:
    """A quarter is 1:4, four is 4:1."""
    return f"{value:.3g}:1" if value >= 1 else f"1:{1 / value:.3g}"
