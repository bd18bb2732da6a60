"""The canvas search tree as a Streamlit component. All of it is served by this process; nothing comes from a CDN."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

ASSETS = Path(__file__).parent / "assets"
HTML = """
<div class="ttc"><div class="frame">
  <div class="bar" role="toolbar" aria-label="search tree"></div>
  <div class="body">
    <div class="stage">
      <canvas tabindex="0" role="application" aria-label="Search tree. Arrow keys move, question mark lists the keys,
        the outline shows the same as text."></canvas>
      <div class="outline" hidden></div><div class="empty" role="status"></div><div class="tip" hidden></div>
      <div class="help" hidden></div><div class="live" aria-live="polite"></div>
    </div>
    <aside class="side" aria-label="details"></aside>
  </div>
  <div class="foot"></div>
</div></div>
"""


def script(folder: str) -> str:
    """The JavaScript of a component: the files of its folder, in order of their names, as one module."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((ASSETS / folder).glob("*.js")))


_tree = st.components.v2.component(
    "ttc_tree", html=HTML, css=(ASSETS / "tree.css").read_text(encoding="utf-8"), js=script("tree")
)


def search_tree(data: Mapping[str, Any], *, key: str, on_resync: Callable[[], None]) -> str | None:
    """Draw a search tree; returns the id of the step that was just selected in it, None if none was.

    data: what `tree.Feed.payload` made; on_resync: called when the browser missed a delta.
    """
    shown = _tree(key=key, data=dict(data), on_selected_change=_nothing, on_resync_change=on_resync, height="content")
    return _news(f"{key}_selected", shown.selected)


def _nothing() -> None:
    """Has the component's state read from its result: in a callback it would still be the one before."""


def _news(key: str, value: Any) -> str | None:
    """The first item of an [item, time] that the browser sent, once; None for one seen before."""
    if not isinstance(value, list) or st.session_state.get(key) == value:
        return None
    st.session_state[key] = value
    return str(value[0])


_list = st.components.v2.component(
    "ttc_runs",
    html='<div class="outer"><div class="list"><table tabindex="0" aria-label="stored searches"></table></div></div>',
    css=(ASSETS / "runs.css").read_text(encoding="utf-8"),
    js=script("runs"),
)


def run_list(rows: Sequence[Mapping[str, Any]], *, key: str) -> tuple[str | None, list[str]]:
    """Draw stored searches as a table; returns the id of the one just opened, and the ids of those ticked."""
    shown = _list(
        key=key, data={"rows": list(rows)}, on_open_change=_nothing, on_marked_change=_nothing, height="content"
    )
    return shown.open, list(shown.marked or [])
