"""Where the solutions of a search go wrong, for problems whose steps can be checked (`datasets.mini_steps`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ttc_core.datasets.mini_steps import check_lines
from ttc_core.tree import steps_of
from ttc_core.types import ROOT, Node, NodeId


def first_wrong(problem: Mapping[str, Any], nodes: Iterable[Node], prefix: Sequence[str] = ()) -> list[str]:
    """The steps that are the first wrong one of their solution: a node's id, or ``r.3#2`` for the second step in it.

    problem: a record with `graph` and `answer`; nodes: in any order; prefix: the steps that the search began with,
    ``r#1``, ``r#2``, ... Equal ones of different solutions all count.
    """
    above: dict[NodeId, list[str] | None] = {ROOT: []}  # lines of the solution so far; None once one of them is wrong
    found: list[str] = []
    for node in sorted(nodes, key=lambda node: node.id.count(".")):
        given = node.id == ROOT
        lines = [] if given else above.get(node.parent, [])
        texts = list(prefix) if given else steps_of(node)
        for number, text in enumerate(texts, start=1):
            if lines is None:
                break
            lines = [*lines, *(line for line in text.split("\n") if line.strip())]
            if not all(check_lines(problem, lines)):
                found.append(f"{node.id}#{number}" if given or number < len(texts) else node.id)
                lines = None
        above[node.id] = [] if node.complete else lines  # below a complete node begins another solution
    return found
