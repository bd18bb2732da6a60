"""Going on from a step of a search, as it is or edited: a dialog that starts a new search linked to the old one."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from ttc_core import runs, runs_checks
from ttc_core.errors import TTCError
from ttc_core.types import RunSpec
from ttc_core.ui import dialogs, form, gate, session, words

_OF = "onward"  # whose widgets these are


def ask(run_id: str, step: str) -> None:
    """Have the next drawing of the page show the dialog; for callbacks."""
    with session.trouble("go on from here"):
        form.begin(_OF, form.values(runs.get(run_id).spec))
        dialogs.open_("Go on from this step", _body, run_id, step, width="medium")
    session.changed()


def _body(run_id: str, step: str) -> None:
    with session.told("The search cannot go on from here"):
        spec = runs.get(run_id).spec
        *before, last = runs.steps_to(run_id, step)
        if before:
            with st.container(key="onward-before"):
                st.text("".join(before).rstrip())
        text = st.text_area(
            "This step", last.rstrip(), key=form.key(_OF, "text"), height="content",
            help="leave it as it is, or write what it shall say; the search goes on behind it",
        )  # fmt: skip
        asked = _settings(spec)
        st.caption(
            "A new search, linked to this one. The steps above are given: they cost nothing and can be extended."
        )
        if gate.button("Start", "runs.start", key="onward_start", type="primary", disabled=not text.strip()):
            _start(run_id, step, None if text.strip() == last.strip() else text, asked)


def _settings(spec: RunSpec) -> RunSpec:
    """Strategy with its parameters, budget and seed; as in the other search at first."""
    known = runs.catalogue()
    names = [name for name in known.strategies if name not in known.revising or name == spec.strategy]
    left, middle, right = st.columns([2, 1, 1], gap="small")
    strategy = form.choice(_OF, "strategy", "Strategy", names, place=left, words=words.method)
    budgets = sorted({*form.BUDGETS, spec.budget})
    budget = form.choice(_OF, "budget", "Budget", budgets, place=middle, help="generations")
    first = min(form.first(_OF, "seed", spec.seed), runs_checks.MAX_SEED)
    seed = right.number_input("Seed", min_value=0, value=first, step=1, key=form.key(_OF, "seed"))
    values = form.ask(_OF, strategy, known.strategies[strategy][1])
    return replace(spec, strategy=strategy, params=values, budget=int(budget), seed=int(seed))


def _start(run_id: str, step: str, text: str | None, asked: RunSpec) -> None:
    try:
        new = runs.continue_from(run_id, step, text, asked=asked)
    except TTCError as error:
        session.notice("The search cannot go on from here", str(error), error.hint)
        return
    dialogs.close()
    session.go(new)
    st.rerun()
