"""Chains of attempts: what each revision changed, and whether the answer became right or wrong by it."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from ttc_core import runs
from ttc_core.runs_views import Catalogue, RunView
from ttc_core.types import Node
from ttc_core.ui import chains, chosen, component, session, study, view, words

ORDER = 3
TITLE = "Revisions"
RECENT = 100
LINES = 3  # of the table of chains that are seen without scrolling
CHAINS = "ttc_chains"
STEPWISE = "This search went on from steps, not from whole attempts: the Trees page shows it."


def stored(known: Catalogue) -> dict[str, RunView]:
    """The latest runs whose strategy revises, by id, newest first."""
    found = runs.listing(strategy=known.revising, limit=RECENT)
    return {run.id: run for run in found.rows if runs.revises(run.spec)}


def label(run: RunView, known: Catalogue) -> str:
    """A run in the picker, which takes equal labels for one: its id tells two of one question apart."""
    verdict = {True: "✓", False: "✗", None: "·"}[run.correct]
    question = " ".join(run.spec.question.split())
    named = run.spec.problem_id or "own question"
    _, declared = known.strategies[run.spec.strategy]
    made = words.strategy(run.spec, {param.name: param.default for param in declared})
    return words.shown(f"{verdict} {named} · {made}, {run.spec.budget} attempts · {question} · {run.id}")


def pick(found: dict[str, RunView], known: Catalogue) -> str | None:
    """The run to show: the one in the address, or the latest."""
    wanted = session.linked("run")
    options = list(found) if not wanted or wanted in found else [wanted, *found]
    if not options:
        return None
    labels = {id_: label(run, known) for id_, run in found.items()}
    st.session_state["revisions_run"] = wanted or options[0]
    return st.selectbox(
        "Search", options, key="revisions_run", format_func=lambda id_: labels.get(id_, id_),
        on_change=lambda: session.link(st.session_state["revisions_run"]),
    )  # fmt: skip


def body(run: RunView) -> None:
    """What the chains did, and the chains."""
    nodes = runs.nodes(run.id, since=0).nodes
    found = chains.columns(run, nodes)
    message = STEPWISE if nodes and not found else view.empty_words(run)
    if found:
        choice(run, nodes)
        st.caption(summary(run, chains.counts(run, nodes), len(chains.paths(nodes))))
    component.chain_columns(
        {
            "chains": sorted(found, key=lambda one: not one["chosen"]),
            "select": session.linked("node"),
            "message": message,
        },
        key=CHAINS,
        on_selected=lambda node: session.link(run.id, node),
    )


def choice(run: RunView, nodes: Sequence[Node]) -> None:
    """How the answer came about, in a sentence and in numbers."""
    told, rows = chosen.selection(run, nodes)
    if told:
        st.text(told)
    if rows:
        config = {name: st.column_config.NumberColumn(format="%.3f") for name in ("weight", "best score")}
        height = 35 * (min(LINES, len(rows)) + 1) + 3
        frame = pd.DataFrame(words.shown_rows(rows))
        st.dataframe(frame, hide_index=True, height=height, width="content", column_config=config)


def by_position() -> None:
    """pass@1 at each position of a study's chains, where somebody wants to see it."""
    able = {name for name, card in runs.catalogue().models.items() if card.able("revises")}
    views = {name: view for name, view in study.measured().items() if able & set(view.models)}
    if not views:
        return
    st.subheader("By position in the chain", anchor="position")
    if not st.toggle("Over all chains that a study kept", key="positions", bind="query-params"):
        return
    name = study.pick(list(views))
    with session.told("This study has no chains to show"):
        of = name, study.revision(views[name]), "revision_positions", None
        made, dark = study.figure(*of), st.context.theme.type == "dark"
        st.plotly_chart(
            study.chart(*of, dark, 330), key="positions-chart", theme="streamlit", alt=made.caption,
            config={"displayModeBar": False},
        )  # fmt: skip
        st.text(made.caption)


def summary(run: RunView, counts: dict[str, int], drawn: int) -> str:
    """The revisions counted by what they did to the answer, and the rule by which one answer is chosen."""
    told = [f"{number} {what}" for what, number in counts.items() if number]
    told = [f"Revisions: {', '.join(told)}."] if told else []
    if drawn > chains.SHOWN:
        told.append(f"The first {chains.SHOWN} of {drawn} chains are drawn.")
    return " ".join([*told, words.rule(run.spec), "Added words are underlined, removed ones struck through."])


session.open_page("revisions")
with session.told("The revisions cannot be shown"):
    known = runs.catalogue()
    run_id = pick(stored(known), known)
    if run_id:
        view.show_run(run_id, view.Shown(body=body))
    else:
        hint = "choose there a strategy that revises, such as revisions, and the model mini-reviser"
        session.notice("No revisions are stored yet", hint=hint, kind="info")
        st.page_link(session.page("solve"), label="Start a search on the Solve page")
with session.told("What revising does cannot be shown"):
    by_position()
