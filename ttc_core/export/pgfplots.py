"""Figures as pgfplots: text with the numbers inside, for `\\input` into a plain LaTeX document.

The document needs \\usepackage{pgfplots}, \\usepgfplotslibrary{groupplots}, \\usetikzlibrary{patterns} and
\\pgfplotsset{compat=1.17}; LuaLaTeX, too, where it says so: a tree of many thousand steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ttc_core.drawing import legends, marks, notes
from ttc_core.drawing.bars import placed
from ttc_core.drawing.info import Axis, Info, Panel, Series, Style, plain
from ttc_core.drawing.presets import Preset
from ttc_core.drawing.printing import RATIO, TALLEST
from ttc_core.export.text import tex

_MARKS = {"circle": "*", "square": "square*", "triangle": "triangle*", "diamond": "square*", "star": "ttc star"}
_MARKS |= {"down": "triangle*", "cross": "x"}
_DASHES = {"solid": "solid", "dash": "dashed", "dot": "densely dotted", "dashdot": "dash dot"}
# By number as marks.HATCHES.
_PATTERNS = ("", "north east lines", "dots", "crosshatch", "north west lines", "grid")
_LEFT, _RIGHT = 0.56, 0.08  # inches beside a panel: its numbers and label; half of its last number, at least
_TURNED = 30  # degrees that long names at ticks are turned
_NARROWEST = 0.55  # inches of a panel at least
_EDGE = 0.04  # inches beside a bare panel
_LETTER = 0.049  # inches of a letter of scriptsize type
_LINE = 0.118  # inches from one line of scriptsize type to the next
_KEY, _GAP = 0.4, 0.14  # inches of what stands before a legend's entry, and between two
_IN_LINE, _MOST = 200, 30_000  # coordinates: of a line of text; that pdfLaTeX has room for
_KEYS = 1.9  # inches of a legend beside the panels


def as_pgfplots(info: Info, preset: Preset) -> str:
    """The figure as a tikzpicture exactly as wide as the preset, title and legend outside the panels."""
    shown = info.legend != "none" and len(info.entries) > 1
    beside = shown and info.legend == "right" and preset.width - _KEYS >= preset.narrowest
    room = preset.width - (_KEYS if beside else 0.0)
    rows, columns = info.grid(room, preset.narrowest)
    bare = any(panel.bare for panel in info.panels)
    left, right = (_EDGE, _EDGE) if bare else (_LEFT, max((_half(panel.x) for panel in info.panels), default=_RIGHT))
    width = max(room / columns - left - right, _NARROWEST)
    height = _high(info.panels, width) if bare else min(width * RATIO, TALLEST - 0.5)
    marked = sum(len(s.x) for panel in info.panels for s in panel.series)
    lines = [
        f"% {tex(info.caption)}",
        r"% Needs \usepackage{pgfplots} \usepgfplotslibrary{groupplots} \usetikzlibrary{patterns}",
        r"% and \pgfplotsset{compat=1.17}",
        *(["% and LuaLaTeX: it has more marks than pdfLaTeX has room for"] if marked > _MOST else []),
        *(_colour(c) for c in _colours(info)),
        *(_star() if any(s.style.marker == "star" for panel in info.panels for s in panel.series) else ()),
        r"\begin{tikzpicture}",
        r"\begin{groupplot}[",
        f"  group style={{group size={columns} by {rows}, horizontal sep={left + right:.2f}in,",
        f"    vertical sep={0.3 if bare else 0.62}in}},",
        f"  width={width:.3f}in, height={height:.3f}in, scale only axis, clip=false,",
        r"  axis lines=box, ticks=none, axis line style={gray}," if bare else
        r"  axis lines=left, axis line style={-}, ymajorgrids, grid style={gray!25},",
        r"  title style={at={(0,1)}, anchor=south west, font=\footnotesize, align=flush left,",
        rf"    text width={width:.3f}in, inner xsep=0pt}}, every axis title shift=1pt,",
        rf"  x label style={{text width={width:.3f}in}}, y label style={{text width={height:.3f}in}},",
        r"  label style={font=\footnotesize, align=center, inner xsep=0pt}, tick label style={font=\scriptsize},",
        f"  scaled ticks=false, {_sized(preset)},",
        r"]",
    ]  # fmt: skip
    for i, panel in enumerate(info.panels):
        letter = f"({chr(97 + i)}) " if len(info.panels) > 1 and not bare else ""
        below = info.panels[i + columns :][:1]
        named = not below or below[0].x.label != panel.x.label  # else the panel below names the axis
        across = _thinned(panel.x if named else replace(panel.x, label=""), width)
        lines += _panel(replace(panel, x=across, y=_numbered(panel, height)), letter, info.intervals, preset, width)
    lines += [r"\end{groupplot}", rf"\coordinate (ttc left) at ([xshift=-{left}in]group c1r1.west);"]
    if shown:
        place = "right" if beside else "below" if info.legend == "right" else info.legend
        lines += _legend(info, preset, place)
    if info.title:
        lines += [_outside("title", "above", preset.width, tex(info.title))]
    return "\n".join([*lines, *_frame(preset.width), r"\end{tikzpicture}", ""])


def _high(panels: Sequence[Panel], width: float) -> float:
    """Inches of height that bare panels of this width need for their notes."""
    lines = max(
        (_lines(note.text, panel.right_of(note) * width) for panel in panels for note in panel.notes), default=1
    )
    return max(panel.rows for panel in panels) * (lines + 0.35) * _LINE


def _lines(text: str, width: float) -> int:
    return min(notes.LINES, math.ceil(len(text) * _LETTER / (width - notes.MARGIN)))


def _sized(preset: Preset) -> str:
    """Marks and lines as in print; TeX's mark size is a radius."""
    return (
        f"/tikz/mark size={preset.marker / 2:.2f}pt, every axis plot/.append style={{line width={preset.line:.2f}pt}}"
    )


