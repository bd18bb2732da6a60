"""How matplotlib draws the marks of a series, in a panel and in the legend."""

from __future__ import annotations

from typing import Any

from ttc_core.drawing.info import Series
from ttc_core.drawing.presets import Preset

HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "++++")
MARKERS = {"circle": "o", "square": "s", "triangle": "^", "diamond": "D", "down": "v", "cross": "X", "star": "*"}
DASHES: dict[str, Any] = {"solid": "-", "dash": (0, (4, 1.6)), "dot": (0, (1, 1.4)), "dashdot": (0, (4, 1.4, 1, 1.4))}


def look(series: Series, preset: Preset) -> dict[str, Any]:
    """Arguments that draw a series, in a panel and in the legend."""
    style = series.style
    if series.kind == "guide":
        return {"color": style.colour, "linestyle": DASHES[style.dash], "linewidth": preset.line * 0.6}
    size = preset.marker * (2.4 if style.marker == "star" else 1.5 if series.kind == "points" else 1.0)
    return {
        "color": style.colour,
        "linestyle": "none" if series.kind == "points" else DASHES[style.dash],
        "linewidth": preset.line,
        "marker": MARKERS[style.marker],
        "markersize": size,
        "markeredgecolor": "white",
        "markeredgewidth": preset.line * 0.3,
    }


def edge(colour: str) -> str:
    """What is seen on a bar of this colour."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "white" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 165 else "#303030"
