"""Open a bundle: nothing of it is believed before all of it was read as the workbench reads a study of its own."""

from __future__ import annotations

import json
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ttc_core import access, runs, runs_documents, studies
from ttc_core.bundle import FORMAT
from ttc_core.bundle.archive import Archive
from ttc_core.bundle.writing import Drawn
from ttc_core.errors import StoreFault, UserError
from ttc_core.settings import settings
from ttc_core.store import carried, figure_presets, studies_tables, transfer
from ttc_core.store.database import Database, database
from ttc_core.studies_file import check_name
from ttc_core.studies_pools import unpacked

# What reading tables that contradict themselves may raise, besides what the workbench raises on purpose.
BROKEN = (KeyError, IndexError, TypeError, ValueError, OverflowError, RecursionError, struct.error)


@dataclass(frozen=True)
class Opened:
    """A bundle while it is open. url: of a database that holds its study alone; about: its `bundle.json`."""

    url: str
    study: str
    about: Mapping[str, Any]
    drawn: Drawn
    copy: Database


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """A bundle as a database of its own, which goes when the context ends.

    Raises:
        UserError: one sentence on why it is no bundle, a damaged one, or one of a newer version.
    """
    with tempfile.TemporaryDirectory() as folder:
        zipped = Archive(path)
        copy = Database(f"sqlite:///{Path(folder) / 'study.db'}")
        try:
            about = _about(zipped)
            with _told(zipped):
                carried.load(copy, about["schema"], lambda table: _rows(zipped, f"tables/{table}.jsonl"))
                name = _read_all(copy)
            if name != about["study"]:
                raise zipped.wrong("its tables and its bundle.json name different studies")
            yield Opened(copy.absolute_url, name, about, _drawn(zipped, about), copy)
        finally:
            copy.close()
            zipped.close()


@dataclass(frozen=True)
class Added:
    """What came in. study: its name; renamed: saved figures whose names were taken -> what they are called here."""

    study: str
    renamed: Mapping[str, str]

    def __str__(self) -> str:
        """The id of what was made, for the audit."""
        return self.study


@access.changes("admin")
def add(path: Path, study: str | None = None, *, db: str | None = None) -> Added:
    """Import the study of a bundle, under another name if one is given.

    What was not carried out yet waits until the study is resumed. Runs are renamed where the database has such, and so
    are saved figures where others have their names.

    Raises:
        UserError: the file is no sound bundle, or there is a study of this name; nothing is imported then.
    """
    with opened(path) as bundle, database(db or settings().database_url).write() as target:
        name = check_name(study or bundle.study)
        carried.rename(bundle.copy, name)
        with bundle.copy.read() as source:
            transfer.copy_study(source, name, target)
        renamed = {}
        for figure, look in bundle.drawn.looks().items():
            text = json.dumps(replace(look, study=name).document(), sort_keys=True)
            if (called := figure_presets.keep(target, figure, text)) != figure:
                renamed[figure] = called
    return Added(name, renamed)


@contextmanager
def _told(zipped: Archive) -> Iterator[None]:
    """Whatever is wrong with the tables becomes one sentence."""
    try:
        yield
    except StoreFault as error:
        raise zipped.wrong(f"its tables do not belong together: {error}") from error
    except UserError as error:
        if str(error).startswith(str(zipped.path)):
            raise
        raise zipped.wrong(str(error)) from error
    except BROKEN as error:
        raise zipped.wrong(f"its tables cannot be read ({type(error).__name__})") from error


def _about(zipped: Archive) -> dict[str, Any]:
    found = _object(zipped.read("bundle.json"), lambda message: zipped.wrong(f"bundle.json: {message}"))
    if found.get("format") != FORMAT:
        said = str(found.get("format"))[:20]
        raise UserError(f"{zipped.path}: this is no bundle of the format {FORMAT!r} but of {said!r}")
    for key in ("schema", "study"):
        if not isinstance(found.get(key), str):
            raise zipped.wrong(f"bundle.json: {key!r} is missing")
    return found


def _drawn(zipped: Archive, about: Mapping[str, Any]) -> Drawn:
    """How its figures were drawn."""
    said = about.get("drawn")
    kinds = {"preset": str, "family": str, "formats": list, "dpi": int, "resamples": int, "saved": dict}
    if isinstance(said, dict):
        said = {"saved": {}, **said}  # there were none in earlier ones
    right = isinstance(said, dict) and set(said) == {f.name for f in fields(Drawn)}
    if not isinstance(said, dict) or not right or any(type(said[key]) is not kind for key, kind in kinds.items()):
        raise zipped.wrong("bundle.json: 'drawn' does not say how the figures were drawn")
    try:
        drawn = Drawn(**said)
        drawn.check()
    except UserError as error:
        raise zipped.wrong(f"bundle.json: {error}") from error
    return drawn


def _rows(zipped: Archive, name: str) -> carried.Rows:
    for number, line in enumerate(zipped.lines(name), 1):
        place = f"{name}, line {number}"

        def wrong(message: str, place: str = place) -> UserError:
            return zipped.wrong(f"{place}: {message}")

        yield wrong, _object(line, wrong)


def _object(raw: bytes, wrong: Callable[[str], UserError]) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise wrong("no JSON") from error
    if not isinstance(found, dict):
        raise wrong("not a JSON object")
    return found


def _read_all(copy: Database) -> str:
    """Read everything, as pages, figures and command line will; returns the name of the one study."""
    from ttc_core.store import studies as stored

    url = copy.absolute_url
    names = stored.names(copy)
    if len(names) != 1:
        raise UserError(f"it holds {len(names)} studies and not one")
    [name] = names
    check_name(name)
    view = studies.progress(name, db=url)
    if view.units["leased"] or view.status not in ("running", "paused", "cancelled", "failed", "done"):
        raise UserError("somebody works on its study")
    if view.status == "running":  # it must not start by itself where it is imported
        stored.set_status(copy, name, "paused", "imported before it was finished")
    studies.describe(name, db=url)
    frame = studies.outcomes(name, db=url)
    for params in frame["params"].unique():
        json.loads(params)
    for row in studies_tables.pool_rows(copy, name):
        unpacked(row)
        json.loads(row["problem_extra"] or "{}")
    kept = carried.run_ids(copy)
    for run_id in kept:
        runs_documents.parse(runs.export_run(run_id, db=url))
    if not set(frame["run"].dropna()) <= set(kept):
        raise UserError("an outcome names a search that is not there")
    with tempfile.TemporaryDirectory() as folder:  # keys refer to what is there: the copy that an import makes
        with copy.read() as source:
            carried.alone(source, name, Path(folder) / "tried.db").close()
    return name
