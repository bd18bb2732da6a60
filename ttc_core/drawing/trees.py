"""A search tree as a figure: depth to the right, leaves below each other, the way to the answer on top of the rest."""

from __future__ import annotations

from collections.abc import Sequence

from ttc_core.drawing.info import BLACK, COLOURS, GREY, Axis, Info, Panel, Series, Style
from ttc_core.types import ROOT, Node, NodeId

KINDS = {  # by state, in the order of the legend
    "kept": ("sampled further", Style(COLOURS[0], "solid", "circle")),
    "final": ("solution", Style(COLOURS[2], "solid", "square")),
    "open": ("undecided", Style(COLOURS[5], "solid", "diamond")),
    "pruned": ("pruned", Style(GREY, "dot", "down")),
    "failed": ("failed", Style(COLOURS[1], "solid", "cross")),
}
PALE = Style("#C4C4C4", "dot")
PLAIN = Style("#5A5A5A")


def tree(name: str, nodes: Sequence[Node], chosen: NodeId | None, about: str) -> Info:
    """The tree of a search.

    Arguments:
        name: of the figure.
        nodes: as recorded, without the root.
        chosen: the node whose answer was taken; None if there is none.
        about: what was searched, for the caption.
    """
    known = {node.id: node for node in nodes}
    x, y = _places(nodes)
    way = [node.id for node in way_to(nodes, chosen)]
    series = []
    for node in nodes:
        if node.parent in x:
            given_up = node.state in ("pruned", "failed") and node.id not in way
            ends = ([x[node.parent], x[node.id]], [y[node.parent], y[node.id]])
            series.append(Series("edge", *ends, PALE if given_up else PLAIN, kind="guide"))
    if chosen in known:
        path = [ROOT, *way]
        places = ([x[i] for i in path], [y[i] for i in path])
        series.append(Series("way to the answer", *places, Style(BLACK, "solid", "circle")))
    for state, (entry, style) in KINDS.items():
        of = [node.id for node in nodes if node.state == state and node.id not in way]
        if of:
            series.append(Series(entry, [x[i] for i in of], [y[i] for i in of], style, kind="points"))
    depths = list(range(int(max(x.values())) + 1))
    across = Axis("depth", ticks=depths, labels=[str(d) for d in depths], limits=(-0.3, depths[-1] + 0.3))
    lowest, highest = min(y.values()), max(y.values())
    blank = Axis("", ticks=[lowest - 0.8], labels=[""], limits=(lowest - 0.8, highest + 0.8))  # nothing to read off
    counted = [
        f"{sum(n.state == s for n in nodes)} {e}" for s, (e, _) in KINDS.items() if any(n.state == s for n in nodes)
    ]
    caption = f"Search tree of {about}: {len(nodes)} nodes, of these {', '.join(counted)}. Line: the way to the answer."
    return Info(name, [Panel("", across, blank, series)], caption)


def _places(nodes: Sequence[Node]) -> tuple[dict[NodeId, float], dict[NodeId, float]]:
    """Depth of every node and its place among the leaves: each leaf has a line of its own, a parent stands amid its."""
    below: dict[NodeId, list[NodeId]] = {ROOT: []}
    for node in nodes:
        below.setdefault(node.parent, []).append(node.id)
        below.setdefault(node.id, [])
    x, y, leaves = {ROOT: 0.0}, {}, 0
    order, waiting = [], [ROOT]
    while waiting:
        here = waiting.pop()
        order.append(here)
        for child in reversed(below[here]):
            x[child] = x[here] + 1
            waiting.append(child)
    for here in order:
        if not below[here]:
            y[here], leaves = float(-leaves), leaves + 1
    for here in reversed(order):
        if below[here]:
            y[here] = (y[below[here][0]] + y[below[here][-1]]) / 2
    return x, y


def way_to(nodes: Sequence[Node], chosen: NodeId | None) -> list[Node]:
    """The nodes from below the root to the chosen one; [] where there is none."""
    known = {node.id: node for node in nodes}
    way: list[Node] = []
    while chosen in known:
        way.insert(0, known[chosen])
        chosen = known[chosen].parent
    return way
