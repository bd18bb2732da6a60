"""Legend and title of a printed figure: outside the panels, so that they never cover data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ttc_core.drawing import marks
from ttc_core.drawing.info import Info
from ttc_core.drawing.lettering import wrapped
from ttc_core.drawing.presets import Preset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAST = 0.28  # of the type: a marker's size
WHERE: dict[str, Any] = {
    "below": "outside lower center",
    "above": "outside upper center",
    "right": "outside right center",
}


def outside(figure: Figure, info: Info, preset: Preset) -> tuple[float, float]:
    """Put legend and title outside the panels; returns the width beside and the height above them, in inches."""
    title, gap = wrapped(figure, info.title, preset.size + 1, preset.width - 0.1), 0.04
    handles = _handles(info, preset) if info.legend != "none" and len(info.entries) > 1 else []
    place = info.legend
    if place == "right" and handles:
        beside = _legend(figure, handles, place, preset, 1, "")
        if preset.width - beside[0] >= preset.narrowest:
            return beside[0] + gap, _titled(figure, title, preset)
        figure.legends[0].remove()
        place = "below"  # there is no room beside the panels
    if not handles:
        return 0.0, _titled(figure, title, preset)
    for handle in handles:
        handle.set_label(wrapped(figure, handle.get_label(), preset.size - 1, preset.width - 0.6))
    for columns in range(len(handles), 0, -1):
        wide, high = _legend(figure, handles, place, preset, columns, title if place == "above" else "")
        if wide <= preset.width - 0.05 or columns == 1:
            break
        figure.legends[0].remove()
    return 0.0, high + (_titled(figure, title, preset) if place == "below" else 0.0)


def _titled(figure: Figure, title: str, preset: Preset) -> float:
    """Put the title above everything; returns its height in inches."""
    if not title:
        return 0.0
    made = figure.suptitle(title, fontsize=preset.size + 1)
    return float(made.get_window_extent().height / figure.dpi + 0.06)


def _handles(info: Info, preset: Preset) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = []
    bars = 0
    preset = replace(preset, marker=max(preset.marker, LEAST * preset.size))  # also where those in the panel are tiny
    for name, series in info.entries:
        if series.kind in ("bar", "stack"):
            colour, hatch = series.style.colour, marks.HATCHES[bars % len(marks.HATCHES)]
            handles.append(Patch(facecolor=colour, edgecolor=marks.edge(colour), hatch=hatch, linewidth=0, label=name))
            bars += 1
        else:
            handles.append(Line2D([], [], **marks.look(series, preset), label=name))
    return handles


def _legend(
    figure: Figure, handles: Sequence[Any], place: str, preset: Preset, columns: int, title: str
) -> tuple[float, float]:
    """Put the legend there, in so many columns; returns its size in inches."""
    legend = figure.legend(handles=handles, loc=WHERE[place], ncols=columns, frameon=False, handlelength=2.2,
                           columnspacing=1.0, handletextpad=0.5, labelspacing=0.25, borderpad=0.1, borderaxespad=0.1,
                           title=title or None, title_fontsize=preset.size + 1)  # fmt: skip
    box = legend.get_window_extent(figure.canvas.get_renderer())  # type: ignore[attr-defined]
    return float(box.width / figure.dpi), float(box.height / figure.dpi)
