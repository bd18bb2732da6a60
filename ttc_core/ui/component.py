"""The canvas search tree as a Streamlit component. All of it is served by this process; nothing comes from a CDN."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from ttc_core.runs_views import RunView
from ttc_core.ui import words

ASSETS = Path(__file__).parent / "assets"
HTML = """
<div class="ttc"><div class="frame">
  <div class="bar" role="toolbar" aria-label="search tree"></div>
  <div class="body">
    <div class="stage">
      <canvas tabindex="0" role="application" aria-label="Search tree. Arrow keys move, question mark lists the keys,
        the outline shows the same as text."></canvas>
      <div class="outline" tabindex="0" role="tree" aria-label="Search tree as an outline. Arrow keys move,
        question mark lists the keys."></div><div class="empty" role="status"></div><div class="tip" hidden></div>
      <div class="help" hidden></div><div class="live" aria-live="polite"></div>
    </div>
    <aside class="side" aria-label="details"></aside>
  </div>
  <div class="foot"></div>
</div></div>
"""


def script(folder: str) -> str:
    """The JavaScript of a component as one module: what all share, then its folder's files in order of their names."""
    paths = [*sorted((ASSETS / "shared").glob("*.js")), *sorted((ASSETS / folder).glob("*.js"))]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


_tree = st.components.v2.component(
    "ttc_tree", html=HTML, css=(ASSETS / "tree.css").read_text(encoding="utf-8"), js=script("tree")
)


def search_tree(
    data: Mapping[str, Any],
    *,
    key: str,
    on_look: Callable[[str | None, str, int | None], None],
    on_resync: Callable[[], None],
    on_onward: Callable[[str], None],
    on_turn: Callable[[int], None],
) -> None:
    """Draw a search tree.

    Arguments:
        data: what `tree.Feed.payload` made.
        on_look: called with the id of the step that is selected, the view (of `session.VIEWS`) and the moment of the
            replay, None for the end, before the next payload is made, so that this can say so.
        on_resync: when the browser missed a delta.
        on_onward: with the id of a step to go on from.
        on_turn: with 1 for the next run of the list, -1 for the one before.
    """

    def look() -> None:
        if value := st.session_state[key].look:  # the last is when the browser told it
            on_look(*value[:-1])

    def onward() -> None:
        if value := st.session_state[key].onward:
            on_onward(str(value[0]))

    def turn() -> None:
        if value := st.session_state[key].turn:
            on_turn(int(value[0]))

    told = (st.session_state.get(key) or {}).get("look")
    _tree(
        key=key,
        data={**data, "heard": told[-1] if told else None},
        on_look_change=look,
        on_resync_change=on_resync,
        on_onward_change=onward,
        on_turn_change=turn,
        height="content",
    )


def _nothing() -> None:
    """For values that are read from the component's result."""


_list = st.components.v2.component(
    "ttc_runs",
    html='<div class="outer"><div class="list"><table tabindex="0" aria-label="stored searches"></table></div></div>',
    css=(ASSETS / "runs.css").read_text(encoding="utf-8"),
    js=script("runs"),
)


def run_row(view: RunView, **more: Any) -> dict[str, Any]:
    """What `run_list` needs of a stored search; more: what else its columns show."""
    lost = words.lost(view)
    return {
        "id": view.id,
        "question": " ".join(view.spec.question.split())[:300],
        "answer": view.answer,
        "correct": None if lost else view.correct,
        "strategy": words.method(view.spec.strategy),
        "status": "all failed" if lost else words.STATUS_WORDS[view.status],
        "state": "failed" if lost else view.status,
        "when": words.ago(view.created),
        "note": " ".join(view.note.split())[:300],
        **more,
    }


def run_list(rows: Sequence[Mapping[str, Any]], *, key: str, short: bool = False) -> tuple[str | None, list[str]]:
    """Draw stored searches as a table; returns the id of the one just opened, and the ids of those ticked.

    rows: of `run_row`; short: question, answer, strategy, status and age alone, to open and not to tick.
    """
    shown = _list(
        key=key,
        data={"rows": list(rows), "short": short},
        on_open_change=_nothing,
        on_marked_change=_nothing,
        height="content",
    )
    there = {row["id"] for row in rows}
    return shown.open, [marked for marked in shown.marked or [] if marked in there]


_chains = st.components.v2.component(
    "ttc_chains",
    html='<div class="chains" tabindex="0" role="region" aria-label="chains of attempts; arrow keys move"></div>',
    css=(ASSETS / "chains.css").read_text(encoding="utf-8"),
    js=script("chains"),
)


def chain_columns(data: Mapping[str, Any], *, key: str, on_selected: Callable[[str], None]) -> None:
    """Draw chains of attempts; data: `chains` from `ui.chains.columns`, `select`: an attempt, `message`."""

    def selected() -> None:
        value = st.session_state[key].selected
        if value:
            on_selected(str(value[0]))

    _chains(key=key, data=dict(data), on_selected_change=selected, height="content")


_problems = st.components.v2.component(
    "ttc_problems",
    html='<div class="list"><table aria-label="problems behind the point"></table></div>',
    css=(ASSETS / "problems.css").read_text(encoding="utf-8"),
    js=script("problems"),
)


def problem_list(rows: Sequence[Mapping[str, Any]], *, key: str) -> None:
    """Draw problems of `ui.behind.problems`, with links to their stored searches."""
    _problems(key=key, data={"rows": list(rows)}, height="content")
