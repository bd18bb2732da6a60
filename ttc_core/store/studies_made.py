"""Studies as they are begun, and extended to more than they had; how they stand is in `studies`.

A study that is extended keeps what it has: a unit that is done is never done again.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from ttc_core.errors import UserError
from ttc_core.store.repository import runs
from ttc_core.store.studies import find
from ttc_core.store.units import first_epoch, methods, outcomes, pools, problems, studies, units
from ttc_core.types import Problem

Identity = tuple[str, str, str, str, float, bool]  # what a method is: all of it but its budgets and its label
ANOTHER = "ask for it in a study of its own"


@dataclass(frozen=True, slots=True)
class NewMethod:
    """A row of `study_methods` to be. pool: index of the method whose samples serve it; samples: of the pool it is."""

    model: str
    verifier: str
    strategy: str
    params: Mapping[str, Any]
    label: str
    budgets: Sequence[int]
    temperature: float = 1.0
    samples: int = 0
    pool: int | None = None


@dataclass(frozen=True, slots=True)
class NewUnit:
    """A row of `units` to be. method: index; first and count: positions of its problems."""

    method: int
    budget: int
    seed: int
    first: int
    count: int


@dataclass(frozen=True)
class NewStudy:
    """All of a study that is stored before any of it is carried out. extras: of each problem, or none."""

    id: str
    kind: str
    source: str
    options: Mapping[str, Any]
    problems: Sequence[Problem]
    methods: Sequence[NewMethod]
    units: Sequence[NewUnit] = ()
    priority: int = 0
    extras: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Had:
    """How much of a study is stored. problems: so many of the first; keys: of its methods, by their index."""

    problems: int = 0
    units: int = 0
    keys: Mapping[int, int] = field(default_factory=dict)


def create(
    connection: Connection,
    new: NewStudy,
    found: Iterable[tuple[int, Mapping[str, Any]]] = (),
    sampled: Iterable[tuple[int, Mapping[str, Any]]] = (),
) -> int:
    """Store a study; found and sampled: rows of `outcomes` and `pools` with the index of their method. Returns its key.

    Raises:
        UserError: there is one of this name.
    """
    if connection.execute(select(studies.c.key).where(studies.c.id == new.id)).first():
        raise UserError(f"there is a study {new.id!r} already", hint="take another name, or delete it first")
    row = {"id": new.id, "created": time.time(), "kind": new.kind}
    row |= {"source": new.source, "options": _json(new.options), "priority": new.priority, "status": "running"}
    key: int = connection.execute(insert(studies).values(**row).returning(studies.c.key)).scalar_one()
    keys = _put(connection, key, new, Had())
    add_outcomes(connection, key, found)
    _insert(connection, pools, [{**values, "method": keys[i]} for i, values in sampled])
    return key


def lacking(connection: Connection, asked: NewStudy) -> tuple[Had, NewStudy]:
    """How much of a study is stored that is asked for now, and the same with only those units that it lacks.

    Raises:
        UnknownName: no such study.
        UserError: it was imported, has something that is not asked for, or would need other samples in a pool.
    """
    row = find(connection, asked.id)
    if row["kind"] != asked.kind:
        raise UserError(f"study {asked.id!r} was imported", hint="only what a study file asked for can be extended")
    keys = _methods(connection, row["key"], asked)
    cells, count = _cells(connection, row["key"])
    wanted = {(keys.get(unit.method), unit.budget, unit.seed) for unit in asked.units}
    for cell in cells:
        if cell not in wanted:
            [of] = [asked.methods[i] for i, key in keys.items() if key == cell[0]]
            raise _lost(asked.id, f"{of.label} of {of.model} at {cell[1]} with seed {cell[2]}")
    had = Had(_problems(connection, row["key"], asked), count, keys)
    none: set[int] = set()
    there = [cells.get((keys.get(unit.method, 0), unit.budget, unit.seed), none) for unit in asked.units]
    left = [part for unit, known in zip(asked.units, there, strict=True) for part in _missing(unit, known)]
    return had, replace(asked, units=left)


def extend(connection: Connection, asked: NewStudy) -> int:
    """Store what a study lacks of what is asked for, and let it run if that is anything; returns how many units.

    What it may spend, its priority and whether its searches share replies stay as they are.

    Raises:
        As `lacking` does.
    """
    of = studies.c.id == asked.id
    connection.execute(select(studies.c.key).where(of).with_for_update())  # one after another
    had, more = lacking(connection, asked)
    row = find(connection, asked.id)
    _put(connection, row["key"], more, had)
    for i, method in had.keys.items():
        said = {"budgets": json.dumps(list(asked.methods[i].budgets))}
        connection.execute(update(methods).where(methods.c.key == method).values(**said))
    stay = ("max_cost", "share")
    had_options = {name: value for name, value in json.loads(row["options"]).items() if name in stay}
    options = {name: value for name, value in asked.options.items() if name not in stay} | had_options
    values = {"source": asked.source, "options": _json(options)}
    if more.units:
        values |= {"status": "running", "why": ""}
    connection.execute(update(studies).where(of).values(**values))
    return len(more.units)


def add_outcomes(connection: Connection, study: int, found: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
    """Store further outcomes of a study, each with the position of its method."""
    wanted = select(methods.c.key).where(methods.c.study == study).order_by(methods.c.position)
    keys = connection.execute(wanted).scalars().all()
    _insert(connection, outcomes, [{**values, "method": keys[i]} for i, values in found])


def adopt(connection: Connection, study: int, run_id: str) -> None:
    """Make a stored run one of the study's, to be deleted with it."""
    connection.execute(update(runs).where(runs.c.id == run_id).values(study=study))


