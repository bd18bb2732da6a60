"""A study's work units: leased as runs are (`store.leases`), and written under the epoch of the lease.

A unit is one method, budget and seed on a block of problems, or one pool of samples of them. While a search of it is
under way it is a run of the study, with its nodes, so that a worker that dies loses nothing that was recorded. When it
ends, its outcome goes into columns and the run goes, unless its tree is to be kept. A unit that is done never changes.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, delete, insert, or_, select, tuple_, update

from ttc_core.store import trees
from ttc_core.store.database import Database
from ttc_core.store.leases import SUSPECT, Lease, Written, poisoned, silent
from ttc_core.store.repository import outcome_row, put_candidates, runs
from ttc_core.store.rows import USAGE, row_usage, spec_row, usage_row
from ttc_core.store.schema import MethodRow, OutcomeRow, PoolRow, StudyProblemRow, StudyRow, UnitRow, table
from ttc_core.store.units_values import Method, Place, SearchChange, Task, UnitChange, UnitClaim
from ttc_core.types import NO_USAGE, RunSpec

studies, problems, methods = table(StudyRow), table(StudyProblemRow), table(MethodRow)
units, outcomes, pools = table(UnitRow), table(OutcomeRow), table(PoolRow)


SHARING = studies.c.options.like('%"share": true%')  # as `studies_made` writes them
SEARCH_ID = re.compile(r"s(\d+)-(\d+)-(\d+-\d+-\d+)", re.ASCII)


def search_id(study: int, method: int, place: str) -> str:
    """What the run of a search is called: by the keys of study and method, and problem, budget and seed."""
    return f"s{study}-{method}-{place}"


def passing(point: str) -> None:
    """Named moments at which a crash would tell most: "claimed", "written", "committed". Tests end the process here."""


def first_epoch() -> int:
    """Of units that are new here: their keys may be those of a study that was deleted, which a worker still has."""
    return secrets.randbelow(2**30)


def claim(
    db: Database,
    worker: str,
    limit: int,
    study: str | None = None,
    *,
    models: Sequence[str] = (),
    suspects: bool = True,
    near: Collection[Place] = (),
) -> list[UnitClaim]:
    """Lease up to `limit` units of running studies, the most urgent study first; study: of this one alone.

    models: only units of these, none for all; suspects: also units that have ended several workers; they come last;
    near: of these problems first, as the worker has replies of theirs to share; those of problems that another worker
    has come last, where searches share.
    """
    asked = [studies.c.status == "running"]
    if study is not None:
        asked.append(studies.c.id == study)
    if models:
        asked.append(units.c.method.in_(select(methods.c.key).where(methods.c.model.in_(models))))
    if not suspects:
        asked.append(units.c.attempts < SUSPECT)
    of = units.join(studies, studies.c.key == units.c.study)
    with db.read() as connection:  # nothing waits most of the time, and looking must not take the writers' lock
        now = db.now(connection)
        free = and_(or_(units.c.status == "pending", silent(units, worker, now)), *asked)
        if not connection.execute(select(units.c.key).select_from(of).where(free).limit(1)).first():
            return []
    shown = (studies.c.id.label("study_id"), studies.c.options, studies.c.priority)
    wanted = select(units, *shown).select_from(of).where(free)
    last = case((units.c.attempts < SUSPECT, 0), else_=1)
    with db.write() as connection:
        place = tuple_(units.c.study, units.c.first, units.c.seed)
        far = case((place.in_(_elsewhere(connection, worker)), 2), (place.in_(near), 0), else_=1)
        wanted = wanted.order_by(last, studies.c.priority, studies.c.created, far, units.c.position).limit(limit)
        rows = connection.execute(wanted.with_for_update(skip_locked=True, of=units)).mappings().all()
        claims = [_take(connection, dict(row), worker, now) for row in rows]
    passing("claimed")
    return [claim for claim in claims if claim is not None]


def _elsewhere(connection: Connection, worker: str) -> list[Place]:
    """The problems that other workers have units of, where searches share replies: those workers have the replies."""
    sharing = select(studies.c.key).where(SHARING)
    of = select(units.c.study, units.c.first, units.c.seed).distinct()
    others = of.where(units.c.status == "running", units.c.owner != worker, units.c.study.in_(sharing))
    return [(study, first, seed) for study, first, seed in connection.execute(others)]


def _take(connection: Connection, row: dict[str, Any], worker: str, now: float) -> UnitClaim | None:
    attempts = row["attempts"] + 1
    mine = update(units).where(units.c.key == row["key"])
    if gone := poisoned(attempts, row["error"], now):
        connection.execute(mine.values(**gone))
        return None
    epoch = row["epoch"] + 1
    held = {"status": "running", "owner": worker, "epoch": epoch, "heartbeat": now, "attempts": attempts}
    connection.execute(mine.values(**held, started=now))
    method, served = _methods(connection, row["method"])
    lease = Lease(row["key"], str(row["key"]), epoch)
    tasks = _tasks(connection, row, method, now)
    options = json.loads(row["options"])
    said = (row["study_id"], options, row["priority"])
    place = (row["study"], row["first"], row["seed"])
    return UnitClaim(lease, *said, method, served, place, attempts, tasks)


def _methods(connection: Connection, key: int) -> tuple[Method, tuple[Method, ...]]:
    wanted = select(methods).where(or_(methods.c.key == key, methods.c.pool == key)).order_by(methods.c.position)
    found = [row_method(row) for row in connection.execute(wanted).mappings()]
    [own] = [method for method in found if method.key == key]
    return own, tuple(method for method in found if method.key != key)


def row_method(row: Mapping[Any, Any]) -> Method:
    """A row of `study_methods` as a value."""
    values = {name: row[name] for name in ("key", "model", "verifier", "strategy", "label", "temperature", "samples")}
    return Method(**values, params=json.loads(row["params"]), budgets=tuple(json.loads(row["budgets"])))


def _tasks(connection: Connection, row: dict[str, Any], method: Method, now: float) -> tuple[Task, ...]:
    """The unit's searches that have no outcome yet; each is given its run."""
    first, last = row["first"], row["first"] + row["count"] - 1
    place = pools if method.samples else outcomes
    ended = select(place.c.problem).where(place.c.method == method.key, place.c.seed == row["seed"])
    ended = ended.where(place.c.problem.between(first, last))
    if not method.samples:
        ended = ended.where(place.c.budget == row["budget"])
    have = set(connection.execute(ended).scalars())
    wanted = select(problems).where(problems.c.study == row["study"], problems.c.position.between(first, last))
    asked = [
        p for p in connection.execute(wanted.order_by(problems.c.position)).mappings() if p["position"] not in have
    ]
    return tuple(_task(connection, row, method, problem, now) for problem in asked)


