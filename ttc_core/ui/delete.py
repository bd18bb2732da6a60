"""Deleting stored searches, after asking."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ttc_core.ui import session

_ASKED = "ttc_delete"
_DONE = "ttc_delete_decided"


def ask(run_ids: Sequence[str]) -> None:
    """Have the confirmation shown by the next drawing of the page; for callbacks."""
    st.session_state[_ASKED] = list(run_ids)
    session.changed()


def confirmation() -> None:
    """The dialog, if one was asked for; every page that can delete calls this once."""
    st.session_state.pop(_DONE, None)
    wanted = st.session_state.pop(_ASKED, None)
    if wanted:
        _dialog(wanted)


@st.dialog("Delete searches?")
def _dialog(run_ids: list[str]) -> None:
    if st.session_state.pop(_DONE, False):
        st.rerun()  # closes it
    what = "this search and its tree" if len(run_ids) == 1 else f"these {len(run_ids)} searches and their trees"
    st.write(f"This removes {what} from the database. It cannot be undone.")
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.button("Keep", key="delete_no", on_click=_decide, args=([],))
        st.button("Delete", key="delete_yes", type="primary", on_click=_decide, args=(run_ids,))


def _decide(run_ids: list[str]) -> None:
    st.session_state[_DONE] = True
    if not run_ids:
        return
    session.act("delete", run_ids)
    if session.linked("run") in run_ids:
        session.link(None)
