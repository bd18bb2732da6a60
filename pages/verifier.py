"""How far the verifier can be trusted: calibration, by step, over-optimisation, and its confident mistakes."""

import pandas as pd
import streamlit as st

from ttc_core.export.tables import StudyTables
from ttc_core.studies_views import StudyView
from ttc_core.ui import examples, form, meters, session, study, words

ORDER = 7
TITLE = "Verifier"
OF = "verifier"  # whose widget the slider is
BARS = 10  # of the diagram
MEASURES = (
    ("ece", "Calibration error", "expected calibration error: mean distance of score and share right; 0 is best"),
    ("brier", "Brier score", "mean squared distance of score and outcome; 0 is best"),
    ("auc", "AUC", "probability that a right sample scores above a wrong one; 0.5 is chance"),
    ("within", "AUC inside a problem", "the same among samples of one problem: what choosing depends on"),
)


def draw(name: str, of: str, revision: str, verifier: str | None) -> None:
    """One registered figure of a study with its caption; what the study does not have is said."""
    with session.told(f"No figure of {name.replace('_', ' ')}"):
        told = words.shown(study.figure(of, revision, name, verifier).caption)
        figure = study.chart(of, revision, name, verifier, st.context.theme.type == "dark")
        more = {"on_select": selected, "selection_mode": "points"} if name == "reliability" else {}
        st.plotly_chart(figure, key=name, theme="streamlit", alt=told, **more)
        st.text(told)


def selected() -> None:
    """A point of the reliability diagram was clicked: its bar is looked at."""
    points = st.session_state["reliability"]["selection"]["points"]
    if points and 0 <= points[0]["x"] <= 1:
        look_at(examples.bucket(points[0]["x"], BARS))


def look_at(bar: int) -> None:
    """Put a bar into the address, by the scores it is of."""
    st.query_params["bucket"] = scores(bar)


def scores(bar: int) -> str:
    """The scores that a bar is of."""
    return f"{bar / BARS:.1f}–{(bar + 1) / BARS:.1f}"


def pick_bar(full: list[int]) -> int:
    """The bar that is looked at: that of the address, wherever the slider, the diagram or a way back put it."""
    asked = {scores(bar): bar for bar in full}.get(session.linked("bucket") or "", full[-1])
    if st.session_state.get(form.key(OF, "bar"), form.first(OF, "bar", None)) != asked:
        form.begin(OF, {"bar": asked})
    key = form.key(OF, "bar")
    return st.select_slider(
        "Score", full, form.first(OF, "bar", asked), key=key, format_func=scores, help="or click the diagram",
        width=640, on_change=lambda: look_at(st.session_state[key]),
    )  # fmt: skip


def confident(name: str, view: StudyView, verifier: str | None, tables: StudyTables) -> None:
    """A bar of the diagram and the samples in it that came out against it."""
    bars = tables.reliability()["bars"]
    full = [b for b, bar in enumerate(bars) if bar["count"]]
    st.subheader("Confident mistakes", anchor="mistakes")
    at = pick_bar(full)
    found = words.shown_rows(study.mistakes(name, study.revision(view), verifier, at, len(bars)))
    bar = bars[at]
    st.caption(
        f"{words.count(bar['count'])} samples score {bar['low']:.1f} to {bar['high']:.1f}; {100 * bar['right']:.1f} % "
        f"of them are right. Below: those that are {'wrong' if 2 * at + 1 > len(bars) else 'right all the same'}."
    )
    if not found:
        st.caption("There are none.")
        return
    shown = pd.DataFrame(found)[["problem", "question", "answer", "gold", "score", "steps", "times"]]
    config = {"score": st.column_config.NumberColumn(format="%.3f"), "gold": "known answer",
              "steps": st.column_config.LineChartColumn("scores of its steps", y_min=0, y_max=1)}  # fmt: skip
    key = f"mistakes-{name}-{verifier}-{at}"  # of this table alone: a selection stays with its key
    table = st.dataframe(shown, hide_index=True, key=key, on_select="rerun", selection_mode="single-row",
                         column_config=config, height=340)  # fmt: skip
    for line in table["selection"]["rows"]:
        one(found[line])


def one(sample: dict[str, object]) -> None:
    """The question, what was answered, and its tree where it was kept."""
    with st.container(border=True, key="mistake"):
        st.text(words.shown(str(sample["question"])))
        st.text(f"answered {sample['answer']}, known answer {sample['gold']}; score {sample['score']:.3f}")
        if sample["text"]:
            st.code(str(sample["text"]), language=None, wrap_lines=True)
        if sample["run"]:
            where = {"run": str(sample["run"]), "node": str(sample["node"])}
            st.page_link(session.page("trees"), label="Its tree", query_params=where)
        else:
            st.caption("The tree of this search was not kept: keep_trees in a study file says of how many problems.")


session.open_page("verifier")
with session.told("The verifier cannot be shown", "the Studies page shows what the study holds"):
    views = study.measured()
    if not views:
        study.nothing(
            "how far a verifier's scores can be trusted, where it is confidently wrong, and what "
            "that costs when it chooses"
        )
    else:
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="filters"):
            name = study.pick(list(views))
            view = views[name]
            rated = study.outcomes(name, study.revision(view))["verifier"].fillna("")
            verifiers = [v for v in rated.value_counts().index if v]
            by = study.one_of("Verifier", verifiers, "verifier", width=220) if verifiers else None
        tables = study.tables_of(name, study.revision(view), by)
        found = tables.reliability()
        shown = ["–" if found[key] is None else f"{found[key]:.3f}" for key, _, _ in MEASURES]
        meters.show((title, value, about) for (_, title, about), value in zip(MEASURES, shown, strict=True))
        of = name, study.revision(view), by
        draw("reliability", *of)
        confident(name, view, by, tables)
        st.subheader("Choosing by its scores", anchor="choosing")
        draw("over_optimisation", *of)
        st.subheader("Step scores made one", anchor="aggregation")
        draw("aggregation", *of)
