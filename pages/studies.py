"""Studies: many searches asked for in one file, their progress and what came of them."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from ttc_core import runs, studies
from ttc_core.export.text import csv_of
from ttc_core.importing import uploads
from ttc_core.studies_views import StudyView
from ttc_core.ui import form, gate, meters, session, study_form, sure, words

ORDER = 4
TITLE = "Studies"
TICK = 1.0
SHOWN = 3  # models and data sets of a study named in the list
COLOURS = {"running": "blue", "paused": "orange", "cancelled": "gray", "failed": "red", "done": "green"}
FORMATS = {
    "samples": "samples: one problem a line, with its solutions",
    "search_and_learn": "search-and-learn: completions",
    "openr_tree": "OpenR: trees",
    "thinkbooster": "ThinkBooster: traces",
}


def act(verb: str, study: str) -> None:
    """Call `studies.<verb>` from a button; what goes wrong is shown by the next drawing of the page."""
    with session.trouble(f"{verb} the study"):
        getattr(studies, verb)(study)
    session.changed()


def open_study(name: str | None) -> None:
    """Make the address that of a study, or of the list."""
    st.query_params.from_dict({"study": name} if name else {})


def share(view: StudyView) -> float:
    """The share of units that have ended."""
    total = sum(view.units.values())
    return (view.units["done"] + view.units["failed"]) / total if total else 1.0


def accuracy(view: StudyView) -> str:
    """Accuracy with its interval, in per cent."""
    if view.accuracy is None:
        return "–"
    mean, low, high = (100 * value for value in view.accuracy)
    return f"{mean:.1f} % ({low:.1f}–{high:.1f})"


def listing() -> None:
    """All studies, newest first."""
    found = studies.listing()
    if not found:
        session.notice(
            "No study is stored yet", hint="begin one below, or: python -m ttc_core sweep FILE.toml", kind="info"
        )
    for view in found:
        one(view)
    new([view.id for view in found])
    bring_in()


def one(view: StudyView) -> None:
    """A line of the list: what it is about, how far it is, and where its results are shown."""
    with st.container(border=True, key=f"study-{view.id}"):
        name, state, of, number, results, opened = st.columns([2, 0.9, 2.6, 2.7, 1.5, 0.9], vertical_alignment="center")
        name.markdown(f"**{words.named(view.id)}**")
        state.badge(view.status, color=COLOURS[view.status])
        of.text(f"{named(view.models)} on {named(view.datasets)}\n{words.count(view.problems)} problems")
        ran = f"{words.count(view.outcomes)} outcomes · {words.ago(view.created)}"
        told = "" if view.accuracy is None else f"{accuracy(view)} right, over all methods and budgets\n"
        number.text(told + ran)
        if view.outcomes:
            with results.container(horizontal=True, gap="small"):
                links(view)
        opened.button("Open", key=f"open-{view.id}", on_click=open_study, args=(view.id,), width="stretch")


def links(view: StudyView) -> None:
    """The pages that show what a study reached, and hand it out."""
    for page, label in (("frontier", "Frontier"), ("export", "Export")):
        st.page_link(session.page(page), label=label, query_params={"study": view.id})


def named(names: Sequence[str]) -> str:
    """The first names of some as plain text, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(words.shown(name) for name in names[:SHOWN]) + more


def new(taken: list[str]) -> None:
    """A study from a form or as text, what it would take, and its start; open where it would be the first."""
    with form.fold("New study", "study-new", expanded=not taken) as opened:
        if not opened:
            return
        asked, file = st.columns(2, gap="large")
        with asked, session.told("The form asks for what is not possible"):
            study_form.write(runs.catalogue(), taken)
        with file:
            text = study_form.text()
        begin(text)


def more(view: StudyView) -> None:
    """What a study that a file asked for has beyond that, as its text is changed, and its start."""
    if view.kind != "sweep":
        return
    with form.fold("Extend", "study-extend") as opened:
        if not opened:
            return
        st.caption(
            "Ask for more problems, strategies, budgets or seeds than the study has. All that it has stays, and only "
            "what it lacks is searched; trees are kept of new searches alone."
        )
        source = studies.describe(view.id)["source"]
        text: str = st.text_area("Study file (TOML)", source, key=f"study_more_{hash(source)}", height=420)
        begin(text, view.id)


