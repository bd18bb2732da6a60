"""Who works on what. A run, or a study's unit, is leased to one owner at a time, for as long as its heart beats.

Every lease has an epoch, counted up at each claim. An owner's writes name the epoch they were made under and change
nothing once somebody else has claimed the run: a worker that comes back from the dead cannot spoil its successor's
work. `store.units` does for units what is done here for runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, case, delete, func, insert, not_, or_, select, update

from ttc_core.runs_views import STALLED_SECONDS, WorkerView
from ttc_core.store import endings, trees
from ttc_core.store.database import Database
from ttc_core.store.process import HOST, gone, machine, started
from ttc_core.store.repository import outcome_row, put_candidates, runs
from ttc_core.store.rows import row_spec, row_usage, usage_row
from ttc_core.store.schema import UnitRow, WorkerRow, table
from ttc_core.store.trees import nodes
from ttc_core.types import Node, Outcome, RunSpec, Status, Usage

workers, units = table(WorkerRow), table(UnitRow)
LEASED: dict[Table, dict[str, Any]] = {runs: {"revision": runs.c.revision + 1}, units: {}}  # what freeing changes too
# Leases in a row that ended with their worker and brought nothing new: after so many a run or unit is worked on alone,
# so that no other one is blamed for it; after so many it fails, as it is what ends workers.
SUSPECT, DEATHS = 2, 5
FORGET_SECONDS = 86_400.0  # a worker that has been silent for a day is struck off


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write a run: its key in the database, its id, the epoch of the claim, and the budget it was for."""

    key: int
    run_id: str
    epoch: int
    budget: int = 0  # of a unit none: its searches have theirs


@dataclass(frozen=True, slots=True)
class Claim:
    """A run taken over, with what was recorded of it before. attempts: leases of it since anything new came."""

    lease: Lease
    spec: RunSpec
    nodes: tuple[Node, ...]
    usage: Usage
    attempts: int = 0

    @property
    def suspect(self) -> bool:
        """It has ended several workers already: nothing else is to be worked on beside it."""
        return self.attempts > SUSPECT


@dataclass(frozen=True, slots=True)
class End:
    """How a run ended: "done" with an outcome, or "failed" / "stopped" with a reason."""

    status: Status
    outcome: Outcome | None = None
    correct: bool | None = None
    graded_by: str | None = None
    error: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to a run since its last change: new or changed nodes, its cost so far, perhaps its end.

    recorded: nodes that are stored, by id: what is the parent's need not be written again.
    """

    lease: Lease
    nodes: Sequence[Node] = ()
    usage: Usage | None = None
    end: End | None = None
    recorded: Mapping[str, Node] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a list of changes: leases lost (nothing of them was written), runs somebody wants stopped."""

    lost: frozenset[str]
    stop: frozenset[str]


# --- workers ---------------------------------------------------------------------------------------------------------


def enrol(db: Database, worker: str, role: str, pid: int) -> None:
    """Note that a process starts working. role: "worker" (takes any pending run) or "solve" (only its own)."""
    row = {"id": worker, "role": role, "host": HOST, "pid": pid, "process_started": started(pid) or f"{machine()} "}
    with db.write() as connection:
        now = db.now(connection)
        connection.execute(insert(workers), {**row, "started": now, "heartbeat": now})
        connection.execute(delete(workers).where(workers.c.heartbeat < now - FORGET_SECONDS))


def leave(db: Database, worker: str, hung: str = "", whose: Iterable[str] | None = None) -> None:
    """Strike the worker off and give back what it still holds: that is pending again.

    hung: why it cannot go on, if it cannot. Its units note that, its runs (of these ids, None for all) fail with it.
    """
    with db.write() as connection:
        if hung:
            endings.fail(connection, db.now(connection), worker, hung, whose)
        for of in LEASED:
            held = update(of).where(of.c.status == "running", of.c.owner == worker)
            fewer = case((of.c.attempts > 0, of.c.attempts - 1), else_=0)
            connection.execute(held.values(error=hung) if hung and of is units else held.values(attempts=fewer))
        _free(connection, _held_by([worker]))
        connection.execute(delete(workers).where(workers.c.id == worker))


def beat(db: Database, worker: str) -> None:
    """Give a sign of life for the worker and all it holds."""
    with db.write() as connection:
        now = db.now(connection)
        connection.execute(update(workers).where(workers.c.id == worker).values(heartbeat=now))
        for of in LEASED:
            held = and_(of.c.owner == worker, of.c.status == "running")
            connection.execute(update(of).where(held).values(heartbeat=now))