def _star() -> Iterator[str]:
    """A star as in print, which pgfplots has only as lines."""
    corners = [(90 + 36 * i, 1.0 if i % 2 == 0 else 0.382) for i in range(10)]
    path = [rf"{{\pgfpointpolar{{{angle}}}{{{far}\pgfplotmarksize}}}}" for angle, far in corners]
    lines = "".join(rf"\pgfpathlineto{point}" for point in path[1:])
    yield rf"\pgfdeclareplotmark{{ttc star}}{{\pgfpathmoveto{path[0]}{lines}\pgfpathclose\pgfusepathqfillstroke}}%"


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


def _panel(panel: Panel, letter: str, intervals: str, preset: Preset, width: float) -> Iterator[str]:
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
        reached = [0.0, *(b + h for b, h in zip(bars.bottom, bars.height, strict=True))]
        low, top = min(reached), max(reached)  # the axis reaches as far as what is drawn unseen
        yield rf"\addplot[draw=none, forget plot] coordinates {{({ends[0]:.6g},{low:.6g}) ({ends[1]:.6g},{top:.6g})}};"
    for s in panel.series:
        if s.kind in ("line", "points", "guide"):
            yield from _line(s, intervals, preset)
    for note in panel.notes:
        room = panel.right_of(note) * width - notes.MARGIN
        style = rf"anchor=west, inner sep=0pt, align=flush left, text width={room:.3f}in, font=\scriptsize"
        yield rf"\node[{style}] at (axis cs:{note.x:.6g},{note.y:.6g}) {{{tex(_cut(note.text, notes.LINES * room))}}};"


