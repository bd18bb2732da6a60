"""The rendering for the page, by Plotly: the same panels, colours, dashes and markers, to hover over."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from ttc_core.drawing.bars import placed
from ttc_core.drawing.info import BLACK, Axis, Info, Panel, Series, plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HEIGHT = 340  # pixels of one row of panels
MARKERS = {"triangle": "triangle-up", "down": "triangle-down", "cross": "x"}  # what Plotly calls otherwise


def plotly(info: Info, ink: str = BLACK, height: int = HEIGHT) -> Figure:
    """The figure for Plotly. Names are text: what looks like markup in them is escaped.

    Arguments:
        ink: what black is drawn in, for dark pages.
        height: of one row of panels, in pixels.
    """
    from plotly.subplots import make_subplots

    columns = min(info.columns, len(info.panels))
    rows = -(-len(info.panels) // columns)
    figure = make_subplots(rows, columns, subplot_titles=[html.escape(p.title) for p in info.panels])
    seen: set[str] = set()
    for i, panel in enumerate(info.panels):
        row, column = i // columns + 1, i % columns + 1
        for trace in [t for series in panel.series for t in _traces(series, panel, seen, ink)]:
            figure.add_trace(trace, row, column)
        for note in panel.notes:
            figure.add_annotation(x=note.x, y=note.y, text=html.escape(note.text), showarrow=False, xanchor="left",
                                  row=row, col=column)  # fmt: skip
        bare = {"showticklabels": False, "ticks": ""} if panel.bare else {}
        figure.update_xaxes(**_axis(panel.x), **bare, row=row, col=column)
        figure.update_yaxes(**_axis(panel.y), **bare, row=row, col=column)
    figure.update_layout(
        template="simple_white",
        height=height * rows,
        barmode="overlay",
        margin={"l": 10, "r": 10, "t": 30, "b": 88},  # below the axis its name, below that the legend
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0},
    )
    return figure


def _traces(series: Series, panel: Panel, seen: set[str], ink: str) -> list[Any]:
    import plotly.graph_objects as go

    entry = series.entry or series.name
    shown = series.kind != "guide" and entry not in seen
    if series.kind != "guide":
        seen.add(entry)
    colour = ink if series.style.colour == BLACK else series.style.colour
    name = html.escape(series.name)
    group = {"legendgroup": entry, "showlegend": shown, "name": html.escape(entry) if shown else name}
    if series.kind in ("bar", "stack"):
        [bars] = [b for b in placed(panel.series) if b.series is series]
        where = [panel.x.labels[int(x)] for x, y in zip(series.x, series.y, strict=True) if y is not None]
        return [
            go.Bar(
                x=bars.x, y=bars.height, base=bars.bottom, width=bars.width, marker_color=colour, customdata=where,
                hovertemplate=f"{name}, %{{customdata}}: %{{y:.3g}}<extra></extra>", **group,
            )
        ]  # fmt: skip
    marks = {"symbol": MARKERS.get(series.style.marker, series.style.marker), "size": 7}
    line = {"color": colour, "dash": series.style.dash, "width": 1 if series.kind == "guide" else 2}
    mode = {"points": "markers", "guide": "lines"}.get(series.kind, "lines+markers")
    found = [
        go.Scatter(
            x=list(series.x), y=list(series.y), mode=mode, line=line, marker=marks | {"color": colour},
            hovertemplate=f"{name}, %{{x:.4g}}: %{{y:.3f}}<extra></extra>", **group,
        )
    ]  # fmt: skip
    if series.low and any(low is not None for low in series.low):
        ends = zip(series.x, series.low, series.high, strict=True)
        known = [(x, low, high) for x, low, high in ends if low is not None and high is not None]
        xs = [x for x, _, _ in known]
        found.append(
            go.Scatter(
                x=[*xs, *reversed(xs)], y=[*(h for _, _, h in known), *(low for _, low, _ in reversed(known))],
                fill="toself", fillcolor=faint(colour), line_width=0, mode="lines", hoverinfo="skip",
                showlegend=False, legendgroup=entry,
            )
        )  # fmt: skip
    return found


def _axis(axis: Axis) -> dict[str, Any]:
    import math

    chosen: dict[str, Any] = {"title_text": html.escape(axis.label)}
    if axis.log:
        chosen["type"] = "log"
    if axis.ticks:
        labels = [html.escape(label) for label in axis.labels] or [plain(t) for t in axis.ticks]
        chosen |= {"tickvals": list(axis.ticks), "ticktext": labels, "minor_ticks": ""}
    if axis.limits is not None:
        chosen["range"] = [math.log10(v) if v is not None and axis.log else v for v in axis.limits]
    return chosen


def faint(colour: str) -> str:
    """The colour of a band."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.13)"
