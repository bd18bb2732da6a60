"""A table of a study: what it holds, apart from how it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Interval = tuple[float, float, float]  # mean, and the ends of its interval
Cell = str | int | float | Interval | None


@dataclass(frozen=True)
class Table:
    """Rows under columns.

    Arguments:
        name: it is registered under.
        columns: what each one holds, with the unit.
        rows: each as long as `columns`; None: not known.
        caption: of what it is and what its intervals are; plain text.
    """

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str
