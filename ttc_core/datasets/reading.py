"""Rows of a file in any of the common formats, each with the place it came from; nothing of a broken file counts."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ttc_core.errors import UserError

MAX_BYTES = 256 << 20
MAX_BRACKETS = 4_000_000  # of the JSON of a file: "[]," takes three bytes of it and twenty times that of memory
MAX_PROBLEMS = 100_000
MAX_QUESTION = 20_000  # characters
MAX_ANSWER = 1_000
MAX_ID = 200
Row = Mapping[str, Any]
# What the column is called where nobody says, in order of preference.
QUESTIONS = ("question", "problem", "Question")
ANSWERS = ("answer", "final_answer", "expected_answer", "Answer")
IDS = ("id", "unique_id", "problem_id", "Record ID")


class BadFile(UserError):
    """A file that cannot be taken as a data set; the message names file and line, and nothing of it is kept."""


def rows(path: Path) -> list[tuple[str, Row]]:
    """The rows of a .jsonl, .json, .csv, .tsv or .parquet file, each with a name for its place.

    Raises:
        BadFile: no such file, of another kind, too large, or broken somewhere.
    """
    try:
        if path.exists() and not path.is_file():
            raise BadFile(f"{path.name} is no ordinary file")
        if path.stat().st_size > MAX_BYTES:
            raise BadFile(f"{path.name} has more than {MAX_BYTES >> 20} MiB")
        kind = path.suffix.lower()
        if kind not in _READERS:
            raise BadFile(f"{path.name} is of no kind that can be read", hint=f"these can: {', '.join(_READERS)}")
        found: list[tuple[str, Row]] = []
        for where, row in _READERS[kind](path):
            if not isinstance(row, Mapping):
                raise BadFile(f"{where}: not an object with named fields")
            if len(found) == MAX_PROBLEMS:
                raise BadFile(f"{where}: a data set may have {MAX_PROBLEMS:,} problems at most")
            found.append((where, row))
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"{path.name} cannot be read: {error}") from error
    if not found:
        raise BadFile(f"{path.name} has no rows")
    return found


def record(where: str, row: Row, columns: Mapping[str, str], number: str) -> dict[str, Any]:
    """One problem with "id", "question" and "answer" as text; what else the row has is kept beside them.

    columns: "question", "answer", "id" -> what the file calls them, where that is asked for. number: an id for rows
    without one.

    Raises:
        BadFile: a field is not there, of another type, empty or too long.
    """
    names = {
        key: _column(where, row, key, columns.get(key), usual)
        for key, usual in (("question", QUESTIONS), ("answer", ANSWERS), ("id", IDS))
    }
    answer = str(names["answer"])
    said = final(row[answer]) if isinstance(row[answer], str) else row[answer]
    made = {
        "id": number if names["id"] is None else _text(where, row, str(names["id"]), MAX_ID),
        "question": _text(where, row, str(names["question"]), MAX_QUESTION),
        "answer": _text(where, {answer: said}, answer, MAX_ANSWER),
    }
    rest = {str(k): _plain(v) for k, v in row.items() if k not in names.values() and k not in (*made, "grader")}
    return {**made, **rest}


def _column(where: str, row: Row, key: str, asked: str | None, usual: Sequence[str]) -> str | None:
    if asked is not None and asked not in row:
        raise BadFile(f"{where}: there is no column {asked!r}", hint=f"there is: {', '.join(map(str, row))}")
    name = asked or next((name for name in usual if row.get(name) is not None), None)
    if name is None and key != "id":
        hint = f"name it with --{key} COLUMN; there is: {', '.join(map(str, row))}"
        raise BadFile(f"{where}: no column looks like the {key}", hint=hint)
    return name


def _text(where: str, row: Row, name: str, most: int) -> str:
    value = row[name]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        value = ", ".join(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadFile(f"{where}: {name!r} must be text, not {str(value)[:40]!r}")
    text = str(value).strip()
    if not text:
        raise BadFile(f"{where}: {name!r} is empty")
    if len(text) > most:
        raise BadFile(f"{where}: {name!r} has {len(text):,} characters; at most {most:,} are possible")
    return text


def final(answer: str) -> str:
    """A right answer as a data set has it; of a worked solution that ends in "#### 18", as GSM8K's do, the "18"."""
    last = answer.strip().rsplit("\n", 1)[-1]
    return last.removeprefix("####").strip() or answer if last.startswith("####") else answer


def _plain(value: Any) -> Any:
    """What JSON can hold; anything else (dates, pictures) as shortened text."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return str(value)[:200]
    return value


def _jsonl(path: Path) -> Iterator[tuple[str, Any]]:
    brackets = 0
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                where = f"{path.name}, line {number}"
                brackets = _counted(line, where, brackets)
                yield where, _parsed(line.strip(), where)


def _json(path: Path) -> Iterator[tuple[str, Any]]:
    text = path.read_text("utf-8-sig")
    _counted(text, path.name)
    found = _parsed(text, path.name)
    if not isinstance(found, list):
        raise BadFile(f"{path.name}: not a list of objects")
    yield from ((f"{path.name}, entry {number}", row) for number, row in enumerate(found, 1))


def _csv(path: Path) -> Iterator[tuple[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True)
        try:
            for row in table:
                where = f"{path.name}, line {table.line_num}"
                if None in row or None in row.values():
                    raise BadFile(f"{where}: not as many fields as the first line has")
                yield where, row
        except csv.Error as error:
            raise BadFile(f"{path.name}, line {table.line_num}: {error}") from error


def parquet(path: Path) -> Iterator[tuple[str, Any]]:
    """The rows of a Parquet file, each with a name for its place.

    Raises:
        BadFile: it is none, or is too large.
    """
    try:
        import pyarrow.parquet  # type: ignore[import-untyped]
    except ImportError as error:
        raise BadFile(f"{path.name}: Parquet files need pyarrow", hint="pip install pyarrow") from error
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            meta = file.metadata
            whole = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
            if whole > MAX_BYTES or meta.num_rows > MAX_PROBLEMS:
                raise BadFile(f"{path.name} holds {whole:,} bytes in {meta.num_rows:,} rows, which is too much")
            # a value that stands in the file once may stand in every row: what is unpacked is counted
            unpacked = 0
            for batch in file.iter_batches(max(1, min(1000, MAX_BYTES // max(1, whole)))):
                unpacked += batch.nbytes
                if unpacked > MAX_BYTES:
                    raise BadFile(f"{path.name} unpacks to more than {MAX_BYTES >> 20} MiB")
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path.name}, row {number}", row
    except (pyarrow.ArrowException, OSError) as error:
        raise BadFile(f"{path.name}: not a Parquet file that can be read ({error})") from error


def _counted(text: str, where: str, before: int = 0) -> int:
    """The brackets of a file so far; before: those of earlier lines."""
    brackets = before + text.count("[") + text.count("{")
    if brackets > MAX_BRACKETS:
        raise BadFile(f"{where}: more than {MAX_BRACKETS:,} brackets in one file")
    return brackets


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BadFile(f"{where}: not JSON ({error.msg} at character {error.colno})") from error
    except (ValueError, RecursionError) as error:  # a number with too many digits, brackets without end
        raise BadFile(f"{where}: not JSON ({error})") from error


_READERS = {".jsonl": _jsonl, ".json": _json, ".csv": _csv, ".tsv": _csv, ".parquet": parquet}
