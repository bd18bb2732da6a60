"""Which study a page looks at, and the analyses of it: computed once for all while it does not grow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from ttc_core import studies
from ttc_core.analysis import compared, difficulty, documents
from ttc_core.analysis.exchange import multiplier
from ttc_core.drawing.info import Info
from ttc_core.drawing.interactive import HEIGHT, plotly
from ttc_core.errors import UnknownName, UserError
from ttc_core.export import tables, writing
from ttc_core.settings import settings
from ttc_core.studies_chosen import Chosen, choose, parameters
from ttc_core.studies_views import StudyView
from ttc_core.ui import behind, examples, session, words
from ttc_core.ui.frontier import INK

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

DIFFICULTY = "oracle: the share of a problem's samples that are right; predicted: their mean final score"
SAMPLE = "sample"  # the shipped study
LATELY = 4  # studies whose pools of samples stay in memory, tens of MiB each: as many as one chart compares


def measured() -> dict[str, StudyView]:
    """The studies that have outcomes, newest first; of those that came with the program the sample study first."""
    found = [view for view in studies.listing() if view.outcomes]
    shipped = {path.stem for path in (settings().data_dir / "studies").glob("*.toml")}
    order = sorted(found, key=lambda view: (view.id in shipped, view.id != SAMPLE))
    return {view.id: view for view in order}


def headlined(views: dict[str, StudyView]) -> StudyView:
    """The study that Home sums up, of those of `measured`: the sample study, or the newest one without it."""
    return views.get(SAMPLE) or next(iter(views.values()))


def revision(view: StudyView) -> str:
    """Changes when the study has more outcomes, or is another one of the same name."""
    return f"{view.created} {view.outcomes}"


def nothing(shown: str) -> None:
    """What is said where no study has outcomes. shown: what the page would show of one."""
    hint = "the form of a new study begins with a small one for the bundled models; it is shown while it is under way"
    session.notice("No study has outcomes yet", f"here is shown {shown}", hint, kind="info")
    st.page_link(session.page("studies"), label="Start one on the Studies page")


def pick(names: Sequence[str], key: str = "study") -> str:
    """The choice of a study; it is in the address, so that a page opened without one says which it shows."""
    if session.linked(key) not in names:
        unknown(names, key)
        st.session_state[key] = names[0]
    return st.selectbox("Study", names, index=None, key=key, bind="query-params", width=260) or names[0]


def pick_several(names: Sequence[str], most: int, key: str = "study") -> list[str]:
    """The choice of up to so many studies, in the address too; never none."""
    asked = st.query_params.get_all(key)
    known = [name for name in dict.fromkeys(asked) if name in names][:most]
    if not known or known != asked:
        unknown(names, key)
        st.session_state[key] = known or [names[0]]
    chosen: list[str] = st.multiselect(
        "Studies", names, key=key, bind="query-params", max_selections=most, width=330, placeholder="choose a study"
    )
    return chosen or [names[0]]


def unknown(names: Sequence[str], key: str = "study") -> None:
    """Say which study of the address there is not: a link to one that was deleted opens on another."""
    for name in st.query_params.get_all(key):
        if name not in names:
            session.notice(
                "No such study", f"no study with outcomes is called {name!r}",
                "it may have been deleted since, or have none yet; the Studies page lists what is stored",
                kind="warning", key="unknown-study",
            )  # fmt: skip
            return


def one_of(title: str, options: Sequence[str], key: str, width: int = 180, **more: Any) -> str:
    """A choice that is in the address and never holds what is not there; the first option where nothing is chosen."""
    if st.session_state.get(key, options[0]) not in options:
        st.session_state[key] = options[0]
    chosen: str = st.selectbox(title, options, key=key, bind="query-params", width=width, **more)
    return chosen


@st.cache_resource(show_spinner="Reading the study", max_entries=16)
def outcomes(study: str, revision: str) -> pd.DataFrame:
    """All of its outcomes; not to be changed."""
    return studies.outcomes(study)


@st.cache_resource(show_spinner="Reading the study", max_entries=LATELY)
def chosen(study: str, revision: str, verifier: str | None = None) -> Chosen:
    """Its outcomes of one model with one verifier on one data set; the same where that is what it chooses itself."""
    found = choose(study, verifier=verifier, outcomes=outcomes(study, revision))
    usual = found if verifier is None else chosen(study, revision)
    same = (usual.dataset, usual.model, usual.verifier) == (found.dataset, found.model, found.verifier)
    return usual if same else found


@st.cache_resource(show_spinner="Reading the study", max_entries=LATELY)
def tables_of(study: str, revision: str, verifier: str | None) -> tables.StudyTables:
    """The tables that figures are made of."""
    return tables.of_chosen(chosen(study, revision, verifier))


def figure(study: str, revision: str, name: str, verifier: str | None = None) -> Info:
    """A registered figure of its tables; not to be changed.

    Raises:
        UserError: the study does not have what it needs.
    """
    made, why, hint = _figure(study, revision, name, verifier)
    if made is None:
        raise UserError(why, hint=hint)
    return made


@st.cache_resource(show_spinner=False, max_entries=64)
def chart(study: str, revision: str, name: str, verifier: str | None, dark: bool, height: int = HEIGHT) -> Figure:
    """The same for a page; not to be changed. height: of a row of panels, in pixels."""
    return plotly(figure(study, revision, name, verifier), INK[dark], height)


@st.cache_resource(show_spinner="Drawing", max_entries=200)
def _figure(study: str, revision: str, name: str, verifier: str | None) -> tuple[Info | None, str, str]:
    """The figure, or None, why there is none, and what to do."""
    of = tables_of(study, revision, verifier)
    try:
        return writing.info(name, of), "", ""
    except UnknownName:  # something was deleted meanwhile: nothing to remember
        raise
    except UserError as error:
        return None, str(error), error.hint


@st.cache_data(show_spinner="Resampling the problems", max_entries=32)
def frontier(study: str, revision: str, axis: str, by: str, verifier: bool) -> dict[str, Any]:
    """The frontier's document. verifier: whether its tokens and FLOPs count."""
    found = chosen(study, revision)
    made = documents.curves(found.outcomes, found.pool, axis, by, verifier=verifier)
    about = {"dataset": found.dataset, "model": found.model, "verifier": found.verifier}
    return made | {"of": _of(found), "about": about}