def _task(connection: Connection, row: dict[str, Any], method: Method, problem: Mapping[Any, Any], now: float) -> Task:
    run_id = search_id(row["study"], method.key, f"{problem['position']}-{row['budget']}-{row['seed']}")
    spec = RunSpec(
        question=problem["question"],
        strategy=method.strategy,
        budget=row["budget"],
        seed=row["seed"],
        params=method.params,
        dataset=problem["dataset"],
        problem_id=problem["problem_id"],
        answer=problem["gold"],
        model=method.model,
        verifier=method.verifier,
        temperature=method.temperature,
        grader=problem["grader"],
    )
    old = connection.execute(select(runs).where(runs.c.id == run_id)).mappings().first()
    if old is not None:
        again = {"status": "running", "finished": None, "error": "", "stop_requested": False}
        connection.execute(update(runs).where(runs.c.key == old["key"]).values(**again))
        found = tuple(trees.recorded(connection, old["key"]))
        return Task(run_id, old["key"], problem["position"], spec, found, row_usage(old))
    values = {"id": run_id, "study": row["study"], "created": now, "started": now, "status": "running"}
    made = insert(runs).values(**values, **spec_row(spec)).returning(runs.c.key)
    return Task(run_id, connection.execute(made).scalar_one(), problem["position"], spec, (), NO_USAGE)


def commit(db: Database, changes: Iterable[UnitChange]) -> Written:
    """Write the changes of many units in one transaction. Units whose lease is lost are left alone and named.

    `Written.stop` names those whose study is no longer to run.
    """
    lost, stop = set(), set()
    with db.write() as connection:
        now = db.now(connection)
        ours = []
        for change in changes:
            runs_on = _fenced(connection, change, now)
            if runs_on is None:
                lost.add(change.lease.run_id)
                continue
            ours.append(change)
            if not runs_on and not change.status:
                stop.add(change.lease.run_id)
        _write(connection, ours, now)
        passing("written")
    passing("committed")
    return Written(frozenset(lost), frozenset(stop))


def held(db: Database, leases: Sequence[Lease]) -> Written:
    """Which of these leases are lost, and which of their studies are no longer to run."""
    of = units.join(studies, studies.c.key == units.c.study)
    wanted = select(units.c.key, units.c.epoch, units.c.status, studies.c.status.label("study")).select_from(of)
    with db.read() as connection:
        rows = connection.execute(wanted.where(units.c.key.in_([lease.key for lease in leases]))).mappings()
        now = {row["key"]: row for row in rows}
    lost, stop = set(), set()
    for lease in leases:
        row = now.get(lease.key)
        if row is None or row["epoch"] != lease.epoch or row["status"] != "running":
            lost.add(lease.run_id)
        elif row["study"] != "running":
            stop.add(lease.run_id)
    return Written(frozenset(lost), frozenset(stop))


