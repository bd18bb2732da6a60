"""The way in to a shared workbench: logging in by OIDC, and who may do what. See `ttc_core.access`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from ttc_core import access
from ttc_core.errors import TTCError
from ttc_core.settings import settings
from ttc_core.ui import session


def asking() -> str:
    """The address of whoever uses this page, "" before logging in. One that its issuer does not vouch for is none."""
    user, known = st.user.to_dict(), access.rules()
    vouched = user.get("email_verified", known is not None and known.unstated)
    if not user.get("is_logged_in") or not (vouched is True or vouched == "true"):  # some issuers send text
        return ""
    return str(user.get("email") or "")


def enter() -> None:
    """Go on for those who may look, and say what they may not; stop the page for all others. `open_page` calls it."""
    access.identify(asking)
    try:
        shared, who = access.rules() is not None, access.actor()
    except TTCError as error:
        session.notice("This workbench is closed", str(error), error.hint)
        st.stop()
    if shared and not who.role:
        session.notice("This workbench is not open to everybody", "log in to be let in" if not who.name else
                       f"{who.name} has no role here", kind="info")  # fmt: skip
        _log_in(who.name)
        st.stop()
    if settings().read_only:
        st.caption("Read-only: everything can be looked at, nothing can be changed.")
    elif shared:
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="who"):
            st.text(f"{who.name or 'not logged in'}: {who.role}")
            _log_in(who.name)


def button(label: str, verb: str, *, of: Sequence[str] = (), place: Any = st, **options: Any) -> bool:
    """As `st.button`, for what changes something: disabled, with the reason, where whoever asks may not.

    verb: as `access.why_not`; of: the ids of what is changed; place: where it stands.
    """
    why = access.why_not(verb, of)
    pressed: bool = place.button(label, **{**options, **_closed(why)})
    return pressed and not why  # a browser may press what is disabled


def submit(label: str, verb: str, *, needs: str = "admin", **options: Any) -> bool:
    """As `st.form_submit_button`, in the same way. needs: the role."""
    why = access.why_not(verb, needs=needs)
    return st.form_submit_button(label, **{**options, **_closed(why)}) and not why


def _closed(why: str) -> dict[str, Any]:
    return {"disabled": True, "help": why} if why else {}


def _log_in(name: str) -> None:
    if name:
        st.button("Log out", key="log_out", type="tertiary", on_click=st.logout)
    elif st.secrets.load_if_toml_exists() and "auth" in st.secrets:
        st.button("Log in", key="log_in", type="tertiary", on_click=st.login)
