"""What is written appears whole or not at all: a full disk, a failing one, a process that is killed meanwhile."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import signal
import stat
import subprocess
import sys

import pytest

from ttc_core import files, importing, runs, studies_export
from ttc_core.__main__ import main
from ttc_core.bundle import archive
from ttc_core.datasets import added
from ttc_core.errors import UserError
from ttc_core.export import writing
from ttc_core.settings import DATA, REPOSITORY, settings
from ttc_core.store.database import database

LARGE = os.urandom(100_000)  # random, so that packing does not make it small


def figures(place):
    writing.put(place, {"a.pdf": b"new", "b.csv": LARGE})


def bundle(place):
    archive.pack(place.parent / "source", place / "x.zip")


def study(place):
    studies_export.write("pool", place / "out")


def run(place):
    """Through the command line, whose exit code becomes the error."""
    if main(["show", "one", "--export", str(place / "run.json")]):
        raise UserError("as the command line said")


def dataset(place):
    added.write("own", [{"id": str(i), "question": "?" * 1000, "answer": "1"} for i in range(100)])


WRITERS = {"figures": figures, "bundle": bundle, "study": study, "run": run, "dataset": dataset}
OLD = {"figures": ("a.pdf", "b.csv"), "bundle": ("x.zip",), "run": ("run.json",), "study": (), "dataset": ()}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The folder to write into, which is the data folder too; the database has a study and a run of some size."""
    folder = tmp_path / "place"
    (folder / "problems").mkdir(parents=True)
    monkeypatch.setenv("TTC_DATA_DIR", str(folder))
    monkeypatch.setenv("TTC_DATABASE_URL", f"sqlite:///{tmp_path / 'x.db'}")
    monkeypatch.setenv("TTC_EXAMPLES", "0")
    settings.cache_clear()
    runs.ensure_database()
    samples = [{"text": f"Hard words {i}. " * 300, "answer": "1"} for i in range(4)]
    rows = [{"id": str(i), "question": "?", "samples": samples} for i in range(5)]
    (tmp_path / "s.jsonl").write_text("\n".join(map(json.dumps, rows)))
    importing.add("samples", tmp_path / "s.jsonl", "d", "pool")
    document = json.loads(sorted((DATA / "examples").glob("*.json"))[0].read_text())
    runs.import_run({**document, "id": "one"})
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "b").write_bytes(LARGE)
    for names in OLD.values():
        for name in names:
            (folder / name).write_bytes(b"old")
    yield folder
    database(settings().database_url).close()
    settings.cache_clear()


def found(place):
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


@contextlib.contextmanager
def full_disk(monkeypatch):
    """Files end after 5,000 bytes, as the kernel sees to it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def failing(monkeypatch, name, number):
    """The call of this number of a function of `os` reports a broken disk."""
    real, count = getattr(os, name), [0]

    def call(*args, **kwargs):
        count[0] += 1
        if count[0] == number:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(*args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(os, name, call)
        yield


FAULTS = {
    "full": full_disk,
    "fsync": lambda patch: failing(patch, "fsync", 1),
    "rename": lambda patch: failing(patch, "replace", 1),
    "new name": lambda patch: failing(patch, "rename", 1),
    "link": lambda patch: failing(patch, "link", 1),
}
LAST = {"figures": "rename", "bundle": "rename", "run": "rename", "study": "new name", "dataset": "link"}


@pytest.mark.parametrize("fault", ["full", "fsync", "last"])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_fault_leaves_what_was_there(place, monkeypatch, capsys, writer, fault):
    before = found(place)
    with pytest.raises(UserError), FAULTS[LAST[writer] if fault == "last" else fault](monkeypatch):
        WRITERS[writer](place)
    assert found(place) == before
    WRITERS[writer](place)
    assert set(found(place)) > set(before) or found(place) != before
    assert not [name for name in found(place) if ".part" in name]


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("moment", ["fsync", "last"])
def test_a_killed_process_leaves_files_old_or_new_but_whole(place, writer, moment):
    call = {"rename": "replace", "new name": "rename", "link": "link"}[LAST[writer]] if moment == "last" else moment
    before = found(place)
    code = f"""
import os, signal, pathlib
from tests.hostile.test_writing import WRITERS
os.{call} = lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL)
WRITERS[{writer!r}](pathlib.Path({str(place)!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True)
    after = {name: data for name, data in found(place).items() if ".part" not in name}
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert after == before


def test_a_link_goes_on_leading_to_the_file_and_rights_stay(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    with files.whole(link) as part:
        part.write_text("new")
    assert link.is_symlink() and real.read_text() == "new" and stat.S_IMODE(real.stat().st_mode) == 0o640


def test_a_pipe_is_written_to_as_it_is():
    code = "from ttc_core import files\nfrom pathlib import Path\n"
    code += "with files.whole(Path('/dev/stdout')) as part: part.write_text('said')"
    said = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert said.stdout == "said"


def test_a_folder_that_is_there_and_empty_is_filled_at_the_end(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    with files.whole_folder(place) as part:
        (part / "a").write_text("1")
        assert [path.name for path in place.iterdir()] == [part.name]
    assert [path.name for path in place.iterdir()] == ["a"]
