"""The data sets that people add: `<name>.jsonl` beside the bundled ones, in the same format, made by `add`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttc_core import files
from ttc_core.datasets import mini
from ttc_core.datasets.benchmarks import BENCHMARKS, Row, digest
from ttc_core.datasets.reading import BadFile, record, rows
from ttc_core.errors import BadValue, UserError
from ttc_core.settings import settings
from ttc_core.types import Problem

SUM = "added_sha256"  # key of each problem: `digest` of all that were added with it
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Added:
    """The loader of one added data set."""

    path: Path

    @property
    def about(self) -> str:
        """One sentence for people."""
        known = BENCHMARKS.get(self.path.stem)
        return known.about if known else "Added from a file."

    def __call__(self) -> Sequence[Problem]:
        """Its problems.

        Raises:
            BrokenProblems: the file has been spoiled since it was added.
        """
        return mini.read(self.path)


def found() -> dict[str, Added]:
    """The files in the folder of problems by name, the bundled ones among them."""
    return {path.stem: Added(path) for path in sorted(_folder().glob("*.jsonl")) if _NAME.fullmatch(path.stem)}


def stamp(name: str) -> object:
    """What tells that the file of a data set is another one than before; None where it has none."""
    return mini.stamp(_folder() / f"{name}.jsonl")


def gather(name: str, file: Path | None, columns: Mapping[str, str]) -> list[dict[str, Any]]:
    """The problems of a file, or of the hub's copy of a known benchmark, checked and ready to be written.

    Raises:
        BadFile: one sentence with file and line; BadValue: the name is none; UserError: the hub cannot be reached.
    """
    if not _NAME.fullmatch(name):
        raise BadValue(f"{name!r} cannot be the name of a data set", hint="small letters, digits, . _ and -")
    known = BENCHMARKS.get(name)
    source = rows(file) if file is not None else _fetched(name)
    made: dict[str, dict[str, Any]] = {}
    for where, row in source:
        converted = known.convert(row) if known else row
        if converted is None:
            continue
        problem = record(where, converted, columns, f"{name}-{len(made) + 1:04d}")
        if problem["id"] in made:
            raise BadFile(f"{where}: the id {problem['id']!r} was used before")
        made[problem["id"]] = problem
    found = list(made.values())
    if known:
        _recognise(name, found)
    return found


def write(name: str, problems: Sequence[Mapping[str, Any]]) -> Path:
    """Store them, and their checksum with them, under a name that is free; all or nothing.

    Raises:
        UserError: the name is taken, or the folder cannot be written.
    """
    target = _folder() / f"{name}.jsonl"
    found = digest([(p["question"], p["answer"]) for p in problems])
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with files.whole(target, new=True) as part, part.open("x", encoding="utf-8") as file:
            file.writelines(json.dumps({**problem, SUM: found}, allow_nan=False) + "\n" for problem in problems)
    except FileExistsError as error:
        hint = f"take another name, or delete {target.name} in the folder {target.parent.name!r} first"
        raise UserError(f"there is a data set {name!r} already", hint=hint) from error
    except OSError as error:
        raise UserError(f"the data set cannot be stored: {error.strerror}") from error
    return target


def checksum(problems: Sequence[Problem]) -> dict[str, Any]:
    """SHA-256 of the questions and answers as they were added, and whether they still are; None for bundled ones."""
    kept = {str(p.metadata[SUM]) for p in problems if SUM in p.metadata}
    same = kept == {digest([(p.question, p.answer or "") for p in problems])} if kept else None
    return {"sha256": min(kept, default=None), "as_added": same}


def missing(name: str) -> str:
    """What to do about a known benchmark that is not there, "" for other names."""
    return f"add it: `datasets add {name} FILE`, or without FILE from the hub" if name in BENCHMARKS else ""


def _recognise(name: str, problems: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what is not the benchmark that its name says: numbers under a wrong name are worse than none."""
    known = BENCHMARKS[name]
    hint = "it can be added under another name"
    if len(problems) != known.problems:
        raise BadFile(f"{name} has {known.problems} problems, this has {len(problems)}", hint=hint)
    found = digest([(p["question"], p["answer"]) for p in problems])
    other = [one for one, of in BENCHMARKS.items() if of.digest == found and one != name]
    if other:
        raise BadFile(f"these are the questions of {other[0]}, not of {name}")
    if known.digest and found != known.digest:
        raise BadFile(f"these are not the questions and answers of {name}: the checksum is another one", hint=hint)


def _fetched(name: str) -> list[tuple[str, Row]]:
    if name not in BENCHMARKS:
        known = ", ".join(BENCHMARKS)
        raise UserError(f"{name!r} is no known benchmark: a file is needed", hint=f"known are: {known}")
    repository, configuration, split = BENCHMARKS[name].hub
    try:
        import datasets  # type: ignore[import-not-found]
    except ImportError as error:
        raise UserError(
            "fetching from the hub needs the package `datasets`", hint="pip install datasets, or give a file"
        ) from error
    try:
        loaded = datasets.load_dataset(repository, configuration, split=split)
    except Exception as error:  # whatever the network, the hub or its access rules have to say
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{repository} cannot be fetched: {reason}", hint="give a file instead") from error
    return [(f"{repository}, row {number}", dict(row)) for number, row in enumerate(loaded, 1)]


def _folder() -> Path:
    return settings().data_dir / "problems"
