"""The compute-optimal frontier of one study or several: accuracy against cost, what is best where, what lies behind."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from ttc_core import studies
from ttc_core.analysis.difficulty import WAYS
from ttc_core.analysis.frontier import RESAMPLES
from ttc_core.drawing.info import labelled
from ttc_core.errors import TTCError
from ttc_core.studies_views import StudyView
from ttc_core.ui import behind, component, frontier, headline, session, study, words

ORDER = 5
TITLE = "Frontier"
PAGE = 25
Documents = Mapping[str, dict[str, Any]]


def pick(names: list[str]) -> tuple[list[str], dict[str, Any]]:
    """The row of choices; all of it is in the address. The studies, and how they are looked at."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="filters"):
        chosen = study.pick_several(names, frontier.MOST)
        axis = st.selectbox(
            "Cost", list(frontier.AXES), key="axis", bind="query-params", width=150, on_change=frontier.elsewhere
        )
        by = st.selectbox("Difficulty", list(WAYS), key="by", bind="query-params", width=150, help=study.DIFFICULTY)
        verifier = st.toggle(
            "Count the verifier",
            value=True,
            key="verifier",
            bind="query-params",
            disabled=axis not in ("tokens", "flops"),
        )
    return chosen, {"axis": axis, "by": by, "verifier": verifier}


