"""Figures as pgfplots: text with the numbers inside, for `\\input` into a plain LaTeX document.

The document needs \\usepackage{pgfplots}, \\usepgfplotslibrary{groupplots}, \\usetikzlibrary{patterns} and
\\pgfplotsset{compat=1.17}.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ttc_core.drawing import marks
from ttc_core.drawing.bars import placed
from ttc_core.drawing.info import Axis, Info, Panel, Series, Style, plain
from ttc_core.drawing.presets import Preset
from ttc_core.drawing.printing import RATIO, TALLEST
from ttc_core.export.text import tex

_MARKS = {"circle": "*", "square": "square*", "triangle": "triangle*", "diamond": "diamond*", "star": "star"}
_MARKS |= {"down": "triangle*, mark options={rotate=180}", "cross": "x"}
_DASHES = {"solid": "solid", "dash": "dashed", "dot": "densely dotted", "dashdot": "dash dot"}
# By number as marks.HATCHES.
_PATTERNS = ("", "north east lines", "dots", "crosshatch", "north west lines", "grid")
_LEFT, _RIGHT = 0.56, 0.08  # inches beside a panel: its numbers and label; half of its last number
_NARROWEST = 0.55  # inches of a panel at least
_LETTER = 0.052  # inches of a letter of scriptsize type
_KEYS = 1.9  # inches of a legend beside the panels


def as_pgfplots(info: Info, preset: Preset) -> str:
    """The figure as a tikzpicture exactly as wide as the preset, title and legend outside the panels."""
    shown = info.legend != "none" and len(info.entries) > 1
    beside = shown and info.legend == "right" and preset.width - _KEYS >= preset.narrowest
    room = preset.width - (_KEYS if beside else 0.0)
    columns = max(1, min(info.columns, len(info.panels), int(room / preset.narrowest)))
    rows = -(-len(info.panels) // columns)
    width = max(room / columns - _LEFT - _RIGHT, _NARROWEST)
    height = min(width * RATIO, TALLEST - 0.5)
    lines = [
        f"% {tex(info.caption)}",
        r"% Needs \usepackage{pgfplots} \usepgfplotslibrary{groupplots} \usetikzlibrary{patterns}",
        r"% and \pgfplotsset{compat=1.17}",
        *(_colour(c) for c in _colours(info)),
        r"\begin{tikzpicture}",
        r"\begin{groupplot}[",
        f"  group style={{group size={columns} by {rows}, horizontal sep={_LEFT + _RIGHT:.2f}in,",
        r"    vertical sep=0.62in},",
        f"  width={width:.3f}in, height={height:.3f}in, scale only axis, clip=false,",
        r"  axis lines=left, axis line style={-}, ymajorgrids, grid style={gray!25},",
        r"  title style={at={(0,1)}, anchor=south west, font=\footnotesize},",
        r"  tick label style={font=\scriptsize}, label style={font=\footnotesize}, /tikz/mark size=1.4pt,",
        r"]",
    ]
    for i, panel in enumerate(info.panels):
        letter = f"({chr(97 + i)}) " if len(info.panels) > 1 else ""
        below = info.panels[i + columns :][:1]
        named = not below or below[0].x.label != panel.x.label  # else the panel below names the axis
        across = _thinned(panel.x if named else replace(panel.x, label=""), width)
        lines += _panel(replace(panel, x=across), letter, info.intervals)
    lines += [r"\end{groupplot}", rf"\coordinate (ttc left) at ([xshift=-{_LEFT}in]group c1r1.west);"]
    if shown:
        lines += _legend(info, preset.width, "right" if beside else "below" if info.legend == "right" else info.legend)
    if info.title:
        lines += [_outside("title", "above", preset.width, tex(info.title))]
    return "\n".join([*lines, *_frame(preset.width), r"\end{tikzpicture}", ""])


def _outside(what: str, place: str, width: float, text: str) -> str:
    """Text above or below all that is there, or beside it, inside the width of the page."""
    font = "small" if what == "title" else "scriptsize"
    room, align = (_KEYS, "left") if place == "right" else (width, "center")
    anchor, side = {"above": ("south", "north"), "below": ("north", "south"), "right": ("east", "east")}[place]
    shift = width if place == "right" else width / 2
    at = f"([xshift={shift:.3f}in]ttc left |- current bounding box.{side})"
    style = f"anchor={anchor}, align={align}, text width={room - 0.1:.3f}in, inner xsep=0pt, font=\\{font}"
    return rf"\node[{style}] at {at} {{{text}}};"


def _frame(width: float) -> Iterator[str]:
    """The picture's ends: as wide as the page, whatever its numbers and names take, and as high as it is."""
    for end, side in (("low", "south"), ("high", "north")):
        yield rf"\coordinate (ttc {end}) at (current bounding box.{side});"
    yield rf"\coordinate (ttc right) at ([xshift={width}in]ttc left);"
    yield r"\pgfresetboundingbox"
    yield r"\path[use as bounding box] (ttc left |- ttc low) rectangle (ttc right |- ttc high);"


