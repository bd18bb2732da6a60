"""Models and verifiers: what is configured, what each reached, and whether it works."""

import streamlit as st

from ttc_core import runs
from ttc_core.backend import LocalBackend
from ttc_core.doctor import examine_model, examine_verifier
from ttc_core.models import ModelCard
from ttc_core.ui import gate, lines, session, words

ORDER = 10
TITLE = "Models"
SIGNS = {True: "✓", False: "✗", None: "·"}


def row(card: ModelCard) -> dict[str, object]:
    """One line of a table: of what can be used, how good it is; of the others, what they lack."""
    of = card.card
    about = str(of.get("what", of.get("about", of.get("model", ""))))
    size = words.short(card.parameters) if card.parameters else "–"
    if card.lacks:
        return {"name": card.name, "lacks": card.lacks, "parameters": size, "what": about}
    measured = reached(of.get("evaluation"))
    return {"name": card.name, "measured on mini-test": measured, "parameters": size, "what": about}


def reached(evaluation: object) -> str:
    """What its card says of its quality: accuracy of a policy, of a verifier how well it tells right from wrong."""
    if not isinstance(evaluation, dict):
        return "–"
    if "greedy" in evaluation:
        sampled, greedy = (100 * evaluation[key]["mean"] for key in ("pass@1", "greedy"))
        return f"{sampled:.0f} % right sampled, {greedy:.0f} % greedy"
    return f"AUC {evaluation['within_problem_auc']:.2f} inside a problem, {evaluation['step_auc']:.2f} of steps"


def table(title: str, cards: list[ModelCard], of: str) -> ModelCard | None:
    """Those that can be used, and the others folded away; the one whose line was chosen, by the address."""
    st.subheader(title)
    ready, lacking = ([card for card in cards if bool(card.lacks) is lacks] for lacks in (False, True))
    chosen = pick(ready, of, f"{of}_table") if ready else None
    if not ready:
        st.caption("None can be used yet.")
    if lacking:
        with st.expander(f"{len(lacking)} more that can be set up"):
            chosen = pick(lacking, of, f"{of}_lacking") or chosen
    return chosen


def pick(cards: list[ModelCard], of: str, key: str) -> ModelCard | None:
    """One table, what is long last; the one whose line was chosen."""
    widths = {"name": 190, "measured on mini-test": 250, "parameters": 80, "what": 640}
    config = {name: st.column_config.TextColumn(width=width) for name, width in widths.items()}
    known = {card.name: card for card in cards}
    chosen = lines.pick([row(card) for card in cards], list(known), of, key, column_config=config)
    return known[chosen] if chosen else None


def shown(card: ModelCard, policy: bool) -> None:
    """One model: what is known of it, and the checks of `doctor`."""
    with st.container(border=True, key=f"model-shown-{'policy' if policy else 'verifier'}"):
        st.text(f"{card.name}: {card.lacks or 'ready'}")
        if gate.button(
            "Examine", "doctor", key=f"examine_{card.name}", help="the checks of: python -m ttc_core doctor"
        ):
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
        "Tick a line for its card and to examine whether it works. The embedded family needs nothing. Other models are "
        "tables of models.toml in the data folder: a server's address, or vLLM in this program. Keys are never shown."
    )
    model = table("Models", list(known.models.values()), "model")
    if model:
        shown(model, policy=True)
    verifier = table("Verifiers", list(known.verifiers.values()), "verifier")
    if verifier:
        shown(verifier, policy=False)
