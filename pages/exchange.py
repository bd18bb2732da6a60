"""A small model that may search, or a larger one that answers at once? And what is best within limits of cost."""

from typing import Any

import pandas as pd
import streamlit as st

from ttc_core import runs
from ttc_core.analysis import planning
from ttc_core.analysis.difficulty import WAYS
from ttc_core.analysis.frontier import RESAMPLES
from ttc_core.drawing.info import labelled
from ttc_core.export.tables import RATIOS
from ttc_core.studies_views import StudyView
from ttc_core.ui import exchange, meters, session, study, words

ORDER = 6
TITLE = "Exchange"
RATIO = RATIOS[1]
BYTES = 2  # a parameter, where nobody says otherwise
LIMITS = {  # name in the address: label, of `planning.plan`, how many of its units make one of the label's
    "memory": ("Memory (MB)", "memory", 1e6),
    "seconds": ("Seconds a problem", "seconds", 1.0),
    "price": ("Price of 1,000 problems", "price", 1e-3),
    "generations": ("Generations", "generations", 1.0),
    "gflops": ("GFLOPs a problem", "flops", 1e9),
}


def trade(name: str, view: StudyView, by: str, larger: str | None) -> None:
    """The exchange with its sliders, and what it rests on."""
    tables = study.standings(name, study.revision(view), by, larger)
    dark = st.context.theme.type == "dark"
    data = exchange.payload(tables, tables["small"], tables["large"], tables["times"], RATIOS, dark)
    place = {
        "M": exchange.place(session.linked("m"), tables["times"] or 14.0, exchange.M_RANGE),
        "R": exchange.place(session.linked("r"), RATIO, exchange.R_RANGE),
    }
    exchange.draw(data | place, key="exchange", on_left=keep)
    if tables["large"] is None:
        session.notice(
            "The study has no larger model", "only what the small one may spend, and what it reaches there, is known",
            "add a larger model with the strategy single to the study", kind="info",
        )  # fmt: skip
    st.caption(
        f"{tables['of']}; {words.count(tables['problems'])} problems in bins by {by} difficulty. Lines: the small "
        "model with the compute-optimal policy, chosen on one half of the problems and measured on the other. Stars: "
        "the larger model answering once, at the budget that costs as much by Snell et al. (2024), section 7: "
        f"pretraining 6 N D, inference 2 N D. Intervals: 95 %, {RESAMPLES:,} resamples of the problems."
    )


def keep(m: float, r: float) -> None:
    """Put the sliders into the address."""
    st.query_params.update({"m": f"{m:g}", "r": f"{r:g}"})


def planner(views: dict[str, StudyView], dataset: str) -> None:
    """Limits of cost, and what of everything measured on the data set is best within them."""
    st.subheader("Planner", anchor="planner")
    st.caption("The best model, strategy and budget that keep these limits, of all that the chosen studies measured.")
    frames = {name: study.outcomes(name, study.revision(view)) for name, view in views.items()}
    frames = {name: of[of["dataset"] == dataset] for name, of in frames.items()}
    there = [name for name, of in frames.items() if len(of)]
    names = st.multiselect("Studies", there, default=there[:1], key="planned", bind="query-params", width=520)
    if not names:
        st.caption("Choose a study to plan from.")
        return
    frame = pd.concat([frames[name] for name in names])
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="limits"):
        asked = {name: st.number_input(title, min_value=0.0, value=None, key=name, bind="query-params", width=170,
                                       placeholder="no limit")
                 for name, (title, _, _) in LIMITS.items()}  # fmt: skip
    with st.expander("Memory and price of each model"):
        memory, prices = assumed(frame)
    limits = {LIMITS[name][1]: value * LIMITS[name][2] for name, value in asked.items() if value is not None}
    with session.told("Nothing can be planned", "raise a limit, or take one away"):
        best(planning.plan(frame, limits, memory, prices=prices))


def assumed(frame: pd.DataFrame) -> tuple[dict[str, float], dict[str, float]]:
    """What each model and verifier takes and costs, to be changed: bytes, and the price of a token."""
    known = runs.catalogue()
    cards = {**known.models, **known.verifiers}
    names = [n for n in pd.concat([frame["model"], frame["verifier"]]).dropna().unique() if n]
    sizes = [cards[n].parameters * BYTES / 1e6 if n in cards else 0.0 for n in names]
    st.caption(f"Memory begins as {BYTES} bytes a parameter where that is known. Prices are in any currency.")
    table = st.data_editor(
        pd.DataFrame({"model": names, "memory, MB": sizes, "price of a million tokens": [0.0] * len(names)}),
        hide_index=True, disabled=["model"], key=f"assumed-{'-'.join(names)}", width=560,
    )  # fmt: skip
    memory = dict(zip(table["model"], table["memory, MB"].fillna(0.0) * 1e6, strict=True))
    return memory, dict(zip(table["model"], table["price of a million tokens"].fillna(0.0) / 1e6, strict=True))


def best(plan: pd.DataFrame) -> None:
    """The best as a sentence, all that keep the limits as a table."""
    first = plan.iloc[0]
    judged = f" with {first['verifier']}" if first["verifier"] else ""
    with st.container(border=True, key="planned-best"):
        st.text(f"{labelled(first['method'])} at {words.short(first['budget'])} generations, {first['model']}{judged}")
        interval = f"{100 * first['accuracy']:.1f} % ({100 * first['low']:.0f}–{100 * first['high']:.0f})"
        plain = [(title, value, "") for title, value in costs(first).items()]
        meters.show([("Accuracy", interval, "with its 95 % interval over problems"), *plain])
    shown: list[dict[str, Any]] = [
        {"model": r["model"], "verifier": r["verifier"], "strategy": labelled(r["method"]), "budget": r["budget"],
         "accuracy": 100 * r["accuracy"], "interval": f"{100 * r['low']:.0f}–{100 * r['high']:.0f}", **costs(r)}
        for _, r in plan.iterrows()
    ]  # fmt: skip
    config = {"accuracy": st.column_config.ProgressColumn("accuracy, %", min_value=0, max_value=100, format="%.1f")}
    st.dataframe(pd.DataFrame(shown), hide_index=True, height=330, column_config=config, key="plan")
    st.caption(f"{len(plan)} keep the limits, the most accurate first; of equals the one with fewer FLOPs.")


def costs(of: pd.Series) -> dict[str, str]:
    """What a problem costs on average, in words."""
    shown = {"seconds": words.seconds(of["seconds"]), "tokens": words.short(of["tokens"])}
    shown |= {"FLOPs": words.short(of["flops"]), "memory": f"{words.short(of['memory'])}B"}
    return shown | ({"price of 1,000": f"{1000 * of['price']:.3g}"} if of["price"] else {})


session.open_page("exchange")
with session.told("The exchange cannot be drawn", "the Studies page shows what the study holds"):
    views = study.measured()
    if not views:
        study.nothing("whether a small model that may search beats a larger one that answers once, for the same FLOPs")
    else:
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="filters"):
            name = study.pick(list(views))
            by = study.one_of("Difficulty", list(WAYS), "by", width=150, help=study.DIFFICULTY)
            found = study.chosen(name, study.revision(views[name]))
            others = found.larger_ones()
            larger = study.one_of("Larger model", others, "larger") if len(others) > 1 else None
        with session.told("The exchange cannot be drawn", "the Studies page shows what the study holds"):
            trade(name, views[name], by, larger)
        planner({name: views[name], **views}, found.dataset)
