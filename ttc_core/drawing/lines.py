"""A line for each name in a table of accuracies by budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttc_core.drawing.info import COLOURS, DASHES, MARKERS, Series, Style

if TYPE_CHECKING:
    import pandas as pd


def lines_of(found: pd.DataFrame, column: str) -> list[Series]:
    """Series of the columns budget, accuracy, low and high, one a value of `column`, in order of appearance."""
    lines = []
    for i, (name, of) in enumerate(found.groupby(column, sort=False)):
        style = Style(COLOURS[i % len(COLOURS)], DASHES[i % len(DASHES)], MARKERS[i % len(MARKERS)])
        x, y, low, high = (of[key].astype(float).tolist() for key in ("budget", "accuracy", "low", "high"))
        lines.append(Series(str(name), x, y, style, low, high))
    return lines
