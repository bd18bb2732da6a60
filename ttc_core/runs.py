"""The one facade: what pages, command line and worker can do with runs. It hides store and scheduler.

Every function takes `db`, a database URL; None means the configured one. The database has to be there: call
`ensure_database` once when a process starts. StoreBusy and StoreFault may come from any of them.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttc_core import access, models, registry, runs_checks, runs_continued, runs_documents, runs_shipped, runs_steps
from ttc_core.datasets.added import checksum as checksum
from ttc_core.datasets.benchmarks import BENCHMARKS
from ttc_core.errors import UserError
from ttc_core.runs_checks import disagreements as disagreements
from ttc_core.runs_views import Catalogue, Document, Listing, NodeDelta, RunView, WorkerView
from ttc_core.settings import settings
from ttc_core.types import Node, Problem, RunSpec

if TYPE_CHECKING:
    from ttc_core.store.database import Database

__all__ = ["Catalogue", "Listing", "NodeDelta", "RunView", "WorkerView"]
_ID_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # nothing that is easily misread


@access.changes(cost=lambda spec, **_: spec.budget)
def start(spec: RunSpec, *, parent: str | None = None, node: str | None = None, db: str | None = None) -> str:
    """Store a run for a worker to carry out; returns its id. parent, node: the run and step that it goes on from.

    Raises:
        UserError: it cannot be carried out as asked.
    """
    from ttc_core.store import repository

    run_id = "".join(secrets.choice(_ID_ALPHABET) for _ in range(10))
    repository.add(_database(db), run_id, runs_checks.checked(spec), parent=parent, node=node)
    return run_id


def steps_to(run_id: str, step: str, *, db: str | None = None) -> tuple[str, ...]:
    """The texts of the steps of a run from the question to `step`, a node's id or ``r.3#2``: the second step in it.

    Raises:
        UnknownName: no such run or step.
    """
    prefix = get(run_id, db=db).spec.prefix
    return runs_continued.steps_to(nodes(run_id, db=db).nodes, step, prefix)


def continue_from(
    run_id: str, step: str, text: str | None = None, *, asked: RunSpec | None = None, db: str | None = None
) -> str:
    """Store a new run whose every solution begins with the steps of another run up to `step`; returns its id.

    text: what that last step shall say instead; asked: strategy, parameters, budget, seed, models and temperature of
    the new run, None for those of the other one. It costs only what it samples and scores itself.

    Raises:
        UnknownName: no such run or step; UserError: the steps give an answer already, or the strategy revises.
    """
    known = get(run_id, db=db).spec
    steps = steps_to(run_id, step, db=db)
    steps = steps if text is None else runs_continued.rewritten(steps, text)
    same = {name: getattr(known, name) for name in ("question", "dataset", "problem_id", "answer", "grader")}
    return start(replace(asked or known, **same, prefix=steps), parent=run_id, node=step, db=db)


@access.changes(cost=lambda run_id, budget, **_: budget)
def extend(run_id: str, budget: int, *, db: str | None = None) -> None:
    """Continue a run to a larger budget and sample nothing again; one under way at the end of the smaller budget.

    Raises:
        UnknownName: no such run; UserError: the budget is not larger, or its strategy cannot be continued.
    """
    from ttc_core.store import repository

    runs_checks.check_extendable(run_id, get(run_id, db=db).spec.strategy)
    repository.extend(_database(db), run_id, runs_checks.checked_budget(budget))


@access.changes()
def stop(run_id: str, *, db: str | None = None) -> None:
    """Ask for a run to stop; an ended one stays as it is.

    Raises:
        UnknownName: no such run.
    """
    from ttc_core.store import repository

    repository.request_stop(_database(db), run_id)


@access.changes()
def resume(run_id: str, *, db: str | None = None) -> None:
    """Let a stopped or failed run go on from what is recorded.

    Raises:
        UnknownName: no such run; UserError: it is neither stopped nor failed.
    """
    from ttc_core.store import repository

    repository.reopen(_database(db), run_id)


@access.changes()
def annotate(run_id: str, note: str, *, db: str | None = None) -> None:
    """Write a note beside a run, in place of what stood there; "" takes it away.

    Raises:
        UnknownName: no such run; UserError: it is too long, or the run's study is not done with it.
    """
    from ttc_core.store import repository

    repository.annotate(_database(db), run_id, runs_documents.checked_note(note))


@access.changes()
def delete(run_ids: Sequence[str], *, db: str | None = None) -> int:
    """Delete runs with their trees; returns how many there were."""
    from ttc_core.store import repository

    return repository.remove(_database(db), run_ids)


def get(run_id: str, *, db: str | None = None) -> RunView:
    """One run. Raises UnknownName where there is no such run."""
    from ttc_core.store import repository

    return repository.get(_database(db), run_id)


def nodes(run_id: str, since: int = 0, *, db: str | None = None) -> NodeDelta:
    """The nodes that changed after revision `since`, in the order of their paths.

    Raises:
        UnknownName: no such run.
    """
    from ttc_core.store import repository

    return repository.tree(_database(db), run_id, since)


def first_wrong(view: RunView, found: Sequence[Node]) -> list[str] | None:
    """Which steps of a run are the first wrong one of their solution; None where nobody can check the problem's steps.

    found: its nodes. A step is named by its node's id, or ``r.3#2``: the second step in it.
    """
    try:
        asked = runs_checks.problem(view.spec.dataset, view.spec.problem_id) if view.spec.dataset else None
    except UserError:  # its data set is no longer there
        asked = None
    if asked is None or "graph" not in asked.metadata or asked.question != view.spec.question:
        return None
    return runs_steps.first_wrong({**asked.metadata, "answer": asked.answer}, found, view.spec.prefix)


def listing(
    *,
    dataset: str | None = None,
    strategy: str | list[str] | None = None,
    model: str | None = None,
    status: str | None = None,
    correct: bool | None = None,
    text: str | None = None,
    budget: int | None = None,
    problems: list[str] | None = None,
    parent: str | None = None,
    alone: bool = False,
    limit: int = 50,
    offset: int = 0,
    db: str | None = None,
) -> Listing:
    """Stored runs that fit all filters given, newest first.

    strategy: a name or several; text: part of question, problem, answer, note or id; problems: of which they are;
    parent: what they go on from; alone: no searches of studies.
    """
    from ttc_core.store import repository

    equal = {"dataset": dataset, "strategy": strategy, "model": model, "status": status}
    equal_too = {"correct": correct, "budget": budget, "problem_id": problems, "parent": parent}
    return repository.listing(_database(db), {**equal, **equal_too}, text, alone, limit=limit, offset=offset)


def neighbours(run_id: str, *, db: str | None = None) -> tuple[str | None, str | None]:
    """The next newer and the next older run of its study, or of none. Raises UnknownName where there is no such run."""
    from ttc_core.store import repository

    return repository.neighbours(_database(db), run_id)


def worker_state(*, db: str | None = None) -> WorkerView:
    """Whether a worker is there to take runs."""
    from ttc_core.store import leases

    return leases.state(_database(db))


def problems(dataset: str) -> list[Problem]:
    """The problems of a data set, in its order.

    Raises:
        UnknownName: no such data set.
    """
    return runs_checks.problems(dataset)


def problem(dataset: str, id: str) -> Problem:
    """One problem.

    Raises:
        UnknownName: no such data set or problem.
    """
    return runs_checks.problem(dataset, id)


@access.changes("admin")
def add_dataset(
    name: str, file: Path | None, columns: Mapping[str, str] | None = None, grader: str | None = None
) -> Document:
    """Add a data set from a file (.jsonl, .json, .csv, .tsv, .parquet), or a known benchmark from the hub.

    columns: what the file calls "question", "answer" and "id". grader: None for what suits. Returns what came of it.

    Raises:
        UserError: one sentence, with file and line where it is about the file; nothing is added then.
    """
    found, chosen, checked = runs_checks.add_dataset(name, file, columns or {}, grader)
    return {"name": name, "problems": len(found), "grader": chosen, "checked": checked, **checksum(found)}


def grader(problems: Sequence[Problem]) -> str:
    """What grades the answers of these problems of one data set."""
    return runs_checks.grader(problems[0]) if problems else ""


def catalogue() -> Catalogue:
    """What can be asked for: strategies with their hyper-parameters, models, verifiers, data sets, engines."""
    known = {name: registry.get("strategy", name) for name in registry.names("strategy")}
    cards = models.catalogue()
    return Catalogue(
        strategies={name: (_paragraph(cls), registry.params(cls)) for name, cls in known.items()},
        not_extendable={name: why for name, cls in known.items() if (why := registry.not_extendable(cls))},
        revising=[name for name, cls in known.items() if hasattr(cls, "needs")],
        models={name: card for name, card in cards.items() if card.kind == models.POLICY},
        verifiers={name: card for name, card in cards.items() if card.kind != models.POLICY},
        datasets={name: getattr(of, "about", "") or _paragraph(of) for name, of in runs_checks.datasets().items()},
        benchmarks={name: of.about for name, of in BENCHMARKS.items()},
        engines={name: _paragraph(registry.get("engine", name)) for name in registry.names("engine")},
    )


def revises(spec: RunSpec) -> bool:
    """Whether the model writes attempts in sight of earlier ones in this search.

    Raises:
        UserError: no such strategy or hyper-parameter.
    """
    return bool(getattr(registry.build("strategy", spec.strategy, spec.params), "needs", ""))


def ensure_database(*, db: str | None = None) -> None:
    """Create the database or bring it up to date; a new one receives the shipped example runs and studies.

    Raises:
        UserError: its folder does not exist; StoreFault: it was written by a newer version, or is no database.
    """
    from ttc_core.store import migrate

    migrate.ensure(_database(db), runs_shipped.fill)


@access.changes()
def execute(run_ids: Sequence[str], *, until: Callable[[], bool] | None = None, db: str | None = None) -> None:
    """Carry out these runs here and now; returns when they have ended, or stops them when `until` says so.

    A run that another process works on already is waited for.
    """
    from ttc_core.runs_driver import Driver

    with Driver(_database(db), role="solve") as driver:
        driver.complete(list(run_ids), until or (lambda: False))


def export_run(run_id: str, *, db: str | None = None) -> Document:
    """The run as one JSON document, its nodes in the order of their paths; `runs_documents.dumps` spells it.

    Raises:
        UnknownName: no such run.
    """
    return runs_documents.document(get(run_id, db=db), nodes(run_id, db=db).nodes)


@access.changes("admin")
def import_run(document: Document, *, db: str | None = None) -> str:
    """Store a run that `export_run` wrote; returns its id.

    Raises:
        UserError: the document is not right, or a run of its id is stored; nothing is stored then.
    """
    from ttc_core.store import repository

    run_id, spec, row, usage, found = runs_documents.parse(document)
    with _database(db).write() as connection:
        repository.put(connection, run_id, spec, row, usage, found)
    return run_id


def _database(url: str | None) -> Database:
    from ttc_core.store.database import database

    return database(url or settings().database_url)


def _paragraph(thing: Any) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((thing.__doc__ or "").partition("\n\n")[0].split())
