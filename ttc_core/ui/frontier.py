"""The frontier of a study as one Plotly figure: curves, a panel for each bin, and a slider drawn by the browser alone.

Everything that the slider shows is in the figure: moving it asks nobody.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ttc_core.drawing.info import BLACK, OPTIMAL, Style, labelled, styles
from ttc_core.drawing.interactive import MARKERS, faint
from ttc_core.ui import words

INK = {False: BLACK, True: "#F2F2F2"}  # by whether the page is dark
AXES = {
    "generations": "generations of a problem",
    "tokens": "tokens of a problem, at most",
    "flops": "FLOPs of a problem, at most",
    "seconds": "seconds of a problem, at most",
}
HEIGHT, TOP = 660, 0.44


def figure(document: Mapping[str, Any], dark: bool = False) -> dict[str, Any]:
    """The frontier document (`ttc_core.analysis.documents.curves`) as a figure in Plotly's JSON."""
    methods = [name for name in document["curves"] if name != OPTIMAL]
    ink = INK[dark]
    style = styles(methods) | {OPTIMAL: Style(ink, "solid", "star")}
    traces = [t for name in (*methods, OPTIMAL) for t in _curve(document, name, style[name])]
    for b, of in enumerate(document["by_bin"]):
        traces += [_line(document["budgets"], of[m], m, style[m], f"{b + 2}", False) for m in methods]
    steps = [_step(document, i, ink) for i in range(len(document["budgets"]))]
    active = len(steps) - 1
    return {"data": traces, "layout": _layout(document, steps, active)}


def named(method: str) -> str:
    """A method's label as HTML."""
    return html.escape(labelled(method))


def _curve(document: Mapping[str, Any], name: str, style: Style) -> list[dict[str, Any]]:
    curve, budgets = document["curves"][name], document["budgets"]
    found = [_line(budgets, curve["mean"], name, style, "", True)]
    found[0]["customdata"] = [list(pair) for pair in zip(curve["low"], curve["high"], strict=True)]
    found[0]["hovertemplate"] = (
        f"{named(name)}<br>%{{y:.3f}} (%{{customdata[0]:.3f}} to %{{customdata[1]:.3f}})<extra></extra>"
    )
    ends = [x for x in zip(budgets, curve["low"], curve["high"], strict=True) if x[1] is not None]
    if name in (OPTIMAL, document["baseline"]) and ends:
        found.append(
            {
                "type": "scatter",
                "x": [x for x, _, _ in ends] + [x for x, _, _ in reversed(ends)],
                "y": [h for _, _, h in ends] + [low for _, low, _ in reversed(ends)],
                "fill": "toself",
                "fillcolor": faint(style.colour),
                "line": {"width": 0},
                "mode": "lines",
                "hoverinfo": "skip",
                "showlegend": False,
                "legendgroup": name,
            }
        )
    return found


def _line(
    x: Sequence[float], y: Sequence[float | None], name: str, style: Style, axis: str, entry: bool
) -> dict[str, Any]:
    colour, marker = style.colour, MARKERS.get(style.marker, style.marker)
    return {
        "type": "scatter",
        "x": list(x),
        "y": list(y),
        "mode": "lines+markers",
        "line": {"color": colour, "dash": style.dash, "width": 3 if name == OPTIMAL else 1.8},
        "marker": {"symbol": marker, "size": 8 if entry else 5, "color": colour},
        "name": named(name),
        "legendgroup": name,
        "showlegend": entry,
        "xaxis": f"x{axis}",
        "yaxis": f"y{axis}",
        "hovertemplate": f"{named(name)}<br>%{{y:.3f}}<extra></extra>",
    }