def state(db: Database) -> WorkerView:
    """The worker with the freshest heartbeat; those of role "solve" do not count."""
    wanted = select(workers).where(workers.c.role == "worker").order_by(workers.c.heartbeat.desc()).limit(1)
    with db.read() as connection:
        row, now = connection.execute(wanted).mappings().first(), db.now(connection)
    if row is None:
        return WorkerView(False, None, None)
    age = max(0.0, now - row["heartbeat"])
    here = age <= STALLED_SECONDS and not gone(row["pid"], row["process_started"])
    return WorkerView(here, age, row["pid"])


def reclaim(db: Database) -> int:
    """Make pending again what a process of this machine held that is gone; returns how many runs and units."""
    with db.read() as connection:
        asked = [select(of.c.key).where(of.c.status == "running", of.c.owner.is_not(None)).limit(1) for of in LEASED]
        if not any(connection.execute(one).first() for one in asked):
            return 0
        rows = connection.execute(select(workers)).mappings().all()
    dead = [row["id"] for row in rows if gone(row["pid"], row["process_started"])]
    if not dead:
        return 0
    with db.write() as connection:
        freed = _free(connection, _held_by(dead))
        connection.execute(delete(workers).where(workers.c.id.in_(dead)))
    return freed


def give_back(db: Database, worker: str, kept: Iterable[Lease], kept_units: Iterable[Lease]) -> int:
    """Make pending again what is leased to the worker beside what it knows of; returns how many runs and units.

    A claim whose answer was lost on its way would otherwise look alive for as long as the worker is.
    """
    known = {runs: [lease.key for lease in kept], units: [lease.key for lease in kept_units]}
    strays = {of: and_(mine, of.c.key.not_in(known[of])) for of, mine in _held_by([worker]).items()}
    with db.read() as connection:
        if not any(connection.execute(select(of.c.key).where(stray).limit(1)).first() for of, stray in strays.items()):
            return 0
    with db.write() as connection:
        return _free(connection, strays)


def _held_by(owners: Sequence[str]) -> dict[Table, ColumnElement[bool]]:
    return {of: and_(of.c.status == "running", of.c.owner.in_(owners)) for of in LEASED}


def _free(connection: Connection, held: Mapping[Table, ColumnElement[bool]]) -> int:
    """The next claim counts the epoch up, which shuts the old owner out; until then it finds nothing of its own."""
    freed = 0
    for of, these in held.items():
        waiting = {"status": "pending", "owner": None, "heartbeat": None, **LEASED[of]}
        freed += connection.execute(update(of).where(these).values(**waiting)).rowcount
    return freed


# --- runs ------------------------------------------------------------------------------------------------------------


def silent(of: Table, worker: str, now: float) -> ColumnElement[bool]:
    """Which rows of `of` somebody else than this worker, or nobody, works on without a sign of life of late.

    One from the future is none: the clock was set back since. What the worker itself holds it need not take over,
    however long its machine was suspended.
    """
    lately = of.c.heartbeat.between(now - STALLED_SECONDS, now + STALLED_SECONDS)
    return and_(of.c.status == "running", of.c.owner.is_distinct_from(worker), not_(lately))


def claim(
    db: Database, worker: str, limit: int, only: Sequence[str] | None = None, *, suspects: bool = True
) -> list[Claim]:
    """Lease up to `limit` runs that wait or whose owner has fallen silent, oldest first.

    only: among these ids; suspects: if there are no others, also one that has ended several workers.
    """
    with db.read() as connection:  # nothing waits most of the time, and looking must not take the writers' lock
        now = db.now(connection)
        free = or_(runs.c.status == "pending", silent(runs, worker, now))
        if only is not None:
            free = and_(free, runs.c.id.in_(only))
        if not suspects:
            free = and_(free, runs.c.attempts < SUSPECT)
        if not connection.execute(select(runs.c.key).where(free).limit(1)).first():
            return []
    with db.write() as connection:
        last = case((runs.c.attempts < SUSPECT, 0), else_=1)
        wanted = select(runs).where(free).order_by(last, runs.c.created, runs.c.key).limit(limit)
        rows = connection.execute(wanted.with_for_update(skip_locked=True)).mappings().all()
        beside = [row for row in rows if row["attempts"] < SUSPECT] or rows[:1]
        claims = [_take(connection, dict(row), worker, now) for row in beside]
    return [claim for claim in claims if claim is not None]


