"""The rendering for print, by matplotlib: a page exactly as wide as its preset, with nothing on it but the figure."""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ttc_core.drawing import legends, marks, notes
from ttc_core.drawing.bars import placed
from ttc_core.drawing.info import Axis, Info, Panel, Series, plain
from ttc_core.drawing.lettering import cut, needed, readable, wrapped
from ttc_core.drawing.presets import Preset

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("pdf", "svg", "png")
RATIO = 0.74  # height of a panel by its width
LOWEST = 1.35  # inches of height for one panel, at 9 points of type
TALLEST = 2.6  # inches of height for one panel, at 9 points of type
LEAST = 0.6  # inches of height between the axes of a panel, at 9 points of type, whatever is written around it
LINES = 3  # of a panel's title or the name of an axis
_METADATA: dict[str, dict[str, Any]] = {  # no dates: the same figure is the same file
    "pdf": {"CreationDate": None, "ModDate": None, "Creator": "TTC Workbench", "Producer": "matplotlib"},
    "svg": {"Date": None, "Creator": "TTC Workbench"},
    "png": {"Software": None},
}
_lock = threading.Lock()  # matplotlib's settings belong to the whole process


def written(info: Info, preset: Preset, forms: Sequence[str], dpi: int = 300) -> dict[str, bytes]:
    """The figure as files of these formats; the same bytes for the same figure."""
    made = {}
    info = readable(info, preset.family)
    with _settings(info, preset):
        figure = _figure(info, preset)
        for form in forms:
            made[form] = _file(figure, form, dpi)
    return made


def _file(figure: Figure, form: str, dpi: int) -> bytes:
    """As `Figure.savefig` makes it, which would draw twice, as layouts can change by that; here all is laid out."""
    from matplotlib.backends import backend_agg, backend_pdf, backend_svg

    file, before, canvas = io.BytesIO(), figure.dpi, figure.canvas
    kinds = {"pdf": backend_pdf.FigureCanvasPdf, "svg": backend_svg.FigureCanvasSVG, "png": backend_agg.FigureCanvasAgg}
    try:
        figure.dpi = dpi
        getattr(kinds[form](figure), f"print_{form}")(file, metadata=_METADATA[form])
    finally:
        figure.dpi = before
        figure.set_canvas(canvas)
    return file.getvalue()


def printed(info: Info, preset: Preset) -> Figure:
    """The figure for matplotlib."""
    info = readable(info, preset.family)
    with _settings(info, preset):
        figure = _figure(info, preset)
        figure.draw_without_rendering()  # what an axis says is where it will be
    return figure


@contextmanager
def _settings(info: Info, preset: Preset) -> Iterator[None]:
    import matplotlib

    small, thin = preset.size - 1, preset.line * 0.6
    chosen: dict[str, Any] = {
        "font.family": list(needed(info, preset.family)),
        "font.size": preset.size,
        "axes.titlesize": preset.size,
        "axes.labelsize": preset.size,
        "xtick.labelsize": small,
        "ytick.labelsize": small,
        "legend.fontsize": small,
        "axes.linewidth": thin,
        "hatch.linewidth": thin * 0.7,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.unicode_minus": True,
        "text.parse_math": False,  # names are text, whatever they hold
        "text.usetex": False,
        "pdf.fonttype": 42,
        "pdf.compression": 6,
        "svg.fonttype": "path",
        "svg.hashsalt": "ttc",
        "path.simplify": False,
    }
    for side in ("xtick", "ytick"):
        chosen |= {
            f"{side}.major.width": thin,
            f"{side}.major.size": 2.5 * thin / 0.6,
            f"{side}.major.pad": 2.0 * preset.size / 9,
        }
    with _lock, matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(chosen)  # type: ignore[arg-type]
        yield


