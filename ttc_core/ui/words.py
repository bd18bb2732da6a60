"""Numbers, durations and statuses as short text. Pure functions."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ttc_core.drawing.info import labelled
from ttc_core.runs_views import RunView
from ttc_core.types import RunSpec, Status

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .,=+-]*")
_LONGEST = 120  # characters of a name in a line
_UNITS = (("", 1.0), ("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12), ("P", 1e15), ("E", 1e18))
STATUS_WORDS: dict[Status, str] = {
    "pending": "waiting",
    "running": "running",
    "done": "finished",
    "failed": "failed",
    "stopped": "stopped",
}


def count(value: float) -> str:
    """A whole number to be read exactly: 12,345."""
    return f"{value:,.0f}"


def short(value: float) -> str:
    """Three significant digits with an SI prefix: 0, 950, 12.3 k, 1.24 G."""
    if value == 0:
        return "0"
    unit, scale = next(((u, s) for u, s in reversed(_UNITS) if abs(value) >= s), _UNITS[0])
    scaled = value / scale
    digits = 0 if scaled >= 100 or (unit == "" and float(scaled).is_integer()) else 1 if scaled >= 10 else 2
    return f"{scaled:.{digits}f} {unit}".strip()


def seconds(value: float | None) -> str:
    """A duration in seconds as 0.42 s, 12.3 s, 3 min 05 s or 2 h 10 min; a dash for None and NaN."""
    if value is None or math.isnan(value):
        return "–"
    if value < 60:
        return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def ago(moment: datetime | None, now: datetime | None = None) -> str:
    """How long ago a UTC moment was, to one unit; "–" for None."""
    if moment is None:
        return "–"
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    age = max(0.0, ((now or datetime.now(UTC)) - aware).total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if age >= size:
            return f"{int(age // size)} {unit} ago"
    return "just now" if age < 5 else f"{int(age)} s ago"


def method(name: str) -> str:
    """A strategy as the field writes it: "best-of-N", "DVTS", "beam search"."""
    return labelled(name.replace(" ", "_"))


def sentence(text: str) -> str:
    """Text that begins a sentence; capitals that are there stay."""
    return text[:1].upper() + text[1:]


def strategy(spec: RunSpec, defaults: Mapping[str, Any]) -> str:
    """A run's strategy in words with the parameters that differ from their defaults: "beam search, width 8"."""
    return ", ".join([method(spec.strategy), *differing(spec, defaults)])


def differing(spec: RunSpec, defaults: Mapping[str, Any]) -> list[str]:
    """A run's parameters that differ from their defaults: "width 8"; a choice, and a greedy answer, by their names."""
    return [_parameter(name, value) for name, value in spec.params.items() if defaults.get(name) != value]


def _parameter(name: str, value: Any) -> str:
    if name == "select":
        return str(value)
    if isinstance(value, bool):
        return f"{'' if value else 'not '}{name.replace('_', ' ')}"
    return "width √N" if (name, value) == ("width", 0) else f"{name.replace('_', ' ')} {value}"


def lost(view: RunView) -> bool:
    """Whether a search ended without an answer because models failed."""
    return view.status == "done" and view.outcome is not None and view.outcome.lost(view.usage)


def shown(text: str) -> str:
    """Text as a page can be sent it: lone surrogates, which have no place in UTF-8, are shown as unknown characters."""
    return text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text


def shown_rows(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of a table with their texts as a page can be sent them."""
    return [{name: shown(v) if isinstance(v, str) else v for name, v in row.items()} for row in rows]


def named(name: str) -> str:
    """A name that others gave, inside a line of Markdown: as it is where it is plain, else as code, on one line."""
    if len(name) <= _LONGEST and _PLAIN.fullmatch(name) and "www." not in name.lower():
        return name
    flat = " ".join("".join(c if c.isprintable() and c != "`" else " " for c in name).split())
    return f"`{flat[:_LONGEST]}`" if flat else "?"


def rule(spec: RunSpec) -> str:
    """How the answer is chosen from the candidates, in one sentence; general where the strategy has no such choice."""
    return {
        "majority": "Majority: the answer most solutions gave.",
        "best": "Best-of-N: the answer of the highest-scored solution.",
        "weighted": "Weighted: each answer weighs the sum of its solutions' scores.",
        "hierarchical": "Weighted inside each chain; of the chains' answers the one with the highest-scored attempt.",
        "latest": "The latest solution that gives an answer.",
    }.get(str(spec.params.get("select", "")), "Answers by weight.")
