"""Looks of figures as people saved them, each a JSON document under a name."""

from __future__ import annotations

import itertools

from sqlalchemy import Connection, delete, insert, select, update

from ttc_core.store.schema import FigurePresetRow, table

presets = table(FigurePresetRow)
LONGEST = 70  # letters of a name before its number


def add(connection: Connection, name: str, settings: str) -> bool:
    """Store a new one; returns whether the name was free."""
    if connection.execute(select(presets.c.name).where(presets.c.name == name)).first():
        return False
    connection.execute(insert(presets).values(name=name, settings=settings))
    return True


def keep(connection: Connection, name: str, settings: str) -> str:
    """Store one, numbered where another one has its name; returns what it is called."""
    there = saved(connection)
    numbered = (f"{name[:LONGEST]}-{i}" for i in itertools.count(2))
    called = next(one for one in itertools.chain([name], numbered) if there.get(one, settings) == settings)
    add(connection, called, settings)
    return called


def change(connection: Connection, name: str, settings: str) -> bool:
    """Store it in place of the one of this name; returns whether there was one."""
    return bool(connection.execute(update(presets).where(presets.c.name == name).values(settings=settings)).rowcount)


def remove(connection: Connection, name: str) -> bool:
    """Delete one; returns whether it was there."""
    return bool(connection.execute(delete(presets).where(presets.c.name == name)).rowcount)


def saved(connection: Connection) -> dict[str, str]:
    """All by name, sorted."""
    rows = connection.execute(select(presets).order_by(presets.c.name)).all()
    return {row.name: row.settings for row in rows}
