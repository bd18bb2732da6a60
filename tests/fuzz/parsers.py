"""Every parser of what strangers write, as a function of bytes: it returns, or raises an error of the program's own.

`PARSERS` is shared by the short tests (`test_parsers.py`) and the long search (`python -m tests.fuzz`).
"""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from ttc_core import grading, importing, models, models_file, runs, runs_documents, studies_file
from ttc_core.datasets import reading
from ttc_core.errors import TTCError
from ttc_core.grading import numeric
from ttc_core.grading.extraction import extract
from ttc_core.settings import REPOSITORY, Settings
from ttc_core.store import database as database_module
from ttc_core.store.columns import escape, unescape
from ttc_core.store.database import database


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _file(raw: bytes, name: str, folder: str) -> Path:
    path = Path(folder) / name
    path.write_bytes(raw)
    return path


@functools.cache
def _empty() -> Path:
    """A database without anything in it."""
    folder = Path(tempfile.mkdtemp(prefix="ttc-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    runs.ensure_database(db=f"sqlite:///{folder / 'x.db'}")
    database(f"sqlite:///{folder / 'x.db'}").close()
    return folder / "x.db"


def _imported(format: str) -> Callable[[bytes], None]:
    def run(raw: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/x.db"
            try:
                module = __import__(f"ttc_core.importing.{format}", fromlist=["read"])
                found = module.read(_file(raw, "x.jsonl", folder), "d")  # cheap: most input ends here
                if found.problems:
                    shutil.copy(_empty(), Path(folder) / "x.db")
                    importing.add(format, Path(folder) / "x.jsonl", "d", "s", db=url)
            finally:
                database_module._open.pop(url, database(url)).close()  # each input has a database of its own

    return run


def _rows(suffix: str) -> Callable[[bytes], None]:
    def run(raw: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for where, row in reading.rows(_file(raw, f"x{suffix}", folder)):
                json.dumps(reading.record(where, row, {}, "n"), allow_nan=False)

    return run


def _models(raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = _file(raw, "models.toml", folder)
        original = models_file.settings
        models_file.settings = lambda: Settings(models=path, data_dir=Path(folder))  # type: ignore[attr-defined]
        try:
            models.catalogue()
        finally:
            models_file.settings = original  # type: ignore[attr-defined]


def _run_document(raw: bytes) -> None:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return
    runs_documents.parse(document)


def _answer(raw: bytes) -> None:
    found = extract(_text(raw))
    for grader in ("numeric", "choice", "text"):
        one = None if found is None else grading.canonical(found, grader)
        if one is not None and grading.canonical(one, grader) != one:
            raise ValueError(f"{grader} does not agree with itself about {one!r}")
    numeric.canonical(_text(raw))


def _stored(raw: bytes) -> None:
    text = _text(raw)
    if unescape(escape(text)) != text:
        raise ValueError("text does not come back")


def _tokens(raw: bytes) -> None:
    from ttc_core.engines.embedded.tokens import Tokenizer

    made = _tokenizer.setdefault("", Tokenizer(REPOSITORY / "data/models/mini-s")) if not _tokenizer else _tokenizer[""]
    made.decode(made.encode(_text(raw)))


_tokenizer: dict[str, object] = {}
PARSERS: dict[str, Callable[[bytes], None]] = {
    "study file": lambda raw: void(studies_file.parse(_text(raw))),
    "models file": _models,
    "run document": _run_document,
    **{f"import {name}": _imported(name) for name in ("samples", "search_and_learn", "openr_tree", "thinkbooster")},
    **{f"data set {suffix}": _rows(suffix) for suffix in (".jsonl", ".json", ".csv", ".tsv", ".parquet")},
    "study name": lambda raw: void(studies_file.check_name(_text(raw))),
    "answer": _answer,
    "stored text": _stored,
    "tokens": _tokens,
}


def void(found: object) -> None:
    """Its result does not matter."""


def tried(name: str, raw: bytes) -> str:
    """ "taken", or "refused" where the parser said no in its own words; anything else goes through."""
    try:
        PARSERS[name](raw)
    except TTCError:
        return "refused"
    return "taken"
