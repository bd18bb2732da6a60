"""Looks of figures as people saved them, each a JSON document under a name."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from ttc_core.store.schema import FigurePresetRow, table

presets = table(FigurePresetRow)


def add(connection: Connection, name: str, settings: str) -> bool:
    """Store a new one; returns whether the name was free."""
    if connection.execute(select(presets.c.name).where(presets.c.name == name)).first():
        return False
    connection.execute(insert(presets).values(name=name, settings=settings))
    return True


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
