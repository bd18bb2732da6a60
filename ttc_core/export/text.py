"""Figures as text: CSV of every mark, and their numbers as Markdown and booktabs tables."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ttc_core.drawing.info import Axis, Info, Panel, Value, plain

_TEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''", "√": r"\ensuremath{\surd}", "×": r"\ensuremath{\times}",
    "→": r"\ensuremath{\to}", "−": r"\ensuremath{-}", "–": "--", "\n": " ", "\r": " ", "\t": " ",
}  # fmt: skip
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")  # the last four as Japanese keyboards write them
_NUMBER = re.compile(r"[+-]?[0-9][0-9,]*(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?(/[0-9]+)?")
_MARKDOWN = "\\`*_{}[]<>#|!~$"


def tex(text: str) -> str:
    """Text as LaTeX shows it, whatever it holds; what a plain document has no letter for is shown by its number."""
    return "".join(_TEX.get(c) or (c if c.isascii() and c.isprintable() else _number(c)) for c in text)


def _number(c: str) -> str:
    return c if "\u00c0" <= c <= "\u00ff" and c not in "\u00d7\u00f7" else f"[U+{ord(c):04X}]"


def markdown(text: str) -> str:
    """Text as Markdown shows it, on one line."""
    return "".join(f"\\{c}" if c in _MARKDOWN else c for c in " ".join(text.split()))


def cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula; what is a number stays one."""
    begins = text[:1] in ("\t", "\r", "\n") or text.lstrip()[:1] in _FORMULA
    return f"'{text}" if begins and _NUMBER.fullmatch(text) is None else text


def csv_of(columns: Mapping[str, Sequence[Any]]) -> bytes:
    """Columns of a table as CSV: text as `cell` makes it, numbers with all their digits, None as nothing."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([cell(name) for name in columns])
    for row in zip(*columns.values(), strict=True):
        writer.writerow([cell(value) if isinstance(value, str) else value for value in row])
    return file.getvalue().encode("utf-8", "backslashreplace")


def as_csv(info: Info) -> str:
    """One row a mark: figure, panel, series, x, label, y, low, high. Numbers have all their digits."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["figure", "panel", "series", "x", "label", "y", "low", "high"])
    for panel in info.panels:
        for s in panel.series:
            for i, (x, y) in enumerate(zip(s.x, s.y, strict=True)):
                ends = [s.low[i], s.high[i]] if s.low else [None, None]
                label = panel.x.labels[list(panel.x.ticks).index(x)] if x in panel.x.ticks and panel.x.labels else ""
                writer.writerow([*map(cell, (info.name, panel.title, s.name)), x, cell(label), y, *ends])
    return file.getvalue()


def as_markdown(info: Info) -> str:
    """A table a panel, then the caption."""
    parts = []
    for panel in info.panels:
        head, rows = _rows(panel, info.intervals != "none")
        lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
        shown = ["| " + " | ".join(_md(c) if c[:3] != "---" else c for c in line) + " |" for line in lines]
        parts.append("\n".join([*([f"**{markdown(panel.title)}**", ""] if panel.title else []), *shown]))
    return "\n\n".join([*parts, markdown(info.caption)]) + "\n"


def _md(text: str) -> str:
    return "–" if not text else markdown(text)


def as_booktabs(info: Info) -> str:
    """The same for LaTeX with the booktabs package, a tabular a panel."""
    parts = [f"% {tex(info.caption)}", "% Needs \\usepackage{booktabs}."]
    for panel in info.panels:
        head, rows = _rows(panel, info.intervals != "none")
        body = [" & ".join(tex(c) if c else "--" for c in row) + r" \\" for row in rows]
        title = [rf"\multicolumn{{{len(head)}}}{{l}}{{{tex(panel.title)}}} \\"] if panel.title else []
        top = " & ".join(map(tex, head)) + r" \\"
        parts += [rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}", r"\toprule", *title, top, r"\midrule", *body]
        parts += [r"\bottomrule", r"\end{tabular}", ""]
    return "\n".join(parts)


def _rows(panel: Panel, intervals: bool) -> tuple[list[str], list[list[str]]]:
    """A row a series, a column an x between the ends of its axis; with intervals in brackets, where they are shown."""
    series = [s for s in panel.series if s.kind != "guide" and len(s.x)]
    xs = sorted({x for s in series for x in s.x if panel.x.holds(x)})
    rows = []
    for s in series:
        ends = s.low and intervals
        at = {x: _interval(s.y[i], s.low[i] if ends else None, s.high[i] if ends else None)
              for i, x in enumerate(s.x)}  # fmt: skip
        rows.append([s.name, *(at.get(x, "") for x in xs)])
    return [panel.x.label, *(_tick(panel.x, x) for x in xs)], rows


def _tick(axis: Axis, x: float) -> str:
    ticks: Sequence[float] = axis.ticks
    return axis.labels[list(ticks).index(x)] if axis.labels and x in ticks else plain(x)


def _interval(y: Value, low: Value, high: Value) -> str:
    if y is None:
        return ""
    return _digits(y) + (f" [{_digits(low)}, {_digits(high)}]" if low is not None and high is not None else "")


def _digits(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:.3e}"
