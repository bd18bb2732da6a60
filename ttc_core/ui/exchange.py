"""The exchange as a component: tables of both models shipped once, drawn by the browser wherever its sliders are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from ttc_core.drawing.info import bin_name, by_bin
from ttc_core.ui.component import ASSETS, script

M_RANGE, R_RANGE = (1.0, 100.0), (0.01, 100.0)  # as assets/exchange/30_page.js has them
NIGHT = ("#9B7FD4", "#6C8EDB", "#35B5AB", "#7AD151", "#E4DA3C")  # viridis, its dark end lifted for dark pages


def payload(
    standings: Mapping[str, Any],
    small: str,
    large: str | None,
    times: float | None,
    ratios: Sequence[float],
    dark: bool,
) -> dict[str, Any]:
    """Data of `draw` but for M and R.

    Arguments:
        standings: the document of `analysis.documents.standings`.
        small, large: names; None where the study has no larger model.
        times: how many times larger the larger one is.
        ratios: R to jump to.
    """
    number = len(standings["bins"])
    bins = []
    for b, of in enumerate(standings["bins"]):
        style = by_bin(b, number)
        colour = NIGHT[round(b * (len(NIGHT) - 1) / max(1, number - 1))] if dark else style.colour
        name = bin_name(b, number)
        bins.append({**of, "number": b, "name": name, "colour": colour, "dash": style.dash, "marker": style.marker})
    shown = {"small": small, "large": large or "no larger model", "times": times, "ratios": list(ratios)}
    return {"budgets": standings["budgets"], "grid": standings["grid"], "bins": bins, **shown}


def place(text: str | None, default: float, ends: tuple[float, float]) -> float:
    """Where a slider stands, in the digits of an address; what is no number there, or out of range, is as nothing."""
    default = float(f"{default:g}")
    try:
        value = float(text or "")
    except ValueError:
        return default
    return value if math.isfinite(value) and ends[0] <= value <= ends[1] else default


_exchange = st.components.v2.component(
    "ttc_exchange",
    html="""
<div class="outer"><div class="exchange">
  <div class="sliders">
    <div class="M"><label><b>M</b><span class="what">how many times larger the other model is</span><output></output>
      </label><input type="range" min="0" max="1000" aria-label="M, how many times larger"><div class="presets"></div>
    </div>
    <div class="R"><label><b>R</b><span class="what">inference tokens for each token of pretraining</span>
      <output></output></label><input type="range" min="0" max="1000" aria-label="R, inference for pretraining">
      <div class="presets"></div>
    </div>
  </div>
  <p class="budget" aria-live="polite">For the same FLOPs the small model may spend <b></b> generations:
    <span class="how"></span></p><p class="note"></p>
  <div class="both"><div class="chart"></div><div class="table"><table></table></div></div>
</div></div>
""",
    css=(ASSETS / "exchange.css").read_text(encoding="utf-8"),
    js=script("exchange"),
)


def draw(data: Mapping[str, Any], *, key: str, on_left: Callable[[float, float], None]) -> None:
    """Draw the exchange of pretraining for inference, with sliders for M and R that the browser follows alone.

    data: what `payload` made, with M and R; on_left: called with M and R where a slider is let go.
    """

    def left() -> None:
        value = st.session_state[key].left
        if value:
            on_left(float(value[0]), float(value[1]))

    _exchange(key=key, data=dict(data), on_left_change=left, height="content")
