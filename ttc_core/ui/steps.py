"""The steps of one search as a table, to sort and to search in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pandas as pd
import streamlit as st

from ttc_core import runs
from ttc_core.runs_views import RunView
from ttc_core.types import ROOT, Node
from ttc_core.ui import tree, words

HEIGHT = 560  # px


def frame(nodes: Iterable[Node], prefix: Sequence[str] = ()) -> pd.DataFrame:
    """One line a step: id, depth, state, score, answer, tokens, text and why it was pruned or failed.

    prefix: the steps that the search began with.
    """
    depth, lines = {ROOT: 0}, []
    for id, above, text, score, state, why, answer, _, tokens, *_ in tree.rows(nodes, prefix):
        depth[id] = depth[above] + 1
        said = [words.shown(" ".join(part.split())) for part in (answer or "", text, why)]
        lines.append([id, depth[id], state, score, said[0], tokens, *said[1:]])
    return pd.DataFrame(lines, columns=["id", "depth", "state", "score", "answer", "tokens", "text", "why"])


def table(view: RunView, *, key: str, on_selected: Callable[[str], None]) -> None:
    """Draw all steps of a run as plain text in a table; on_selected: called with the id of a step that was ticked."""
    found = frame(runs.nodes(view.id).nodes, view.spec.prefix)

    def ticked() -> None:
        if lines := st.session_state[key]["selection"]["rows"]:
            on_selected(str(found["id"].iloc[lines[0]]))

    plain = {name: st.column_config.TextColumn(width=width) for name, width in (("text", 560), ("why", 200))}
    st.dataframe(
        found, hide_index=True, height=HEIGHT, key=key, on_select=ticked, selection_mode="single-row",
        column_config={**plain, "score": st.column_config.NumberColumn(format="%.3f")},
    )  # fmt: skip
