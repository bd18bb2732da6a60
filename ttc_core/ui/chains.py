"""From recorded attempts to chains side by side: what each revision changed, and what became of the answer."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

from ttc_core import grading
from ttc_core.analysis.chains import paths
from ttc_core.runs_views import RunView
from ttc_core.types import Node, NodeId

LONGEST = 4000  # words of two attempts together up to which they are compared word by word; above, line by line
SHOWN = 64  # chains drawn
KEPT, ADDED, REMOVED = "same", "added", "removed"


def difference(before: str, after: str) -> list[tuple[str, str]]:
    """What was kept, removed and added from one text to the next, in reading order; joined without the removed: after.

    Words are compared; lines where the texts are so long that this would take long.
    """
    pattern = r"\s+|\w+|[^\w\s]"
    old, new = re.findall(pattern, before), re.findall(pattern, after)
    if len(old) + len(new) > LONGEST:
        old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    found: list[tuple[str, str]] = []
    for what, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what == "equal":
            found.append((KEPT, "".join(new[c:d])))
            continue
        found += [(REMOVED, "".join(old[a:b]))] if b > a else []
        found += [(ADDED, "".join(new[c:d]))] if d > c else []
    return found


def right(view: RunView, answer: str | None) -> bool | None:
    """Whether an attempt's answer is right; None where nobody can say."""
    if view.outcome is not None and answer == view.outcome.answer and view.correct is not None:
        return view.correct
    return grading.grade(answer, view.spec.answer, view.spec.grader)


def turn(before: bool | None, now: bool | None) -> str:
    """What a revision did to the answer, in words; "" where it is not known."""
    if before is None or now is None:
        return ""
    names = {True: "right", False: "wrong"}
    return f"{names[before]} → {names[now]}"


def columns(view: RunView, nodes: Sequence[Node]) -> list[dict[str, Any]]:
    """One JSON value a chain: its attempts with text differences, answers, scores, and which one was chosen."""
    found: list[dict[str, Any]] = []
    seen: dict[NodeId, int] = {}
    candidates = {c.node: c for c in view.outcome.candidates} if view.outcome else {}
    for number, way in shown(view, paths(nodes)):
        shared = sum(node.id in seen for node in way)
        origin = f"goes on from attempt {shared} of chain {seen[way[shared - 1].id]}" if shared else ""
        attempts = []
        for place, node in enumerate(way[shared:], start=shared):
            before = way[place - 1] if place else None
            seen[node.id] = number
            candidate = candidates.get(node.id)
            now = right(view, node.answer)
            attempts.append(
                {
                    "id": node.id,
                    "number": place + 1,
                    "text": difference(before.text, node.text) if before else [(KEPT, node.text)],
                    "answer": node.answer,
                    "right": now,
                    "turn": turn(right(view, before.answer), now) if before else "",
                    "score": node.score if node.score is not None and abs(node.score) < float("inf") else None,
                    "weight": candidate.weight if candidate else None,
                    "chosen": view.outcome is not None and view.outcome.chosen == node.id,
                    "note": node.why or ("" if node.finish == "end" else f"ended early: {node.finish}"),
                }
            )
        chosen = any(one["chosen"] for one in attempts)
        found.append({"title": f"Chain {number}", "origin": origin, "chosen": chosen, "attempts": attempts})
    return found


def shown(view: RunView, ways: Sequence[list[Node]]) -> list[tuple[int, list[Node]]]:
    """The chains that are drawn, with their numbers: the first ones, and the one that holds the chosen attempt."""
    numbered = list(enumerate(ways, start=1))
    chosen = view.outcome.chosen if view.outcome else None
    late = [one for one in numbered[SHOWN:] if any(node.id == chosen for node in one[1])]
    return [*numbered[: SHOWN - len(late[:1])], *late[:1]]


def counts(view: RunView, nodes: Sequence[Node]) -> dict[str, int]:
    """How many revisions turned a wrong answer right, a right one wrong, and kept either, each revision once."""
    revisions = {(way[i - 1].id, way[i].id): way[i - 1 : i + 1] for way in paths(nodes) for i in range(1, len(way))}
    turns = [turn(right(view, a.answer), right(view, b.answer)) for a, b in revisions.values()]
    return {what: turns.count(what) for what in ("wrong → right", "right → wrong", "right → right", "wrong → wrong")}
