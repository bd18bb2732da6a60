"""The keys of each page, and the dialog that says them: `?` opens it everywhere."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ttc_core.ui.component import ASSETS, script

Keys = Sequence[tuple[str, str]]  # the keys, with spaces between them, and what they do

_LIST: Keys = (("J K", "next and previous search of the list"), ("Enter", "open it"), ("X", "mark it"))
_TREE: Keys = (
    ("← → ↑ ↓", "in the tree: go to a step beside this one"),
    ("Home End", "the question, the chosen answer"),
    ("[ ]", "step through the search"),
    ("Space", "play it"),
    ("C", "go on from the selected step"),
    ("J K", "next and previous search"),
    ("F", "fit the tree; ? inside it lists all its keys"),
)
_SLIDER: Keys = (("← →", "with the slider in focus: move it"), ("Home End", "to its ends"))
KEYS: dict[str, Keys] = {
    "solve": _TREE,
    "trees": (*_LIST, *_TREE),
    "revisions": (("← → ↑ ↓", "in the chains: go to another attempt"), ("J K", "next and previous attempt")),
    "frontier": (*_SLIDER, ("Enter", "on a method: list its problems"), ("Shift Click", "on a line's mark: it alone")),
    "exchange": (*_SLIDER, ("Enter", "on a bin: show its interval")),
    "verifier": _SLIDER,
}
ALWAYS: Keys = (("Tab", "the next thing that can be used"), ("Alt ←", "back to where you were"), ("?", "this list"))

_keys = st.components.v2.component(
    "ttc_keys",
    html="""
<div class="keys">
  <button class="open" type="button" title="Keys of this page (?)" aria-label="keys of this page">?</button>
  <dialog aria-labelledby="keys-title"><button class="close" type="button" aria-label="close">×</button>
    <h2 id="keys-title"></h2><dl></dl></dialog></div>
""",
    css=(ASSETS / "keys.css").read_text(encoding="utf-8"),
    js=script("keys"),
)


def of(page: str) -> Keys:
    """What the keys do on a page."""
    return (*KEYS.get(page, ()), *ALWAYS)


def offer(page: str) -> None:
    """Have `?` say what the keys of this page do."""
    with st.container(key="keys-help"):
        _keys(
            key="ttc_keys", data={"page": page.capitalize(), "keys": [list(one) for one in of(page)]}, height="content"
        )