# Built once: these are executed every turn.
_MINE = and_(units.c.key == bindparam("k"), units.c.epoch == bindparam("e"), units.c.status == "running")
_BEAT = update(units).where(_MINE).values(heartbeat=bindparam("now")).returning(units.c.study)
_RUNS_ON = select(studies.c.status).where(studies.c.key == bindparam("k"))
_PROGRESS = (
    update(runs)
    .where(runs.c.key == bindparam("k"))
    .values(revision=bindparam("r"), nodes=runs.c.nodes + bindparam("fresh"), **{n: bindparam(n) for n in USAGE})
)


def _fenced(connection: Connection, change: UnitChange, now: float) -> bool | None:
    """Note a sign of life or the end of a unit under its lease; whether its study still runs, None if it is lost."""
    if not change.status:
        bound = {"k": change.lease.key, "e": change.lease.epoch, "now": now}
        row = connection.execute(_BEAT, bound).first()
    else:
        ended: dict[str, Any] = {"status": change.status, "owner": None, "error": change.error, "hint": change.hint}
        ended |= {"finished": now} if change.status != "pending" else {}
        ended |= {"attempts": units.c.attempts - 1} if change.status == "pending" and not change.error else {}
        mine = (units.c.key == change.lease.key, units.c.epoch == change.lease.epoch, units.c.status == "running")
        last = update(units).where(*mine).values(**ended, heartbeat=None)
        row = connection.execute(last.returning(units.c.study)).first()
    if row is None:
        return None
    return connection.execute(_RUNS_ON, {"k": row.study}).scalar() == "running"


def _write(connection: Connection, changes: Sequence[UnitChange], now: float) -> None:
    """What happened to the searches of units whose lease holds."""
    searches = [search for change in changes for search in change.searches]
    ends = [search.end for search in searches if search.end is not None]
    for place, rows in ((outcomes, [r for e in ends for r in e.outcomes]), (pools, [r for e in ends for r in e.pools])):
        if rows:
            connection.execute(insert(place), rows)
    _write_runs(connection, [s for s in searches if s.end is None or s.end.kept is not None], now)
    gone = [s.task.key for s in searches if s.end is not None and s.end.kept is None]
    if gone:
        connection.execute(delete(runs).where(runs.c.key.in_(gone)))
    for change in changes:
        cost = [s.usage for s in change.searches if s.end is not None and s.usage is not None]
        if not cost and not any(s.fresh for s in change.searches):
            continue
        values: dict[str, Any] = {"attempts": 0}
        values["generations"] = units.c.generations + sum(u.generations for u in cost)
        values["tokens"] = units.c.tokens + sum(u.policy_tokens + u.verifier_tokens for u in cost)
        values["flops"] = units.c.flops + sum(u.policy_flops + u.verifier_flops for u in cost)
        connection.execute(update(units).where(units.c.key == change.lease.key).values(**values))


def _write_runs(connection: Connection, searches: Sequence[SearchChange], now: float) -> None:
    """The searches that remain as runs, because they go on or their tree is kept."""
    if not searches:
        return
    wanted = select(runs.c.key, runs.c.revision).where(runs.c.key.in_([s.task.key for s in searches]))
    revisions = {key: revision + 1 for key, revision in connection.execute(wanted).all()}
    there = [s for s in searches if s.task.key in revisions]
    progress = [
        {"k": s.task.key, "r": revisions[s.task.key], "fresh": s.fresh, **usage_row(s.usage)}
        for s in there
        if s.usage is not None
    ]
    if progress:
        connection.execute(_PROGRESS, progress)
    trees.put(connection, [trees.Grown(s.task.key, revisions[s.task.key], s.nodes, s.recorded) for s in there])
    for search in there:
        values: dict[str, Any] = {}
        if search.error:
            values = {"status": "failed", "finished": now, "error": search.error}
        elif search.end is not None and search.end.kept is not None and search.end.kept.outcome is not None:
            end = search.end.kept
            values = {"status": "done", "finished": now, **outcome_row(end.outcome)}
            values |= {"correct": end.correct, "graded_by": end.graded_by}
            put_candidates(connection, search.task.key, search.end.kept.outcome)
        if values:
            connection.execute(update(runs).where(runs.c.key == search.task.key).values(**values))
