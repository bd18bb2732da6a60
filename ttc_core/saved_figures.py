"""Figures that somebody edited and saved under a name: the facade of pages and command line.

Every function takes `db`, a database URL; None means the configured one.
"""

from __future__ import annotations

import json
import logging

from ttc_core import access, registry
from ttc_core.drawing.looks import Look
from ttc_core.errors import BadValue, UnknownName
from ttc_core.settings import settings
from ttc_core.store import figure_presets
from ttc_core.store.database import Database, database
from ttc_core.studies_file import check_name

log = logging.getLogger("ttc.figures")
TABLE = "-table"  # how the LaTeX table beside a figure is called


def named(name: str) -> str:
    """The name, if a saved figure can have it: its files are called so.

    Raises:
        BadValue: it cannot.
    """
    check_name(name)
    if name in (*registry.names("figure"), *registry.names("table")) or name.endswith(TABLE):
        raise BadValue(f"the name {name!r} is that of another figure or table", hint="choose another one")
    return name


@access.changes()
def save(name: str, look: Look, *, db: str | None = None) -> str:
    """Store a look under a new name; returns the name.

    Raises:
        BadValue: the name is taken, or cannot be one; UnknownName: no such figure.
    """
    text = _text(look)
    with _database(db).write() as connection:
        if not figure_presets.add(connection, named(name), text):
            raise BadValue(f"a figure is saved as {name!r} already", hint="choose another name, or delete that one")
    return name


@access.changes()
def change(name: str, look: Look, *, db: str | None = None) -> None:
    """Store a look in place of the one of this name.

    Raises:
        UnknownName: there is none, or no such figure.
    """
    text = _text(look)
    with _database(db).write() as connection:
        if not figure_presets.change(connection, name, text):
            raise _unknown(name)


@access.changes()
def delete(name: str, *, db: str | None = None) -> None:
    """Delete a saved figure.

    Raises:
        UnknownName: there is none of this name.
    """
    with _database(db).write() as connection:
        if not figure_presets.remove(connection, name):
            raise _unknown(name)


def listing(study: str | None = None, *, db: str | None = None) -> dict[str, Look]:
    """All of them by name, or those that were saved of a study. What a newer version wrote is left out and logged."""
    with _database(db).read() as connection:
        stored = figure_presets.saved(connection)
    found = {}
    for name, text in stored.items():
        try:
            found[name] = Look.parse(json.loads(text))
        except (ValueError, BadValue, UnknownName) as error:
            log.warning("the saved figure %r cannot be read: %s", name, error)
    return {name: look for name, look in found.items() if study is None or look.study == study}


def get(name: str, *, db: str | None = None) -> Look:
    """A saved look.

    Raises:
        UnknownName: there is none of this name.
    """
    found = listing(db=db)
    if name not in found:
        raise _unknown(name, ", ".join(found))
    return found[name]


def _text(look: Look) -> str:
    """For the store, after it was checked as one that is read."""
    checked = Look.parse(look.document())
    registry.get("figure", checked.figure)
    return json.dumps(checked.document(), sort_keys=True)


def _unknown(name: str, there: str = "") -> UnknownName:
    return UnknownName(f"no figure is saved as {name!r}", hint=f"there is: {there}" if there else "")


def _database(db: str | None) -> Database:
    return database(db or settings().database_url)
