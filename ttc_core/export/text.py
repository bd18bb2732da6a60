"""Figures as text: CSV of every mark, and their numbers as Markdown and booktabs tables."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ttc_core.drawing.info import Axis, Info, Panel, Value, plain
from ttc_core.drawing.tabular import Cell, Table

_TEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''", "√": r"\ensuremath{\surd}", "×": r"\ensuremath{\times}",
    "→": r"\ensuremath{\to}", "…": r"\dots{}", "−": r"\ensuremath{-}", "–": "--", "\n": " ", "\r": " ", "\t": " ",
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
        for note in panel.notes:
            writer.writerow([*map(cell, (info.name, panel.title, "text")), note.x, cell(note.text), note.y, "", ""])
    return file.getvalue()


def as_markdown(info: Info) -> str:
    """A table a panel, then the caption."""
    parts = []
    for panel in info.panels:
        head, rows = _rows(panel, info.intervals != "none")
        shown = _grid(head, rows)
        parts.append("\n".join([*([f"**{markdown(panel.title)}**", ""] if panel.title else []), *shown]))
    return "\n\n".join([*parts, markdown(info.caption)]) + "\n"


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table."""
    rule = ["---", *("---:" for _ in head[1:])]
    return [f"| {' | '.join(line)} |" for line in ([*map(_md, head)], rule, *([*map(_md, row)] for row in rows))]


def _md(text: str) -> str:
    return "–" if not text else markdown(text)


def as_booktabs(info: Info) -> str:
    """The same for LaTeX with the booktabs package, a tabular a panel."""
    parts = [_said(info.caption)]
    for panel in info.panels:
        head, rows = _rows(panel, info.intervals != "none")
        title = [rf"\multicolumn{{{len(head)}}}{{l}}{{{tex(panel.title)}}} \\"] if panel.title else []
        parts += _tabular(head, rows, title)
    return "\n".join(parts)


def _said(caption: str) -> str:
    return f"% {tex(caption)}\n% Needs \\usepackage{{booktabs}}."


def _tabular(head: Sequence[str], rows: Sequence[Sequence[str]], title: Sequence[str] = ()) -> list[str]:
    body = [_line(tex(c) if c else "--" for c in row) for row in rows]
    top = _line(map(tex, head))
    start = [rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}", r"\toprule", *title, top, r"\midrule"]
    return [*start, *body, r"\bottomrule", r"\end{tabular}", ""]


def _line(cells: Iterable[str]) -> str:
    """A row; what the command before it would take for its option or its star is kept from it."""
    row = " & ".join(cells) + r" \\"
    return f"{{}}{row}" if row.lstrip().startswith(("[", "*")) else row


def table_as_booktabs(table: Table) -> str:
    """A table for LaTeX with the booktabs package, intervals in brackets."""
    return "\n".join([_said(table.caption), *_tabular(table.columns, _shown(table))])


def table_as_markdown(table: Table) -> str:
    """The same as Markdown, then the caption."""
    return "\n".join(_grid(table.columns, _shown(table))) + f"\n\n{markdown(table.caption)}\n"


def table_as_csv(table: Table) -> str:
    """The same as CSV: numbers with all their digits, an interval as three columns."""
    columns: dict[str, list[Any]] = {}
    for i, name in enumerate(table.columns):
        cells = [row[i] for row in table.rows]
        if any(isinstance(one, tuple) for one in cells):
            for part, end in enumerate(("", " low", " high")):
                columns[name + end] = [one[part] if isinstance(one, tuple) else None for one in cells]
        else:
            columns[name] = cells
    return csv_of(columns).decode("utf-8")


def _shown(table: Table) -> list[list[str]]:
    return [[_cell(one) for one in row] for row in table.rows]


def _cell(one: Cell) -> str:
    if one is None or isinstance(one, str):
        return one or ""
    if isinstance(one, tuple):
        return _interval(*one)
    if isinstance(one, int):
        return str(one)
    return plain(one) if one.is_integer() else _number_of(one)


def _number_of(value: float) -> str:
    """Three digits behind the point of what is a share; of more, as on an axis."""
    return f"{value:.3f}" if 0.0005 <= abs(value) < 10 else f"{value:.2g}" if abs(value) < 0.0005 else plain(value)


def _rows(panel: Panel, intervals: bool) -> tuple[list[str], list[list[str]]]:
    """A row a series, a column an x between the ends of its axis; with intervals in brackets, where they are shown.

    Of a bare panel its notes, as what stands where in it are no numbers.
    """
    if panel.bare:
        return ["", "text"], [[str(i), note.text] for i, note in enumerate(panel.notes, 1)]
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