def _step(document: Mapping[str, Any], i: int, ink: str) -> dict[str, Any]:
    """What the slider changes at one budget: lines in all panels, what is chosen in each bin, the multiple."""
    budget, bins = document["budgets"][i], len(document["by_bin"])
    shapes = [
        {
            "type": "line",
            "x0": budget,
            "x1": budget,
            "y0": 0,
            "y1": 1,
            "xref": f"x{axis}",
            "yref": f"y{axis} domain",
            "line": {"color": ink, "width": 1, "dash": "dot"},
        }
        for axis in ("", *(str(b + 2) for b in range(bins)))
    ]
    above = [_words(_multiple(document, i), 0.0, 1.03, "left", 15)]
    for b in range(bins):
        first, last = _columns(bins)[b]
        title = f"bin {b + 1}" + {0: ", easiest", bins - 1: ", hardest"}.get(b, "")
        spent = document["spent"][i][b]
        less = "" if spent == budget else f" at {words.short(spent)}"
        chosen = _broken(named(document["policy"][i][b]) + less)
        text = f"{title} ({document['sizes'][b]} problems)<br><b>{chosen}</b>"
        above.append(_words(text, (first + last) / 2, TOP - 0.1, "center", 12))
    return {
        "method": "relayout",
        "label": words.short(budget),
        "args": [{"shapes": shapes, "annotations": above}],
    }


def _multiple(document: Mapping[str, Any], i: int) -> str:
    found = document["efficiency"].get(str(document["budgets"][i]))
    baseline, unit = named(document["baseline"]), document["axis"]
    at = f"At {words.short(document['budgets'][i])} {unit}"
    if found is None:
        return f"{at}: {baseline} was not run"
    interval = "" if found["low"] is None else f" ({found['low']:.2f} to {found['high']:.2f})"
    bound = f"{found['bound']} " if found["bound"] else ""
    return f"{at} efficiency is <b>{bound}{found['mean']:.2f}×</b>{interval} that of {baseline}"


def _words(text: str, x: float, y: float, anchor: str, size: int) -> dict[str, Any]:
    return {
        "text": text,
        "x": x,
        "y": y,
        "xref": "paper",
        "yref": "paper",
        "xanchor": anchor,
        "yanchor": "bottom",
        "align": anchor,
        "showarrow": False,
        "font": {"size": size},
    }


def _broken(text: str, most: int = 24) -> str:
    """Text on as many lines as a panel is wide."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) >= most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "<br>".join(lines)


def _layout(document: Mapping[str, Any], steps: list[dict[str, Any]], active: int) -> dict[str, Any]:
    bins, budgets = len(document["by_bin"]), document["budgets"]
    few = len(budgets) <= 12
    marks = {"tickvals": budgets, "ticktext": [words.short(b) for b in budgets]} if few else {"tickformat": "~s"}
    x = {"type": "log", "showgrid": False, "zeroline": False, "ticks": "outside", **marks}
    known = [v for c in document["curves"].values() for v in (*c["mean"], *c["low"], *c["high"]) if v is not None]
    wide = [math.floor(20 * min(known, default=0)) / 20, math.ceil(20 * max(known, default=1)) / 20]
    layout: dict[str, Any] = {
        "height": HEIGHT,
        "margin": {"l": 60, "r": 20, "t": 44, "b": 110},
        "hovermode": "closest",
        "legend": {"x": 1.01, "y": 1, "yanchor": "top"},
        "xaxis": {**x, "domain": [0, 1], "anchor": "y", "title": {"text": AXES[document["axis"]]}},
        "yaxis": {"domain": [TOP + 0.12, 1], "anchor": "x", "range": wide, "title": {"text": "accuracy"}},
        "sliders": [
            {
                "active": active,
                "steps": steps,
                "currentvalue": {"prefix": f"{document['axis']}: "},
                "pad": {"t": 46},
                "len": 1,
            }
        ],
        **steps[active]["args"][0],
    }
    sparse = {} if not few else {"tickvals": budgets[::2], "ticktext": [words.short(b) for b in budgets[::2]]}
    for b, domain in enumerate(_columns(bins)):
        anchor = {"anchor": f"y{b + 2}", "domain": domain}
        layout[f"xaxis{b + 2}"] = {**x, **sparse, **anchor}
        layout[f"yaxis{b + 2}"] = {
            "domain": [0, TOP - 0.12],
            "anchor": f"x{b + 2}",
            "range": [0, 1.02],
            "showticklabels": b == 0,
            **({"title": {"text": "accuracy"}} if b == 0 else {}),
        }
    return layout


def _columns(bins: int) -> list[list[float]]:
    """Where each bin's panel starts and ends."""
    gap = 0.02
    width = (1 - gap * (bins - 1)) / bins
    return [[b * (width + gap), b * (width + gap) + width] for b in range(bins)]
