"""Where to begin: what a study found, a search to start, and what happened lately."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import streamlit as st

from ttc_core import runs, studies
from ttc_core.drawing.interactive import plotly
from ttc_core.errors import TTCError
from ttc_core.runs_views import RunView
from ttc_core.studies_views import StudyView
from ttc_core.types import RunSpec
from ttc_core.ui import component, frontier, gate, headline, session, study, words

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ORDER = 0
TITLE = "Home"
TICK = 2.0  # seconds between two looks at searches, studies and the worker
RECENT = 6
BUDGET = 16
COLOURS = {"running": "blue", "paused": "orange", "cancelled": "gray", "failed": "red", "done": "green"}


def solve() -> None:
    """Start a search on a bundled problem drawn by chance and watch it on Solve."""
    known = runs.catalogue()
    try:
        problem = random.choice(runs.problems("mini-test"))
        declared = known.strategies["beam_search"][1]
        run_id = runs.start(
            RunSpec(problem.question, "beam_search", BUDGET, random.randrange(1000),
                    {param.name: param.default for param in declared}, "mini-test", problem.id)
        )  # fmt: skip
    except TTCError as error:
        session.notice("This search cannot be started", str(error), error.hint)
        return
    st.switch_page(session.page("solve"), query_params={"run": run_id})


@st.cache_resource(show_spinner=False, max_entries=8)
def chart(name: str, revision: str, dark: bool) -> Figure:
    """The headline's chart of a study; not to be changed."""
    document, _ = study.summed_up(name, revision)
    return plotly(headline.chart(document, headline.at(document)), frontier.INK[dark], 330)


def summary(views: dict[str, StudyView]) -> None:
    """What a study found, as a chart and four sentences."""
    shown = study.headlined(views)
    name, revision = shown.id, study.revision(shown)
    document, exchange = study.summed_up(name, revision)
    i = headline.at(document)
    told = [("Compute saved", headline.saving(document, i)), ("Accuracy gained", headline.choices(document, i))]
    told += [("Beam ahead from", beam)] if (beam := headline.overtakes(document)) else []
    told += [("Larger model", headline.exchanged(exchange, exchange["large_model"]))] if exchange else []
    dark = st.context.theme.type == "dark"
    with st.container(key="headline"):
        st.markdown("##### What a study found")
        st.caption(
            f"Study {words.named(name)}: {document['of']}; {words.count(document['problems'])} problems. A generation "
            "is one complete sampled solution; compute-optimal: for each difficulty the strategy that is best there."
        )
        for title, (value, sentence) in told:
            number, text = st.columns([1, 3.4], vertical_alignment="center", gap="small")
            number.metric(title, value)
            text.text(sentence)
        st.plotly_chart(
            chart(name, revision, dark), key="chart", theme="streamlit",
            config={"displayModeBar": False},
            alt="Accuracy by generations: compute-optimal, the baseline and the majority. " + told[0][1][1],
        )  # fmt: skip
        with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="headline-links"):
            st.page_link(session.page("frontier"), label="Every method, by difficulty", query_params={"study": name})
            if exchange:
                st.page_link(session.page("exchange"), label="Against the larger model", query_params={"study": name})


def begin() -> None:
    """What this is, in a sentence, and the first thing to do."""
    st.header("Answers that get better with more compute", anchor=False)
    st.caption(
        "Sample many solutions and let a verifier choose, or search over steps of reasoning: watch it happen as a "
        "tree, and measure what it is worth."
    )
    with st.container(horizontal=True, gap="small", key="begin"):
        if gate.button("Solve one now", "runs.start", type="primary", key="solve_now",
                     help=f"a bundled problem drawn by chance, by beam search with {BUDGET} generations"):  # fmt: skip
            solve()
        if st.button("Ask your own", key="solve_own"):
            st.switch_page(session.page("solve"))


def lately() -> None:
    """State of worker and models, recent searches and studies; looks again by itself."""
    with session.told("What happened lately cannot be shown"):
        worker = runs.worker_state()
        if not worker.alive:
            session.notice(
                "No worker is running", hint="searches wait; start one with: python -m ttc_core worker", kind="warning"
            )
        found = runs.listing(alone=True, limit=RECENT)
        st.markdown("##### Recent searches")
        if found.rows:
            opened, _ = component.run_list([row(view) for view in found.rows], key="recent_runs", short=True)
            if opened:
                st.switch_page(session.page("trees"), query_params={"run": opened})
            if found.total > RECENT:
                st.page_link(session.page("trees"), label=f"All {words.count(found.total)} searches")
        else:
            st.caption("None yet.")
        st.markdown("##### Studies")
        listed = studies.listing()
        for view in listed[:RECENT]:
            one_study(view)
        if not listed:
            st.page_link(session.page("studies"), label="None yet: begin one")
        state(worker.alive)


def row(view: RunView) -> dict[str, Any]:
    """One line of the recent searches: the strategy with its budget, which has no column there."""
    return component.run_row(view, strategy=f"{words.method(view.spec.strategy)}, {view.spec.budget}")


def one_study(view: StudyView) -> None:
    """Name, state and accuracy; a bar while it is under way."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"study-{view.id}"):
        st.page_link(session.page("studies"), label=view.id, query_params={"study": view.id})
        st.badge(view.status, color=COLOURS[view.status])
        st.caption(f"{words.count(view.outcomes)} outcomes · {words.ago(view.created)}", width="content")
    if not view.ended:
        total = sum(view.units.values())
        st.progress((view.units["done"] + view.units["failed"]) / total if total else 1.0)


def state(worker: bool) -> None:
    """Whether there is a worker, and how many models it can work with."""
    known = runs.catalogue()
    cards = [*known.models.values(), *known.verifiers.values()]
    ready = sum(not card.lacks for card in cards)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="state"):
        st.badge("worker ready" if worker else "no worker", color="green" if worker else "orange")
        st.caption(f"{ready} models and verifiers ready, {len(cards) - ready} to be set up", width="content")
        st.page_link(session.page("models"), label="Models")


came = session.page_before()
session.open_page("home")
if session.linked("run"):
    if came is None:  # by an old link: searches were at / once
        st.switch_page(session.page("solve"), query_params=st.query_params.to_dict())
    st.query_params.clear()  # by the way back from a search that was opened here
left, right = st.columns([1.45, 1], gap="large")
with left:
    begin()
    result = st.container()
with right:
    st.fragment(lately, run_every=TICK)()
with result, session.told("No study can be summed up"):
    views = study.measured()
    if views:
        summary(views)
    else:
        study.nothing("what a study found, in one chart and a few sentences")
