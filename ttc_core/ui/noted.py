"""The note beside a stored search: for whoever looks at it next, and for the list, which is searched for it."""

from __future__ import annotations

import streamlit as st

from ttc_core import runs
from ttc_core.errors import TTCError
from ttc_core.runs_views import MOST_NOTE, RunView
from ttc_core.ui import dialogs, form, gate, session, words

_OF = "note"  # whose widget the text is


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
        before = runs.get(run_id).note
        form.begin(_OF, {"text": words.shown(before)})
        dialogs.open_("Note", _body, run_id, before, width="medium")
    session.changed()


def _body(run_id: str, before: str) -> None:
    """before: the note when the dialog was opened; another one since then is not written over."""
    text = st.text_area(
        "Note", form.first(_OF, "text", ""), key=form.key(_OF, "text"), max_chars=MOST_NOTE, height=180,
        label_visibility="collapsed", placeholder="what is to be remembered of this search",
    )  # fmt: skip
    with st.container(horizontal=True, gap="small"):
        save = st.button("Save", key="note_save", type="primary")
        st.button("Cancel", key="note_cancel", on_click=dialogs.close)
    if save:
        _save(run_id, text, before)


def _save(run_id: str, text: str, before: str) -> None:
    """Close the dialog where the note is kept; where it is not, what was typed stays."""
    try:
        if (now := runs.get(run_id).note) != before:
            session.notice("Somebody else has written a note meanwhile", words.shown(now) or "it is empty",
                           "copy your text, close this and open it again")  # fmt: skip
            return
        runs.annotate(run_id, text)
    except TTCError as error:
        session.notice("The note is not kept", str(error), error.hint)
        return
    dialogs.close()
    st.rerun()