def documents(names: list[str], views: Mapping[str, StudyView], how: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What is known of each study; one that cannot be drawn is said to be, and the others are drawn."""
    found = {}
    for name in names:
        try:
            of = {"study": name, "revision": study.revision(views[name]), **how}
            found[name] = study.frontier(**of) | {"rows": study.rows(**of)}
        except TTCError as error:
            hint = error.hint or "the Studies page shows what the study holds"
            session.notice("This study cannot be drawn", f"{name}: {error}", hint, key=f"study-{name}")
    return found


def differing(found: Documents) -> None:
    """Say what the studies on show do not have in common, as their curves then tell of that too."""
    if len(found) < 2:
        return
    unlike = [
        f"{what.replace('dataset', 'data set')}s ({', '.join(sorted(values))})"
        for what in ("dataset", "model", "verifier")
        if len(values := {of["about"][what] or "none" for of in found.values()}) > 1
    ]
    if unlike:
        other = len({of["about"]["dataset"] for of in found.values()}) > 1
        so = "accuracies of different problems do not compare" if other else "not all that differs is the method's"
        st.text(f"These studies are of different {' and '.join(unlike)}: {so}.")


def show(found: Documents, axis: str) -> dict[str, Any]:
    """The chart with its table, and what it rests on; returns the place it stands at."""
    data = frontier.payload(found, axis)
    first = next(iter(found.values()))
    place = frontier.place(data, first["budgets"][headline.at(first)])
    frontier.draw(data | {"place": place}, key="frontier", on_left=frontier.keep)
    if axis == "generations":
        for name, of in found.items():
            if beam := headline.overtakes(of):
                st.text((f"{name}: " if len(found) > 1 else "") + beam[1])
    st.caption(
        " ".join(about(name, of, len(found) > 1) for name, of in found.items())
        + " The policy is chosen in each bin on one half of the problems and measured on the other; bands and "
        f"intervals are 95 %, those of policy and efficiency by {RESAMPLES:,} resamples of the problems through "
        "the whole pipeline. Each study's bins go by its own model's samples."
    )
    return place


def about(name: str, of: Mapping[str, Any], named: bool) -> str:
    """What a study on show is of, and what is left out of it."""
    left_out = [f"{words.count(n)} {what}" for what, n in of["dropped"].items() if n]
    return (
        (f"{words.named(name)}: " if named else "")
        + f"{of['of']}; {words.count(of['problems'])} problems."
        + (
            f" Not all values rest on all of them: one on {words.count(of['fewest'])}."
            if of["fewest"] < of["problems"]
            else ""
        )
        + (f" Left out for want of a verdict or of samples: {', '.join(left_out)}." if left_out else "")
    )


def listed(found: Documents, views: Mapping[str, StudyView], place: Mapping[str, Any], how: Mapping[str, Any]) -> None:
    """The problems behind the point that was chosen, with links to their trees."""
    name, _, method = place["point"].partition("/")
    of = found[name]
    within = [j for j, budget in enumerate(of["budgets"]) if budget <= place["at"] * (1 + 1e-9)]
    row = of["rows"]["all"][within[-1]].get(method) if within else None
    st.subheader("Problems behind the point", anchor="problems")
    if row is None:
        st.text(f"{labelled(method)} was not run with this budget: move the slider.")
        return
    base = of["rows"]["all"][within[-1]].get(of["baseline"], {}).get("generations")
    problems = study.problems(
        study=name, revision=study.revision(views[name]), **how, method=(method, row["generations"]),
        base=(of["baseline"], base),
    )  # fmt: skip
    inside = [one for one in problems if place["bin"] in (None, one["bin"])]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="problem-filters"):
        shown = study.one_of("Show", list(behind.SHOWN), "show", 210, format_func=behind.SHOWN.__getitem__)
        order = study.one_of("Order", behind.ORDERS, "order", 170)
    kept = behind.chosen(inside, shown, order)
    told(name, method, row["generations"], place["bin"], inside, len(kept))
    here = page_of(len(kept))
    component.problem_list(kept[here * PAGE : (here + 1) * PAGE], key="problems")
    pager(here, len(kept))
    trees(name, inside)


def told(name: str, method: str, budget: float, bin_: int | None, inside: list[dict[str, Any]], kept: int) -> None:
    """Which point it is, and how it came out."""
    verdicts = [one["right"] for one in inside]
    right = sum(share is not None and share > 0.5 for share in verdicts)
    none = verdicts.count(None)
    where = "" if bin_ is None else f", bin {bin_ + 1}"
    st.text(
        f"{labelled(method)} with {words.short(budget)} generations in {name}{where}: "
        f"{right} right, {len(inside) - right - none} wrong"
        + (f", {none} ungraded" if none else "")
        + ("." if kept == len(inside) else f"; {kept} shown.")
    )


def page_of(number: int) -> int:
    """The page of the list that is looked at; the last one where there are fewer now."""
    try:
        here = int(session.linked("page") or 1) - 1
    except ValueError:
        here = 0
    return max(0, min(here, (number - 1) // PAGE))


def pager(here: int, number: int) -> None:
    """Which of how many, and the way to the others."""
    if number <= PAGE:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="problem-pager"):
        last = min(number, (here + 1) * PAGE)
        st.caption(f"{here * PAGE + 1}–{last} of {words.count(number)}", width="content")
        st.button("Previous", key="before", type="tertiary", disabled=here == 0, on_click=turn, args=(here,))
        st.button("Next", key="after", type="tertiary", disabled=last == number, on_click=turn, args=(here + 2,))


def turn(page: int) -> None:
    """Go to a page of the list; the first is 1."""
    st.query_params["page"] = str(page)


def trees(name: str, inside: list[dict[str, Any]]) -> None:
    """Why not every problem has a tree."""
    there = sum(one["run"] is not None for one in inside)
    if there == len(inside):
        return
    why = (
        "the study was imported, and brought none"
        if studies.progress(name).kind != "sweep"
        else "keep_trees in a study file says of how many problems they are kept"
    )
    st.caption(
        f"{there or 'None'} of these {len(inside)} problems {'has its' if there == 1 else 'have their'} tree: {why}."
    )


def numbers(found: Documents) -> None:
    """What is drawn, to be copied."""
    with st.expander("Numbers"):
        for name, of in found.items():
            if len(found) > 1:
                st.text(name)
            budgets = pd.Index([words.short(b) for b in of["budgets"]], name=of["axis"])
            curves = {labelled(method): curve["mean"] for method, curve in of["curves"].items()}
            st.dataframe(pd.DataFrame(curves, index=budgets).T.round(4))
            bins = [f"bin {b + 1}" for b in range(len(of["sizes"]))]
            policy = [list(map(labelled, row)) for row in of["policy"]]
            st.dataframe(pd.DataFrame(policy, index=budgets, columns=bins))


session.open_page("frontier")
with session.told("This frontier cannot be drawn", "the Studies page shows what the study holds"):
    views = study.measured()
    if not views:
        study.nothing(
            "how accuracy grows with the budget of every method, which one is best for easy and "
            "for hard questions, and what choosing by difficulty saves"
        )
    else:
        names, how = pick(list(views))
        found = documents(names, views, how)
        if found:
            differing(found)
            place = show(found, how["axis"])
            if place["point"]:
                listed(found, views, place, how)
            numbers(found)
