"""Runs and their trees: written by whoever starts them, read by everybody. What a worker writes is in `leases`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, literal, or_, select, tuple_, update

from ttc_core.errors import StoreFault, UnknownName, UserError
from ttc_core.runs_views import STALLED_SECONDS, Listing, NodeDelta, RunView
from ttc_core.store import trees
from ttc_core.store.columns import escape
from ttc_core.store.database import Database
from ttc_core.store.rows import row_view, spec_row, usage_row
from ttc_core.store.schema import CandidateRow, MethodRow, OutcomeRow, PoolRow, RunRow, table
from ttc_core.store.trees import nodes
from ttc_core.types import Node, Outcome, RunSpec, Usage

runs, candidates = table(RunRow), table(CandidateRow)
methods, outcomes, pools = table(MethodRow), table(OutcomeRow), table(PoolRow)
ENDED = ("done", "failed", "stopped")
_CLEAN = {
    "attempts": 0,
    "stop_requested": False,
    "error": "",
    "hint": "",
    "finished": None,
    "has_outcome": False,
    "answer": None,
    "chosen": None,
    "excluded": 0,
    "correct": None,
    "graded_by": None,
}


def add(db: Database, run_id: str, spec: RunSpec, *, parent: str | None = None, node: str | None = None) -> None:
    """Store a new run as pending. parent, node: the run and step that it goes on from."""
    with db.write() as connection:
        row = {"id": run_id, "parent": parent, "parent_node": node, "created": time.time(), "status": "pending"}
        row |= spec_row(spec)
        connection.execute(insert(runs), row)


def get(db: Database, run_id: str) -> RunView:
    """One run with its outcome.

    Raises:
        UnknownName: no such run.
    """
    with db.read() as connection:
        row = _row(connection, run_id)
        wanted = select(candidates).where(candidates.c.run == row["key"]).order_by(candidates.c.position)
        found = connection.execute(wanted).mappings().all() if row["has_outcome"] else []
        return row_view(row, found, db.now(connection))


def tree(db: Database, run_id: str, since: int = 0) -> NodeDelta:
    """The nodes changed after revision `since`, in the order of their paths.

    Raises:
        UnknownName: no such run.
    """
    with db.read() as connection:
        row = _row(connection, run_id)
        if since >= row["revision"]:
            return NodeDelta((), row["revision"])
        return NodeDelta(tuple(trees.recorded(connection, row["key"], since)), row["revision"])


def still_open(db: Database, run_ids: Sequence[str]) -> list[str]:
    """Which of these runs have not ended."""
    with db.read() as connection:
        wanted = select(runs.c.id).where(runs.c.id.in_(run_ids), runs.c.status.not_in(ENDED))
        return list(connection.execute(wanted).scalars())


def listing(
    db: Database,
    equal: dict[str, Any],
    text: str | None = None,
    alone: bool = False,
    *,
    limit: int = 50,
    offset: int = 0,
) -> Listing:
    """Runs whose columns equal these values (one of them, for a list), newest first.

    text: a part of the question, problem, answer, note or id; alone: those that belong to no study.
    """
    where: list[ColumnElement[bool]] = [
        runs.c[name].in_(value) if isinstance(value, list) else runs.c[name] == value
        for name, value in equal.items()
        if value is not None
    ]
    if alone:
        where.append(runs.c.study.is_(None))
    if text:
        pattern = f"%{_like(escape(text))}%"
        searched = (runs.c.question, runs.c.problem_id, runs.c.answer, runs.c.note, runs.c.id)
        where.append(or_(*(func.lower(c).like(func.lower(pattern), escape="\\") for c in searched)))
    wanted = select(runs).where(*where).order_by(runs.c.created.desc(), runs.c.key.desc()).limit(limit).offset(offset)
    with db.read() as connection:
        total = connection.execute(select(func.count()).select_from(runs).where(*where)).scalar_one()
        rows, now = connection.execute(wanted).mappings().all(), db.now(connection)
    return Listing(tuple(row_view(row, (), now) for row in rows), total)


def neighbours(db: Database, run_id: str) -> tuple[str | None, str | None]:
    """The next newer and the next older run of the same study, or of none.

    Raises:
        UnknownName: no such run.
    """
    place = tuple_(runs.c.created, runs.c.key)
    with db.read() as connection:
        row = _row(connection, run_id)
        same = select(runs.c.id).where(runs.c.study.is_(None) if row["study"] is None else runs.c.study == row["study"])
        here = tuple_(literal(row["created"]), literal(row["key"]))
        newer = same.where(place > here).order_by(runs.c.created, runs.c.key)
        older = same.where(place < here).order_by(runs.c.created.desc(), runs.c.key.desc())
        found = [connection.execute(one.limit(1)).scalar() for one in (newer, older)]
    return found[0], found[1]


def request_stop(db: Database, run_id: str) -> None:
    """Stop a pending run at once and ask the worker of a running one to stop; an ended run stays as it is.

    Raises:
        UnknownName: no such run; UserError: its study works on it.
    """
    with db.write() as connection:
        row = _row(connection, run_id, held=True)
        if row["study"] is not None and row["status"] == "running" and row["heartbeat"] is None:
            raise UserError(f"run {run_id} is part of a study", hint="pause the study, which works on it")
        silent = abs(db.now(connection) - (row["heartbeat"] or 0.0)) > STALLED_SECONDS
        abandoned = row["status"] == "running" and silent
        if row["status"] == "pending" or abandoned:
            change = {"status": "stopped", "finished": time.time(), "owner": None, "epoch": row["epoch"] + 1}
        elif row["status"] == "running":
            change = {"stop_requested": True}
        else:
            return
        _change(connection, row, change)


def reopen(db: Database, run_id: str) -> None:
    """Make a stopped or failed run pending again; its nodes stay.

    Raises:
        UnknownName: no such run; UserError: it is neither stopped nor failed.
    """
    with db.write() as connection:
        row = _row(connection, run_id, held=True)
        if row["status"] not in ENDED:
            raise UserError(f"run {run_id} is {row['status']}", hint="stop it or wait until it has ended")
        if row["status"] == "done":
            raise UserError(f"run {run_id} is done", hint="extend it to a larger budget instead")
        _change(connection, row, {**_CLEAN, "status": "pending"})


def extend(db: Database, run_id: str, budget: int) -> None:
    """Give a run a larger budget; its nodes stay. An ended one loses its outcome and is pending again.

    Whoever works on a run keeps to the budget that it was claimed with; `leases.commit` makes the run pending again at
    that search's end where its budget was raised meanwhile.

    Raises:
        UnknownName: no such run; UserError: the budget is not larger, or its study still works on it.
    """
    with db.write() as connection:
        row = _row(connection, run_id, held=True)
        if budget <= row["budget"]:
            raise UserError(f"run {run_id} has a budget of {row['budget']} already; {budget} is not larger")
        ended = row["status"] in ENDED
        if row["study"] is not None and not ended:
            raise UserError(f"run {run_id} is {row['status']} in a study", hint="wait until it has ended")
        if ended:
            connection.execute(delete(candidates).where(candidates.c.run == row["key"]))
        _change(connection, row, {"budget": budget} | ({**_CLEAN, "status": "pending"} if ended else {}))


def annotate(db: Database, run_id: str, note: str) -> None:
    """Write a note beside a run, in place of what stood there.

    Raises:
        UnknownName: no such run; UserError: a study is not done with it, and may throw it away.
    """
    with db.write() as connection:
        row = _row(connection, run_id, held=True)
        if row["study"] is not None and row["status"] != "done":
            raise UserError(f"run {run_id} is {row['status']} in a study", hint="wait until it is done")
        connection.execute(update(runs).where(runs.c.key == row["key"]).values(note=note))  # it changes nothing else


def remove(db: Database, run_ids: Sequence[str]) -> int:
    """Delete runs with all that belongs to them; returns how many there were. Their space goes back to the disk."""
    gone = 0
    with db.write() as connection:
        for run_id in run_ids:
            found = connection.execute(delete(runs).where(runs.c.id == run_id).returning(runs.c.study)).first()
            gone += found is not None
            if found is not None and found.study is not None:
                of = select(methods.c.key).where(methods.c.study == found.study)
                for kept in (outcomes, pools):  # what the study knows of it stays, without its tree
                    named = (kept.c.method.in_(of), kept.c.run == run_id)
                    connection.execute(update(kept).where(*named).values(run=None))
    if gone:
        db.give_back_space([runs.name, nodes.name, candidates.name])
    return gone


def put(
    connection: Connection, run_id: str, spec: RunSpec, row: dict[str, Any], usage: Usage, found: Iterable[Node]
) -> None:
    """Write a whole ended run, as an import does. row: its other columns, `outcome` among them (None or an Outcome).

    Raises:
        UserError: there is a run of this id.
    """
    if connection.execute(select(runs.c.key).where(runs.c.id == run_id)).first():
        raise UserError(f"there is a run {run_id} already", hint="delete it first")
    outcome: Outcome | None = row.pop("outcome")
    found = list(found)
    values = {"id": run_id, **spec_row(spec), **row, **usage_row(usage), "revision": 1, "nodes": len(found)}
    key = connection.execute(insert(runs).values(**values, **outcome_row(outcome)).returning(runs.c.key)).scalar_one()
    trees.put(connection, [trees.Grown(key, 1, found)])
    if outcome is not None:
        put_candidates(connection, key, outcome)


def outcome_row(outcome: Outcome | None) -> dict[str, Any]:
    """Columns of an Outcome, its candidates apart."""
    if outcome is None:
        return {"has_outcome": False}
    shown = {"answer": outcome.answer, "chosen": outcome.chosen, "excluded": outcome.excluded}
    return {"has_outcome": True, **shown}


def put_candidates(connection: Connection, run: int, outcome: Outcome) -> None:
    """Replace a run's candidates."""
    connection.execute(delete(candidates).where(candidates.c.run == run))
    rows = [
        {"run": run, "position": i, "node": c.node, "answer": c.answer, "score": c.score, "weight": c.weight}
        for i, c in enumerate(outcome.candidates)
    ]
    if rows:
        connection.execute(insert(candidates), rows)


def _row(connection: Connection, run_id: str, *, held: bool = False) -> dict[str, Any]:
    """The row. held: nobody else changes it before this transaction ends, in which it is changed."""
    wanted = select(runs).where(runs.c.id == run_id)
    row = connection.execute(wanted.with_for_update() if held else wanted).mappings().first()
    if row is None:
        raise UnknownName(f"no run is called {run_id!r}", hint="`list` shows what is stored")
    return dict(row)


def _change(connection: Connection, row: dict[str, Any], change: dict[str, Any]) -> None:
    stamped = {**change, "revision": row["revision"] + 1}
    if connection.execute(update(runs).where(runs.c.key == row["key"]).values(**stamped)).rowcount != 1:
        raise StoreFault(f"run {row['id']} vanished")


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