def _line(s: Series, intervals: str, preset: Preset) -> Iterator[str]:
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
    shown = range(len(s.y)) if s.kind == "guide" else known
    points = _points([(s.x[i], math.nan if s.y[i] is None else float(s.y[i] or 0)) for i in shown])
    broken = ", unbounded coords=jump" if len(shown) > len(known) else ""
    yield rf"\addplot[{_look(s.style, s.kind, preset)}{broken}, forget plot] coordinates {{{points}}}; % {tex(s.name)}"


def _points(points: Sequence[tuple[float, float]]) -> str:
    """Coordinates, in lines that TeX has room for."""
    lines = (points[i : i + _IN_LINE] for i in range(0, len(points), _IN_LINE))
    return "\n".join(" ".join(f"({x:.6g},{y:.6g})" for x, y in line) for line in lines)


def _look(style: Style, kind: str, preset: Preset) -> str:
    """As `marks.look`."""
    colour = _named(style.colour)
    if kind == "guide":
        return f"color={colour}, {_DASHES[style.dash]}, line width={preset.line * 0.6:.2f}pt, no marks"
    edge = colour if style.marker == "cross" else "white"
    turned = {"down": ", rotate=180", "diamond": ", rotate=45"}.get(style.marker, "")
    around = f"solid, draw={edge}, line width={preset.line * 0.3:.2f}pt{turned}"
    mark = f"mark={_MARKS[style.marker]}, mark options={{{around}}}"
    radius = preset.marker / 2 * (2.4 if style.marker == "star" else 1.5 if kind == "points" else 1.0)
    drawn = "only marks" if kind == "points" else _DASHES[style.dash]
    return f"color={colour}, {drawn}, {mark}, mark size={radius:.2f}pt"


def _axis(side: str, axis: Axis) -> Iterator[str]:
    yield f"{side}label={{{tex(axis.label)}}}"
    if axis.log:
        yield f"{side}mode=log, log basis {side}=2"
    if axis.ticks:
        labels = ",".join("{" + tex(label) + "}" for label in axis.labels or [plain(t) for t in axis.ticks])
        yield f"{side}tick={{{','.join(f'{t:.6g}' for t in axis.ticks)}}}, {side}ticklabels={{{labels}}}"
        yield f"minor {side} tick num=0"
        if _turned(axis):
            yield f"{side}ticklabel style={{rotate={_TURNED}, anchor=north east}}"
    if axis.limits is not None:
        yield from (f"{side}{end}={v:.6g}" for end, v in zip(("min", "max"), axis.limits, strict=True) if v is not None)


def _half(axis: Axis) -> float:
    """Inches that the last number of a horizontal axis goes beyond its end."""
    last = ([*axis.labels] or [plain(tick) for tick in axis.ticks])[-1:]
    return _RIGHT if _turned(axis) else max([_RIGHT, *(len(text) * _LETTER / 2 + 0.02 for text in last)])


def _numbered(panel: Panel, height: float) -> Axis:
    """The vertical axis with numbers written as in print, where it leaves them to the drawing."""
    axis = panel.y
    known = [v for s in panel.series if s.kind != "stack" for v in (*s.y, *s.low, *s.high) if v is not None]
    known += [bottom + h for b in placed(panel.series) for bottom, h in zip(b.bottom, b.height, strict=True)]
    if axis.ticks or axis.log or panel.bare or not known:
        return axis
    low, high = axis.limits or (None, None)
    low, high = min(known) if low is None else low, max(known) if high is None else high
    if any(s.kind in ("bar", "stack") for s in panel.series):
        low = min(low, 0.0)
    most = max(3, min(6, int(height / 0.25)))
    sizes = (10.0**power * part for power in range(-9, 30) for part in (1, 2, 2.5, 5))
    step = next((size for size in sizes if (high - low) / size <= most), 0.0)
    if not high > low or not step:
        return axis
    return replace(axis, ticks=[i * step for i in range(math.ceil(low / step - 1e-9), int(high / step + 1e-9) + 1)])


