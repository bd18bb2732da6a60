"""The facade for studies: what pages and command line can do with them. It hides store and driver.

A study is many searches asked for in one file (`studies_file`), or what another program produced (`importing`). `db` is
a database URL, None for the configured one; it has to be there (`runs.ensure_database`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttc_core import studies_file
from ttc_core.errors import UserError
from ttc_core.settings import settings

if TYPE_CHECKING:
    import pandas as pd

    from ttc_core.analysis.pool import Pool
    from ttc_core.backend import Backend
    from ttc_core.store.database import Database

COLUMNS = (
    "dataset",
    "problem",
    "model",
    "verifier",
    "strategy",
    "params",
    "method",
    "budget",
    "seed",
    "answer",
    "correct",
    "score",
    "generations",
    "policy_prompt_tokens",
    "policy_cached_tokens",
    "policy_tokens",
    "verifier_tokens",
    "policy_flops",
    "verifier_flops",
    "seconds",
    "failed",
    "unspent",
    "run",
)


@dataclass(frozen=True, slots=True)
class StudyView:
    """One study as it stands.

    status       "running" (work waits or is under way), "paused", "cancelled", "failed" (only failed units are left)
                 or "done"
    why          why it was paused, "" otherwise
    units        how many are pending, leased, done and failed
    failed       the failed units: what they are, why, and what to do
    accuracy     share of right answers so far, with its 95 % interval (Wilson); None while there is none
    tokens_per_second, eta   of the units that ended in the last minutes; eta in seconds, None while nobody can say
    """

    id: str
    kind: str
    created: datetime
    status: str
    why: str
    priority: int
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


def plan(file: Path, *, db: str | None = None) -> dict[str, Any]:
    """What the study of a file takes: runs, generations, tokens, FLOPs, disk; nothing is stored.

    Raises:
        UserError: the file is wrong, in one sentence with line and key.
    """
    from ttc_core import studies_plan

    return studies_plan.plan(studies_file.read(file), _database(db))


def start(file: Path, *, name: str | None = None, db: str | None = None) -> str:
    """Store the study of a file for workers to carry out; returns its name. name: another one than the file says.

    Raises:
        UserError: the file is wrong, or there is a study of this name.
    """
    from ttc_core import studies_plan
    from ttc_core.store import studies as stored

    asked = studies_file.read(file)
    new = studies_plan.laid_out(asked if name is None else replace(asked, name=studies_file.check_name(name)))
    with _database(db).write() as connection:
        stored.create(connection, new)
    return new.id


def work(
    study: str,
    *,
    until: Callable[[], bool] | None = None,
    backend: Backend | None = None,
    db: str | None = None,
) -> None:
    """Carry out a study here and now, beside other workers; returns when it has ended or `until` says so.

    Raises:
        UnknownName: no such study.
    """
    from ttc_core.runs_driver import Driver

    progress(study, db=db)
    with Driver(_database(db), role="study", backend=backend, study=study) as driver:
        driver.finish(lambda: not progress(study, db=db).ended, until or (lambda: False))


def resume(study: str, *, db: str | None = None) -> int:
    """Let a paused or cancelled study go on and try failed units again; returns how many those are.

    Raises:
        UnknownName: no such study.
    """
    from ttc_core.store import studies as stored

    return stored.resume(_database(db), study)


def pause(study: str, *, db: str | None = None) -> None:
    """Have workers give the study back after their turn; what is recorded stays.

    Raises:
        UnknownName: no such study.
    """
    from ttc_core.store import studies as stored

    stored.set_status(_database(db), study, "paused")


def cancel(study: str, *, db: str | None = None) -> None:
    """The same for good; only `resume` brings it back.

    Raises:
        UnknownName: no such study.
    """
    from ttc_core.store import studies as stored

    stored.set_status(_database(db), study, "cancelled")


def delete(study: str, *, db: str | None = None) -> None:
    """Delete a study with its outcomes, pools and trees.

    Raises:
        UnknownName: no such study.
    """
    from ttc_core.store import studies as stored

    stored.remove(_database(db), study)


def exists(study: str, *, db: str | None = None) -> bool:
    """Whether there is a study of this name."""
    from ttc_core.store import studies as stored

    return study in stored.names(_database(db))


def listing(*, db: str | None = None) -> list[StudyView]:
    """All studies, newest first."""
    from ttc_core.store import studies as stored

    return [progress(name, db=db) for name in stored.names(_database(db))]


def progress(study: str, *, db: str | None = None) -> StudyView:
    """Where a study stands.

    Raises:
        UnknownName: no such study.
    """
    from ttc_core.store import studies as stored

    row = stored.state(_database(db), study)
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
        problems=row["problems"],
        units=units,
        failed=tuple(_failed(unit) for unit in row["failed"]),
        outcomes=row["outcomes"],
        accuracy=_interval(row["correct"], row["graded"]),
        generations=int(row["generations"]),
        tokens=int(row["tokens"]),
        flops=float(row["flops"]),
        tokens_per_second=row["tokens_per_second"],
        eta=left / rate if rate else None,
    )


def outcomes(study: str, dataset: str | None = None, *, db: str | None = None) -> pd.DataFrame:
    """One row a problem, method, budget and seed.

    params is JSON with sorted keys, method a short label; correct is NA where nobody can say; failed counts samples and
    scores that did not come; policy_tokens are generated, policy_prompt_tokens computed and policy_cached_tokens found
    in the cache; run names the stored run that holds the tree, where it was kept.

    Raises:
        UnknownName: no such study.
    """
    import pandas as pd

    from ttc_core.store import studies as stored

    rows = stored.outcome_rows(_database(db), study, dataset)
    names = {"problem": "problem_id", "method": "label", "policy_prompt_tokens": "prompt_tokens_computed"}
    names |= {"policy_cached_tokens": "prompt_tokens_cached", "policy_tokens": "generated_tokens"}
    for row in rows:
        row["failed"] = row["failed_samples"] + row["failed_scores"]
        row["unspent"] = max(0, row["budget"] - row["generations"])
    frame = pd.DataFrame({name: [row[names.get(name, name)] for row in rows] for name in COLUMNS})
    return frame.astype({"correct": "boolean", "score": "float64", "seconds": "float64"})


def pool(
    study: str,
    dataset: str | None = None,
    *,
    model: str | None = None,
    verifier: str | None = None,
    db: str | None = None,
) -> Pool:
    """The solutions sampled for each problem, those of all seeds after one another.

    model, verifier: whose; None for the first that the study has.

    Raises:
        UnknownName: no such study; UserError: it has no such pool.
    """
    from ttc_core.store import studies as stored
    from ttc_core.studies_pools import gathered

    rows = stored.pool_rows(_database(db), study, dataset)
    rows = [r for r in rows if model in (None, r["model"]) and verifier in (None, r["verifier"])]
    if not rows:
        of = f" of data set {dataset!r}" if dataset else ""
        raise UserError(f"study {study!r} has no pool of samples{of}", hint="pool = 64 in a study file asks for one")
    return gathered([row for row in rows if row["position"] == rows[0]["position"]])


def describe(study: str, *, db: str | None = None) -> dict[str, Any]:
    """Its file and where it stands, as `show --json` prints them.

    Raises:
        UnknownName: no such study.
    """
    from ttc_core.store import studies as stored

    row = stored.state(_database(db), study)
    return {**document(progress(study, db=db)), "source": row["source"], "options": json.loads(row["options"])}


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


def _interval(right: int, n: int) -> tuple[float, float, float] | None:
    """A share with its 95 % interval (Wilson 1927, JASA 22)."""
    if not n:
        return None
    z, p = 1.959964, right / n
    middle, scale = (p + z * z / (2 * n)), 1 + z * z / n
    spread = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return p, (middle - spread) / scale, (middle + spread) / scale


def _database(url: str | None) -> Database:
    from ttc_core.store.database import database

    return database(url or settings().database_url)