def _figure(info: Info, preset: Preset) -> Figure:
    """Panels in a grid, the legend beside them, and a page just high enough for both."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.ticker import FixedLocator

    scale = preset.size / 9.0
    pad = 0.03 * scale
    layout = ConstrainedLayoutEngine(w_pad=pad, h_pad=pad, wspace=0.02, hspace=0.02)
    figure = Figure(figsize=(preset.width, 1.0), layout=layout, dpi=200)
    FigureCanvasAgg(figure)
    beside, above = legends.outside(figure, info, preset)
    room = preset.width - beside
    rows, columns = info.grid(room, preset.narrowest)
    panels = [notes.broken(figure, p, room / columns - 4 * pad, preset) if p.bare else p for p in info.panels]
    needed = notes.height([p for p in panels if p.bare], preset)
    tall = needed + scale if needed else min(max(room / columns * RATIO, LOWEST * scale), TALLEST * scale)
    figure.set_size_inches(preset.width, tall * rows + above)
    grid = figure.add_gridspec(rows, columns)
    for i, panel in enumerate(panels):
        axes = figure.add_subplot(grid[divmod(i, columns)])
        letter = f"({chr(97 + i)}) " if len(panels) > 1 and not panel.bare else ""
        below = i + columns < len(info.panels)
        shared = (_shared(info, i, columns), below and _same(info, i, i + columns))
        _panel(axes, panel, letter, preset, info.intervals, shared)
    names = [(axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes]
    for axes, (title, across, up) in zip(figure.axes, names, strict=True):  # about as long as they may be
        _name(figure, axes, title, across, 0.7 * room / columns, preset)
        axes.yaxis.label.set_text(wrapped(figure, up, preset.size, 0.5 * tall, LINES))
    _lay_out(figure)
    slots, boxes = [_slot(axes) for axes in figure.axes], [axes.get_window_extent() for axes in figure.axes]

    def left(way: int) -> float:
        """Inches that the panel with the least has when what is written around it has taken what it takes by now."""
        sizes = [(box.width, box.height)[way] / figure.dpi for box in boxes]
        return min(n + s[way] - _slot(a)[way] for n, s, a in zip(sizes, slots, figure.axes, strict=True))

    for axes, panel in zip(figure.axes, info.panels, strict=True):
        _thin(figure, axes, panel, preset)
    wide = left(0)
    for axes, (title, across, _) in zip(figure.axes, names, strict=True):
        _name(figure, axes, title, across, wide, preset)
    lowest = needed or max(left(1), LEAST * scale)
    for axes, (_, _, up) in zip(figure.axes, names, strict=True):
        axes.yaxis.label.set_text(wrapped(figure, up, preset.size, lowest, LINES))
    figure.set_size_inches(preset.width, (tall + lowest - left(1)) * rows + above)
    _lay_out(figure)
    wide = min(axes.get_window_extent().width for axes in figure.axes)
    if any(axes.xaxis.label.get_window_extent().width > wide for axes in figure.axes):  # turned names took more
        for axes, (title, across, _) in zip(figure.axes, names, strict=True):
            _name(figure, axes, title, across, wide / figure.dpi, preset)
    for axes in figure.axes:  # a panel of another size may have other numbers: once more, with the room that these take
        axes.yaxis.set_major_locator(FixedLocator(axes.get_yticks().tolist()))
    _lay_out(figure)
    figure.set_layout_engine("none")  # what is placed stays, in every format
    return figure


def _lay_out(figure: Figure) -> None:
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)


def _slot(axes: Axes) -> tuple[float, float]:
    """Width and height of a panel with all that is written around it, in inches."""
    whole = axes.get_tightbbox() or axes.get_window_extent()
    return float(whole.width / axes.figure.dpi), float(whole.height / axes.figure.dpi)


def _same(info: Info, i: int, j: int) -> bool:
    return info.panels[i].x.label == info.panels[j].x.label


def _shared(info: Info, i: int, columns: int) -> bool:
    """Whether the panel to the left names the same vertical axis."""
    return i % columns > 0 and info.panels[i].y.label == info.panels[i - 1].y.label


def _panel(axes: Axes, panel: Panel, letter: str, preset: Preset, intervals: str, shared: tuple[bool, bool]) -> None:
    """shared: whether the vertical and the horizontal axis are named by another panel."""
    for number, bars in enumerate(placed(panel.series)):
        colour, hatch = bars.series.style.colour, marks.HATCHES[number % len(marks.HATCHES)]
        axes.bar(bars.x, bars.height, bars.width, bars.bottom, color=colour, hatch=hatch, edgecolor=marks.edge(colour),
                 linewidth=preset.line * 0.3)  # fmt: skip
        if intervals != "none":
            _errors(axes, bars.series, bars.x, preset, "black")
    for series in panel.series:
        if series.kind in ("line", "points", "guide"):
            _line(axes, series, preset, intervals, clip=series.kind == "guide" or not panel.holds(series))
    if letter or panel.title:
        axes.set_title(f"{letter}{panel.title}".strip(), loc="left", pad=_above(preset))
    _axis(axes, "x", panel.x, shared[1])
    _axis(axes, "y", panel.y, shared[0])
    if panel.bare:
        notes.draw(axes, panel, preset)
        return
    axes.grid(axis="y", color="#E4E4E4", linewidth=preset.line * 0.5)
    axes.set_axisbelow(True)


def _line(axes: Axes, series: Series, preset: Preset, intervals: str, clip: bool) -> None:
    known = [i for i, y in enumerate(series.y) if y is not None]
    if not known:
        return
    shown = range(len(series.y)) if series.kind == "guide" else known
    x, y = [series.x[i] for i in shown], [math.nan if series.y[i] is None else float(series.y[i] or 0) for i in shown]
    above = {"guide": 1, "line": 3, "points": 4}[series.kind]
    axes.plot(x, y, **marks.look(series, preset), zorder=above, clip_on=clip)
    if series.low and intervals == "bars":
        _errors(axes, series, x, preset, series.style.colour)
    elif series.low and intervals == "bands":
        ends = [(series.x[i], series.low[i], series.high[i]) for i in known]
        ends = [(at, low, high) for at, low, high in ends if low is not None and high is not None]
        if ends:
            at, low, high = zip(*ends, strict=True)
            axes.fill_between(at, low, high, color=series.style.colour, alpha=0.13, linewidth=0, zorder=2)


def _errors(axes: Axes, series: Series, xs: Sequence[float], preset: Preset, colour: str) -> None:
    """Intervals as bars with caps. xs: of the marks that there are."""
    known = [i for i, y in enumerate(series.y) if y is not None]
    for x, i in zip(xs, known, strict=True):
        low, high = (series.low[i], series.high[i]) if series.low else (None, None)
        if low is not None and high is not None:
            axes.plot([x, x], [low, high], color=colour, linewidth=preset.line * 0.7, marker="_",
                      markersize=preset.marker * 0.9, markeredgewidth=preset.line * 0.7, zorder=2.5)  # fmt: skip


def _axis(axes: Axes, side: str, axis: Axis, no_label: bool) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator

    part = axes.xaxis if side == "x" else axes.yaxis
    if axis.log:
        getattr(axes, f"set_{side}scale")("log", base=2)
    if axis.ticks:
        blank = [""] * len(axis.ticks) if side == "x" and _long(axis) else list(axis.labels)  # `_thin` writes names
        part.set_ticks(list(axis.ticks), labels=blank or [plain(t) for t in axis.ticks], minor=False)
        part.set_minor_locator(NullLocator())
    else:
        part.set_major_formatter(FuncFormatter(lambda value, _: plain(value).replace("-", "−")))
    if axis.limits is not None:
        getattr(axes, f"set_{side}lim")(*axis.limits)
    if axis.label and not no_label:
        getattr(axes, f"set_{side}label")(axis.label, labelpad=2.0)


def _above(preset: Preset) -> float:
    """Points between a panel and its title: half of a star, which may lie upon the upper end of the axis."""
    return max(3.0, preset.marker * 1.2)


def _name(figure: Figure, axes: Axes, title: str, across: str, room: float, preset: Preset) -> None:
    """Write a panel's title and the name of its horizontal axis in lines of `room` inches."""
    axes.xaxis.label.set_text(wrapped(figure, across, preset.size, max(room, 0.5), LINES))
    if title:
        axes.set_title(wrapped(figure, title, preset.size, max(room, 0.5), LINES), loc="left", pad=_above(preset))


