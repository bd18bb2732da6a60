"""The tree of one search: nodes by id, and what has already been recorded of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from ttc_core.errors import StrategyFault
from ttc_core.jobs import Segment
from ttc_core.types import GIVEN, ROOT, Node, NodeId, State


class Tree:
    """Nodes of one search.

    `recorded` nodes come from an earlier part of the same search (before a crash, or at a smaller budget). They answer
    an equal request instead of sampling again; their state is worked out anew, because a larger search may keep what
    a smaller one pruned. `changed` hands out every node that differs from what is recorded, once.

    prefix: the steps that every solution begins with. They are the text of a node at the root, so that contexts, depths
    and scores take them in like any step; without them there is no node at the root.
    """

    def __init__(self, recorded: Iterable[Node] = (), prefix: Sequence[str] = ()) -> None:
        self._stored = {node.id: node for node in recorded}
        self.nodes: dict[NodeId, Node] = {}
        self._depth: dict[NodeId, int] = {ROOT: 0}
        self._dirty: dict[NodeId, None] = {}
        self._segments: dict[NodeId, tuple[Segment, ...]] = {}
        if prefix:
            given = Node(ROOT, "", "".join(prefix), "step", steps=len(prefix), state="kept", spec=GIVEN)
            self.add(evolve(self._stored.get(ROOT, given), state="kept", why=""))

    def recall(self, node_id: NodeId, spec: str) -> Node | None:
        """The recorded node of this id, brought into the search; None when it has to be sampled.

        Raises:
            StrategyFault: the id was sampled before in another way (other length or temperature).
        """
        node = self.nodes.get(node_id) or self._stored.get(node_id)
        if node is None:
            return None
        if node.spec != spec:
            raise StrategyFault(f"node {node_id} was sampled as {node.spec!r} and is asked for as {spec!r}")
        if node_id not in self.nodes:
            self._enter(_fresh(node))
        return self.nodes[node_id]

    def add(self, node: Node) -> None:
        """Take in a newly sampled node."""
        self._enter(node)
        self._dirty[node.id] = None

    def change(self, node_id: NodeId, **fields: object) -> Node:
        """Replace fields of a node."""
        node = self.nodes[node_id] = evolve(self.nodes[node_id], **fields)
        self._dirty[node_id] = None
        return node

    def keep(self, node_id: NodeId) -> None:
        """Note that the node is sampled further."""
        if node_id != ROOT and self.nodes[node_id].state == "open":
            self.change(node_id, state="kept", why="")

    def depth(self, node_id: NodeId) -> int:
        """Reasoning steps of the node's solution through the node; 0 at the root and where a revision would start.

        Raises:
            StrategyFault: there is no such node in this search.
        """
        if node_id not in self._depth:
            raise StrategyFault(f"there is no node {node_id!r} in this search")
        node = self.nodes.get(node_id)
        return 0 if node is not None and node.complete else self._depth[node_id]

    def parent(self, node: Node) -> Node | None:
        """The node whose solution this one continues; None when it is the first of its solution."""
        above = self.nodes.get(node.parent)
        return None if above is None or above.complete else above

    def path(self, node_id: NodeId) -> list[Node]:
        """The nodes of the solution through this one, the first step first; [] at the root."""
        path = []
        node = self.nodes.get(node_id)
        while node is not None:
            path.append(node)
            node = self.parent(node)
        return path[::-1]

    def text(self, node_id: NodeId) -> str:
        """The solution so far, as text."""
        return "".join(node.text for node in self.path(node_id))

    def attempts(self, node_id: NodeId, most: int, critiques: bool = False) -> tuple[str, ...]:
        """The texts of the latest `most` attempts of a revision chain, the one ending in `node_id` last.

        With `critiques` these count as attempts, else they are passed over.
        """
        texts: list[str] = []
        while node_id in self.nodes and len(texts) < most:
            path = self.path(node_id)
            if critiques or not is_critique(path[-1]):
                texts.append("".join(node.text for node in path))
            node_id = path[0].parent
        return tuple(reversed(texts))

    def revised(self, node_id: NodeId) -> NodeId:
        """The node below which the solution through this one begins: what it revises, or the root."""
        return self.path(node_id)[0].parent

    def segments(self, node_id: NodeId, tokenizer: str) -> tuple[Segment, ...]:
        """The path as context for an engine; token ids belong to `tokenizer`."""
        if node_id in self._segments:  # all continuations of a node share one tuple
            return self._segments[node_id]
        above: tuple[Segment, ...] = ()
        for node in self.path(node_id):
            if node.id not in self._segments:
                self._segments[node.id] = (*above, self.segment(node, tokenizer))
            above = self._segments[node.id]
        return above

    def segment(self, node: Node, tokenizer: str) -> Segment:
        """The node alone as a piece of context."""
        return Segment(node.text, node.tokens, tokenizer if node.tokens else "")

    def changed(self) -> list[Node]:
        """Nodes that differ from what was last handed out or recorded; they count as recorded from now on."""
        fresh = [self.nodes[node_id] for node_id in self._dirty if self._differs(node_id)]
        self._dirty.clear()
        self._stored.update((node.id, node) for node in fresh)
        return fresh

    def settle(self) -> list[Node]:
        """At the end of the search: all remaining differences, and what a larger search left behind."""
        self._dirty.update(dict.fromkeys(self.nodes))
        for node in [*self._stored.values()]:
            if node.id not in self.nodes and node.state in ("open", "kept"):
                self._enter(evolve(node, state="pruned", why="not part of the search at this budget"))
                self._dirty[node.id] = None
        return self.changed()

    def _differs(self, node_id: NodeId) -> bool:
        node, stored = self.nodes[node_id], self._stored.get(node_id)
        return stored is not node and stored != node

    def _enter(self, node: Node) -> None:
        self.nodes[node.id] = node
        above = self.parent(node)
        self._depth[node.id] = (self._depth[above.id] if above else 0) + max(1, node.steps)


def steps_of(node: Node) -> list[str]:
    """The texts of the reasoning steps in a node, in order, delimiters included; [text] where nobody can tell them.

    Depends on nothing that changes after the node was recorded.
    """
    for delimiter in ("\n", "\n\n") if node.steps > 1 else ():
        parts: list[str] = []
        for piece in re.split(f"(?<={delimiter})(?!{delimiter[0]})", node.text):
            if parts and not (piece.strip() and parts[-1].strip()):
                parts[-1] += piece
            elif piece:
                parts.append(piece)
        if len(parts) == node.steps:
            return parts
    return [node.text]


def _fresh(node: Node) -> Node:
    """The node as it was right after sampling and scoring, before any decision about it."""
    state: State = "failed" if node.state == "failed" else initial_state(node)
    return evolve(node, state=state, why=node.why if state == "failed" else "")


def is_critique(node: Node) -> bool:
    """It is no solution but says what is wrong with the one above it, and has no answer."""
    return ":critique" in node.spec


def initial_state(node: Node) -> State:
    """The state of a node about which nothing has been decided."""
    if is_critique(node) and node.finish == "end":
        return "kept"  # it is no solution that could be chosen
    return {"step": "open", "end": "final", "length": "failed", "error": "failed"}[node.finish]  # type: ignore[return-value]


_NAMES = tuple(field.name for field in fields(Node))
_PLACES = {name: place for place, name in enumerate(_NAMES)}
_values = attrgetter(*_NAMES)


def evolve(node: Node, **changes: Any) -> Node:
    """`dataclasses.replace` for nodes, at half its cost: a search changes every node several times."""
    values = list(_values(node))
    for name, value in changes.items():
        values[_PLACES[name]] = value
    return Node(*values)
