"""The values that the facade `ttc_core.studies` hands to pages and command line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class StudyView:
    """One study as it stands.

    status       "running" (work waits or is under way), "paused", "cancelled", "failed" (only failed units are left)
                 or "done"
    why          why it was paused, "" otherwise
    units        how many are pending, leased, done and failed
    failed       the failed units: what they are, why, and what to do
    accuracy     share of right answers so far, with its 95 % interval over problems; None while there is none
    tokens_per_second, eta   of the units that ended in the last minutes; eta in seconds, None while nobody can say
    """

    id: str
    kind: str
    created: datetime
    status: str
    why: str
    priority: int
    datasets: tuple[str, ...]
    models: tuple[str, ...]
    problems: int
    units: Mapping[str, int]
    failed: tuple[Mapping[str, Any], ...]
    outcomes: int
    accuracy: tuple[float, float, float] | None
    generations: int
    tokens: int
    flops: float
    tokens_per_second: float | None
    eta: float | None

    @property
    def ended(self) -> bool:
        """Nothing more comes unless somebody resumes it."""
        return self.status != "running"


@dataclass
class Tally:
    """What one worker has done of a study: units that ended well, and tokens that policy and verifier forwarded.

    Where searches share replies tokens count for every search that they are charged to.
    """

    units: int = 0
    tokens: int = 0


def view_of(row: Mapping[str, Any]) -> StudyView:
    """What the store knows of a study (`store.studies.state`) as a view."""
    units = {"leased" if name == "running" else name: n for name, n in row["units"].items()}
    units = {name: units.get(name, 0) for name in ("pending", "leased", "done", "failed")}
    left = sum(row["work"].get(name, 0) for name in ("pending", "running"))
    rate = row["work_per_second"]
    return StudyView(
        id=row["id"],
        kind=row["kind"],
        created=datetime.fromtimestamp(row["created"], UTC),
        status=_status(row["status"], units),
        why=row["why"],
        priority=row["priority"],
        datasets=tuple(row["datasets"]),
        models=tuple(row["models"]),
        problems=row["problems"],
        units=units,
        failed=tuple(_failed(unit) for unit in row["failed"]),
        outcomes=row["outcomes"],
        accuracy=_interval(row),
        generations=int(row["generations"]),
        tokens=int(row["tokens"]),
        flops=float(row["flops"]),
        tokens_per_second=row["tokens_per_second"],
        eta=left / rate if rate else None,
    )


def document(view: StudyView) -> dict[str, Any]:
    """A view as plain values."""
    values = {name: getattr(view, name) for name in view.__slots__}
    accuracy = None
    if view.accuracy is not None:
        accuracy = dict(zip(("mean", "low", "high"), view.accuracy, strict=True))
    return {**values, "created": view.created.isoformat(), "accuracy": accuracy, "units": dict(view.units)}


def _status(wanted: str, units: Mapping[str, int]) -> str:
    if units["pending"] or units["leased"]:
        return wanted
    return "failed" if units["failed"] else "done"


def _failed(unit: Mapping[str, Any]) -> dict[str, Any]:
    shown = {
        "unit": unit["key"],
        "method": unit["label"],
        "problems": [unit["first"], unit["first"] + unit["count"] - 1],
    }
    return {**shown, **{name: unit[name] for name in ("budget", "seed", "attempts", "error", "hint")}}


def _interval(row: Mapping[str, int]) -> tuple[float, float, float] | None:
    """The share of right outcomes with its 95 % interval, in which the outcomes of one problem count as one cluster.

    The variance is that of a ratio of sums over clusters (Cochran 1977, Sampling Techniques, chapter 6). It tells to
    how many independent outcomes these amount (Kish 1965, Survey Sampling), and the interval is Wilson's (1927, JASA
    22) for so many; where all problems came out alike, for as many as there are problems.

    row: the sums of `store.studies`.
    """
    graded, problems = row["graded"], row["graded_problems"]
    if not graded:
        return None
    z, p = 1.959964, row["right"] / graded
    squares = row["right_right"] - 2 * p * row["right_graded"] + p * p * row["graded_graded"]
    variance = squares * problems / max(1, problems - 1) / graded**2
    n = min(graded, p * (1 - p) / variance) if variance > 1e-12 and problems > 1 else problems
    middle, scale = (p + z * z / (2 * n)), 1 + z * z / n
    spread = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return p, (middle - spread) / scale, (middle + spread) / scale
