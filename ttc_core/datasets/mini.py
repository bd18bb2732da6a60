"""The bundled word problems: one JSON object a line in `data/problems/<name>.jsonl`, made by `ttc_core/lab`."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ttc_core.errors import TTCError
from ttc_core.registry import dataset
from ttc_core.settings import settings
from ttc_core.types import Problem


class BrokenProblems(TTCError):
    """A problem file that is missing or cannot be read; the message names file and line."""


@dataset("mini-test")
def mini_test() -> Sequence[Problem]:
    """500 problems to measure on."""
    return read(settings().data_dir / "problems" / "mini-test.jsonl")


@dataset("mini-validation")
def mini_validation() -> Sequence[Problem]:
    """500 problems to calibrate and choose on."""
    return read(settings().data_dir / "problems" / "mini-validation.jsonl")


@dataset("mini-hard")
def mini_hard() -> Sequence[Problem]:
    """500 problems of kinds that no bundled model was trained on."""
    return read(settings().data_dir / "problems" / "mini-hard.jsonl")


def stamp(path: Path) -> tuple[int, int] | None:
    """What tells that a file is another one than before; None where there is no file."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size


def read(path: Path) -> tuple[Problem, ...]:
    """The problems of a file, in its order; the file's stem is the data set's name.

    Each line: {"id", "question", "answer"} as text; everything else (steps, solution, graph ...) becomes metadata.

    Raises:
        BrokenProblems: no such file, a line that is not such an object, or an id that comes twice.
    """
    return _read(path, stamp(path))


@functools.lru_cache(64)
def _read(path: Path, stamp: object) -> tuple[Problem, ...]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BrokenProblems(f"the problem file {path.name} cannot be read: {error}") from error
    problems: dict[str, Problem] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        found = _problem(line, path.stem, f"{path.name}, line {number}")
        if found.id in problems:
            raise BrokenProblems(f"{path.name}, line {number}: the id {found.id!r} was used before")
        problems[found.id] = found
    return tuple(problems.values())


def _problem(line: str, name: str, where: str) -> Problem:
    try:
        record: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BrokenProblems(f"{where}: not JSON ({error})") from error
    if not isinstance(record, dict):
        raise BrokenProblems(f"{where}: not a JSON object")
    for key in ("id", "question", "answer"):
        if not isinstance(record.get(key), str) or not record[key].strip():
            raise BrokenProblems(f"{where}: {key!r} must be text, not {record.get(key)!r}")
    rest = {key: value for key, value in record.items() if key not in ("id", "question", "answer")}
    return Problem(record["id"], record["question"], record["answer"], name, rest)
