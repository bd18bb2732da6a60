"""The one dialog that may be open.

It stays in the session until it is closed, and every drawing of the page shows it: neither a page that is drawn again
meanwhile, because a search has ended, nor one whose drawing is broken off, loses or closes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import streamlit as st

_OPEN = "ttc_dialog"
_OF = ("run", "beside", "study")  # of the address: what a dialog is about


def open_(title: str, body: Callable[..., None], *args: Any, width: Literal["small", "medium"] = "small") -> None:
    """Have the next drawing of the page show a dialog that `body(*args)` fills; for callbacks."""
    st.session_state[_OPEN] = (_about(), title, body, args, width)


def close() -> None:
    """Have it shown no longer; for callbacks, and before the page is drawn again."""
    st.session_state.pop(_OPEN, None)


def draw() -> None:
    """The dialog, where one is open; `session.open_page` calls it. It closes where something else is shown by now."""
    if _OPEN not in st.session_state:
        return
    about, title, body, args, width = st.session_state[_OPEN]
    if about == _about():
        st.dialog(title, width=width, on_dismiss=close)(_inside)(body, args)
    else:
        close()


def _about() -> list[list[str]]:
    return [st.query_params.get_all(name) for name in _OF]


def _inside(body: Callable[..., None], args: tuple[Any, ...]) -> None:
    if _OPEN not in st.session_state:
        st.rerun()  # a button inside has closed it
    body(*args)
