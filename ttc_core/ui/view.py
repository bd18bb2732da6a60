"""One search on the page: question and verdict, what it cost, the live tree, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from ttc_core import runs
from ttc_core.runs_views import RunView
from ttc_core.types import Usage
from ttc_core.ui import delete, session, tree, words
from ttc_core.ui.component import search_tree

Body = Callable[[RunView], None]
TICK = 0.5  # seconds between two looks at the database while a search runs
COMPONENT = "ttc_tree"
_COLOURS: dict[str, Any] = {"pending": "gray", "running": "blue", "done": "gray", "failed": "red", "stopped": "orange"}


def show_run(
    run_id: str, *, target: int | None = None, example: bool = False, above: int = 318, body: Body | None = None
) -> None:
    """Show a run; polls while it is under way and reruns the page once when it has ended.

    target: budget to offer for continuing, None for the double; example: nobody asked for this run, so it leaves the
    address alone until something is selected; above: pixels of the window that are not the tree's; body: what is drawn
    below its head, the search tree without one.
    """
    with session.told("The search cannot be shown", "the Trees page lists what is stored"):
        _watch(run_id, target, example, body or (lambda view: _tree(view, above)))


def _watch(run_id: str, target: int | None, example: bool, body: Body) -> None:
    view = runs.get(run_id)
    every = None if view.ended else TICK
    st.fragment(_look, run_every=every)(run_id, target, example, body, every is not None)


def _look(run_id: str, target: int | None, example: bool, body: Body, polling: bool) -> None:
    with session.told("The search cannot be shown"):
        view = runs.get(run_id)
        if st.session_state.pop("ttc_changed", False) or (polling and view.ended):
            st.rerun()
        _header(view, target, example)
        _trouble(view)
        body(view)


def _header(view: RunView, target: int | None, example: bool) -> None:
    with st.container(key="run-head"):
        left, right = st.columns([3.2, 1], gap="medium", vertical_alignment="top")
        with left:
            with st.container(key="run-question"):
                st.text(words.shown(view.spec.question))
            st.caption(("The latest finished search. Press Run for your own. " if example else "") + _made(view))
        with right:
            _verdict(view)
    with st.container(key="run-meters", horizontal=True, vertical_alignment="center", gap="medium"):
        for label, value, help_ in meters(view):
            st.metric(label, value, help=help_, width="content")
        with st.container(key="run-actions", horizontal=True, horizontal_alignment="right", gap="small"):
            _actions(view, target)


def _made(view: RunView) -> str:
    """How the run was made. Names that an imported file gave are shown as code, and nothing in them is Markdown."""
    spec = view.spec
    strategies = runs.catalogue().strategies
    declared = strategies[spec.strategy][1] if spec.strategy in strategies else []
    problem = f"`{spec.problem_id}`" if spec.problem_id.replace("-", "").replace("_", "").isalnum() else "own question"
    made = words.named(words.strategy(spec, {param.name: param.default for param in declared}))
    models = " with ".join(words.named(name) for name in (spec.model, spec.verifier) if name)
    return f"{problem} · {made} · seed {spec.seed} · {models} · {words.ago(view.created)}"


def _verdict(view: RunView) -> None:
    with st.container(key="run-verdict", gap=None):
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            if view.correct is not None:
                st.badge("✓ right" if view.correct else "✗ wrong", color="green" if view.correct else "red")
            if view.status != "done":
                st.badge(words.STATUS_WORDS[view.status], color=_COLOURS[view.status])
        with st.container(key="run-answer" if view.answer is not None else "run-no-answer"):
            st.text(
                words.shown(view.answer) if view.answer is not None else "no answer" if view.ended else "no answer yet"
            )
        if view.spec.answer is not None:
            st.text(f"known answer {words.shown(view.spec.answer)}")
        elif view.ended:
            st.text("no known answer to compare with")


def meters(view: RunView) -> list[tuple[str, str, str]]:
    """Label, value and explanation of each usage meter."""
    used: Usage = view.usage
    failed = used.failed_samples + used.failed_scores
    cached = f"prompt tokens computed {words.count(used.prompt_tokens_computed)}, found in the cache "
    cached += f"{words.count(used.prompt_tokens_cached)}; generated {words.count(used.generated_tokens)}"
    split = (
        f"policy {words.short(used.policy_flops)}, verifier {words.short(used.verifier_flops)}; 2 × parameters × tokens"
    )
    found = [
        (
            "Generations",
            f"{used.generations} / {view.spec.budget}",
            "used and allowed: complete solutions' worth of work"
            + (f"; the search ended with {view.unspent} to spare" if view.unspent else ""),
        ),
        ("Policy tokens", words.count(used.policy_tokens), cached),
        ("Verifier tokens", words.count(used.verifier_tokens), "tokens the verifier forwarded"),
        ("FLOPs", words.short(used.policy_flops + used.verifier_flops), f"{split}; 2 × parameters × tokens"),
        ("Seconds", words.seconds(used.seconds), "time spent searching"),
    ]
    if failed:
        why = f"{used.failed_samples} samples and {used.failed_scores} scores failed; they are left out of the choice"
        found.append(("Failed", words.count(failed), why))
    return found


def _actions(view: RunView, target: int | None) -> None:
    if not view.ended:
        st.button("Stop", key="act_stop", on_click=session.act, args=("stop", view.id))
        return
    if view.status in ("failed", "stopped"):
        help_ = "go on from what is recorded"
        st.button("Resume", key="act_resume", on_click=session.act, args=("resume", view.id), help=help_)
    budget = target if target is not None and target > view.spec.budget else 2 * view.spec.budget
    wanted = target is not None and target > view.spec.budget
    if view.status == "done":
        fixed = runs.catalogue().not_extendable.get(view.spec.strategy)
        st.button(
            f"Continue to {budget}",
            key="act_extend",
            type="primary" if wanted else "secondary",
            help=fixed or "the same search with a larger budget; nothing it has is sampled again",
            disabled=fixed is not None,
            on_click=session.act,
            args=("extend", view.id, budget),
        )
    st.button("Delete…", key="act_delete", type="tertiary", on_click=delete.ask, args=([view.id],))


def _trouble(view: RunView) -> None:
    """Say plainly when nothing will come, and what to do."""
    if view.status == "failed":
        session.notice("The search failed", view.error or "no reason was recorded", view.hint)
    if view.ended:
        return
    worker = runs.worker_state()
    if view.stalled or (view.status == "pending" and not worker.alive):
        session.notice("Nobody is working on this search", *stalled_words(view, worker.heartbeat_age), kind="warning")


def stalled_words(view: RunView, worker_age: float | None) -> tuple[str, str]:
    """What is wrong with a search that nobody works on, and what to do."""
    age = view.heartbeat_age if view.stalled else worker_age
    last = "no worker is running" if age is None else f"the worker's last sign of life was {words.seconds(age)} ago"
    return (
        last,
        "start one with: python -m ttc_core worker. What is recorded is kept, and the search goes on from there",
    )


def _tree(view: RunView, above: int) -> None:
    feed = session.feed(view.id)
    delta = runs.nodes(view.id, since=feed.since())
    facts = {
        "question": view.spec.question,
        "live": not view.ended,
        "message": empty_words(view),
        "outcome": tree.outcome_json(view.outcome),
        "truth": view.spec.answer,
        "correct": view.correct,
        "rule": words.rule(view.spec),
        "select": session.linked("node"),
        "above": above,
    }

    search_tree(
        feed.payload(delta.nodes, delta.revision, facts),
        key=COMPONENT,
        on_selected=lambda node: session.link(view.id, node),
        on_resync=feed.reset,
    )


def empty_words(view: RunView) -> str:
    """What is said in place of steps while there are none."""
    return {
        "pending": "Waiting for the worker to take this search.",
        "running": "The first steps are being sampled.",
        "failed": "The search failed before it recorded a step.",
        "stopped": "The search was stopped before it recorded a step.",
        "done": "The search ended without a single step.",
    }[view.status]
