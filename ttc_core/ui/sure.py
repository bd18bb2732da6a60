"""Asking before something is done that cannot be undone."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from ttc_core.ui import dialogs


def ask(title: str, told: str, yes: str, act: Callable[[], None], key: str) -> None:
    """Have the next drawing of the page ask, and call `act` where somebody confirms; for callbacks.

    yes: the label of the button that does it; key: of the two buttons, with "_no" and "_yes".
    """
    dialogs.open_(title, _body, f"{told} It cannot be undone.", yes, act, key)


def _body(told: str, yes: str, act: Callable[[], None], key: str) -> None:
    st.text(told)
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.button("Keep", key=f"{key}_no", on_click=dialogs.close)
        st.button(yes, key=f"{key}_yes", type="primary", on_click=_do, args=(act,))


def _do(act: Callable[[], None]) -> None:
    dialogs.close()
    act()
