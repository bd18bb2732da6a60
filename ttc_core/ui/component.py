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


def search_tree(
    data: Mapping[str, Any], *, key: str, on_selected: Callable[[], None], on_resync: Callable[[], None]
) -> None:
    """Draw a search tree. data: what `tree.Feed.payload` made; on_selected: the user chose a step, its id is
    ``st.session_state[key].selected``; on_resync: the browser missed a delta."""
    _tree(key=key, data=dict(data), on_selected_change=on_selected, on_resync_change=on_resync, height="content")


_list = st.components.v2.component(
    "ttc_runs",
    html='<div class="outer"><div class="list"><table tabindex="0" aria-label="stored searches"></table></div></div>',
    css=(ASSETS / "runs.css").read_text(encoding="utf-8"),
    js=script("runs"),
)


def run_list(
    rows: Sequence[Mapping[str, Any]], *, key: str, on_open: Callable[[], None], on_marked: Callable[[], None]
) -> None:
    """Draw stored searches as a table. on_open: one was chosen, its id is ``st.session_state[key].open``; on_marked:
    the ids of the ticked ones are ``st.session_state[key].marked``."""
    _list(key=key, data={"rows": list(rows)}, on_open_change=on_open, on_marked_change=on_marked, height="content")