def _long(axis: Axis) -> bool:
    """Whether it has names that may have to be turned."""
    return bool(axis.labels) and not axis.log and max(map(len, axis.labels)) > 4


def _thin(figure: Figure, axes: Axes, panel: Panel, preset: Preset) -> None:
    """Write fewer of an axis's numbers, or turn its names, until none touches the next."""
    if not panel.x.ticks:
        return
    labels = list(panel.x.labels) or [plain(t) for t in panel.x.ticks]
    for step in range(1, len(labels) + 1):
        shown = [label if i % step == 0 else "" for i, label in enumerate(labels)]
        axes.xaxis.set_ticks(list(panel.x.ticks), labels=shown)
        if panel.x.limits is not None:  # ticks may have moved them
            axes.set_xlim(*panel.x.limits)
        boxes = [t.get_window_extent() for t in axes.get_xticklabels() if t.get_text()]
        inside = not _long(panel.x) or all(b.x0 >= 0 and b.x1 <= figure.bbox.width for b in boxes)
        if inside and all(a.x1 + 1.5 < b.x0 for a, b in pairwise(boxes)):
            return
        if step == 1 and _long(panel.x):
            room = 0.6 * axes.get_window_extent().width / figure.dpi
            short = [cut(figure, label, preset.size - 1, room) for label in labels]
            axes.xaxis.set_ticks(list(panel.x.ticks), labels=short)
            axes.tick_params(axis="x", labelrotation=30)
            for text in axes.get_xticklabels():
                text.set_horizontalalignment("right")
                text.set_rotation_mode("anchor")
            return
