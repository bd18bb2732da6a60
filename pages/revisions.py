"""Chains of attempts: what each revision changed, and whether the answer became right or wrong by it."""

import streamlit as st

from ttc_core import runs
from ttc_core.runs_views import RunView
from ttc_core.ui import chains, component, delete, session, view, words

ORDER = 3
TITLE = "Revisions"
RECENT = 100
CHAINS = "ttc_chains"
STEPWISE = "This search went on from steps, not from whole attempts: the Trees page shows it."


def stored() -> dict[str, RunView]:
    """The latest runs whose strategy revises, by id, newest first."""
    found = runs.listing(strategy=runs.catalogue().revising, limit=RECENT)
    return {run.id: run for run in found.rows if runs.revises(run.spec)}


def label(run: RunView) -> str:
    """A run in the picker."""
    verdict = {True: "✓", False: "✗", None: "·"}[run.correct]
    question = " ".join(run.spec.question.split())
    named = run.spec.problem_id or "own question"
    _, declared = runs.catalogue().strategies[run.spec.strategy]
    made = words.strategy(run.spec, {param.name: param.default for param in declared})
    return words.shown(f"{verdict} {named} · {made}, {run.spec.budget} attempts · {question}")


def pick(known: dict[str, RunView]) -> str | None:
    """The run to show: the one in the address, or the latest."""
    wanted = session.linked("run")
    options = list(known) if not wanted or wanted in known else [wanted, *known]
    if not options:
        return None
    st.session_state["revisions_run"] = wanted or options[0]
    return st.selectbox(
        "Search", options, key="revisions_run", format_func=lambda id_: label(known[id_]) if id_ in known else id_,
        on_change=lambda: session.link(st.session_state["revisions_run"]),
    )  # fmt: skip


def body(run: RunView) -> None:
    """What the chains did, and the chains."""
    nodes = runs.nodes(run.id, since=0).nodes
    found = chains.columns(run, nodes)
    message = STEPWISE if nodes and not found else view.empty_words(run)
    if found:
        st.caption(summary(run, chains.counts(run, nodes), len(chains.paths(nodes))))
    component.chain_columns(
        {"chains": found, "select": session.linked("node"), "message": message},
        key=CHAINS,
        on_selected=lambda node: session.link(run.id, node),
    )


def summary(run: RunView, counts: dict[str, int], drawn: int) -> str:
    """The revisions counted by what they did to the answer, and the rule by which one answer is chosen."""
    told = [f"{number} {what}" for what, number in counts.items() if number]
    told = [f"Revisions: {', '.join(told)}."] if told else []
    if drawn > chains.SHOWN:
        told.append(f"The first {chains.SHOWN} of {drawn} chains are drawn.")
    return " ".join([*told, words.rule(run.spec), "Added words are underlined, removed ones struck through."])


session.open_page("revisions")
delete.confirmation()
with session.told("The revisions cannot be shown"):
    chosen = pick(stored())
    if chosen:
        view.show_run(chosen, view.Shown(body=body))
    else:
        session.notice(
            "No revisions are stored yet",
            hint="on the Solve page choose a strategy that revises, such as revisions, and the model mini-reviser",
            kind="info",
        )
