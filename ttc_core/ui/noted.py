"""The note beside a stored search: for whoever looks at it next, and for the list, which is searched for it."""

from __future__ import annotations

import streamlit as st

from ttc_core import runs
from ttc_core.runs_views import MOST_NOTE, RunView
from ttc_core.ui import dialogs, gate, session, words

_TEXT = "ttc_note"


def show(view: RunView, key: str) -> None:
    """The note, if there is one, as plain text."""
    if view.note:
        with st.container(key=key):
            st.text(words.shown(view.note))


def button(view: RunView, key: str) -> None:
    """The way to write one."""
    gate.button(
        "Note…", "runs.annotate", of=[view.id], key=key, type="tertiary", on_click=_ask, args=(view.id,),
        help="write down what is to be remembered of this search",
    )  # fmt: skip


def _ask(run_id: str) -> None:
    with session.trouble("annotate the search"):
        st.session_state[_TEXT] = runs.get(run_id).note
        dialogs.open_("Note", _body, run_id, width="medium")
    session.changed()


def _body(run_id: str) -> None:
    st.text_area("Note", key=_TEXT, max_chars=MOST_NOTE, height=180, label_visibility="collapsed",
                 placeholder="what is to be remembered of this search")  # fmt: skip
    with st.container(horizontal=True, gap="small"):
        st.button("Save", key="note_save", type="primary", on_click=_save, args=(run_id,))
        st.button("Cancel", key="note_cancel", on_click=dialogs.close)


def _save(run_id: str) -> None:
    dialogs.close()
    session.act("annotate", run_id, st.session_state[_TEXT])
