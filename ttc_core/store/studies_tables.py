"""What analysis reads of studies: outcomes and pools in columns, without opening a tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, not_, select

from ttc_core.store.database import Database
from ttc_core.store.repository import runs
from ttc_core.store.studies import find
from ttc_core.store.units import SHARING, methods, outcomes, pools, problems, studies, units


def outcome_columns(db: Database, study: str, dataset: str | None = None) -> dict[str, Sequence[Any]]:
    """Outcomes of its methods (not of pools as such), with the problem and the method, in the study's order.

    By column: there are many, and few that look at them one by one.

    Raises:
        UnknownName: no such study.
    """
    with db.read() as connection:
        key = find(connection, study)["key"]
        asked = [problems.c.dataset, problems.c.problem_id]
        done = [methods.c[name] for name in ("model", "verifier", "strategy", "params", "label", "temperature")]
        of = outcomes.join(methods, methods.c.key == outcomes.c.method)
        of = of.join(problems, (problems.c.study == methods.c.study) & (problems.c.position == outcomes.c.problem))
        wanted = select(outcomes, *asked, *done).select_from(of).where(methods.c.study == key)
        if dataset is not None:
            wanted = wanted.where(problems.c.dataset == dataset)
        order = (methods.c.position, outcomes.c.budget, outcomes.c.seed, outcomes.c.problem)
        found = connection.execute(wanted.order_by(*order))
        names, rows = list(found.keys()), found.all()
        return dict(zip(names, zip(*rows, strict=True) if rows else ((),) * len(names), strict=True))


def pool_rows(db: Database, study: str, dataset: str | None = None) -> list[dict[str, Any]]:
    """Pools, with the problem and the method, in the study's order.

    Raises:
        UnknownName: no such study.
    """
    with db.read() as connection:
        key = find(connection, study)["key"]
        asked = [problems.c.dataset, problems.c.problem_id, problems.c.question, problems.c.gold, problems.c.grader]
        of = pools.join(methods, methods.c.key == pools.c.method)
        of = of.join(problems, (problems.c.study == methods.c.study) & (problems.c.position == pools.c.problem))
        shown = (methods.c.model, methods.c.verifier, methods.c.position, problems.c.extra.label("problem_extra"))
        wanted = select(pools, *asked, *shown).select_from(of).where(methods.c.study == key)
        if dataset is not None:
            wanted = wanted.where(problems.c.dataset == dataset)
        order = (methods.c.position, pools.c.problem, pools.c.seed)
        return [dict(row) for row in connection.execute(wanted.order_by(*order)).mappings()]


def graders(db: Database, study: str) -> set[str]:
    """What its problems' answers are graded by.

    Raises:
        UnknownName: no such study.
    """
    with db.read() as connection:
        of = problems.c.study == find(connection, study)["key"]
        return {*connection.execute(select(problems.c.grader).where(of).distinct()).scalars()}


def left(db: Database, study: str, models: Sequence[str]) -> bool:
    """Whether units of these models have not ended yet.

    Raises:
        UnknownName: no such study.
    """
    of = units.join(methods, methods.c.key == units.c.method)
    with db.read() as connection:
        key = find(connection, study)["key"]
        wanted = select(units.c.key).select_from(of).where(units.c.study == key, methods.c.model.in_(models))
        return connection.execute(wanted.where(units.c.status.in_(["pending", "running"])).limit(1)).first() is not None


def models(db: Database, study: str) -> list[str]:
    """The models that its units are of, in the study's order.

    Raises:
        UnknownName: no such study.
    """
    with db.read() as connection:
        key = find(connection, study)["key"]
        of = methods.join(units, units.c.method == methods.c.key)
        wanted = select(methods.c.model).select_from(of).where(methods.c.study == key)
        found = connection.execute(wanted.group_by(methods.c.model).order_by(func.min(methods.c.position)))
        return list(found.scalars())


def pace(db: Database, model: str, verifier: str) -> tuple[str, float] | None:
    """The newest study in which this pair has been at work, and the generations a second of all that it has done.

    The time is that in which any of its units was leased: waiting between them does not count. None if there is none.
    """
    of = units.join(methods, methods.c.key == units.c.method)
    pair = (methods.c.model == model, methods.c.verifier == verifier)
    newest = select(units.c.study).select_from(of.join(studies, studies.c.key == units.c.study))
    newest = newest.where(*pair, units.c.status == "done", not_(SHARING))  # where searches share, less was done
    with db.read() as connection:
        study = connection.execute(newest.order_by(units.c.finished.desc()).limit(1)).scalar()
        if study is None:
            return None
        name = connection.execute(select(studies.c.id).where(studies.c.key == study)).scalar_one()
        spans = select(units.c.started, units.c.finished, units.c.budget * units.c.count)
        done = (units.c.study == study, units.c.status == "done")
        rows = connection.execute(spans.where(*done).order_by(units.c.started)).all()
    seconds, until, work = 0.0, 0.0, 0
    for start, end, generations in rows:
        seconds += max(0.0, end - max(start, until))
        until, work = max(until, end), work + generations
    return (str(name), work / seconds) if seconds else None


def measured(db: Database, model: str) -> dict[str, float]:
    """What searches of a model cost so far, a generation: tokens and seconds by name; {} if none."""
    with db.read() as connection:
        total: dict[str, float] = {}
        for place in (runs, outcomes.join(methods, methods.c.key == outcomes.c.method)):
            of = runs.c if place is runs else outcomes.c
            named = ("generations", "generated_tokens", "prompt_tokens_computed", "verifier_tokens", "seconds")
            sums = [func.coalesce(func.sum(of[name]), 0) for name in named]
            which = (runs if place is runs else methods).c.model == model
            row = connection.execute(select(*sums).select_from(place).where(which)).one()
            total = {name: total.get(name, 0.0) + float(value) for name, value in zip(named, row, strict=True)}
    count = total.pop("generations")
    return {name: value / count for name, value in total.items()} if count else {}
