"""Going on from a step of a search, as it is or edited: a dialog that starts a new search linked to the old one."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from ttc_core import runs
from ttc_core.errors import TTCError
from ttc_core.types import RunSpec
from ttc_core.ui import form, session

_ASKED = "ttc_onward"
_OF = "onward"  # whose widgets these are


def ask(run_id: str, step: str) -> None:
    """Have the dialog shown by the next drawing of the page; for callbacks."""
    st.session_state[_ASKED] = (run_id, step)
    for key in [key for key in st.session_state if str(key).startswith(_OF)]:
        del st.session_state[key]
    session.changed()


def dialog() -> None:
    """The dialog, if one was asked for; every page that shows a tree calls this once."""
    wanted = st.session_state.pop(_ASKED, None)
    if wanted:
        _dialog(*wanted)


@st.dialog("Go on from this step", width="medium")
def _dialog(run_id: str, step: str) -> None:
    with session.told("The search cannot go on from here"):
        spec = runs.get(run_id).spec
        *before, last = runs.steps_to(run_id, step)
        if before:
            with st.container(key="onward-before"):
                st.text("".join(before).rstrip())
        text = st.text_area(
            "This step", last.rstrip(), key="onward_text", height="content",
            help="leave it as it is, or write what it shall say; the search goes on behind it",
        )  # fmt: skip
        asked = _settings(spec)
        st.caption(
            "A new search, linked to this one. The steps above are given: they cost nothing and can be extended."
        )
        if st.button("Start", key="onward_start", type="primary", disabled=not text.strip()):
            _start(run_id, step, None if text.strip() == last.strip() else text, asked)


def _settings(spec: RunSpec) -> RunSpec:
    """Strategy with its parameters, budget and seed; as in the other search at first."""
    known = runs.catalogue()
    names = [name for name in known.strategies if name not in known.revising or name == spec.strategy]
    left, middle, right = st.columns([2, 1, 1], gap="small")
    at = names.index(spec.strategy) if spec.strategy in names else 0
    strategy = left.selectbox("Strategy", names, at, key="onward_strategy", format_func=lambda n: n.replace("_", " "))
    budgets = sorted({*form.BUDGETS, spec.budget})
    budget = middle.selectbox("Budget", budgets, budgets.index(spec.budget), key="onward_budget", help="generations")
    seed = right.number_input("Seed", min_value=0, value=spec.seed, step=1, key="onward_seed")
    if strategy == spec.strategy:
        form.fill(
            strategy, {k: v for k, v in spec.params.items() if form.key(strategy, k, _OF) not in st.session_state}, _OF
        )
    values = form.ask(strategy, known.strategies[strategy][1], _OF)
    return replace(spec, strategy=strategy, params=values, budget=int(budget), seed=int(seed))


def _start(run_id: str, step: str, text: str | None, asked: RunSpec) -> None:
    try:
        new = runs.continue_from(run_id, step, text, asked=asked)
    except TTCError as error:
        session.notice("The search cannot go on from here", str(error), error.hint)
        return
    session.link(None)
    session.link(new)
    st.rerun()
