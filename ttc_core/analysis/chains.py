"""The chains of attempts in a recorded search."""

from __future__ import annotations

from collections.abc import Iterable

from ttc_core.types import ROOT, Node, NodeId


def paths(nodes: Iterable[Node]) -> list[list[Node]]:
    """The chains of a run: every way from a first attempt to one that nobody revised, in the order of their ids.

    Chains that fork off another one (a tree of answers) begin with the attempts that they share with it. A search that
    goes step by step has none.
    """
    known = {node.id: node for node in nodes}
    if any(node.finish == "step" for node in known.values()):
        return []
    revised = {node.parent for node in known.values()}
    last = [node for node in known.values() if node.id not in revised]
    return [_way(node, known) for node in sorted(last, key=lambda node: _order(node.id))]


def _order(node: NodeId) -> list[int]:
    return [int(part) for part in node.split(".")[1:]]


def _way(node: Node, known: dict[NodeId, Node]) -> list[Node]:
    way = [node]
    while way[0].parent != ROOT and way[0].parent in known:
        way.insert(0, known[way[0].parent])
    return way