def _thinned(axis: Axis, width: float) -> Axis:
    """The axis with fewer numbers at its ticks where they would not stand beside each other in so many inches.

    Names that are turned are cut where they would leave the page.
    """
    labels = list(axis.labels) or [plain(t) for t in axis.ticks]
    if _turned(axis):
        rooms = [
            (_LEFT + width * (i + 0.6) / len(labels)) / math.cos(math.radians(_TURNED)) for i in range(len(labels))
        ]
        return replace(axis, labels=[_cut(text, room) for text, room in zip(labels, rooms, strict=True)])
    if len(labels) < 2:
        return axis
    room = width / (len(labels) - 1)
    step = -(-(max(map(len, labels)) * _LETTER + 0.05) // room)
    return replace(axis, labels=[label if i % step == 0 else "" for i, label in enumerate(labels)])


def _cut(text: str, room: float) -> str:
    """Text that takes no more than so many inches."""
    most = max(2, int(room / _LETTER))
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _turned(axis: Axis) -> bool:
    """Whether the names at the ticks are too long to stand beside each other."""
    return bool(axis.labels) and not axis.log and max(map(len, axis.labels)) > 4


def _legend(info: Info, preset: Preset, place: str) -> Iterator[str]:
    """Entries drawn by tikz, in as many columns as there is room for, read downwards as in print."""
    bars = [series.kind in ("bar", "stack") for _, series in info.entries]
    keyed = replace(preset, marker=max(preset.marker, legends.LEAST * preset.size))
    entries = [rf"{_key(s, sum(bars[:i]), keyed)}~{tex(entry)}" for i, (entry, s) in enumerate(info.entries)]
    room = (_KEYS if place == "right" else preset.width) - 0.1
    columns, rows = _columns([len(entry) for entry, _ in info.entries], room)
    lines = [" & ".join(entries[row::rows]) + r"\\" for row in range(rows)]
    wraps = columns == 1 and _KEY + max(len(entry) for entry, _ in info.entries) * _LETTER > room
    form = f"p{{{room:.3f}in}}" if wraps else rf"@{{\hskip {_GAP}in}}".join("l" * columns)
    table = rf"\begin{{tabular}}{{@{{}}{form}@{{}}}}"
    yield _outside("legend", place, preset.width, "\n".join([table, *lines, r"\end{tabular}"]))


def _columns(lengths: Sequence[int], room: float) -> tuple[int, int]:
    """The most columns, read downwards, in which entries of so many letters have room, and their rows."""
    for columns in range(len(lengths), 1, -1):
        rows = -(-len(lengths) // columns)
        parts = [lengths[i : i + rows] for i in range(0, len(lengths), rows)]
        if sum(_KEY + max(part) * _LETTER for part in parts) + _GAP * (len(parts) - 1) <= room:
            return len(parts), rows
    return 1, len(lengths)


def _filled(colour: str, number: int) -> str:
    """How bars of the series of this number are filled: told apart in grey too, as `marks.HATCHES` does in print."""
    pattern = _PATTERNS[number % len(_PATTERNS)]
    hatched = f", postaction={{pattern={pattern}, pattern color={_edge(colour)}}}" if pattern else ""
    return f"fill={_named(colour)}{hatched}"


def _edge(colour: str) -> str:
    return "white" if marks.edge(colour) == "white" else "black!75"


def _key(series: Series, number: int, preset: Preset) -> str:
    if series.kind in ("bar", "stack"):
        filled = _filled(series.style.colour, number)
        return rf"\tikz[baseline=-0.6ex]\path[{filled}] (0,-0.6ex) rectangle (1em,0.6ex);"
    look = _look(series.style, series.kind, preset).replace("only marks, ", "draw=none, ")
    where = "plot[mark repeat=2, mark phase=2] coordinates {(0,0) (0.9em,0) (1.8em,0)}"
    return rf"\tikz[baseline=-0.6ex]\draw[line width={preset.line:.2f}pt, {look}] {where};"
