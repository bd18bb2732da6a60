"""A search tree as a figure: depth downwards, leaves side by side, and beside it the way to the answer in words."""

from __future__ import annotations

from collections.abc import Sequence

from ttc_core.drawing.info import BLACK, COLOURS, GREY, Axis, Info, Note, Panel, Series, Style
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
SHARE, LEAF, LEAST = 0.45, 0.025, 0.15  # of the width: what the tree has at most, with each leaf, and at least
SHORT, WIDE = 24, 0.6  # letters of a step; what the tree has at most where all steps on the way are no longer


def tree(name: str, nodes: Sequence[Node], chosen: NodeId | None, about: str) -> Info:
    """The tree of a search.

    Arguments:
        name: of the figure.
        nodes: as recorded, without the root.
        chosen: the node whose answer was taken; None if there is none.
        about: what was searched, for the caption.
    """
    x, y = _places(nodes)
    way = way_to(nodes, chosen)
    on_way = {node.id for node in way}
    given_up = {node.id for node in nodes if node.state in ("pruned", "failed")} - on_way
    series = []
    for style in (PALE, PLAIN):
        below = [node for node in nodes if node.parent in x and (node.id in given_up) == (style is PALE)]
        across = [place for node in below for place in (x[node.parent], x[node.id], x[node.id])]
        down = [place for node in below for place in (y[node.parent], y[node.id], None)]
        if below:
            series.append(Series("edges", across, down, style, kind="guide"))
    if way:
        path = [ROOT, *(node.id for node in way)]
        places = ([x[i] for i in path], [y[i] for i in path])
        series.append(Series("way to the answer", *places, Style(BLACK, "solid", "circle")))
    for state, (entry, style) in KINDS.items():
        of = [node.id for node in nodes if node.state == state and node.id not in on_way]
        if of:
            series.append(Series(entry, [x[i] for i in of], [y[i] for i in of], style, kind="points"))
    wide = leaves(nodes) / share(nodes, chosen)
    axes = Axis("", limits=(-1.0, wide)), Axis("", limits=(min(y.values()) - 0.6, 0.6))
    notes = [Note(leaves(nodes) + 0.02 * wide, y[node.id], step(node)) for node in way]
    counted = [
        f"{sum(n.state == s for n in nodes)} {e}" for s, (e, _) in KINDS.items() if any(n.state == s for n in nodes)
    ]
    caption = f"Search tree of {about}: {len(nodes)} nodes, of these {', '.join(counted)}. " + (
        "Line: the way to the answer, whose steps stand beside it with their scores." if way else "No answer was taken."
    )
    return Info(name, [Panel("", *axes, series, bare=True, notes=notes)], caption)


def step(node: Node) -> str:
    """A step in words: its score, and its lines."""
    text = "; ".join(" ".join(line.split()) for line in node.text.splitlines() if line.strip())
    return text if node.score is None else f"{node.score:.2f} | {text}"


def share(nodes: Sequence[Node], chosen: NodeId | None) -> float:
    """The share of the width that the tree has beside its words."""
    short = all(len(step(node)) <= SHORT for node in way_to(nodes, chosen))
    return min(WIDE if short else SHARE, LEAST + LEAF * (leaves(nodes) - 1))


def leaves(nodes: Sequence[Node]) -> int:
    """Nodes with none below them."""
    parents = {node.parent for node in nodes}
    return max(1, sum(node.id not in parents for node in nodes))


def _places(nodes: Sequence[Node]) -> tuple[dict[NodeId, float], dict[NodeId, float]]:
    """Where each node is: its place among the leaves, of which each has one, a parent amid its; and minus its depth."""
    below: dict[NodeId, list[NodeId]] = {ROOT: []}
    for node in nodes:
        below.setdefault(node.parent, []).append(node.id)
        below.setdefault(node.id, [])
    x: dict[NodeId, float] = {}
    y: dict[NodeId, float] = {ROOT: 0.0}
    order, waiting = [], [ROOT]
    while waiting:
        here = waiting.pop()
        order.append(here)
        for child in reversed(below[here]):
            y[child] = y[here] - 1
            waiting.append(child)
    ends = [here for here in order if not below[here]]
    x |= {here: float(place) for place, here in enumerate(ends)}
    for here in reversed(order):
        if below[here]:
            x[here] = (x[below[here][0]] + x[below[here][-1]]) / 2
    return x, y


def way_to(nodes: Sequence[Node], chosen: NodeId | None) -> list[Node]:
    """The nodes from below the root to the chosen one; [] where there is none."""
    known = {node.id: node for node in nodes}
    way: list[Node] = []
    while chosen in known:
        way.insert(0, known[chosen])
        chosen = known[chosen].parent
    return way
