"""From recorded nodes to what the canvas tree draws: display rows, deltas, and which revision a browser has.

A recorded node may hold several reasoning steps (a best-of-N sample is a whole solution). It is drawn as a chain of
steps; the last step keeps the node's id, so that children, candidates and permalinks mean the same thing on both
sides, and the earlier ones are called ``r.3#1``, ``r.3#2``, ...
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ttc_core.types import Node, Outcome

Row = tuple[str, str, str, float | None, str, str, str | None, float | None, int, str, str, int, int]
KEEP = 2  # a payload repeats the changes of the one before it, which Streamlit may have merged away unsent


def steps_of(node: Node) -> list[str]:
    """The texts of the reasoning steps in a node, in order; [text] where they cannot be told apart.

    Depends on nothing that changes after the node was recorded, so a step keeps its display id for ever.
    """
    if node.steps <= 1:
        return [node.text]
    for delimiter in ("\n", "\n\n"):
        parts = [part for part in node.text.split(delimiter) if part.strip()]
        if len(parts) == node.steps:
            return parts
    return [node.text]


def explode(node: Node) -> list[Row]:
    """The display rows of one recorded node, first step first."""
    texts = steps_of(node)
    aligned = len(node.scores) == len(texts)
    rows: list[Row] = []
    parent = node.parent
    for number, text in enumerate(texts, start=1):
        last = number == len(texts)
        shown = node.id if last else f"{node.id}#{number}"
        score = node.scores[number - 1] if aligned else (node.score if last else None)
        state = node.state if last or node.state not in ("final", "failed") else "kept"
        rows.append(
            (
                shown,
                parent,
                text,
                _finite(score),
                state,
                node.why,
                node.answer if last else None,
                _finite(node.logprob) if last else None,
                len(node.tokens) if last else 0,
                node.finish if last else "step",
                node.id,
                number,
                len(texts),
            )
        )
        parent = shown
    return rows


def rows(nodes: Iterable[Node]) -> list[Row]:
    """Display rows of many nodes, every parent before its children."""
    ordered = sorted(nodes, key=lambda node: (node.id.count("."), node.id))
    return [row for node in ordered for row in explode(node)]


def display_id(wanted: str, known: Iterable[str]) -> str | None:
    """The id from a permalink if it can be shown: a node's id or one of its steps; None otherwise."""
    return wanted if wanted.split("#")[0] in set(known) | {"r"} else None


def outcome_json(outcome: Outcome | None) -> dict[str, Any] | None:
    """What the answers panel needs of an outcome."""
    if outcome is None:
        return None
    return {
        "answer": outcome.answer,
        "chosen": outcome.chosen,
        "candidates": [[c.node, c.answer, _finite(c.score), _finite(c.weight) or 0.0] for c in outcome.candidates],
        "excluded": outcome.excluded,
    }


def _finite(value: float | None) -> float | None:
    """None for what JSON cannot carry (NaN, infinities)."""
    return value if value is not None and abs(value) < float("inf") else None


@dataclass
class Feed:
    """What one browser session has been sent of one run, and hence what to send next.

    A payload brings a browser that has everything up to its `base` up to its `rev`. A browser that has less (a message
    was lost, the component was mounted anew) asks for a resync, and `reset` makes the next payload start from nothing.
    """

    run: str
    sent: list[int] = field(default_factory=list)

    def since(self) -> int:
        """The revision to read changes from: that of the payload before the last, so that payloads overlap."""
        return self.sent[-KEEP] if len(self.sent) >= KEEP else 0

    def reset(self) -> None:
        """Start from nothing next time."""
        self.sent.clear()

    def payload(self, nodes: Sequence[Node], revision: int, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The component's data for the nodes changed after `since()`. facts: what else it shows, JSON values."""
        content = {"run": self.run, "base": self.since(), "rev": revision, "rows": rows(nodes), **facts}
        self.sent = [*self.sent, revision][-KEEP:]
        return content