def _put(connection: Connection, study: int, new: NewStudy, had: Had) -> dict[int, int]:
    """Store what it does not have; returns the keys of all its methods by their index."""
    extras = [_json(extra) if extra else None for extra in new.extras] or [None] * len(new.problems)
    rows = [_problem(study, i, *one) for i, one in enumerate(zip(new.problems, extras, strict=True))]
    _insert(connection, problems, rows[had.problems :])
    keys = dict(had.keys)
    for i, method in enumerate(new.methods):
        if i not in keys:
            values = _method(study, len(keys), method, None if method.pool is None else keys[method.pool])
            keys[i] = connection.execute(insert(methods).values(**values).returning(methods.c.key)).scalar_one()
    waiting = {"study": study, "status": "pending", "epoch": first_epoch()}
    shown = [{name: getattr(unit, name) for name in ("budget", "seed", "first", "count")} for unit in new.units]
    places = enumerate(zip(new.units, shown, strict=True), had.units)
    _insert(connection, units, [{**waiting, **row, "position": i, "method": keys[u.method]} for i, (u, row) in places])
    return keys


def _problem(study: int, position: int, problem: Problem, extra: str | None) -> dict[str, Any]:
    return {
        "study": study,
        "position": position,
        "dataset": problem.dataset,
        "problem_id": problem.id,
        "question": problem.question,
        "gold": problem.answer,
        "grader": str(problem.metadata.get("grader", "numeric")),
        "extra": extra,
    }


def _fields(method: NewMethod) -> dict[str, Any]:
    names = ("model", "verifier", "strategy", "label", "temperature", "samples")
    return {name: getattr(method, name) for name in names}


def _method(study: int, position: int, method: NewMethod, pool: int | None) -> dict[str, Any]:
    return {
        **_fields(method),
        "study": study,
        "position": position,
        "params": _json(method.params),
        "pool": pool,
        "budgets": json.dumps(list(method.budgets)),
    }


