"""One search on the page: question and verdict, what it cost, the live tree, and what can be done with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ttc_core import runs
from ttc_core.errors import TTCError
from ttc_core.runs_views import RunView
from ttc_core.ui import delete, drawn, gate, meters, noted, onward, question, session, steps, tree, words
from ttc_core.ui.component import search_tree

Body = Callable[[RunView], None]
LARGE = 2_000  # steps from which a look costs the browser more than Streamlit's own part of it
TICK, TICK_LARGE = 0.5, 0.7  # seconds between two looks at the database while a search runs
COMPONENT = "ttc_tree"
KIN = 4  # searches that go on from a search, named at its head
MORE = {  # whether the search has ended: what a larger budget does
    True: "the same search with a larger budget; nothing it has is sampled again",
    False: "at the end of the smaller budget the search goes on to this one; nothing it has is sampled again",
}
_COLOURS: dict[str, Any] = {"pending": "gray", "running": "blue", "done": "gray", "failed": "red", "stopped": "orange"}


@dataclass(frozen=True)
class Shown:
    """How a run is shown.

    target   budget to offer for continuing, None for the double
    example  nobody asked for this run, so it leaves the address alone until something is selected
    body     what is drawn below its head, the search tree without one
    place    which of the page's places it is shown at
    question whether the question is shown; without it the run has half a page, and a head that takes less of it
    turn     called with 1 or -1 to go to the next or the previous run, where there is a list
    """

    target: int | None = None
    example: bool = False
    body: Body | None = None
    place: str = session.RUN
    question: bool = True
    turn: Callable[[int], None] = lambda _: None

    def key(self, name: str) -> str:
        """Key of a container or widget: two places have the same ones."""
        return name if self.place == session.RUN else f"{name}-{self.place}"


def show_run(run_id: str, shown: Shown) -> None:
    """Show a run; polls while it is under way.

    A look draws only what grows. The head is drawn with the page, and the page again when what the head says changes.
    """
    with session.told("The search cannot be shown", "the Trees page lists what is stored"):
        view = runs.get(run_id)
        place = _header(view, shown)
        said = _said(view)
        session.polled(_look, _tick(view), said)(run_id, shown, place, said)


def _tick(view: RunView) -> float | None:
    """Seconds between two looks at a search, None for one that has ended."""
    return None if view.ended else TICK if view.nodes < LARGE else TICK_LARGE


def _said(view: RunView) -> tuple[Any, ...]:
    """What is drawn with the page: what the head depends on, and how often to look."""
    return view.status, view.spec.budget, view.answer, view.correct, view.note, _tick(view)


def _look(run_id: str, shown: Shown, place: DeltaGenerator, said: tuple[Any, ...]) -> None:
    with session.told("The search cannot be shown"):
        try:
            view = runs.get(run_id)
        except TTCError:
            place.empty()  # what is drawn outside of it must be drawn by every look, or the next one may not
            raise
        if st.session_state.pop("ttc_changed", False) or _said(view) != said:
            st.rerun()
        meters.show(meters.of_run(view), place)
        _trouble(view, shown)
        (shown.body or (lambda view: _tree(view, shown)))(view)


def _header(view: RunView, shown: Shown) -> DeltaGenerator:
    """Draw the head; returns the place of the meters in it."""
    with st.container(key=shown.key("run-head")):
        if shown.question:
            left, right = st.columns([3.2, 1], gap="medium", vertical_alignment="top")
        else:
            right = st.container(key=shown.key("run-line"), horizontal=True, vertical_alignment="center", gap="small")
            left = st.container(gap=None)
        with left:
            if shown.question:
                question.show(view.spec.question)
            example = "The latest finished search. Press Run for your own. " if shown.example else ""
            st.caption(example + _made(view))
            noted.show(view, shown.key("run-note"))
            _kin(view, shown)
        with right:
            _verdict(view, shown)
            if not shown.question:
                _actions(view, shown)
    with st.container(key=shown.key("run-meters"), horizontal=True, vertical_alignment="center", gap="medium"):
        place = st.empty()
        if shown.question:
            _actions(view, shown)
    return place


def _kin(view: RunView, shown: Shown) -> None:
    """The run that this one goes on from, and those that go on from this one."""
    below = runs.listing(parent=view.id, limit=KIN)
    if not (view.parent or below.rows):
        return
    with st.container(key=shown.key("run-kin"), horizontal=True, gap="small", vertical_alignment="center"):
        if view.parent and view.parent_node:
            st.button(
                f"↖ goes on from step {view.parent_node} of {view.parent}",
                key=shown.key("kin_parent"), type="tertiary", on_click=_open,
                args=(view.parent, view.parent_node, shown.place),
            )  # fmt: skip
        for run in below.rows:
            sign = {True: " ✓", False: " ✗", None: ""}[run.correct]
            st.button(
                f"↳ from {run.parent_node}: {words.method(run.spec.strategy)}, {run.spec.budget}{sign}",
                key=shown.key(f"kin_{run.id}"), type="tertiary", on_click=_open, args=(run.id, None, shown.place),
            )  # fmt: skip
        if below.total > KIN:
            st.caption(f"and {below.total - KIN} more")


def _open(run_id: str, step: str | None, place: str) -> None:
    session.link(run_id, step, place)
    session.changed()


def _made(view: RunView) -> str:
    """How the run was made. Names that an imported file gave are shown as code, and nothing in them is Markdown."""
    spec = view.spec
    strategies = runs.catalogue().strategies
    declared = strategies[spec.strategy][1] if spec.strategy in strategies else []
    problem = words.named(spec.problem_id) if spec.problem_id else "own question"
    made = words.named(words.strategy(spec, {param.name: param.default for param in declared}))
    models = " with ".join(words.named(name) for name in (spec.model, spec.verifier) if name)
    when = [words.ago(view.created)] if view.ended else []  # the head of one under way stays as it is
    return " · ".join([problem, made, f"seed {spec.seed}", models, *when])


def _verdict(view: RunView, shown: Shown) -> None:
    with st.container(
        key=shown.key("run-verdict"), horizontal=not shown.question, gap=None if shown.question else "small",
        vertical_alignment="center",
    ):  # fmt: skip
        with st.container(horizontal=True, gap="small", vertical_alignment="center", width="content"):
            if words.lost(view):
                st.badge("no answer", color="red")
            elif view.correct is not None:
                st.badge("✓ right" if view.correct else "✗ wrong", color="green" if view.correct else "red")
            if view.status != "done":
                st.badge(words.STATUS_WORDS[view.status], color=_COLOURS[view.status])
        with st.container(key=shown.key("run-answer" if view.answer is not None else "run-no-answer")):
            none = "all samples failed" if words.lost(view) else "no answer" if view.ended else "no answer yet"
            st.text(none if view.answer is None else words.shown(view.answer))
        if view.spec.answer is not None:
            st.text(f"known answer {words.shown(view.spec.answer)}")
        elif view.ended:
            st.text("no known answer to compare with")


def _actions(view: RunView, shown: Shown) -> None:
    with st.container(key=shown.key("run-actions"), horizontal=True, horizontal_alignment="right", gap="small"):
        _buttons(view, shown)


def _buttons(view: RunView, shown: Shown) -> None:
    own = [view.id]
    if not view.ended:
        _more(view, shown)
        gate.button(
            "Stop", "runs.stop", of=own, key=shown.key("act_stop"), on_click=session.act, args=("stop", view.id)
        )
        return
    if view.status in ("failed", "stopped"):
        gate.button(
            "Resume", "runs.resume", of=own, key=shown.key("act_resume"), on_click=session.act,
            args=("resume", view.id), help="go on from what is recorded",
        )  # fmt: skip
    if view.status == "done":
        _more(view, shown)
    noted.button(view, shown.key("act_note"))
    if shown.question and view.nodes:
        drawn.offer(view.id, shown.key("act_figures"))
    gate.button(
        "Delete…", "runs.delete", of=own, key=shown.key("act_delete"), type="tertiary",
        on_click=delete.ask, args=([view.id],),
    )  # fmt: skip


def _more(view: RunView, shown: Shown) -> None:
    """Continue a finished search to a larger budget, or raise that of one under way."""
    wanted = shown.target is not None and shown.target > view.spec.budget
    budget = shown.target if wanted else 2 * view.spec.budget
    fixed = runs.catalogue().not_extendable.get(view.spec.strategy)
    gate.button(
        raising(view, budget), "runs.extend", of=[view.id], key=shown.key("act_extend"),
        type="primary" if wanted else "secondary", disabled=fixed is not None,
        help=fixed or MORE[view.ended], on_click=session.act, args=("extend", view.id, budget),
    )  # fmt: skip


def raising(view: RunView, budget: int | None) -> str:
    """What the button says that gives a run this budget."""
    return f"{'Continue' if view.ended else 'Raise'} to {budget}"


def _trouble(view: RunView, shown: Shown) -> None:
    """Say plainly when nothing will come, and what to do."""
    if view.status == "failed":
        session.notice("The search failed", view.error or "no reason was recorded", view.hint,
                       key=shown.key("failed"))  # fmt: skip
    if words.lost(view):
        why = Counter(node.why for node in runs.nodes(view.id).nodes if node.state == "failed" and node.why)
        session.notice(
            "No answer: all samples failed", why.most_common(1)[0][0] if why else "no reason was recorded",
            f"the Models page examines whether {view.spec.model} works; then run the search anew",
            key=shown.key("lost"),
        )  # fmt: skip
    if view.ended:
        return
    worker = runs.worker_state()
    if view.stalled or (view.status == "pending" and not worker.alive):
        session.notice("Nobody is working on this search", *stalled_words(view, worker.heartbeat_age), kind="warning",
                       key=shown.key("nobody"))  # fmt: skip


def stalled_words(view: RunView, worker_age: float | None) -> tuple[str, str]:
    """What is wrong with a search that nobody works on, and what to do."""
    age = view.heartbeat_age if view.stalled else worker_age
    last = "no worker is running" if age is None else f"the worker's last sign of life was {words.seconds(age)} ago"
    return (
        last,
        "start one with: python -m ttc_core worker. What is recorded is kept, and the search goes on from there",
    )


def _tree(view: RunView, shown: Shown) -> None:
    feed = session.feed(view.id, shown.place)
    delta = runs.nodes(view.id, since=feed.since())
    node, look, moment = (session.linked(session.key_of(shown.place, name)) for name in session.LOOK)
    frame = int(moment) if moment and moment.isdecimal() else None
    facts = {
        "question": view.spec.question,
        "live": not view.ended,
        "message": empty_words(view),
        "outcome": tree.outcome_json(view.outcome),
        "truth": view.spec.answer,
        "rights": feed.rights(delta.nodes, view.spec),
        "correct": view.correct,
        "rule": words.rule(view.spec),
        "select": node,
        "view": look if look in session.VIEWS else session.VIEWS[0],
        "frame": frame,
        "wrong": _first_wrong(view) if view.ended else None,
    }

    def looked(step: str | None, look: str, frame: int | None) -> None:
        session.link(view.id, step, shown.place, view=look, frame=frame)

    search_tree(
        feed.payload(delta.nodes, delta.revision, facts, view.spec.prefix),
        key=shown.key(COMPONENT),
        on_look=looked,
        on_resync=feed.reset,
        on_onward=lambda step: onward.ask(view.id, step),
        on_turn=shown.turn,
    )
    if facts["view"] == "table":
        steps.table(view, key=shown.key("steps"), on_selected=lambda step: looked(step, "table", frame))


def _first_wrong(view: RunView) -> list[str] | None:
    """The first wrong steps of an ended run, worked out once in a session."""
    known: dict[tuple[str, int], list[str] | None] = st.session_state.setdefault("ttc_wrong", {})
    key = (view.id, view.revision)
    if key not in known:
        while len(known) > 3:
            known.pop(next(iter(known)))
        known[key] = runs.first_wrong(view, runs.nodes(view.id).nodes)
    return known[key]


def empty_words(view: RunView) -> str:
    """What is said in place of steps while there are none."""
    return {
        "pending": "Waiting for the worker to take this search.",
        "running": "The first steps are being sampled.",
        "failed": "The search failed before it recorded a step.",
        "stopped": "The search was stopped before it recorded a step.",
        "done": "The search ended without a single step.",
    }[view.status]
