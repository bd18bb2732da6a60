"""What other programs produced becomes a study: one module a format, found by its name.

A module has `read(path, dataset)`, which gives an `Imported` or refuses with the place of the first mistake. Nothing of
a file is stored unless all of it is right.
"""

from __future__ import annotations

import codecs
import gzip
import importlib
import io
import json
import math
import pkgutil
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ttc_core import access, grading, runs_checks
from ttc_core.datasets import reading
from ttc_core.datasets.reading import MAX_BRACKETS
from ttc_core.errors import UnknownName, UserError
from ttc_core.importing.storing import Tree, store
from ttc_core.settings import settings
from ttc_core.store.database import database
from ttc_core.studies_file import check_name
from ttc_core.studies_pools import Solution
from ttc_core.types import Problem

MAX_FILE = 1 << 29  # bytes
MAX_LINE = 1 << 26
MAX_DOCUMENT = 1 << 27  # of a file that is one JSON document, which is read as a whole
MAX_START = 1 << 12  # bytes that tell how a file is written
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
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name not in ("storing", "uploads"))


@access.changes("admin")
def add(format: str, path: Path, dataset: str, study: str | None = None, *, db: str | None = None) -> str:
    """Import a file as a study; returns the study's name.

    Raises:
        UnknownName: no such format; UserError: one sentence with the place of the mistake; nothing is imported then.
    """
    if format not in formats():
        hint = f"there is: {', '.join([*formats(), 'bundle'])}"
        raise UnknownName(f"no format is called {format!r}", hint=hint)
    name = check_name(study or re.sub(r"[^A-Za-z0-9_.-]+", "-", path.stem).strip(".-")[:80])
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
        """A list of finite numbers; [] if it is absent, or one of them is null: without it the rest tells nothing."""
        values = self.get(found, key, list, [])
        if None in values:
            return []
        if any(isinstance(v, bool) or not isinstance(v, int | float) or not _plain(v) for v in values):
            raise self.wrong(f"{key!r} must be a list of numbers: {json.dumps(values)[:60]}")
        return [float(v) for v in values]

    def whole(self, found: Mapping[str, Any], key: str, default: int) -> int:
        """A whole number, also one written as 12.0."""
        value = self.get(found, key, (int, float), default)
        if value != int(value):
            raise self.wrong(f"{key!r} must be a whole number, not {value}")
        return int(value)


def _plain(value: float) -> bool:
    """Whether a number is one that columns can hold."""
    return abs(value) < 2**63 if isinstance(value, int) else math.isfinite(value)


def lines(path: Path) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The JSON objects of a file with one a line; empty lines do not count.

    A file may also be one JSON document, an object written over several lines or a list of objects, or a Parquet file.

    Raises:
        UserError: the file cannot be read, or a line is not UTF-8 or no JSON object.
    """
    with opened(path) as file:
        start = file.peek(MAX_START)[:MAX_START].removeprefix(codecs.BOM_UTF8).lstrip()
        if start.startswith(b"PAR1"):
            for i, (_, row) in enumerate(reading.parquet(path)):
                place = Place(path, inside=f"row {i}")
                yield place, _object(place, json.loads(json.dumps(row, default=str)))  # dates and bytes too are kept
            return
        if start.startswith(b"[") or start.partition(b"\n")[0].strip() == b"{":
            raw = file.read(MAX_DOCUMENT + 1)
            if len(raw) > MAX_DOCUMENT:
                raise Place(path).wrong(
                    f"more than {MAX_DOCUMENT >> 20} MiB in one JSON document; one a line may be more"
                )
            yield from _document(path, raw)
            return
        for number, raw in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), 1):
            place = Place(path, number)
            if len(raw) > MAX_LINE:
                raise place.wrong(f"more than {MAX_LINE >> 20} MiB in one line")
            if raw.removeprefix(codecs.BOM_UTF8).strip():
                yield place, _object(place, parsed(place, raw))


def _document(path: Path, raw: bytes) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The objects of a file that is one JSON document."""
    found = parsed(Place(path), raw)
    for i, one in enumerate(found if isinstance(found, list) else [found]):
        place = Place(path, inside=f"item {i}")
        yield place, _object(place, one)


