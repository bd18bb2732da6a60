"""The facade for studies: what pages and command line can do with them. It hides store and driver.

A study is many searches asked for in one file (`studies_file`), or what another program produced (`importing`). `db` is
a database URL, None for the configured one; it has to be there (`runs.ensure_database`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttc_core import access, studies_file
from ttc_core.errors import UnknownName, UserError
from ttc_core.settings import settings
from ttc_core.studies_views import StudyView, Tally, document, view_of

if TYPE_CHECKING:
    import pandas as pd

    from ttc_core.analysis.pool import Pool
    from ttc_core.backend import Backend
    from ttc_core.store.database import Database
    from ttc_core.studies_asked import StudyFile

__all__ = ["StudyView", "document"]


def plan(file: Path | str, *, study: str | None = None, probe: bool = False, db: str | None = None) -> dict[str, Any]:
    """What the study of a file, or of a text in place of one, takes: runs, generations, tokens, FLOPs, disk, seconds.

    Nothing is stored. study: what it takes to extend this one to that; probe: try the bundled models for some seconds
    to tell the time.

    Raises:
        UserError: the file is wrong, in one sentence with line and key; or `extend` would refuse it.
    """
    from ttc_core import studies_plan
    from ttc_core.store import studies_made as made

    asked = _asked(file, study)
    new = studies_plan.laid_out(asked)
    if study is not None:
        with _database(db).read() as connection:
            _, new = made.lacking(connection, new)
    return studies_plan.plan(asked, new, _database(db), probe=probe)


@access.changes(cost=lambda file, db=None, **_: int(plan(file, db=db)["generations"]))
def start(file: Path | str, *, name: str | None = None, db: str | None = None) -> str:
    """Store the study of a file, or of a text in place of one, for workers to carry out; returns its name.

    name: another one than the file says.

    Raises:
        UserError: the file is wrong, or there is a study of this name.
    """
    from ttc_core import studies_plan
    from ttc_core.store import studies_made as made

    new = studies_plan.laid_out(_asked(file, name))
    with _database(db).write() as connection:
        made.create(connection, new)
    return new.id


@access.changes(cost=lambda study, file, db=None: int(plan(file, db=db)["generations"]))
def extend(study: str, file: Path | str, *, db: str | None = None) -> int:
    """Let a study go on to what a file asks for beyond it: problems, methods, budgets, seeds; returns the new units.

    All that it has stays, and what it may spend and its priority do; workers at work on it go on. Trees are kept of new
    searches alone.

    Raises:
        UserError: the file is wrong, does not ask for something that the study has, or would draw other samples for a
            pool; the study was imported. UnknownName: there is no such study.
    """
    from ttc_core import studies_plan
    from ttc_core.store import studies as stored
    from ttc_core.store import studies_made as made

    new = studies_plan.laid_out(_asked(file, study))
    with _database(db).write() as connection:
        units = made.extend(connection, new)
    stored.check_cost(_database(db), study)
    return units


def _asked(file: Path | str, name: str | None) -> StudyFile:
    """What a file asks for; name: instead of its own, None for that."""
    asked = studies_file.parse(file) if isinstance(file, str) else studies_file.read(file, name)
    return asked if name is None else replace(asked, name=studies_file.check_name(name))


@access.changes()
def work(
    study: str,
    *,
    until: Callable[[], bool] | None = None,
    backend: Backend | None = None,
    models: Sequence[str] = (),
    tally: Tally | None = None,
    db: str | None = None,
) -> None:
    """Carry out a study here and now, beside other workers; returns when it has ended or `until` says so.

    models: only its units of these, until those have ended, none for all; tally: counts what is done, as it is done.

    Raises:
        UnknownName: no such study.
    """
    from ttc_core.runs_driver import Driver
    from ttc_core.store import studies_tables as tables

    def open_() -> bool:
        return not progress(study, db=db).ended and (not models or tables.left(_database(db), study, models))

    progress(study, db=db)
    with Driver(_database(db), role="study", backend=backend, study=study, models=models, tally=tally) as driver:
        driver.finish(open_, until or (lambda: False))


@access.changes()
def resume(study: str, *, db: str | None = None) -> int:
    """Let a paused or cancelled study go on and try failed units again; returns how many those are.

    One that has spent what it may stays paused until `change` lets it spend more.

    Raises:
        UnknownName: no such study.
    """
    from ttc_core.store import studies as stored

    again = stored.resume(_database(db), study)
    stored.check_cost(_database(db), study)
    return again


@access.changes()
def change(
    study: str,
    *,
    max_cost: Mapping[str, float | None] | None = None,
    priority: int | None = None,
    db: str | None = None,
) -> None:
    """Change what a stored study may spend, and which study goes first; what is under way goes on as it was begun.

    Arguments:
        max_cost: some of its limits, by the names of a study file; None in place of a number takes one away.
        priority: 0 to 1000, the smallest goes first; None leaves it.

    Raises:
        UnknownName: no such study; BadValue: no such limit, or not such a number.
    """
    from ttc_core.store import studies as stored

    limits = max_cost or {}
    studies_file.check_cost({name: 1 if most is None else most for name, most in limits.items()})
    if priority is not None:
        studies_file.check_priority(priority)
    stored.change(_database(db), study, limits, priority)


@access.changes()
def pause(study: str, *, db: str | None = None) -> None:
    """Have workers give the study back after their turn; what is recorded stays.

    Raises:
        UnknownName: no such study.
    """
    from ttc_core.store import studies as stored

    stored.set_status(_database(db), study, "paused")


@access.changes()
def cancel(study: str, *, db: str | None = None) -> None:
    """The same for good; only `resume` brings it back.

    Raises:
        UnknownName: no such study.
    """
    from ttc_core.store import studies as stored

    stored.set_status(_database(db), study, "cancelled")


@access.changes()
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

    return view_of(stored.state(_database(db), study))


def outcomes(study: str, dataset: str | None = None, *, db: str | None = None) -> pd.DataFrame:
    """One row a problem, method, budget and seed.

    params is JSON with sorted keys, method a short label; correct is NA where nobody can say; failed counts samples and
    scores that did not come; policy_tokens are generated, policy_prompt_tokens computed and policy_cached_tokens found
    in the cache; run names the stored run that holds the tree, where it was kept. Lone surrogates are written
    out.

    Raises:
        UnknownName: no such study.
    """
    from ttc_core.store import studies_tables as tables
    from ttc_core.studies_frames import frame

    return frame(tables.outcome_columns(_database(db), study, dataset))


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
    from ttc_core.studies_pools import gathered

    rows = pool_rows(study, dataset, model=model, verifier=verifier, db=db)
    if not rows and (others := pool_rows(study, dataset, db=db)):
        there = ", ".join(sorted({f"{row['model']} with {row['verifier'] or 'no verifier'}" for row in others}))
        raise UnknownName(f"study {study!r} has no samples of these models", hint=f"it has samples of {there}")
    if not rows:
        of = f" of data set {dataset!r}" if dataset else ""
        raise UserError(f"study {study!r} has no pool of samples{of}", hint="pool = 64 in a study file asks for one")
    return gathered(rows)


def pool_rows(
    study: str,
    dataset: str | None = None,
    *,
    model: str | None = None,
    verifier: str | None = None,
    db: str | None = None,
) -> list[dict[str, Any]]:
    """The same as stored: one row a problem and seed, [] if there is no such pool."""
    from ttc_core.store import studies_tables as tables

    rows = tables.pool_rows(_database(db), study, dataset)
    rows = [r for r in rows if model in (None, r["model"]) and verifier in (None, r["verifier"])]
    return [row for row in rows if row["position"] == rows[0]["position"]]


def describe(study: str, *, db: str | None = None) -> dict[str, Any]:
    """Its file and where it stands, as `show --json` prints them.

    Raises:
        UnknownName: no such study.
    """
    from ttc_core.store import studies as stored

    row = stored.state(_database(db), study)
    return {**document(progress(study, db=db)), "source": row["source"], "options": json.loads(row["options"])}


def _database(url: str | None) -> Database:
    from ttc_core.store.database import database

    return database(url or settings().database_url)