def summed_up(study: str, revision: str) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """What Home says of a study: the documents of its frontier and of its exchange."""
    return frontier(study, revision, "generations", "oracle", True), exchange(study, revision)


@st.cache_resource(show_spinner=False)  # inside of it nothing else says on a page that it is being worked out
def begun() -> None:
    """Work out what Home shows, on whatever thread, so that the first visitor does not wait for it."""
    if views := measured():
        shown = headlined(views)
        summed_up(shown.id, revision(shown))


@st.cache_data(show_spinner="Comparing the methods", max_entries=32)
def rows(study: str, revision: str, axis: str, by: str, verifier: bool) -> dict[str, Any]:
    """Every method at every budget beside the baseline, see `analysis.compared.table`."""
    found = chosen(study, revision)
    return compared.table(found.outcomes, found.pool, axis, by, verifier=verifier)


@st.cache_data(show_spinner="Reading the problems", max_entries=16)
def problems(
    study: str, revision: str, axis: str, by: str, verifier: bool, method: tuple[str, float], base: tuple[str, float]
) -> list[dict[str, Any]]:
    """The problems behind a point with "bin", "ease" and "expected"; method, base: label and budget in generations."""
    found = chosen(study, revision)
    pool = found.pool
    measured, bins = compared.placed(found.outcomes, pool, axis, by, verifier=verifier)
    bin_of = dict(zip(measured.problems, bins.tolist(), strict=True))
    told = pool.judged() if by == "oracle" else pool
    ease = {one: e for one, e in zip(told.problems, difficulty.easiness(told, by), strict=True) if not math.isnan(e)}
    hoped = behind.expected(pool, found.outcomes, *method)
    listed = behind.problems(found.outcomes, found.pool_rows(), method, base)
    return [
        {**one, "bin": bin_of[one["problem"]], "ease": ease.get(one["problem"]), "expected": hoped.get(one["problem"])}
        for one in listed
        if one["problem"] in bin_of
    ]


@st.cache_data(show_spinner="Comparing with the larger model", max_entries=8)
def exchange(study: str, revision: str) -> dict[str, Any] | None:
    """The exchange with the study's larger model at the paper's R, and "large_model"; None without one."""
    found = chosen(study, revision)
    large, name = found.larger()
    if large is None:
        return None
    times = parameters(large) / parameters(found.outcomes)
    made = documents.exchanges(found.outcomes, large, found.pool, tables.RATIOS, times)
    return made | {"large_model": name}


@st.cache_data(show_spinner="Comparing with the larger model", max_entries=16)
def standings(study: str, revision: str, by: str, larger: str | None) -> dict[str, Any]:
    """The small model and the larger one at every budget; "small", "large" are their names, "times" M as measured."""
    found = chosen(study, revision)
    large, name = found.larger(larger)
    times = None if large is None else parameters(large) / parameters(found.outcomes)
    both = documents.rivals(found.outcomes, large, found.pool, by)
    of = _of(found)
    at = [] if times is None or math.isnan(times) else [multiplier(times, ratio) for ratio in tables.RATIOS]
    return documents.standings(both, at) | {
        "small": found.model, "large": name, "times": None if times is None or math.isnan(times) else times, "of": of,
    }  # fmt: skip


@st.cache_resource(show_spinner="Reading the samples", max_entries=4)
def rated_rows(study: str, revision: str, verifier: str | None) -> list[dict[str, Any]]:
    """Its samples that the verifier scored, as stored; not to be changed."""
    return chosen(study, revision, verifier).rated_rows()


@st.cache_data(show_spinner="Reading the samples", max_entries=64)
def mistakes(study: str, revision: str, verifier: str | None, bar: int, count: int) -> list[dict[str, Any]]:
    """Of one bar of `count` the samples that came out against it, see `ui.examples.mistakes`."""
    return examples.mistakes(rated_rows(study, revision, verifier), bar, count)


def _of(found: Chosen) -> str:
    """Model, verifier and data set for a line of Markdown."""
    return ", ".join(words.named(name) for name in (found.model, found.verifier or "no verifier", found.dataset))
