"""Models and verifiers: what is configured, what each reached, and whether it works."""

import pandas as pd
import streamlit as st

from ttc_core import runs
from ttc_core.backend import LocalBackend
from ttc_core.doctor import examine_model, examine_verifier
from ttc_core.models import ModelCard
from ttc_core.ui import session, words

ORDER = 10
TITLE = "Models"
SIGNS = {True: "✓", False: "✗", None: "·"}


def row(card: ModelCard) -> dict[str, object]:
    """One line of the table."""
    return {
        "name": card.name,
        "state": card.lacks or "ready",
        "kind": card.kind.replace("_", " "),
        "engine": card.engine,
        "parameters": words.short(card.parameters) if card.parameters else "–",
        "what": str(card.card.get("what", "")),
    }


def table(title: str, cards: list[ModelCard], key: str) -> ModelCard | None:
    """A table of models, those that can be used first; the one whose line was chosen."""
    st.subheader(title)
    ordered = sorted(cards, key=lambda card: bool(card.lacks))
    chosen = st.dataframe(
        pd.DataFrame([row(card) for card in ordered]), hide_index=True, key=key, on_select="rerun",
        selection_mode="single-row", column_config={"what": st.column_config.TextColumn(width="large")},
    )  # fmt: skip
    lines = chosen["selection"]["rows"]
    return ordered[lines[0]] if lines else None


def shown(card: ModelCard, policy: bool) -> None:
    """One model: what is known of it, and the checks of `doctor`."""
    with st.container(border=True, key="model-shown"):
        st.text(f"{card.name}: {card.lacks or 'ready'}")
        if st.button("Examine", key="examine", help="the checks of: python -m ttc_core doctor"):
            with session.told("It cannot be examined"), st.spinner("Examining"):
                examine = examine_model if policy else examine_verifier
                for check in examine(card.name, LocalBackend()):
                    st.text(f"{SIGNS[check.ok]}  {check.name}: {check.found}")
                    if check.advice:
                        st.caption("What to change:")
                        st.text(check.advice)
        measured = card.card.get("evaluation")
        if measured:
            with st.expander("Measured (python -m ttc_core.lab evaluate)"):
                st.json(measured, expanded=1)
        rest = {name: value for name, value in card.card.items() if name != "evaluation"}
        with st.expander("Card"):
            st.json(rest, expanded=1)


session.open_page("models")
with session.told("The models cannot be shown"):
    known = runs.catalogue()
    st.caption(
        "The embedded family needs nothing. Other models are tables of models.toml in the data folder: a server's "
        "address, or vLLM in this program. Keys stay in the environment and are never shown."
    )
    model = table("Models", list(known.models.values()), "models_table")
    if model:
        shown(model, policy=True)
    verifier = table("Verifiers", list(known.verifiers.values()), "verifiers_table")
    if verifier:
        shown(verifier, policy=False)
