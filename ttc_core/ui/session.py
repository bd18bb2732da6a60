"""What one browser session remembers, the permalink it is at, and messages to people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import streamlit as st

from ttc_core import runs
from ttc_core.errors import TTCError
from ttc_core.ui import dialogs, keys, words
from ttc_core.ui.tree import Feed

RUN, BESIDE = "run", "beside"  # the places of a page at which a run can be shown, as the address calls them
LOOK = ("node", "view", "frame")  # what the address says of a run besides: the step, the view, the replay's moment
VIEWS = ("tree", "outline", "table")  # of a run; the first is not said
PLACES = (RUN, *LOOK, BESIDE, *(f"{BESIDE}_{name}" for name in LOOK))
KEPT = ("study", "positions")  # what stays there besides, whichever run is looked at
_CSS = Path(__file__).parent / "assets" / "page.css"
_PAGES = Path(__file__).parents[2] / "pages"


def open_page(name: str) -> None:
    """To be called first by every page, however it is reached: whoever may not look gets no further.

    Then the page's style, feeds start anew where another page was shown before, and the dialog that is open.
    """
    from ttc_core.ui import gate  # which says what it says by this module

    gate.enter()
    _database()
    st.html(_CSS)
    keys.offer(name)
    st.session_state.pop("ttc_changed", None)
    if st.session_state.get("ttc_page") != name:
        st.session_state["ttc_page"] = name
        for remembered in ("ttc_feeds", "form_of"):
            st.session_state.pop(remembered, None)
        dialogs.close()
    dialogs.draw()
    problem = st.session_state.pop("ttc_problem", None)
    if problem:
        notice(*problem)


def page_before() -> str | None:
    """The page that this session showed last, None where it has just begun; to be asked before `open_page`."""
    name: str | None = st.session_state.get("ttc_page")
    return name


@st.cache_resource(show_spinner=False)
def _database() -> None:
    """Create the database where it is missing, once a process."""
    runs.ensure_database()


def polled(look: Callable[..., None], every: float | None, said: object) -> Callable[..., None]:
    """`look` as a fragment that the browser has drawn again every so many seconds, or never.

    said: what the page has drawn besides. Where that changes it is another fragment: Streamlit forgets what it has not
    sent yet of a page's drawing if it is asked for a fragment at the very moment when that drawing ends, unless the
    page no longer has this fragment; and the browser goes on asking for the one that it has.
    """

    def drawn(*values: Any) -> None:
        look(*values)

    drawn.__qualname__ = f"{look.__qualname__} beside {said}"  # a fragment is known by its name and its place
    return st.fragment(drawn, run_every=every)


def changed() -> None:
    """Have the whole page drawn again after a change made inside a fragment."""
    st.session_state["ttc_changed"] = True


def act(verb: str, *values: Any) -> None:
    """Call `ttc_core.runs.<verb>(*values)` from a button; what goes wrong is shown by the next drawing of the page."""
    with trouble(f"{verb} the search"):
        getattr(runs, verb)(*values)
    changed()


@contextmanager
def trouble(what: str) -> Iterator[None]:
    """Have an error raised on purpose inside shown by the next drawing of the page. what: that could not be done."""
    try:
        yield
    except TTCError as error:
        st.session_state["ttc_problem"] = (f"Could not {what}", str(error), error.hint)


def feed(run_id: str, place: str = RUN) -> Feed:
    """The session's feed of the run on show at a place; a new one when another run is shown there."""
    feeds: dict[str, Feed] = st.session_state.setdefault("ttc_feeds", {})
    if place not in feeds or feeds[place].run != run_id:
        feeds[place] = Feed(run_id)
    return feeds[place]


def link(
    run: str | None, node: str | None = None, place: str = RUN, *, view: str | None = None, frame: int | None = None
) -> None:
    """Make the address of this page the permalink of a run at a place, and of how it is looked at; None: of no run.

    node: a step of it; view: None for the one that is there; frame: the replay's moment, None for the end.
    """
    said = dict(st.query_params) if run else {}
    moment = "" if frame is None else str(frame)
    said |= {place: run or "", key_of(place, "node"): node or "", key_of(place, "frame"): moment}
    if view is not None:
        said[key_of(place, "view")] = "" if view == VIEWS[0] else view
    wanted = {key: value for key in (*PLACES, *KEPT) if (value := said.get(key))}
    if dict(st.query_params) != wanted:
        st.query_params.from_dict(wanted)


def go(run: str, beside: str | None = None) -> None:
    """Make the address the permalink of a run, or of two side by side, and of nothing else; one step back undoes it."""
    wanted = {RUN: run} | ({BESIDE: beside} if beside else {})
    if dict(st.query_params) != wanted:
        st.query_params.from_dict(wanted)


def key_of(place: str, name: str) -> str:
    """What the address calls something of the run at a place."""
    return name if place == RUN else f"{place}_{name}"


def page(name: str) -> Any:
    """Another page, for `st.page_link` and `st.switch_page`."""
    return st.Page(_PAGES / f"{name}.py", url_path=name)


def linked(name: str) -> str | None:
    """The value of `name` in the address, None without one."""
    return st.query_params.get(name) or None


def notice(title: str, message: str = "", hint: str = "", *, kind: str = "error", key: str | None = None) -> None:
    """A message in a box. `title` is ours; message and hint may quote anybody and are shown as plain text."""
    with st.container(border=True, key=f"notice-{kind}-{key or title.lower().replace(' ', '-')}"):
        st.markdown(f"**{title}**")
        if message:
            st.text(words.shown(message[:1].upper() + message[1:] + ("" if message.endswith((".", "?", "!")) else ".")))
        if hint:
            st.text(words.shown(hint[:1].upper() + hint[1:] + ("" if hint.endswith((".", "?", "!")) else ".")))


@contextmanager
def told(title: str, hint: str = "") -> Iterator[None]:
    """Show an error raised on purpose inside as a notice, and go on after the block. hint: instead of the error's."""
    try:
        yield
    except TTCError as error:
        notice(title, str(error), hint or error.hint)
