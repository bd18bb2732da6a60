"""How runs end in which their worker does not come to the end: an engine hangs in it, or more is wanted meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, select, true, update

from ttc_core.store.database import Database
from ttc_core.store.repository import runs

FREE: dict[str, Any] = {"owner": None, "heartbeat": None, "stop_requested": False}


def goes_on(stop: bool, now: float) -> dict[str, Any]:
    """Columns of a run whose budget was raised before it came to its end: the next claim goes on to that.

    stop: somebody wants it stopped.
    """
    return {**FREE, "attempts": 0, **({"status": "stopped", "finished": now} if stop else {"status": "pending"})}


def stop(db: Database, worker: str) -> None:
    """Stop what the worker holds and somebody wants stopped."""
    wanted = and_(runs.c.status == "running", runs.c.owner == worker, runs.c.stop_requested)
    with db.read() as connection:  # mostly nothing, and looking must not take the writers' lock
        if not connection.execute(select(runs.c.key).where(wanted).limit(1)).first():
            return
    with db.write() as connection:
        _end(connection, wanted, {"status": "stopped", "stop_requested": False, "finished": db.now(connection)})


def fail(connection: Connection, now: float, worker: str, why: str, whose: Iterable[str] | None) -> None:
    """Fail what the worker holds: the runs of these ids, None for all."""
    held = and_(runs.c.status == "running", runs.c.owner == worker)
    these = true() if whose is None else runs.c.id.in_(list(whose))
    how = {"status": "failed", "error": why, "hint": "what is recorded stays", "finished": now}
    _end(connection, and_(held, these), how)


def _end(connection: Connection, of: ColumnElement[bool], how: dict[str, Any]) -> None:
    free = {"owner": None, "heartbeat": None, "revision": runs.c.revision + 1}
    connection.execute(update(runs).where(of).values(**how, **free))