def poisoned(attempts: int, error: str, now: float) -> dict[str, Any] | None:
    """How that ends which ended so many workers, None while it has not; error: what is known of the last one's end."""
    if attempts <= DEATHS:
        return None
    why = f"{DEATHS} workers in a row ended while they worked on it" + (f", the last because {error}" if error else "")
    ended = {"status": "failed", "finished": now, "owner": None, "heartbeat": None}
    return {**ended, "error": why, "hint": "see their logs; memory?"}


def _take(connection: Connection, row: dict[str, Any], worker: str, now: float) -> Claim | None:
    attempts = row["attempts"] + 1
    if gone := poisoned(attempts, row["error"], now):
        gone |= {"stop_requested": False, "revision": row["revision"] + 1}
        connection.execute(update(runs).where(runs.c.key == row["key"]).values(**gone))
        return None
    taken = {
        "attempts": attempts,
        "status": "running",
        "owner": worker,
        "epoch": row["epoch"] + 1,
        "heartbeat": now,
        "started": row["started"] or now,
        "revision": row["revision"] + 1,
    }
    connection.execute(update(runs).where(runs.c.key == row["key"]).values(**taken))
    lease = Lease(row["key"], row["id"], row["epoch"] + 1, row["budget"])
    return Claim(lease, row_spec(row), tuple(trees.recorded(connection, row["key"])), row_usage(row), attempts)


def commit(db: Database, changes: Iterable[Change]) -> Written:
    """Write the changes of many runs in one transaction. Runs whose lease is lost are left alone and named."""
    lost, stop = set(), set()
    with db.write() as connection:
        now = db.now(connection)
        for change in changes:
            wants_stop = _write(connection, change, now)
            if wants_stop is None:
                lost.add(change.lease.run_id)
            elif wants_stop and change.end is None:
                stop.add(change.lease.run_id)
    return Written(frozenset(lost), frozenset(stop))


def held(db: Database, leases: Sequence[Lease]) -> Written:
    """Which of these leases are lost, and which of their runs somebody wants stopped."""
    wanted = select(runs.c.id, runs.c.epoch, runs.c.status, runs.c.stop_requested)
    with db.read() as connection:
        rows = connection.execute(wanted.where(runs.c.key.in_([lease.key for lease in leases]))).mappings()
        now = {row["id"]: row for row in rows}
    lost, stop = set(), set()
    for lease in leases:
        row = now.get(lease.run_id)
        if row is None or row["epoch"] != lease.epoch or row["status"] != "running":
            lost.add(lease.run_id)
        elif row["stop_requested"]:
            stop.add(lease.run_id)
    return Written(frozenset(lost), frozenset(stop))


def _write(connection: Connection, change: Change, now: float) -> bool | None:
    """Write one run's change under its lease; returns whether a stop is wanted, None if the lease is lost."""
    key = change.lease.key  # may serve a later run once its own was deleted, hence the id beside it
    owned = (runs.c.key == key, runs.c.id == change.lease.run_id, runs.c.epoch == change.lease.epoch)
    values: dict[str, Any] = {"revision": runs.c.revision + 1, "heartbeat": now}
    if change.usage is not None:
        values |= usage_row(change.usage)
    returned = (runs.c.revision, runs.c.stop_requested, runs.c.budget)
    row = connection.execute(
        update(runs).where(*owned, runs.c.status == "running").values(**values).returning(*returned)
    ).first()
    if row is None:
        return None
    if change.nodes:
        latest = {node.id: node for node in change.nodes}  # the last state of a node that changed twice
        known = select(func.count()).select_from(nodes).where(nodes.c.run == key, nodes.c.id.in_(latest))
        new = len(latest) - connection.execute(known).scalar_one()
        trees.put(connection, [trees.Grown(key, row.revision, latest.values(), change.recorded)])
        if new:
            connection.execute(update(runs).where(runs.c.key == key).values(nodes=runs.c.nodes + new, attempts=0))
    if change.end is not None:
        raised = change.end.status == "done" and row.budget > change.lease.budget
        ended = endings.goes_on(row.stop_requested, now) if raised else _ended(change.end, now)
        connection.execute(update(runs).where(runs.c.key == key).values(**ended))
        if change.end.outcome is not None and not raised:
            put_candidates(connection, key, change.end.outcome)
    return bool(row.stop_requested)


def _ended(end: End, now: float) -> dict[str, Any]:
    """Columns of a run that has ended."""
    graded = {"correct": end.correct, "graded_by": end.graded_by, "error": end.error, "hint": end.hint}
    return {**endings.FREE, "status": end.status, "finished": now, **graded, **outcome_row(end.outcome)}