def _colours(info: Info) -> list[str]:
    return sorted({s.style.colour for panel in info.panels for s in panel.series})


def _colour(colour: str) -> str:
    return rf"\definecolor{{{_named(colour)}}}{{HTML}}{{{colour[1:].upper()}}}%"  # the end of a line would be a space


def _named(colour: str) -> str:
    return f"ttc{colour[1:].lower()}"


def _panel(panel: Panel, letter: str, intervals: str) -> Iterator[str]:
    options = [f"title={{{tex(letter + panel.title)}}}", *_axis("x", panel.x), *_axis("y", panel.y)]
    if not all(map(panel.holds, panel.series)):
        options.append("clip=true")
    yield rf"\nextgroupplot[{', '.join(options)}]"
    for number, bars in enumerate(placed(panel.series)):
        style = f"{_filled(bars.series.style.colour, number)}, draw=white, line width=0.2pt"
        for x, bottom, height in zip(bars.x, bars.bottom, bars.height, strict=True):
            left, right, top = x - bars.width / 2, x + bars.width / 2, bottom + height
            corners = f"(axis cs:{left:.6g},{bottom:.6g}) rectangle (axis cs:{right:.6g},{top:.6g})"
            yield rf"\path[{style}] {corners};"
        ends = [min(bars.x, default=0.0), max(bars.x, default=0.0)]
        top = max((b + h for b, h in zip(bars.bottom, bars.height, strict=True)), default=0.0)
        yield rf"\addplot[draw=none, forget plot] coordinates {{({ends[0]:.6g},0) ({ends[1]:.6g},{top:.6g})}};"
    for s in panel.series:
        if s.kind in ("line", "points", "guide"):
            yield from _line(s, intervals)


def _line(s: Series, intervals: str) -> Iterator[str]:
    known = [i for i, y in enumerate(s.y) if y is not None]
    if not known:
        return
    ends = [i for i in known if s.low[i] is not None and s.high[i] is not None] if s.low else []
    if ends and intervals == "bands":
        there = [*((s.x[i], s.high[i]) for i in ends), *((s.x[i], s.low[i]) for i in reversed(ends))]
        yield rf"\addplot[draw=none, fill={_named(s.style.colour)}, fill opacity=0.13, forget plot]"
        yield f"  coordinates {{{_points([(x, float(y or 0.0)) for x, y in there])}}} -- cycle;"
    for i in ends if intervals == "bars" else []:
        bar = _points([(s.x[i], float(s.low[i] or 0.0)), (s.x[i], float(s.high[i] or 0.0))])
        yield rf"\addplot[color={_named(s.style.colour)}, thin, mark=-, forget plot] coordinates {{{bar}}};"
    points = _points([(s.x[i], float(s.y[i] or 0.0)) for i in known])
    yield rf"\addplot[{_look(s.style, s.kind)}, forget plot] coordinates {{{points}}}; % {tex(s.name)}"


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"({x:.6g},{y:.6g})" for x, y in points)


