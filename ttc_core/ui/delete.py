"""Deleting stored searches, after asking."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ttc_core.ui import session, sure

_ASKED = "ttc_delete"


def ask(run_ids: Sequence[str]) -> None:
    """Have the confirmation shown by the next drawing of the page; for callbacks."""
    st.session_state[_ASKED] = list(run_ids)
    session.changed()


def confirmation() -> None:
    """The dialog, if one was asked for; every page that can delete calls this once."""
    wanted: list[str] | None = st.session_state.pop(_ASKED, None)
    if wanted:
        what = "this search and its tree" if len(wanted) == 1 else f"these {len(wanted)} searches and their trees"
        told = f"This removes {what} from the database. It cannot be undone."
        sure.ask("Delete searches?", told, "Delete", lambda: _delete(wanted), "delete")


def _delete(run_ids: list[str]) -> None:
    session.act("delete", run_ids)
    if session.linked("run") in run_ids:
        session.link(None)