def begin(text: str, study: str | None = None) -> None:
    """Plan or start what a text asks for; study: the one that it extends."""
    verb, of = ("start", []) if study is None else ("extend", [study])
    planned, started = st.columns([1, 5])
    if gate.button("Plan", "studies.plan", place=planned, key=f"study_plan_{verb}", width="stretch",
                   help="what it would take; nothing is stored"):  # fmt: skip
        with session.told("This study cannot be planned"), st.spinner("Planning"):
            show_plan(studies.plan(text, study=study))
    if gate.button(verb.title(), f"studies.{verb}", of=of, place=started, key=f"study_{verb}", type="primary"):
        with session.told(f"This study cannot be {verb}ed"):
            if study is None:
                open_study(studies.start(text))
            else:
                studies.extend(study, text)
            st.rerun()


def bring_in() -> None:
    """A study from a file that another program wrote."""
    with form.fold("Import", "study-bring") as opened:
        if opened:
            offer_import()


def offer_import() -> None:
    """The fields of a file of results, and its import."""
    with st.form("study_import", border=False):
        hint = "20 MB at most, gzipped or not; larger ones by `python -m ttc_core import`"
        file = st.file_uploader("File of results", type=["jsonl", "json", "gz", "parquet"], help=hint)
        format = st.selectbox("Written by", FORMATS, format_func=FORMATS.__getitem__)
        left, right = st.columns(2)
        dataset = left.text_input("Data set", placeholder="what its problems belong to")
        name = right.text_input("Name of the study", placeholder="the file's")
        if not gate.submit("Import", "importing.add", type="primary"):
            return
        if file is None:
            session.notice("Nothing was imported", "choose a file first", kind="warning")
            return
        with session.told("This file cannot be imported"), st.spinner("Reading"):
            open_study(uploads.add(format, file.name, file, dataset, name))
            st.rerun()


def show_plan(plan: dict[str, Any]) -> None:
    """The plan as two rows of figures, and the time with what it is based on."""
    for names in (("problems", "methods", "seeds", "units", "runs", "outcomes", "generations"),
                  ("policy_tokens", "verifier_tokens", "policy_flops", "verifier_flops", "disk_bytes")):  # fmt: skip
        values = [float(str(plan[name])) for name in names]
        exact = names[0] == "problems"
        shown = [words.count(value) if exact else f"≈ {words.short(value)}" for value in values]
        meters.show((name.replace("_", " "), value, "") for name, value in zip(names, shown, strict=True))
    took = "Nobody can say how long" if plan["seconds"] is None else f"About {words.seconds(plan['seconds'])}"
    st.text(f"{took}. {'; '.join(plan['seconds_from'])}. A dry run in the terminal tries the models.")


def watch(name: str) -> None:
    """One study; polls while it is under way."""
    with session.told("This study cannot be shown", "the list shows what is stored"):
        view = studies.progress(name)
        session.polled(look, None if view.ended else TICK, view.ended)(name, not view.ended)
        more(view)


def look(name: str, polling: bool) -> None:
    """How far it is, what it reached so far, what failed, and what can be done with it."""
    with session.told("This study cannot be shown", "the list shows what is stored"):
        view = studies.progress(name)
        if st.session_state.pop("ttc_changed", False) or (polling and view.ended):
            st.rerun()
        head(view)
        if view.failed:
            failures(view)
        table(name)


