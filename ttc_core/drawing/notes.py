"""Bare panels in print: a frame without numbers, and words in it that are broken into lines where it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ttc_core.drawing.info import GREY, Panel
from ttc_core.drawing.lettering import wrapped
from ttc_core.drawing.presets import POINTS, Preset

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINES = 3  # of a note
SPACING = 1.25  # of lines, in heights of the type
BETWEEN = 0.35  # lines from one note to the next
MARGIN = 0.04  # inches from a note to the frame


def broken(figure: Figure, panel: Panel, width: float, preset: Preset) -> Panel:
    """The panel with its notes in lines that fit where it is so many inches wide."""
    notes = [
        replace(
            note,
            text=wrapped(figure, note.text, preset.size - 1, max(panel.right_of(note) * width - MARGIN, 0.2), LINES),
        )
        for note in panel.notes
    ]
    return replace(panel, notes=notes)


def height(panels: Sequence[Panel], preset: Preset) -> float:
    """Inches that the highest of bare panels needs for its lines; 0 if there is none."""
    lines = max((note.text.count("\n") + 1 for panel in panels for note in panel.notes), default=1)
    return max((p.rows for p in panels), default=0.0) * (lines * SPACING + BETWEEN) * (preset.size - 1) / POINTS


def draw(axes: Axes, panel: Panel, preset: Preset) -> None:
    """The frame and the notes."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(visible=True, color=GREY)
    for note in panel.notes:
        words = axes.text(
            note.x, note.y, note.text, fontsize=preset.size - 1, va="center", linespacing=SPACING, clip_on=False
        )
        words.set_in_layout(False)
