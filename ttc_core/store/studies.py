"""Studies as they stand, and what is decided of them.

How they come to be is in `studies_made`, what workers write is in `units`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, case, delete, func, select, update

from ttc_core.errors import UnknownName
from ttc_core.store.database import Database
from ttc_core.store.repository import candidates, runs
from ttc_core.store.trees import nodes
from ttc_core.store.units import methods, outcomes, pools, problems, studies, units

WINDOW = 300.0  # seconds: the rate of a study is that of the units that ended so recently


def find(connection: Connection, study: str) -> RowMapping:
    """The row of a study.

    Raises:
        UnknownName: no such study.
    """
    row = connection.execute(select(studies).where(studies.c.id == study)).mappings().first()
    if row is None:
        known = connection.execute(select(studies.c.id).order_by(studies.c.created.desc()).limit(20)).scalars().all()
        there = f"there is: {', '.join(known)}" if known else "there is none"
        raise UnknownName(f"no study is called {study!r}", hint=there)
    return row


def set_status(db: Database, study: str, status: str, why: str = "") -> None:
    """Let it run ("running"), or have its workers give it back ("paused", "cancelled").

    Raises:
        UnknownName: no such study.
    """
    with db.write() as connection:
        row = find(connection, study)
        connection.execute(update(studies).where(studies.c.key == row["key"]).values(status=status, why=why))


def resume(db: Database, study: str) -> int:
    """Let it run, with its failed units to be tried again; returns how many those are.

    Raises:
        UnknownName: no such study.
    """
    with db.write() as connection:
        row = find(connection, study)
        connection.execute(update(studies).where(studies.c.key == row["key"]).values(status="running", why=""))
        failed = (units.c.study == row["key"], units.c.status == "failed")
        clean = {"status": "pending", "attempts": 0, "error": "", "hint": "", "finished": None}
        return connection.execute(update(units).where(*failed).values(**clean)).rowcount


def check_cost(db: Database, study: str) -> None:
    """Pause a study that has spent what it may; it goes on once `change` gave it a larger `max_cost` or none."""
    with db.read() as connection:
        row = connection.execute(select(studies).where(studies.c.id == study)).mappings().first()
        limits = json.loads(row["options"]).get("max_cost") if row is not None else None
        if row is None or not limits or row["status"] != "running":
            return
        spent = {name: func.coalesce(func.sum(units.c[name]), 0) for name in ("generations", "tokens", "flops")}
        sums = connection.execute(select(*spent.values()).where(units.c.study == row["key"])).one()
    for name, value in zip(spent, sums, strict=True):
        if name in limits and value >= limits[name]:
            set_status(db, study, "paused", f"it has spent {value:.6g} {name}, of at most {limits[name]:.6g}")
            return


def change(db: Database, study: str, max_cost: Mapping[str, float | None], priority: int | None) -> None:
    """Change some limits of what a study may spend, None takes one away; and its priority, None leaves it.

    Raises:
        UnknownName: no such study.
    """
    with db.write() as connection:
        row = find(connection, study)
        options = json.loads(row["options"])
        limits = {**options.pop("max_cost", {}), **max_cost}
        if limits := {name: most for name, most in limits.items() if most is not None}:
            options["max_cost"] = limits
        values = {
            "options": json.dumps(options, sort_keys=True),
            "priority": row["priority"] if priority is None else priority,
        }
        connection.execute(update(studies).where(studies.c.key == row["key"]).values(**values))


def remove(db: Database, study: str) -> None:
    """Delete a study with all that belongs to it. Its space goes back to the disk.

    Raises:
        UnknownName: no such study.
    """
    with db.write() as connection:
        key = find(connection, study)["key"]
        connection.execute(delete(runs).where(runs.c.study == key))
        connection.execute(delete(studies).where(studies.c.key == key))
    db.give_back_space(
        [of.name for of in (runs, nodes, candidates, studies, problems, methods, units, outcomes, pools)]
    )


def names(db: Database) -> list[str]:
    """All studies, newest first."""
    with db.read() as connection:
        return list(connection.execute(select(studies.c.id).order_by(studies.c.created.desc())).scalars())


def state(db: Database, study: str) -> dict[str, Any]:
    """Where it stands: its row, counts, units by status, failed units with reasons, costs, rates and `_verdicts`.

    Raises:
        UnknownName: no such study.
    """
    with db.read() as connection:
        row = dict(find(connection, study))
        mine = units.c.study == row["key"]
        work = units.c.budget * units.c.count
        grouped = select(units.c.status, func.count(), func.sum(work)).where(mine).group_by(units.c.status)
        counted = connection.execute(grouped).all()
        asked = select(func.count()).select_from(problems).where(problems.c.study == row["key"])
        failed = select(units, methods.c.label).join(methods, methods.c.key == units.c.method)
        failed = failed.where(mine, units.c.status == "failed").order_by(units.c.position).limit(100)
        costs = [func.coalesce(func.sum(units.c[name]), 0) for name in ("generations", "tokens", "flops")]
        spent = connection.execute(select(*costs).where(mine)).one()
        return {
            "datasets": _different(connection, row["key"], problems, "dataset"),
            "models": _different(connection, row["key"], methods, "model"),
            **row,
            "problems": connection.execute(asked).scalar_one(),
            "units": {status: n for status, n, _ in counted},
            "work": {status: int(w) for status, _, w in counted},
            "failed": [dict(unit) for unit in connection.execute(failed).mappings()],
            **_verdicts(connection, row["key"]),
            **dict(zip(("generations", "tokens", "flops"), spent, strict=True)),
            **_rates(connection, row["key"]),
        }


def _different(connection: Connection, key: int, of: Table, name: str) -> list[str]:
    """What different values a column of these rows of a study has, in the order of the rows."""
    found = select(of.c[name]).where(of.c.study == key).group_by(of.c[name]).order_by(func.min(of.c.position))
    return list(connection.execute(found).scalars())


def _verdicts(connection: Connection, key: int) -> dict[str, int]:
    """How many outcomes there are, how many problems have graded ones, and sums over these problems.

    graded, right: of such outcomes; right_right, right_graded, graded_graded: of products of a problem's own numbers.
    """
    right = func.sum(case((outcomes.c.correct, 1), else_=0)).label("right")
    counts = (func.count().label("outcomes"), func.count(outcomes.c.correct).label("graded"), right)
    of = outcomes.join(methods, methods.c.key == outcomes.c.method)
    wanted = select(*counts).select_from(of).where(methods.c.study == key).group_by(outcomes.c.problem)
    each = wanted.subquery().c
    sums = {
        "outcomes": each.outcomes,
        "graded_problems": case((each.graded > 0, 1), else_=0),
        "graded": each.graded,
        "right": each.right,
        "right_right": each.right * each.right,
        "right_graded": each.right * each.graded,
        "graded_graded": each.graded * each.graded,
    }
    row = connection.execute(select(*(func.coalesce(func.sum(value), 0) for value in sums.values()))).one()
    return {name: int(value) for name, value in zip(sums, row, strict=True)}


def _rates(connection: Connection, key: int) -> dict[str, float | None]:
    """Tokens and generations a second of the units that ended of late, over the time in which they were worked on."""
    now = time.time()
    sums = (func.sum(units.c.tokens), func.sum(units.c.budget * units.c.count), func.min(units.c.started))
    ended = (units.c.study == key, units.c.status == "done", units.c.finished > now - WINDOW)
    tokens, work, since = connection.execute(select(*sums, func.max(units.c.finished)).where(*ended)).one()[:3]
    if not work:
        return {"tokens_per_second": None, "work_per_second": None}
    last = connection.execute(select(func.max(units.c.finished)).where(*ended)).scalar_one()
    busy = connection.execute(select(units.c.key).where(units.c.study == key, units.c.status == "running")).first()
    elapsed = max(1e-3, (now if busy else last) - since)
    return {"tokens_per_second": float(tokens) / elapsed, "work_per_second": float(work) / elapsed}
