"""All stored searches: find one, look at it, delete it."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from ttc_core import runs
from ttc_core.errors import UnknownName
from ttc_core.runs_views import RunView
from ttc_core.ui import component, delete, difficult, form, gate, session, view, words

ORDER = 2
TITLE = "Trees"
PAGE = 50
LIST = "ttc_runs"
ANY = "any"
DATASET = "mini-test"  # of which difficulty is asked where no data set is chosen


def filters() -> dict[str, Any]:
    """The filter row; what it returns goes to `runs.listing`."""
    known = runs.catalogue()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="filters"):
        text = st.text_input(
            "Search", key="q", bind="query-params", placeholder="question, problem, answer, note or id", width=300
        )
        dataset = pick("Data set", list(known.datasets), "dataset")
        strategy = pick("Strategy", list(known.strategies), "strategy", say=words.method)
        budget = pick("Budget", [str(b) for b in form.BUDGETS], "budget", width=110)
        status = pick("Status", list(words.STATUS_WORDS), "status", width=130, say=words.STATUS_WORDS.__getitem__)
        verdict = pick("Verdict", ["right", "wrong"], "verdict", width=110)
        difficulty = pick("Difficulty", list(difficult.BINS), "difficulty", width=130)
    return {
        "text": text or None,
        **(inside(dataset or DATASET, difficulty) if difficulty else {"dataset": dataset}),
        "strategy": strategy,
        "budget": int(budget) if budget else None,
        "status": status,
        "correct": None if verdict is None else verdict == "right",
    }


def inside(dataset: str, difficulty: str) -> dict[str, Any]:
    """A data set and its problems of a bin of difficulty; says by what they are in it."""
    measure = difficult.measured(dataset)
    if measure is None:
        st.caption(f"Nobody knows how difficult the problems of {words.named(dataset)} are.")
        return {"dataset": dataset, "problems": []}
    by = measure.told.partition(":")[0]
    st.text(words.shown(f"Difficulty in {dataset}: {by[:1].lower()}{by[1:]}."))
    return {"dataset": dataset, "problems": measure.inside(difficult.BINS[difficulty])}


def pick(title: str, options: list[Any], key: str, width: int = 160, say: Callable[[Any], str] = str) -> str | None:
    """A filter: one of the options, as `say` calls them, or any."""
    asked = session.linked(key)
    if asked in options and say(asked) != asked:  # by a link of an earlier version, which had the name itself
        st.session_state[key] = asked
    chosen = st.selectbox(
        title, [ANY, *options], key=key, bind="query-params", width=width,
        format_func=lambda name: name if name == ANY else say(name),
    )  # fmt: skip
    return None if chosen == ANY else chosen


def row(run: RunView, defaults: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """One line of the list."""
    spec = run.spec
    return component.run_row(
        run,
        problem=spec.problem_id or "own question",
        parameters=", ".join(words.differing(spec, defaults.get(spec.strategy, {}))),
        budget=spec.budget,
        nodes=words.count(run.nodes),
        tokens=words.count(run.usage.policy_tokens),
    )


def listing() -> None:
    """The list with its filters and pages."""
    asked = filters()
    if st.session_state.setdefault("trees_asked", asked) != asked:
        st.session_state["trees_asked"] = asked
        turn(0)
    said = session.linked("page") or ""
    here = max(0, int(said) - 1) if said.isdecimal() else 0
    found = runs.listing(**asked, limit=PAGE, offset=here * PAGE)
    if here and not found.rows:
        here = (found.total - 1) // PAGE if found.total else 0
        found = runs.listing(**asked, limit=PAGE, offset=here * PAGE)
    st.session_state["trees_page"] = here
    st.session_state["trees_ids"] = [run.id for run in found.rows]
    if not found.rows:
        empty(any(value is not None for value in asked.values()))
        return
    defaults = {
        name: {p.name: p.default for p in declared} for name, (_, declared) in runs.catalogue().strategies.items()
    }
    opened, marked = component.run_list([row(run, defaults) for run in found.rows], key=LIST)
    if opened:
        session.link(opened)
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="pager"):
        first = here * PAGE + 1
        last = first + len(found.rows) - 1
        st.caption(f"{first:,}–{last:,} of {found.total:,}", width="content")
        st.button("Newer", key="newer", type="tertiary", disabled=here == 0, on_click=turn, args=(here - 1,))
        st.button("Older", key="older", type="tertiary", disabled=last == found.total, on_click=turn, args=(here + 1,))
        if marked:
            gate.button(f"Delete {len(marked)}…", "runs.delete", of=marked, key="delete_marked",
                        on_click=delete.ask, args=(marked,))  # fmt: skip


def turn(page: int) -> None:
    """Go to a page of the list, the first is 0; the address counts from 1."""
    if page:
        st.query_params["page"] = str(page + 1)
    else:
        st.query_params.pop("page", None)


def empty(filtered: bool) -> None:
    """What is said instead of an empty list."""
    if filtered:
        session.notice("Nothing fits these filters", hint="take one away to see more", kind="info")
    else:
        session.notice("No search is stored yet", kind="info")
        st.page_link(session.page("solve"), label="Start a search on the Solve page")


def close() -> None:
    """Back to the list as it was left: its fields remember what was asked, their page is not theirs."""
    session.link(None)
    turn(st.session_state.get("trees_page", 0))


def neighbour(run_id: str, places: int) -> str | None:
    """The run so many places below this one in the list; None where it ends.

    The list is the page of it that was last shown, for a permalink its study's searches, or those of no study.
    """
    listed: list[str] = st.session_state.get("trees_ids", [])
    if run_id in listed:
        at = listed.index(run_id) + places
        return listed[at] if 0 <= at < len(listed) else None
    try:
        newer, older = runs.neighbours(run_id)
    except UnknownName:
        return None  # the view says so
    return newer if places < 0 else older


def go(run_id: str, places: int) -> None:
    """Show the run so many places further down the list."""
    if found := neighbour(run_id, places):
        session.link(found)
        session.changed()


def opened(run_id: str) -> None:
    """One search, with the way back and to its neighbours in the list."""
    with st.container(horizontal=True, gap="small", key="trees-way"):
        st.button("← All searches", key="back", type="tertiary", on_click=close)
        for key, label, places in (("k", "↑ Previous", -1), ("j", "↓ Next", 1)):
            st.button(
                label, key=f"go_{key}", type="tertiary", disabled=neighbour(run_id, places) is None,
                on_click=go, args=(run_id, places), help=f"in the list; key {key} in the tree",
            )  # fmt: skip
    view.show_run(run_id, view.Shown(turn=lambda places: go(run_id, places)))


session.open_page("trees")
with session.told("The searches cannot be shown"):
    wanted = session.linked("run")
    if wanted:
        opened(wanted)
    else:
        listing()
