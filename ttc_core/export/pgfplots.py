"""Figures as pgfplots: text with the numbers inside, for `\\input` into a plain LaTeX document.

The document needs \\usepackage{pgfplots}, \\usepgfplotslibrary{groupplots} and \\pgfplotsset{compat=1.17}.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ttc_core.drawing.bars import placed
from ttc_core.drawing.info import Axis, Info, Panel, Series, Style, plain
from ttc_core.drawing.presets import Preset
from ttc_core.drawing.printing import RATIO, TALLEST
from ttc_core.export.text import tex

_MARKS = {"circle": "*", "square": "square*", "triangle": "triangle*", "diamond": "diamond*", "star": "star"}
_MARKS |= {"down": "triangle*, mark options={rotate=180}", "cross": "x"}
_DASHES = {"solid": "solid", "dash": "dashed", "dot": "densely dotted", "dashdot": "dash dot"}
_SIDE = 0.64  # inches to the left of a panel that its numbers and label take


def as_pgfplots(info: Info, preset: Preset) -> str:
    """The figure as a tikzpicture about as wide as the preset, legend below."""
    columns = max(1, min(info.columns, len(info.panels), int(preset.width / preset.narrowest)))
    rows = -(-len(info.panels) // columns)
    width = preset.width / columns - _SIDE
    height = min(width * RATIO, TALLEST - 0.5)
    turned = any(_turned(panel.x) for panel in info.panels)
    lines = [
        f"% {tex(info.caption)}",
        r"% Needs \usepackage{pgfplots} \usepgfplotslibrary{groupplots} \pgfplotsset{compat=1.17}",
        *(_colour(c) for c in _colours(info)),
        r"\begin{tikzpicture}",
        r"\begin{groupplot}[",
        f"  group style={{group size={columns} by {rows}, horizontal sep={_SIDE:.2f}in, vertical sep=0.55in}},",
        f"  width={width:.3f}in, height={height:.3f}in, scale only axis, clip=false,",
        r"  axis lines=left, axis line style={-}, ymajorgrids, grid style={gray!25},",
        r"  title style={at={(0,1)}, anchor=south west, font=\footnotesize},",
        r"  tick label style={font=\scriptsize}, label style={font=\footnotesize}, /tikz/mark size=1.4pt,",
        r"]",
    ]
    for i, panel in enumerate(info.panels):
        letter = f"({chr(97 + i)}) " if len(info.panels) > 1 else ""
        lines += _panel(panel, letter)
    lines += [r"\end{groupplot}"]
    if len(info.entries) > 1:
        below = f"group c1r{rows}.south west"
        where = f"anchor=north west, align=left, yshift=-{1.0 if turned else 0.42}in"
        lines += [rf"\node[{where}, font=\scriptsize] at ({below}) {{%"]
        lines += [*_legend(info, preset), "};"]
    return "\n".join([*lines, r"\end{tikzpicture}", ""])


def _colours(info: Info) -> list[str]:
    return sorted({s.style.colour for panel in info.panels for s in panel.series})


def _colour(colour: str) -> str:
    return rf"\definecolor{{{_named(colour)}}}{{HTML}}{{{colour[1:].upper()}}}"


def _named(colour: str) -> str:
    return f"ttc{colour[1:].lower()}"


def _panel(panel: Panel, letter: str) -> Iterator[str]:
    options = [f"title={{{tex(letter + panel.title)}}}", *_axis("x", panel.x), *_axis("y", panel.y)]
    yield rf"\nextgroupplot[{', '.join(options)}]"
    for bars in placed(panel.series):
        style = f"fill={_named(bars.series.style.colour)}, draw=white, line width=0.2pt"
        for x, bottom, height in zip(bars.x, bars.bottom, bars.height, strict=True):
            left, right, top = x - bars.width / 2, x + bars.width / 2, bottom + height
            corners = f"(axis cs:{left:.6g},{bottom:.6g}) rectangle (axis cs:{right:.6g},{top:.6g})"
            yield rf"\path[{style}] {corners};"
        ends = [min(bars.x, default=0.0), max(bars.x, default=0.0)]
        top = max((b + h for b, h in zip(bars.bottom, bars.height, strict=True)), default=0.0)
        yield rf"\addplot[draw=none, forget plot] coordinates {{({ends[0]:.6g},0) ({ends[1]:.6g},{top:.6g})}};"
    for s in panel.series:
        if s.kind in ("line", "points", "guide"):
            yield from _line(s)


def _line(s: Series) -> Iterator[str]:
    known = [i for i, y in enumerate(s.y) if y is not None]
    if not known:
        return
    if s.low and (ends := [i for i in known if s.low[i] is not None and s.high[i] is not None]):
        there = [*((s.x[i], s.high[i]) for i in ends), *((s.x[i], s.low[i]) for i in reversed(ends))]
        yield rf"\addplot[draw=none, fill={_named(s.style.colour)}, fill opacity=0.13, forget plot]"
        yield f"  coordinates {{{_points([(x, float(y or 0.0)) for x, y in there])}}} -- cycle;"
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
        yield f"{side}min={axis.limits[0]:.6g}, {side}max={axis.limits[1]:.6g}"


def _turned(axis: Axis) -> bool:
    """Whether the names at the ticks are too long to stand beside each other."""
    return bool(axis.labels) and not axis.log and max(map(len, axis.labels)) > 4


def _legend(info: Info, preset: Preset) -> Iterator[str]:
    """Entries drawn by tikz, as many on a line as the page holds."""
    room, used = preset.width * 72 / 4.2, 0.0  # letters of scriptsize type
    for entry, series in info.entries:
        need = len(entry) + 8.0
        if used and used + need > room:
            yield r"\\"
            used = 0.0
        used += need
        yield rf"{_key(series)}~\mbox{{{tex(entry)}}}\quad"


def _key(series: Series) -> str:
    colour = _named(series.style.colour)
    if series.kind in ("bar", "stack"):
        return rf"\tikz[baseline=-0.6ex]\fill[{colour}] (0,-0.6ex) rectangle (1em,0.6ex);"
    look = _look(series.style, series.kind).replace("only marks, ", "draw=none, ")
    where = "plot[mark size=1.4pt, mark repeat=2, mark phase=2] coordinates {(0,0) (0.9em,0) (1.8em,0)}"
    return rf"\tikz[baseline=-0.6ex]\draw[{look}] {where};"
