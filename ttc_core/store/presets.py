"""Presets of figures, each a JSON document under a name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert, select

from ttc_core.errors import UnknownName
from ttc_core.store.database import Database
from ttc_core.store.schema import FigurePresetRow, table

presets = table(FigurePresetRow)


def save(db: Database, name: str, settings: Mapping[str, Any]) -> None:
    """Store a preset in place of the one of this name, if there is one."""
    with db.write() as connection:
        connection.execute(delete(presets).where(presets.c.name == name))
        connection.execute(insert(presets).values(name=name, settings=json.dumps(settings, sort_keys=True)))


def remove(db: Database, name: str) -> None:
    """Delete a preset.

    Raises:
        UnknownName: there is none of this name.
    """
    with db.write() as connection:
        if not connection.execute(delete(presets).where(presets.c.name == name)).rowcount:
            raise UnknownName(f"no saved preset is called {name!r}")


def saved(db: Database) -> dict[str, Any]:
    """All presets by name, sorted."""
    with db.read() as connection:
        rows = connection.execute(select(presets).order_by(presets.c.name)).all()
    return {name: json.loads(settings) for name, settings in rows}