def _insert(connection: Connection, into: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        connection.execute(insert(into), list(rows))


def _json(value: Any) -> str:
    return json.dumps(dict(value), sort_keys=True)


# --- what is there already --------------------------------------------------------------------------------------------


def _identity(of: Mapping[Any, Any], params: str) -> Identity:
    return of["model"], of["verifier"], of["strategy"], params, of["temperature"], of["samples"] > 0


def _methods(connection: Connection, study: int, asked: NewStudy) -> dict[int, int]:
    """The keys of the methods that are stored, by the index of those asked for, which have to hold them all."""
    wanted = select(methods).where(methods.c.study == study).order_by(methods.c.position)
    left: dict[Identity, list[RowMapping]] = {}  # a file may ask for the same under two labels
    for row in connection.execute(wanted).mappings():
        left.setdefault(_identity(row, row["params"]), []).append(row)
    keys: dict[int, int] = {}
    for i, method in enumerate(asked.methods):
        alike = left.get(_identity(_fields(method), _json(method.params)))
        if alike:
            row = next((one for one in alike if one["label"] == method.label), alike[0])
            alike.remove(row)
            _check_samples(method, row)
            keys[i] = row["key"]
        elif method.pool in keys:
            raise _served(method)
    for row in itertools.chain(*left.values()):
        raise _lost(asked.id, f"{row['label']} of {row['model']}{_otherwise(row, asked)}")
    return keys


def _otherwise(row: RowMapping, asked: NewStudy) -> str:
    """How a method differs from the one most like it that is asked for, where there is one of the strategy."""
    names, had = ("model", "verifier", "strategy"), {**json.loads(row["params"]), "temperature": row["temperature"]}
    differing: list[list[str]] = []
    for method in asked.methods:
        if all(getattr(method, name) == row[name] for name in names) and not method.samples:
            now = {**method.params, "temperature": method.temperature}
            other = [name for name in sorted(had | now) if had.get(name) != now.get(name)]
            differing.append([f"{name} {had.get(name)} and not {now.get(name)}" for name in other])
    nearest: list[str] = min(differing, key=len, default=[])
    return f" with {', '.join(nearest)}" if nearest else ""


def _check_samples(asked: NewMethod, stored: RowMapping) -> None:
    """Samples are chosen from as they are drawn, so that what a pool is and serves is settled with it."""
    if asked.samples != stored["samples"]:
        raise UserError(
            f"the pool of {asked.model} has {stored['samples']} samples and cannot have {asked.samples}", hint=ANOTHER
        )
    if asked.pool is not None and list(asked.budgets) != json.loads(stored["budgets"]):
        raise _served(asked)


def _served(method: NewMethod) -> UserError:
    return UserError(
        f"{method.label} cannot choose among the pool of {method.model}, which serves what was asked for with it",
        hint=ANOTHER,
    )


def _lost(study: str, what: str) -> UserError:
    hint = "an extension keeps all that the study has; give what asks for less another name"
    return UserError(f"study {study!r} has {what}, which is not asked for", hint=hint)


def _problems(connection: Connection, study: int, asked: NewStudy) -> int:
    """How many problems are stored, which have to be the first of those asked for."""
    names = ("dataset", "problem_id", "question", "gold", "grader")
    wanted = select(*(problems.c[name] for name in names)).where(problems.c.study == study)
    there = [tuple(row) for row in connection.execute(wanted.order_by(problems.c.position))]
    first = [tuple(_problem(0, 0, one, None)[name] for name in names) for one in asked.problems[: len(there)]]
    for i, one in enumerate(there):
        if i >= len(first) or one != first[i]:
            raise _lost(asked.id, f"the problem {one[1]} of {one[0]} in place {i + 1}")
    return len(there)


def _cells(connection: Connection, study: int) -> tuple[dict[tuple[int, int, int], set[int]], int]:
    """The positions of the problems that units are of, by method, budget and seed; and how many units there are."""
    cells: dict[tuple[int, int, int], set[int]] = {}
    wanted = select(units.c.method, units.c.budget, units.c.seed, units.c.first, units.c.count)
    for method, budget, seed, first, count in connection.execute(wanted.where(units.c.study == study)):
        cells.setdefault((method, budget, seed), set()).update(range(first, first + count))
    last = connection.execute(select(func.max(units.c.position)).where(units.c.study == study)).scalar()
    return cells, 0 if last is None else last + 1


def _missing(unit: NewUnit, there: Collection[int]) -> list[NewUnit]:
    """The parts of a unit whose problems no other one has."""
    places = range(unit.first, unit.first + unit.count)
    runs_ = ([*of] for lacks, of in itertools.groupby(places, lambda i: i not in there) if lacks)
    return [replace(unit, first=of[0], count=len(of)) for of in runs_]
