"""Every parser of what strangers write, as a function of bytes: it returns, or raises an error of the program's own.

`PARSERS` is shared by the short tests (`test_parsers.py`) and the long search (`python -m tests.fuzz`).
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from ttc_core import (
    access,
    grading,
    importing,
    models,
    models_file,
    policies,
    runs,
    runs_checks,
    runs_documents,
    studies_file,
)
from ttc_core import settings as settings_module
from ttc_core.bundle import archive
from ttc_core.bundle import reading as bundles
from ttc_core.cli import asked
from ttc_core.datasets import reading
from ttc_core.engines.openai_http import hosts
from ttc_core.errors import TTCError, UserError
from ttc_core.grading import numeric
from ttc_core.grading.extraction import extract
from ttc_core.settings import REPOSITORY, Settings
from ttc_core.store import carried
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


def _environment(raw: bytes) -> None:
    """Lines of NAME=VALUE, without TTC_ before them."""
    said = (line.partition("=") for line in _text(raw).replace("\x00", "").split("\n") if line.count("="))
    with mock.patch.dict(os.environ, clear=True):
        try:
            os.environ.update({f"TTC_{name}": value for name, _, value in said if name})
            found = settings_module.settings.__wrapped__()
        except ValueError as error:  # as it says itself
            raise UserError(str(error)) from error
    hosts.allowed("gpu1", "8.8.8.8", found.hosts)


def _settings(raw: bytes) -> None:
    """A strategy, and NAME=VALUE in the other lines."""
    strategy, *pairs = _text(raw).split("\n")
    runs_checks.named("strategy", strategy, asked._settings(pairs))


def _access(raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        access.read(_file(raw, "access.toml", folder)).role("ada@example.org")


def _policy(raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        policies.parse("x", policies._read(_file(raw, "x.json", folder)))


def _bundle(raw: bytes) -> None:
    """The files of a bundle, each after a line of @ and its name; their sums are right."""
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder) / "inside"
        (inside / "tables").mkdir(parents=True)
        for part in (b"\n" + raw).split(b"\n@")[1:]:
            name, _, content = part.partition(b"\n")
            if name in PARTS:
                (inside / name.decode()).write_bytes(content)
        archive.pack(inside, Path(folder) / "x.zip")
        with bundles.opened(Path(folder) / "x.zip"):
            pass


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


PARTS = {b"bundle.json", *(f"tables/{table}.jsonl".encode() for table in carried.TABLES)}
_tokenizer: dict[str, object] = {}
PARSERS: dict[str, Callable[[bytes], None]] = {
    "study file": lambda raw: void(studies_file.parse(_text(raw))),
    "models file": _models,
    "access file": _access,
    "policy": _policy,
    "environment": _environment,
    "settings": _settings,
    "bundle": _bundle,
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
