"""Which study a page looks at, and the analyses of it: computed once for all while it does not grow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from ttc_core import studies
from ttc_core.analysis import documents
from ttc_core.export import tables
from ttc_core.studies_chosen import Chosen, choose
from ttc_core.studies_views import StudyView
from ttc_core.ui import session

RESAMPLES = 400
SAMPLE = "sample"  # the shipped study


def measured() -> dict[str, StudyView]:
    """The studies that have outcomes, newest first."""
    return {view.id: view for view in studies.listing() if view.outcomes}


def revision(view: StudyView) -> str:
    """Changes when the study has more outcomes, or is another one of the same name."""
    return f"{view.created} {view.outcomes}"


def nothing() -> None:
    """What is said where no study has outcomes."""
    session.notice("No study has outcomes yet", hint="start one on the Studies page", kind="info")


def pick(names: Sequence[str], key: str = "study") -> str:
    """The choice of a study; it is in the address, so that a page opened without one says which it shows."""
    if session.linked(key) not in names:
        st.session_state[key] = names[0]
    return st.selectbox("Study", names, index=None, key=key, bind="query-params", width=260) or names[0]


def one_of(title: str, options: Sequence[str], key: str, width: int = 180, **more: Any) -> str:
    """A choice that is in the address and never holds what is not there; the first option where nothing is chosen."""
    if st.session_state.get(key, options[0]) not in options:
        st.session_state[key] = options[0]
    chosen: str = st.selectbox(title, options, key=key, bind="query-params", width=width, **more)
    return chosen


@st.cache_resource(show_spinner="Reading the study", max_entries=8)
def chosen(study: str, revision: str, verifier: str | None = None) -> Chosen:
    """Its outcomes of one model with one verifier on one data set."""
    return choose(study, verifier=verifier)


@st.cache_resource(show_spinner="Reading the study", max_entries=8)
def tables_of(study: str, revision: str, verifier: str | None = None) -> tables.StudyTables:
    """The tables that figures are made of."""
    return tables.of_study(study, verifier=verifier, resamples=RESAMPLES)


@st.cache_data(show_spinner="Resampling the problems", max_entries=32)
def frontier(study: str, revision: str, axis: str, by: str, verifier: bool) -> dict[str, Any]:
    """The frontier's document. verifier: whether its tokens and FLOPs count."""
    found = chosen(study, revision)
    made = documents.curves(found.outcomes, found.pool(), axis, by, verifier=verifier, resamples=RESAMPLES)
    return made | {"of": f"{found.model}, {found.verifier or 'no verifier'}, {found.dataset}"}