def opened(path: Path) -> io.BufferedReader:
    """The file, for reading bytes; a gzipped one is unpacked.

    Raises:
        UserError: it cannot be read, or is too large.
    """
    try:
        if path.exists() and not path.is_file():
            raise UserError(f"{str(path)!r} is no ordinary file")
        if path.stat().st_size > MAX_FILE:
            raise UserError(f"{path}: more than {MAX_FILE >> 20} MiB", hint="split the file; nothing was imported")
        file = path.open("rb")
    except OSError as error:
        raise UserError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    if not file.peek(2).startswith(b"\x1f\x8b"):
        return file
    return io.BufferedReader(_Unpacked(file, path))


class _Unpacked(io.RawIOBase):
    """What is in a gzipped file, up to the size that a file may have."""

    def __init__(self, file: io.BufferedReader, path: Path) -> None:
        self._file, self._inner, self._path, self._read = file, gzip.GzipFile(fileobj=file), path, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer.

        Raises:
            UserError: this is more than a file may have, or it is broken off or damaged.
        """
        try:
            got = self._inner.readinto(buffer)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UserError(f"{str(self._path)!r} cannot be read: {error}", hint="nothing was imported") from error
        self._read += got
        if self._read > MAX_FILE:
            raise UserError(f"{self._path}: more than {MAX_FILE >> 20} MiB unpacked", hint="nothing was imported")
        return got

    def close(self) -> None:
        """The file too."""
        self._inner.close()
        self._file.close()
        super().close()


def parsed(place: Place, raw: bytes) -> Any:
    """JSON of bytes.

    Raises:
        UserError: they are not UTF-8 or no JSON.
    """
    if raw.count(b"[") + raw.count(b"{") > MAX_BRACKETS:
        raise place.wrong(f"more than {MAX_BRACKETS:,} brackets in one JSON text")
    try:
        return json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise place.wrong(f"not UTF-8 at byte {error.start} of it") from error
    except (ValueError, RecursionError) as error:
        reason = "brackets too deep" if isinstance(error, RecursionError) else str(error)
        raise place.wrong(f"no JSON: {reason}") from error


def _object(place: Place, found: Any) -> dict[str, Any]:
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
        gold = reading.final(answer) if answer is not None else known.answer if known is not None else None
        grader = runs_checks.grader(known) if known is not None else _grader(gold)
        return Problem(id, question, gold, self._dataset, {"grader": grader})


def _grader(gold: str | None) -> str:
    return "numeric" if gold is None or grading.canonical(gold, "numeric") is not None else "math"


class Graded(NamedTuple):
    """A solution's answer in one spelling, and whether it is right.

    noted: {"graded_by": version} where another grader than the problem's own read it.
    """

    answer: str | None
    correct: bool | None
    noted: Mapping[str, str] = MappingProxyType({})


def graded(problem: Problem, text: str | None, answer: str | None, correct: bool | None) -> Graded:
    """A solution's answer, read from the text if it is not given, and whether it is right if nobody said.

    An answer that the grader cannot read keeps its words, so that it votes. Where the right answer is a number and this
    one is not written as one, mathematics decides, and an equal answer is spelled as the right one.
    """
    grader, gold = str(problem.metadata["grader"]), problem.answer
    found = answer if answer is not None else None if text is None else grading.extract(text)
    if not found or (answer is None and len(found) > grading.MAX_ANSWER):
        return Graded(None, grading.grade(None, gold, grader) if correct is None else correct)
    spelled = grading.canonical(found, grader)
    if spelled is None and grader == "numeric" and gold is not None:
        equal = grading.grade(found, gold, "math")
        spelled = grading.canonical(gold if equal else found, "math")
        return Graded(spelled or found, equal if correct is None else correct, {"graded_by": grading.version("math")})
    return Graded(spelled or found, grading.grade(found, gold, grader) if correct is None else correct)
