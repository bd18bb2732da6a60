"""Ask a question, spend a budget, watch the search; or two strategies side by side."""

import streamlit as st

from ttc_core import runs
from ttc_core.errors import TTCError
from ttc_core.runs_views import RunView
from ttc_core.types import RunSpec
from ttc_core.ui import beside, gate, question, session, setup, view, words

ORDER = 1
TITLE = "Solve"
FIRST = (
    ("Choose a question", "on the left: a bundled one, or your own with the answer you expect."),
    ("Choose a strategy and a budget.", "One generation is one complete sampled solution's worth of work."),
    ("Press Run", "and click any step of the tree for its text, its score and the way to it."),
)


def shown() -> tuple[RunView | None, RunView | None, bool]:
    """The run to show, the one beside it, and whether it was chosen (linked or started here) or is an example."""
    wanted, other = session.linked(session.RUN), session.linked(session.BESIDE)
    if wanted:
        first, second = runs.get(wanted), None
        with session.told("The search beside this one cannot be shown"):
            second = runs.get(other) if other else None
        return first, second, True
    latest = runs.listing(status="done", alone=True, limit=1).rows
    return (runs.get(latest[0].id), None, False) if latest else (None, None, False)


def buttons(spec: RunSpec, other: RunSpec | None, current: RunView | None) -> int | None:
    """Run and Continue or Raise; returns the budget to which the run on show could be taken."""
    fixed = spec.strategy in runs.catalogue().not_extendable
    goes_on = current is not None and current.status not in ("failed", "stopped")
    same = goes_on and current and setup.same_search(spec, current.spec) and not other
    target = spec.budget if same and current and not fixed and spec.budget > current.spec.budget else None
    if target and current:
        gate.button(
            view.raising(current, target), "runs.extend", of=[current.id], key="form_extend", type="primary",
            width="stretch", on_click=session.act, args=("extend", current.id, target), help=view.MORE[current.ended],
        )  # fmt: skip
    label = "Run both" if other else "Run anew" if target else "Run"
    if gate.button(label, "runs.start", key="form_run", type="secondary" if target else "primary", width="stretch"):
        start(spec, other)
    return target


def start(spec: RunSpec, other: RunSpec | None) -> None:
    """Start the search, or two, and make the page its permalink."""
    started: list[str] = []
    try:
        for asked in [spec, *([other] if other else [])]:
            started.append(runs.start(asked))
    except TTCError as error:
        runs.delete(started)  # one of two is not what was asked for
        session.notice("This search cannot be started", str(error), error.hint)
        return
    st.session_state["form_of"] = setup.shown(started[0], started[1] if other else None)  # the form stays as it is
    session.go(*started)
    st.rerun()


def side_by_side(current: RunView, other: RunView) -> None:
    """Both searches, and in words how they compare."""
    question.show(current.spec.question)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="compared"):
        ended = current.ended and other.ended
        st.text(beside.compared(current, other) if ended else "Two searches of the same question, side by side.")
        st.button("Left alone", key="left_alone", type="tertiary", on_click=alone, args=(current.id,))
        st.button("Right alone", key="right_alone", type="tertiary", on_click=alone, args=(other.id,))
    left, right = st.columns(2, gap="medium")
    with left:
        view.show_run(current.id, view.Shown(question=False))
    with right:
        view.show_run(other.id, view.Shown(question=False, place=session.BESIDE))


def alone(run_id: str) -> None:
    """Show one of two runs only."""
    session.go(run_id)


def nothing(asked: RunSpec) -> None:
    """What the page is for and how to begin, as long as nothing was searched; the form's search as an example."""
    st.subheader("No search yet", anchor=False)
    st.text(
        "A search spends a budget of generations on one question: the model writes steps, the verifier scores them, "
        "and the tree of what was tried grows here while you watch."
    )
    for number, (what, more) in enumerate(FIRST, start=1):
        st.markdown(f"**{number}. {what}** {more}")
    if not asked.question:
        return
    with st.container(border=True, key="first-example"):
        st.caption("For example")
        st.text(words.shown(asked.question))
        made = words.strategy(asked, asked.params)
        label = f"Try {made} with {asked.budget} generations"
        if gate.button(label, "runs.start", key="first_run", type="primary", help="what the form on the left says"):
            start(asked, None)


session.open_page("solve")
current, other, chosen, target = None, None, False, None
with session.told("This search cannot be shown", "the Trees page lists what is stored"):
    current, other, chosen = shown()
with st.sidebar, session.told("The form cannot be shown"):
    if current and (chosen or not setup.begun()):  # what is shown as an example is no reason to undo what was typed
        setup.follow(current, other)
    known = runs.catalogue()
    asked = setup.ask(known)
    asked_beside = setup.beside(known, asked)
    with st.container(key="run-buttons"):
        target = buttons(asked, asked_beside, current)
if current and other:
    side_by_side(current, other)
elif current:
    view.show_run(current.id, view.Shown(target=target, example=not chosen))
elif not session.linked("run"):
    nothing(asked)
