"""Deleting stored searches, after asking."""

from __future__ import annotations

from collections.abc import Sequence

from ttc_core import runs
from ttc_core.ui import session, sure


def ask(run_ids: Sequence[str]) -> None:
    """Have the next drawing of the page ask whether these are to be deleted; for callbacks."""
    ids = list(run_ids)
    if ids:
        what = f"the search {ids[0]} and its tree" if len(ids) == 1 else f"these {len(ids)} searches and their trees"
        told = f"This removes {what} from the database."
        sure.ask("Delete searches?", told, "Delete", lambda: _delete(ids), "delete")
    session.changed()


def _delete(run_ids: list[str]) -> None:
    with session.trouble("delete the search"):
        runs.delete(run_ids)
        shown = [one for place in (session.RUN, session.BESIDE) if (one := session.linked(place))]
        left = [one for one in shown if one not in run_ids]
        if left != shown:
            session.go(*left) if left else session.link(None)
    session.changed()