def head(view: StudyView) -> None:
    """Name, state, figures and buttons."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(words.named(view.id), width="content")
        st.badge(view.status, color=COLOURS[view.status])
        if view.why:
            st.text(view.why)
        if view.outcomes:
            links(view)
    total = sum(view.units.values())
    if not view.ended:
        left = f" · about {words.seconds(view.eta)} left" if view.eta is not None else ""
        st.progress(share(view), text=f"{view.units['done']:,} of {total:,} units{left}")
        if not runs.worker_state().alive:
            session.notice(
                "Nobody is working on this study", hint="start a worker with: python -m ttc_core worker", kind="warning"
            )
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="run-meters"):
        rate = "–" if view.tokens_per_second is None else words.count(view.tokens_per_second)
        meters.show([
            ("Accuracy so far", accuracy(view), "of all outcomes, with its 95 % interval over problems: "
             "outcomes of one problem are related, however many there are"),
            ("Outcomes", words.count(view.outcomes), f"of {view.problems:,} problems"),
            ("Generations", words.short(view.generations), "complete sampled solutions' worth of work"),
            ("Tokens", words.short(view.tokens), "policy and verifier"),
            ("FLOPs", words.short(view.flops), "2 × parameters × tokens"),
            ("Tokens/s", rate, "of the units that ended in the last minutes"),
        ])  # fmt: skip
        with st.container(key="run-actions", horizontal=True, horizontal_alignment="right", gap="small"):
            actions(view)


def actions(view: StudyView) -> None:
    """Pause, cancel, resume, delete."""
    if not view.ended:
        gate.button("Pause", "studies.pause", of=[view.id], key="study_pause", on_click=act, args=("pause", view.id))
        gate.button("Cancel", "studies.cancel", of=[view.id], key="study_cancel", type="tertiary",
                    on_click=act, args=("cancel", view.id))  # fmt: skip
    elif view.status != "done":
        gate.button("Resume", "studies.resume", of=[view.id], key="study_resume", type="primary",
                    on_click=act, args=("resume", view.id),
                    help="failed units are tried again; nothing that is done is done twice")  # fmt: skip
    if view.status == "paused" and view.why:
        spend_more(view)
    if view.ended:
        gate.button("Delete…", "studies.delete", of=[view.id], key="study_delete", type="tertiary",
                    on_click=confirm, args=(view.id,))  # fmt: skip


def spend_more(view: StudyView) -> None:
    """New limits for a study that has spent what it may, and it goes on."""
    limits = studies.describe(view.id)["options"].get("max_cost", {})
    with st.popover("Let it spend more", key="study_limits"):
        for name, most in limits.items():
            st.number_input(f"At most, {name}", 0.0, value=most, help="0: no limit", key=f"study_max_{name}")
        gate.button("Resume with these", "studies.change", of=[view.id], key="study_change", type="primary",
                    on_click=change, args=(view.id, list(limits)))  # fmt: skip


def change(study: str, limits: list[str]) -> None:
    """Give a study the limits that are in the fields and let it go on."""
    with session.trouble("change the study"):
        studies.change(study, max_cost={name: st.session_state[f"study_max_{name}"] or None for name in limits})
        studies.resume(study)
    session.changed()


def confirm(name: str) -> None:
    """Ask before a study goes; for callbacks."""
    told = f"This removes the study {name} with its outcomes, pools of samples and trees."
    sure.ask("Delete this study?", told, "Delete", lambda: remove(name), "study_delete")
    session.changed()


def remove(name: str) -> None:
    """Delete a study, and show the list."""
    with session.trouble("delete the study"):
        studies.delete(name)
        open_study(None)
    session.changed()


def failures(view: StudyView) -> None:
    """Failed units with their reasons, as plain text."""
    with st.expander(f"{view.units['failed']:,} failed units", expanded=True):
        st.dataframe(
            pd.DataFrame(view.failed)[["method", "budget", "seed", "attempts", "error", "hint"]], hide_index=True
        )


def table(name: str) -> None:
    """Accuracy of every method at every budget so far, and the rows to download."""
    frame = studies.outcomes(name)
    if frame.empty:
        st.caption("No outcome yet.")
        return
    of = ["dataset", "model", "verifier", "method"]
    right = frame.dropna(subset=["correct"]).assign(correct=lambda f: f["correct"].astype(float))
    shown = right.pivot_table(index=of, columns="budget", values="correct", aggfunc="mean", sort=False)
    st.caption("Accuracy by budget in generations; each number is a mean over problems and seeds.")
    st.dataframe(
        shown.reset_index().rename(columns=str), hide_index=True,
        column_config={str(budget): st.column_config.NumberColumn(format="%.3f") for budget in shown.columns},
    )  # fmt: skip
    st.download_button(
        "Outcomes as CSV", lambda: as_csv(frame), file_name=f"{name}.csv", mime="text/csv",
        key="study_csv", on_click="ignore",
    )  # fmt: skip


def as_csv(frame: pd.DataFrame) -> bytes:
    """The rows for a spreadsheet, in which no text is a formula."""
    plain = frame.astype(object).where(frame.notna(), None)
    return csv_of({str(name): list(plain[name]) for name in plain})


session.open_page("studies")
with session.told("The studies cannot be shown"):
    chosen = session.linked("study")
    if chosen:
        st.button("← All studies", key="back", type="tertiary", on_click=open_study, args=(None,))
        watch(chosen)
    else:
        listing()
