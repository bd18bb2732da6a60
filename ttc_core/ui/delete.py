"""Deleting stored searches, after asking."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ttc_core.ui import session

_ASKED = "ttc_delete"


def ask(run_ids: Sequence[str]) -> None:
    """Have the confirmation shown by the next drawing of the page; for callbacks."""
    st.session_state[_ASKED] = list(run_ids)
    session.changed()


def confirmation() -> None:
    """The dialog, if one was asked for; every page that can delete calls this once."""
    wanted = st.session_state.pop(_ASKED, None)
    if wanted:
        _dialog(wanted)


@st.dialog("Delete searches?")
def _dialog(run_ids: list[str]) -> None:
    what = "this search and its tree" if len(run_ids) == 1 else f"these {len(run_ids)} searches and their trees"
    st.write(f"This removes {what} from the database. It cannot be undone.")
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Keep", key="delete_no"):
            st.rerun()
        if st.button("Delete", key="delete_yes", type="primary"):
            session.act("delete", run_ids)
            if session.linked("run") in run_ids:
                session.link(None)
            st.session_state.pop("solve_run", None)
            st.rerun()
