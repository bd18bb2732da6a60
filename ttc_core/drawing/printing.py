"""The rendering for print, by matplotlib: a page exactly as wide as its preset, with nothing on it but the figure."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ttc_core.drawing.bars import placed
from ttc_core.drawing.info import Axis, Info, Panel, Series, plain
from ttc_core.drawing.presets import FAMILIES, Preset

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("pdf", "svg", "png")
RATIO = 0.74  # height of a panel by its width
LOWEST = 1.35  # inches of height for one panel, at 9 points of type
TALLEST = 2.6  # inches of height for one panel, at 9 points of type
HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "++++")
_MARKERS = {"circle": "o", "square": "s", "triangle": "^", "diamond": "D", "down": "v", "cross": "X", "star": "*"}
_DASHES: dict[str, Any] = {"solid": "-", "dash": (0, (4, 1.6)), "dot": (0, (1, 1.4)), "dashdot": (0, (4, 1.4, 1, 1.4))}
_METADATA: dict[str, dict[str, Any]] = {  # no dates: the same figure is the same file
    "pdf": {"CreationDate": None, "ModDate": None, "Creator": "TTC Workbench", "Producer": "matplotlib"},
    "svg": {"Date": None, "Creator": "TTC Workbench"},
    "png": {"Software": None},
}
_lock = threading.Lock()  # matplotlib's settings belong to the whole process


def written(info: Info, preset: Preset, forms: Sequence[str], dpi: int = 300) -> dict[str, bytes]:
    """The figure as files of these formats; the same bytes for the same figure."""
    made = {}
    with _settings(preset):
        figure = _figure(info, preset)
        for form in forms:
            file = io.BytesIO()
            figure.savefig(file, format=form, dpi=dpi, metadata=_METADATA[form])
            made[form] = file.getvalue()
    return made


def printed(info: Info, preset: Preset) -> Figure:
    """The figure for matplotlib."""
    with _settings(preset):
        return _figure(info, preset)


@contextmanager
def _settings(preset: Preset) -> Iterator[None]:
    import matplotlib

    small, thin = preset.size - 1, preset.line * 0.6
    chosen: dict[str, Any] = {
        "font.family": FAMILIES[preset.family],
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
        chosen |= {f"{side}.major.width": thin, f"{side}.major.size": 2.5 * thin / 0.6, f"{side}.major.pad": 2.0}
    with _lock, matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(chosen)  # type: ignore[arg-type]
        yield


def _figure(info: Info, preset: Preset) -> Figure:
    """Panels in a grid, the legend under them, and a page just high enough for both."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    columns = max(1, min(info.columns, len(info.panels), int(preset.width / preset.narrowest)))
    rows = -(-len(info.panels) // columns)
    scale = preset.size / 9.0
    tall = min(max(preset.width / columns * RATIO, LOWEST * scale), TALLEST * scale)
    pad = 0.03 * scale
    layout = ConstrainedLayoutEngine(w_pad=pad, h_pad=pad, wspace=0.02, hspace=0.02)
    figure = Figure(figsize=(preset.width, tall * rows), layout=layout, dpi=200)
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(rows, columns)
    for i, panel in enumerate(info.panels):
        axes = figure.add_subplot(grid[divmod(i, columns)])
        letter = f"({chr(97 + i)}) " if len(info.panels) > 1 else ""
        below = i + columns < len(info.panels)
        _panel(axes, panel, letter, preset, _shared(info, i, columns), below and _same(info, i, i + columns))
    height = _legend(figure, info, preset)
    figure.set_size_inches(preset.width, tall * rows + height)
    figure.draw_without_rendering()  # lays out
    for axes, panel in zip(figure.axes, info.panels, strict=True):
        _thin(axes, panel)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # what is placed stays, in every format
    return figure


def _same(info: Info, i: int, j: int) -> bool:
    return info.panels[i].x.label == info.panels[j].x.label


def _shared(info: Info, i: int, columns: int) -> bool:
    """Whether the panel to the left names the same vertical axis."""
    return i % columns > 0 and info.panels[i].y.label == info.panels[i - 1].y.label


def _panel(axes: Axes, panel: Panel, letter: str, preset: Preset, no_y: bool, no_x: bool) -> None:
    for number, bars in enumerate(placed(panel.series)):
        colour, hatch = bars.series.style.colour, HATCHES[number % len(HATCHES)]
        axes.bar(bars.x, bars.height, bars.width, bars.bottom, color=colour, hatch=hatch, edgecolor="white",
                 linewidth=preset.line * 0.3)  # fmt: skip
        _errors(axes, bars.series, bars.x, preset)
    for series in panel.series:
        if series.kind in ("line", "points", "guide"):
            _line(axes, series, preset)
    if letter or panel.title:
        axes.set_title(f"{letter}{panel.title}".strip(), loc="left", pad=3.0)
    _axis(axes, "x", panel.x, no_x)
    _axis(axes, "y", panel.y, no_y)
    axes.grid(axis="y", color="#E4E4E4", linewidth=preset.line * 0.5)
    axes.set_axisbelow(True)


def _line(axes: Axes, series: Series, preset: Preset) -> None:
    known = [i for i, y in enumerate(series.y) if y is not None]
    x, y = [series.x[i] for i in known], [float(series.y[i] or 0.0) for i in known]
    if not known:
        return
    above = {"guide": 1, "line": 3, "points": 4}[series.kind]
    axes.plot(x, y, **_look(series, preset), zorder=above, clip_on=series.kind == "guide")
    if series.low:
        ends = [(series.x[i], series.low[i], series.high[i]) for i in known]
        ends = [(at, low, high) for at, low, high in ends if low is not None and high is not None]
        if ends:
            at, low, high = zip(*ends, strict=True)
            axes.fill_between(at, low, high, color=series.style.colour, alpha=0.13, linewidth=0, zorder=2)


def _look(series: Series, preset: Preset) -> dict[str, Any]:
    """Arguments that draw a series, in a panel and in the legend."""
    style = series.style
    if series.kind == "guide":
        return {"color": style.colour, "linestyle": _DASHES[style.dash], "linewidth": preset.line * 0.6}
    size = preset.marker * (2.4 if style.marker == "star" else 1.5 if series.kind == "points" else 1.0)
    return {
        "color": style.colour,
        "linestyle": "none" if series.kind == "points" else _DASHES[style.dash],
        "linewidth": preset.line,
        "marker": _MARKERS[style.marker],
        "markersize": size,
        "markeredgecolor": "white",
        "markeredgewidth": preset.line * 0.3,
    }


def _errors(axes: Axes, series: Series, xs: Sequence[float], preset: Preset) -> None:
    known = [i for i, y in enumerate(series.y) if y is not None]
    for x, i in zip(xs, known, strict=True):
        low, high = (series.low[i], series.high[i]) if series.low else (None, None)
        if low is not None and high is not None:
            axes.plot([x, x], [low, high], color="black", linewidth=preset.line * 0.7)


def _axis(axes: Axes, side: str, axis: Axis, no_label: bool) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator

    part = axes.xaxis if side == "x" else axes.yaxis
    if axis.log:
        getattr(axes, f"set_{side}scale")("log", base=2)
    if axis.ticks:
        part.set_ticks(list(axis.ticks), labels=list(axis.labels) or [plain(t) for t in axis.ticks], minor=False)
        part.set_minor_locator(NullLocator())
    else:
        part.set_major_formatter(FuncFormatter(lambda value, _: plain(value).replace("-", "−")))
    if axis.limits is not None:
        getattr(axes, f"set_{side}lim")(*axis.limits)
    if axis.label and not no_label:
        getattr(axes, f"set_{side}label")(axis.label, labelpad=2.0)


def _legend(figure: Figure, info: Info, preset: Preset) -> float:
    """Put the legend under the panels, in as many columns as the page holds; returns its height in inches."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    if len(info.entries) < 2:
        return 0.0
    handles: list[Any] = []
    bars = 0
    for name, series in info.entries:
        if series.kind in ("bar", "stack"):
            handles.append(Patch(facecolor=series.style.colour, edgecolor="white", hatch=HATCHES[bars % len(HATCHES)],
                                 linewidth=0, label=name))  # fmt: skip
            bars += 1
        else:
            handles.append(Line2D([], [], **_look(series, preset), label=name))
    for columns in range(len(handles), 0, -1):
        legend = figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False,
                               handlelength=2.2, columnspacing=1.0, handletextpad=0.5, labelspacing=0.25,
                               borderpad=0.1, borderaxespad=0.1)  # fmt: skip
        box = legend.get_window_extent(figure.canvas.get_renderer())  # type: ignore[attr-defined]
        if box.width / figure.dpi <= preset.width - 0.05 or columns == 1:
            return float(box.height / figure.dpi)
        legend.remove()
    return 0.0


def _thin(axes: Axes, panel: Panel) -> None:
    """Write fewer of an axis's numbers, or turn its names, until none touches the next."""
    if not panel.x.ticks:
        return
    labels = list(panel.x.labels) or [plain(t) for t in panel.x.ticks]
    for step in range(1, len(labels) + 1):
        shown = [label if i % step == 0 else "" for i, label in enumerate(labels)]
        axes.xaxis.set_ticks(list(panel.x.ticks), labels=shown)
        boxes = [t.get_window_extent() for t in axes.get_xticklabels() if t.get_text()]
        if all(a.x1 + 1.5 < b.x0 for a, b in pairwise(boxes)):
            return
        if step == 1 and panel.x.labels and not panel.x.log and max(map(len, labels)) > 4:
            axes.tick_params(axis="x", labelrotation=30)
            for text in axes.get_xticklabels():
                text.set_horizontalalignment("right")
                text.set_rotation_mode("anchor")
            return
