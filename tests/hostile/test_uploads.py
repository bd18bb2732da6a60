"""What a browser sends: the sender's name leads nowhere and is told as text, packed files and brackets have limits."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from tests.hostile.payloads import SHORT
from tests.hostile.test_files import NAMES
from ttc_core import importing, runs, studies
from ttc_core.errors import UserError
from ttc_core.importing import uploads
from ttc_core.store.database import database

ROW = {"id": "0", "question": "1 + 1?", "answer": "2", "samples": [{"answer": "2"}]}
LINE = json.dumps(ROW).encode()


@pytest.fixture
def url(database_url, tmp_path, monkeypatch):
    runs.ensure_database(db=database_url)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    yield database_url
    database(database_url).close()


def sent(url, name, raw, format="samples", study=None):
    before = len(studies.listing(db=url))
    try:
        return uploads.add(format, name, io.BytesIO(raw), "d", study, db=url)
    except UserError as error:
        _one_sentence(str(error))
        assert len(studies.listing(db=url)) == before
        raise
    finally:
        assert list(Path(tempfile.tempdir).iterdir()) == []


def _one_sentence(said):
    assert "\n" not in said and "\x1b" not in said and tempfile.tempdir not in said


@pytest.mark.parametrize(
    "name", [*NAMES, *SHORT.values(), "x/" * 5000, ".jsonl", "..gz", "é" * 200, "x" * 79 + "é" * 9]
)
def test_a_name_leads_nowhere_whatever_the_sender_calls_the_file(url, tmp_path, name):
    before = {path for path in tmp_path.rglob("*") if "workbench.db" not in path.name}
    with suppress(UserError):  # of a name that has no letters at all
        study = sent(url, name, LINE)
        assert studies.exists(study, db=url) and len(study) <= 80 and study.isascii()
    with pytest.raises(UserError, match="no JSON"):
        sent(url, name, b"{", study="other")
    assert {path for path in tmp_path.rglob("*") if "workbench.db" not in path.name} == before


BOMBS = {
    "a packed document": (gzip.compress(b"[" + b"1," * 3000 + b"1]"), "in one JSON document"),
    "a document": (b"[" + b"1," * 3000 + b"1]", "in one JSON document"),
    "lists in a document": (b"[" + b"[]," * 500 + b"1]", "more than 300 brackets"),
    "lists in a line": (b'{"id": [' + b"[]," * 500 + b"1]}", "more than 300 brackets"),
    "objects in a line": (b'{"id": [' + b"{}," * 500 + b"1]}", "more than 300 brackets"),
    "packed lines": (gzip.compress(b"\n" * 20_000), "unpacked"),
    "packed twice": (gzip.compress(gzip.compress(LINE)), "UTF-8"),
    "broken off": (gzip.compress(LINE * 9)[:-9], "cannot be read"),
    "a name twice in a line": (LINE[:-1] + b', "samples": 7}', "wrong type"),
    "numbers of many digits": (b'{"id": ' + b"9" * 5000 + b"}", "no JSON"),
}


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("format", ["samples", "search_and_learn", "openr_tree", "thinkbooster"])
def test_a_file_that_takes_more_than_it_seems_to_is_refused(url, monkeypatch, name, format):
    for limit, value in (("MAX_DOCUMENT", 4000), ("MAX_BRACKETS", 300), ("MAX_FILE", 10_000)):
        monkeypatch.setattr(importing, limit, value)
    raw, says = BOMBS[name]
    with pytest.raises(UserError) as refused:
        sent(url, "x.jsonl", raw, format)
    if format == "samples":
        assert says in str(refused.value)


@pytest.mark.parametrize("format", ["", "storing", "uploads", "../samples", "os", "samples.x", "bundle", "__main__"])
def test_only_formats_are_loaded(url, format):
    with pytest.raises(UserError, match="no format is called"):
        sent(url, "x.jsonl", LINE, format)


def test_a_stream_that_breaks_is_no_import(url):
    class Breaks(io.BytesIO):
        def read(self, *size):
            raise OSError(5, "Input/output error")

    with pytest.raises(UserError, match="cannot be kept"):
        uploads.add("samples", "x.jsonl", Breaks(), "d", db=url)
    assert list(Path(tempfile.tempdir).iterdir()) == []
