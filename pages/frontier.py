"""The compute-optimal frontier of a study: accuracy against cost, what is best at which difficulty, what it saves."""

from typing import Any

import pandas as pd
import streamlit as st

from ttc_core.analysis.difficulty import WAYS
from ttc_core.drawing.info import labelled
from ttc_core.ui import frontier, session, study, words

ORDER = 5
TITLE = "Frontier"


def pick(names: list[str]) -> dict[str, Any]:
    """The row of choices; all of it is in the address."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="filters"):
        name = study.pick(names)
        axis = st.selectbox("Cost", list(frontier.AXES), key="axis", bind="query-params", width=150)
        by = st.selectbox("Difficulty", list(WAYS), key="by", bind="query-params", width=150, help=study.DIFFICULTY)
        verifier = st.toggle(
            "Count the verifier",
            value=True,
            key="verifier",
            bind="query-params",
            disabled=axis not in ("tokens", "flops"),
        )
    return {"study": name, "axis": axis, "by": by, "verifier": verifier}


def show(document: dict[str, Any]) -> None:
    """The figure, what it leaves out, and its numbers."""
    st.plotly_chart(frontier.figure(document, st.context.theme.type == "dark"), key="frontier", theme="streamlit")
    dropped = document["dropped"]
    left_out = [f"{words.count(n)} {what}" for what, n in dropped.items() if n]
    st.caption(
        f"{document['of']}; {words.count(document['problems'])} problems. The policy is chosen in each bin on one half "
        f"of the problems and measured on the other; bands and brackets are 95 % intervals by {study.RESAMPLES} "
        "resamples of the problems through the whole pipeline."
        + (f" Left out for want of a verdict or of samples: {', '.join(left_out)}." if left_out else "")
    )
    with st.expander("Numbers"):
        budgets = [words.short(b) for b in document["budgets"]]
        curves = {labelled(name): curve["mean"] for name, curve in document["curves"].items()}
        st.dataframe(pd.DataFrame(curves, index=pd.Index(budgets, name=document["axis"])).T.round(4))
        bins = [f"bin {b + 1}" for b in range(len(document["sizes"]))]
        policy = [list(map(labelled, row)) for row in document["policy"]]
        st.dataframe(pd.DataFrame(policy, index=pd.Index(budgets, name=document["axis"]), columns=bins))


session.open_page("frontier")
with session.told("This frontier cannot be drawn", "the Studies page shows what the study holds"):
    views = study.measured()
    if not views:
        study.nothing()
    else:
        asked = pick(list(views))
        chosen = views[asked["study"]]
        show(study.frontier(**asked, revision=study.revision(chosen)))
