"""From recorded nodes to what the canvas tree draws: display rows, deltas, and which revision a browser has.

A recorded node may hold several reasoning steps (a best-of-N sample is a whole solution). It is drawn as a chain of
steps; the last step keeps the node's id, so that children, candidates and permalinks mean the same thing on both
sides, and the earlier ones are called ``r.3#1``, ``r.3#2``, ... The steps that a search was given stand between the
question ``r`` and its first samples, as ``r#1``, ``r#2``, ...
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ttc_core import grading
from ttc_core.tree import steps_of
from ttc_core.types import GIVEN, ROOT, Node, Outcome, RunSpec

Row = tuple[str, str, str, float | None, str, str, str | None, float | None, int, str, str, int, int]
KEEP = 2  # a payload repeats the changes of the one before it, which Streamlit may have merged away unsent


def explode(node: Node, prefix: Sequence[str] = ()) -> list[Row]:
    """The display rows of one recorded node, first step first; prefix: the steps that the search began with."""
    given = node.id == ROOT
    texts = list(prefix) if given else steps_of(node)
    aligned = len(node.scores) == len(texts)
    rows: list[Row] = []
    parent = ROOT if given else f"{ROOT}#{len(prefix)}" if prefix and node.parent == ROOT else node.parent
    for number, text in enumerate(texts, start=1):
        last = number == len(texts)
        shown = node.id if last and not given else f"{node.id}#{number}"
        score = node.scores[number - 1] if aligned else (node.score if last else None)
        state = node.state if last or node.state not in ("final", "failed") else "kept"
        rows.append(
            (
                shown,
                parent,
                text,
                _finite(score),
                GIVEN if given else state,
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


def rows(nodes: Iterable[Node], prefix: Sequence[str] = ()) -> list[Row]:
    """Display rows of many nodes, every parent before its children."""
    ordered = sorted(nodes, key=lambda node: (node.id.count("."), node.id))
    return [row for node in ordered for row in explode(node, prefix)]


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
    right: set[str] = field(default_factory=set)

    def since(self) -> int:
        """The revision to read changes from: that of the payload before the last, so that payloads overlap."""
        return self.sent[-KEEP] if len(self.sent) >= KEEP else 0

    def reset(self) -> None:
        """Start from nothing next time."""
        self.sent.clear()

    def rights(self, nodes: Sequence[Node], spec: RunSpec) -> list[str]:
        """The right ones of all answers that the search has given so far, these changed nodes included."""
        given = {node.answer for node in nodes if node.answer is not None} - self.right
        self.right |= {answer for answer in given if grading.grade(answer, spec.answer, spec.grader)}
        return sorted(self.right)

    def payload(
        self, nodes: Sequence[Node], revision: int, facts: Mapping[str, Any], prefix: Sequence[str] = ()
    ) -> dict[str, Any]:
        """The component's data for the nodes changed after `since()`.

        facts: what else it shows, JSON values; prefix: the steps that the search began with.
        """
        content = {"run": self.run, "base": self.since(), "rev": revision, "rows": rows(nodes, prefix), **facts}
        self.sent = [*self.sent, revision][-KEEP:]
        return content
