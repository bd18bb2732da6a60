"""Asking before something is done that cannot be undone."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

_DECIDED = "ttc_decided"


def ask(title: str, told: str, yes: str, act: Callable[[], None], key: str) -> None:
    """Open a dialog that calls `act` where somebody confirms; called once, in the drawing in which it was asked for.

    yes: the label of the button that does it; key: of the two buttons, with "_no" and "_yes".
    """
    st.session_state.pop(_DECIDED, None)
    st.dialog(title)(_body)(told, yes, act, key)


def _body(told: str, yes: str, act: Callable[[], None], key: str) -> None:
    if st.session_state.pop(_DECIDED, False):
        st.rerun()  # closes it
    st.text(told)
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.button("Keep", key=f"{key}_no", on_click=_decide)
        st.button(yes, key=f"{key}_yes", type="primary", on_click=_decide, args=(act,))


def _decide(act: Callable[[], None] = lambda: None) -> None:
    st.session_state[_DECIDED] = True
    act()