def _look(style: Style, kind: str) -> str:
    colour = _named(style.colour)
    if kind == "guide":
        return f"color={colour}, {_DASHES[style.dash]}, thin, no marks"
    mark = f"mark={_MARKS[style.marker]}"
    if kind == "points":
        size = ", mark size=2.6pt, thick" if style.marker == "star" else ""
        return f"color={colour}, only marks, {mark}{size}"
    return f"color={colour}, {_DASHES[style.dash]}, {mark}, mark options={{solid}}" if "options" not in mark else (
        f"color={colour}, {_DASHES[style.dash]}, {mark}"
    )  # fmt: skip


def _axis(side: str, axis: Axis) -> Iterator[str]:
    yield f"{side}label={{{tex(axis.label)}}}"
    if axis.log:
        yield f"{side}mode=log, log basis {side}=2"
    if axis.ticks:
        labels = ",".join("{" + tex(label) + "}" for label in axis.labels or [plain(t) for t in axis.ticks])
        yield f"{side}tick={{{','.join(f'{t:.6g}' for t in axis.ticks)}}}, {side}ticklabels={{{labels}}}"
        yield f"minor {side} tick num=0"
        if _turned(axis):
            yield f"{side}ticklabel style={{rotate=30, anchor=north east}}"
    if axis.limits is not None:
        yield from (f"{side}{end}={v:.6g}" for end, v in zip(("min", "max"), axis.limits, strict=True) if v is not None)


def _thinned(axis: Axis, width: float) -> Axis:
    """The axis with fewer numbers at its ticks where they would not stand beside each other in so many inches."""
    labels = list(axis.labels) or [plain(t) for t in axis.ticks]
    if len(labels) < 2 or _turned(axis):
        return axis
    room = width / (len(labels) - 1)
    step = -(-(max(map(len, labels)) * _LETTER + 0.05) // room)
    return replace(axis, labels=[label if i % step == 0 else "" for i, label in enumerate(labels)])


def _turned(axis: Axis) -> bool:
    """Whether the names at the ticks are too long to stand beside each other."""
    return bool(axis.labels) and not axis.log and max(map(len, axis.labels)) > 4


def _legend(info: Info, width: float, place: str) -> Iterator[str]:
    """Entries drawn by tikz; TeX breaks the lines between them."""
    between = r"\\" if place == "right" else r"\hskip 1em plus 1em\relax "
    bars = [series.kind in ("bar", "stack") for _, series in info.entries]
    entries = [rf"\mbox{{{_key(s, sum(bars[:i]))}~{tex(entry)}}}" for i, (entry, s) in enumerate(info.entries)]
    yield _outside("legend", place, width, f"{between}%\n".join(entries))


def _filled(colour: str, number: int) -> str:
    """How bars of the series of this number are filled: told apart in grey too, as `marks.HATCHES` does in print."""
    pattern = _PATTERNS[number % len(_PATTERNS)]
    hatched = f", postaction={{pattern={pattern}, pattern color={_edge(colour)}}}" if pattern else ""
    return f"fill={_named(colour)}{hatched}"


def _edge(colour: str) -> str:
    return "white" if marks.edge(colour) == "white" else "black!75"


def _key(series: Series, number: int) -> str:
    if series.kind in ("bar", "stack"):
        filled = _filled(series.style.colour, number)
        return rf"\tikz[baseline=-0.6ex]\path[{filled}] (0,-0.6ex) rectangle (1em,0.6ex);"
    look = _look(series.style, series.kind).replace("only marks, ", "draw=none, ")
    where = "plot[mark size=1.4pt, mark repeat=2, mark phase=2] coordinates {(0,0) (0.9em,0) (1.8em,0)}"
    return rf"\tikz[baseline=-0.6ex]\draw[{look}] {where};"
