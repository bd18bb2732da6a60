"""What people changed, or wanted to: who, in which role, what, of which run or study, and whether it was allowed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import func, insert, or_, select

from ttc_core.store.database import Database
from ttc_core.store.schema import AuditRow, RunRow, StudyRow, UnitRow, table

audit, runs, studies, units = table(AuditRow), table(RunRow), table(StudyRow), table(UnitRow)
OPEN = ("pending", "running")


def record(db: Database, who: str, role: str, verb: str, of: str, allowed: bool) -> None:
    """Add a line."""
    with db.write() as connection:
        row = {"at": time.time(), "who": who, "role": role, "verb": verb, "of": of, "allowed": allowed}
        connection.execute(insert(audit), row)


def started_by(db: Database, who: str, made: Sequence[str], ended: Sequence[str]) -> set[str]:
    """The ids of what this person made by one of these verbs and nobody made anew, or ended by one of those, since."""
    last = select(func.max(audit.c.key)).where(audit.c.verb.in_([*made, *ended]), audit.c.allowed).group_by(audit.c.of)
    with db.read() as connection:
        mine = select(audit.c.of).where(audit.c.key.in_(last), audit.c.who == who, audit.c.verb.in_(made))
        return set(connection.execute(mine).scalars())


def running(db: Database, ids: Iterable[str]) -> int:
    """How many of these runs and studies are under way."""
    wanted = list(ids)
    with db.read() as connection:
        searches = select(func.count()).where(runs.c.id.in_(wanted), runs.c.status.in_(OPEN))
        left = select(units.c.study).where(units.c.status.in_(OPEN))
        several = select(func.count()).where(
            studies.c.id.in_(wanted), studies.c.status == "running", studies.c.key.in_(left)
        )
        return sum(int(connection.execute(one).scalar_one()) for one in (searches, several))


def count(db: Database, who: str, verbs: Sequence[str], since: float) -> int:
    """How often this person did one of these since a moment."""
    with db.read() as connection:
        mine = select(func.count()).where(
            audit.c.who == who, audit.c.verb.in_(verbs), audit.c.at >= since, audit.c.allowed
        )
        return int(connection.execute(mine).scalar_one())


def latest(db: Database, limit: int = 100, text: str = "") -> list[dict[str, Any]]:
    """The newest lines; text: of one person, or about one run or study."""
    wanted = select(audit).order_by(audit.c.key.desc()).limit(limit)
    if text:
        wanted = wanted.where(or_(audit.c.who == text, audit.c.of == text))
    with db.read() as connection:
        return [dict(row) for row in connection.execute(wanted).mappings()]
