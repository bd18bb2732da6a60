"""The frontier of one study or several as a component: tables shipped once, drawn by the browser at any budget.

A method has one colour and marker in all studies; several studies are told apart by the dash of their lines.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from ttc_core.drawing.info import BLACK, DASHES, OPTIMAL, labelled, styles
from ttc_core.ui import session
from ttc_core.ui.component import ASSETS, script

INK = {False: BLACK, True: "#F2F2F2"}  # by whether the page is dark
AXES = {
    "generations": "generations of a problem",
    "tokens": "tokens of a problem, at most",
    "flops": "FLOPs of a problem, at most",
    "seconds": "seconds of a problem, at most",
}
MOST = len(DASHES)  # studies in one chart


def payload(documents: Mapping[str, Mapping[str, Any]], axis: str) -> dict[str, Any]:
    """Data of `draw` but for the place.

    Arguments:
        documents: by study: that of `analysis.documents.curves` with "rows" from `analysis.compared.table` and "of",
            what it is about in words.
    """
    methods = list(dict.fromkeys(name for of in documents.values() for name in _methods(of)))
    known = styles(methods)
    looks = {name: {**vars(known[name]), "label": labelled(name)} for name in methods}
    limits = sorted({budget for of in documents.values() for budget in of["budgets"]})
    studies = [_study(name, of, DASHES[i % MOST]) for i, (name, of) in enumerate(documents.items())]
    return {"axis": axis, "unit": AXES[axis], "budgets": limits, "methods": looks, "studies": studies}


def _methods(document: Mapping[str, Any]) -> list[str]:
    return [name for name in document["curves"] if name != OPTIMAL]


def _study(name: str, of: Mapping[str, Any], dash: str) -> dict[str, Any]:
    same = {key: of[key] for key in ("budgets", "baseline", "sizes", "policy", "spent", "rows", "of")}
    return {
        **same,
        "name": name,
        "dash": dash,
        "methods": _methods(of),
        "optimal": _triples(of["curves"][OPTIMAL]),
        "gain": _triples(of["gain"]),
        "efficiency": [of["efficiency"].get(str(budget)) for budget in of["budgets"]],
    }


def _triples(curve: Mapping[str, Sequence[float | None]]) -> list[list[float | None] | None]:
    """[mean, low, high] at each budget, None where there is no mean."""
    ends = zip(curve["mean"], curve["low"], curve["high"], strict=True)
    return [None if mean is None else [mean, low, high] for mean, low, high in ends]


def place(data: Mapping[str, Any], default: float) -> dict[str, Any]:
    """What the address says of slider, bin, hidden methods and the point whose problems are listed.

    What is not there, or is not in `data`, is as if nothing were said. default: of the slider.
    """
    keys = [f"{study['name']}/{method}" for study in data["studies"] for method in study["methods"]]
    bins = max(len(study["sizes"]) for study in data["studies"])
    bin = session.linked("bin") or ""
    point = session.linked("problems")
    off = [key for key in st.query_params.get_all("off") if key in keys or key.endswith(f"/{OPTIMAL}")]
    return {
        "at": _number(session.linked("at"), default, data["budgets"][0]),
        "bin": int(bin) - 1 if bin.isascii() and bin.isdigit() and 1 <= int(bin) <= bins else None,
        "point": point if point in keys else "",
        "off": off,
    }


def _number(text: str | None, default: float, least: float) -> float:
    try:
        value = float(text or "")
    except ValueError:
        return default
    return value if math.isfinite(value) and value >= least * (1 - 1e-9) else default


def elsewhere() -> None:
    """Take the budget out of the address: on another axis its number says nothing."""
    st.query_params.pop("at", None)


def keep(place: Mapping[str, Any]) -> None:
    """Put what the component was left with into the address."""
    bin = place["bin"]
    wanted = {"at": str(place["at"]), "bin": "" if bin is None else str(bin + 1), "problems": place["point"]}
    for name, value in {**wanted, "off": list(place["off"])}.items():
        if value:
            st.query_params[name] = value
        elif name in st.query_params:
            del st.query_params[name]
    if "page" in st.query_params:
        del st.query_params["page"]


_frontier = st.components.v2.component(
    "ttc_frontier",
    html="""
<div class="outer"><div class="frontier">
  <div class="limit"><label><output></output><span class="what"></span></label>
    <input type="range" min="0" step="1" aria-label="budget"></div>
  <div class="headlines" aria-live="polite"></div>
  <div class="both"><div><div class="scope"></div><div class="whole chart"></div></div>
    <div class="table"><table></table></div></div>
  <div class="bins"></div>
  <div class="tip" role="tooltip" hidden></div>
</div></div>
""",
    css=(ASSETS / "frontier.css").read_text(encoding="utf-8"),
    js=script("frontier"),
)


def draw(data: Mapping[str, Any], *, key: str, on_left: Callable[[Mapping[str, Any]], None]) -> None:
    """Draw the frontier with its slider, which the browser follows alone, and the table of methods at its budget.

    data: of `payload`, with "place"; on_left: called with the new place where the slider is let go, a point or a bin is
    chosen, or a method hidden.
    """

    def left() -> None:
        value = st.session_state[key].left
        if value:
            on_left(value)

    _frontier(key=key, data=dict(data), on_left_change=left, height="content")
