"""What other programs produced becomes a study: one module a format, found by its name.

A module has `read(path, dataset)`, which gives an `Imported` or refuses with the place of the first mistake. Nothing of
a file is stored unless all of it is right.
"""

from __future__ import annotations

import importlib
import json
import math
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ttc_core import access, grading, runs_checks
from ttc_core.errors import UnknownName, UserError
from ttc_core.importing.storing import Tree, store
from ttc_core.settings import settings
from ttc_core.store.database import database
from ttc_core.studies_file import check_name
from ttc_core.studies_pools import Solution
from ttc_core.types import Problem

MAX_FILE = 1 << 29  # bytes
MAX_LINE = 1 << 26
MAX_PROBLEMS = 100_000
MAX_DEPTH = 500  # steps one after another


@dataclass
class Imported:
    """What a file holds: by problem, the solutions of its pool, and search trees. extras: unknown keys of problems."""

    problems: list[Problem] = field(default_factory=list)
    extras: list[Mapping[str, Any]] = field(default_factory=list)
    pools: list[list[Solution]] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)


def formats() -> list[str]:
    """What can be imported."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name not in ("storing",))


@access.changes("admin")
def add(format: str, path: Path, dataset: str, study: str | None = None, *, db: str | None = None) -> str:
    """Import a file as a study; returns the study's name.

    Raises:
        UnknownName: no such format; UserError: one sentence with the place of the mistake; nothing is imported then.
    """
    if format not in formats():
        hint = f"there is: {', '.join([*formats(), 'bundle'])}"
        raise UnknownName(f"no format is called {format!r}", hint=hint)
    name = check_name(study or path.stem)
    if not dataset.strip():
        raise UserError("the data set needs a name", hint="--dataset NAME")
    module = importlib.import_module(f"{__name__}.{format}")
    try:
        found: Imported = module.read(path, dataset)
    except OSError as error:
        raise UserError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    if not found.problems:
        raise UserError(f"{path}: there is nothing in it")
    url = db or settings().database_url
    with database(url).write() as connection:
        store(connection, name, format, path.name, found.problems, found.extras, found.pools, found.trees)
    return name


# --- what the formats share ------------------------------------------------------------------------------------------


class Place:
    """Where in a file something is, and how to refuse it."""

    def __init__(self, path: Path, line: int = 0, inside: str = "") -> None:
        self.path, self.line, self.inside = path, line, inside

    def wrong(self, message: str) -> UserError:
        """The error to raise."""
        at = f", line {self.line}" if self.line else ""
        inside = f"{self.inside}: " if self.inside else ""
        return UserError(f"{self.path}{at}: {inside}{message}", hint="nothing was imported")

    def at(self, inside: str) -> Place:
        """A place further in."""
        return Place(self.path, self.line, f"{self.inside}, {inside}" if self.inside else inside)

    def get(self, found: Mapping[str, Any], key: str, kind: type | tuple[type, ...], default: Any = ...) -> Any:
        """A value of a mapping, of this kind.

        Raises:
            UserError: it is absent, without a default, or of another kind.
        """
        if key not in found or (found[key] is None and default is not ...):
            if default is ...:
                raise self.wrong(f"{key!r} is missing")
            return default
        value, kinds = found[key], kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise self.wrong(f"{key!r} has the wrong type: {json.dumps(value)[:60]}")
        if isinstance(value, int | float) and not _plain(value):
            raise self.wrong(f"{key!r} must be a finite number of at most 64 bits")
        return value

    def numbers(self, found: Mapping[str, Any], key: str) -> list[float]:
        """A list of finite numbers, [] if it is absent."""
        values = self.get(found, key, list, [])
        if any(isinstance(v, bool) or not isinstance(v, int | float) or not _plain(v) for v in values):
            raise self.wrong(f"{key!r} must be a list of numbers: {json.dumps(values)[:60]}")
        return [float(v) for v in values]


def _plain(value: float) -> bool:
    """Whether a number is one that columns can hold."""
    return abs(value) < 2**63 if isinstance(value, int) else math.isfinite(value)


def lines(path: Path) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The JSON objects of a file with one a line; empty lines do not count.

    Raises:
        UserError: the file cannot be read, or a line is not UTF-8 or no JSON object.
    """
    with opened(path) as file:
        for number, raw in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), 1):
            place = Place(path, number)
            if len(raw) > MAX_LINE:
                raise place.wrong(f"more than {MAX_LINE >> 20} MiB in one line")
            if raw.strip():
                yield place, _object(place, raw)


def opened(path: Path) -> Any:
    """The file, for reading bytes.

    Raises:
        UserError: it cannot be read, or is too large.
    """
    try:
        if path.exists() and not path.is_file():
            raise UserError(f"{str(path)!r} is no ordinary file")
        if path.stat().st_size > MAX_FILE:
            raise UserError(f"{path}: more than {MAX_FILE >> 20} MiB", hint="split the file; nothing was imported")
        return path.open("rb")
    except OSError as error:
        raise UserError(f"{str(path)!r} cannot be read: {error.strerror}") from error


def parsed(place: Place, raw: bytes) -> Any:
    """JSON of bytes.

    Raises:
        UserError: they are not UTF-8 or no JSON.
    """
    try:
        return json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise place.wrong(f"not UTF-8 at byte {error.start} of it") from error
    except (ValueError, RecursionError) as error:
        reason = "brackets too deep" if isinstance(error, RecursionError) else str(error)
        raise place.wrong(f"no JSON: {reason}") from error


def _object(place: Place, raw: bytes) -> dict[str, Any]:
    found = parsed(place, raw)
    if not isinstance(found, dict):
        raise place.wrong("not a JSON object")
    return found


class Asked:
    """Makes the problems of an import: known ones of the data set lend their answer and grader."""

    def __init__(self, dataset: str) -> None:
        self._dataset = dataset
        known = runs_checks.problems(dataset) if dataset in runs_checks.datasets() else []
        self._known = {problem.id: problem for problem in known}
        self._seen: set[str] = set()

    def problem(self, place: Place, id: str, question: str, answer: str | None) -> Problem:
        """One problem.

        Raises:
            UserError: there was one of this id before.
        """
        if id in self._seen:
            raise place.wrong(f"problem {id!r} was there before")
        self._seen.add(id)
        if len(self._seen) > MAX_PROBLEMS:
            raise place.wrong(f"more than {MAX_PROBLEMS:,} problems")
        known = self._known.get(id)
        gold = answer if answer is not None else known.answer if known is not None else None
        grader = runs_checks.grader(known) if known is not None else _grader(gold)
        return Problem(id, question, gold, self._dataset, {"grader": grader})


def _grader(gold: str | None) -> str:
    return "numeric" if gold is None or grading.canonical(gold, "numeric") is not None else "math"


def graded(
    problem: Problem, text: str | None, answer: str | None, correct: bool | None
) -> tuple[str | None, bool | None]:
    """A solution's canonical answer, read from the text if it is not given, and whether it is right if nobody said."""
    grader = str(problem.metadata["grader"])
    if answer is not None:
        answer = grading.canonical(answer, grader) or answer
    elif text is not None:
        answer = grading.read(text, grader)
    if correct is None and problem.answer is not None:
        correct = grading.grade(answer, problem.answer, grader)
    return answer, correct
