"""A chain of attempts as a figure: a box each, in which the steps that the revision changed are marked."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from ttc_core.drawing.info import COLOURS, GREY, Axis, Info, Note, Panel, Series, Style
from ttc_core.types import Node, NodeId

MOST = 8  # attempts drawn: the first ones, and the one taken
BESIDE = 4  # boxes beside each other, where there is room
MARKS = {False: ("step as before", Style(GREY, "solid", "circle")),
         True: ("step that the revision changed", Style(COLOURS[1], "solid", "diamond"))}  # fmt: skip


def chain(name: str, way: Sequence[Node], right: Sequence[bool | None], chosen: NodeId | None, about: str) -> Info:
    """The attempts of one chain.

    Arguments:
        name: of the figure.
        way: the attempts in their order, at least one.
        right: (L) whether each one's answer is right; None where that is not known.
        chosen: the attempt whose answer was taken, of this chain or another one.
        about: what was searched, for the caption.
    """
    taken = [i for i, node in enumerate(way) if node.id == chosen]
    shown = (
        sorted({*range(min(len(way), MOST - 1)), *(taken or [len(way) - 1])}) if len(way) > MOST else range(len(way))
    )
    longest = max(len(steps(node)) for node in (way[i] for i in shown))
    panels = [
        _box(_titled(i + 1, way[i], right[i], i in taken), way[i], way[i - 1] if i else None, longest) for i in shown
    ]
    count = f"{len(panels)} of {len(way)} attempts" if len(panels) < len(way) else f"{len(way)} attempts"
    caption = (
        f"Chain of {about}: {count}, each written in sight of those before it; above it are its answer, whether "
        "that is right, and the verifier's score. Diamonds: steps that differ from the attempt before."
    )
    return Info(name, panels, caption, columns=min(BESIDE, len(panels)))


def steps(node: Node) -> list[str]:
    """The lines of an attempt that say something."""
    return [" ".join(line.split()) for line in node.text.splitlines() if line.strip()] or [node.why or "no text"]


def changed(before: Sequence[str], after: Sequence[str]) -> list[bool]:
    """(len(after)) whether each step is new."""
    same = [False] * len(after)
    for block in difflib.SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks():
        same[block.b : block.b + block.size] = [True] * block.size
    return [not kept for kept in same]


def _titled(number: int, node: Node, right: bool | None, taken: bool) -> str:
    """What stands above a box."""
    verdict = {True: "right", False: "wrong", None: ""}[right]
    said = ["no answer" if node.answer is None else node.answer, verdict]
    said += [f"{node.score:.2f}"] if node.score is not None else []
    return f"{number}: {', '.join(filter(None, said))}" + (" (taken)" if taken else "")


def _box(title: str, node: Node, before: Node | None, rows: int) -> Panel:
    """rows: steps that there is room for."""
    lines = steps(node)
    new = [] if before is None else changed(steps(before), lines)
    series = []
    for state, (entry, style) in MARKS.items():
        of = [-float(i) for i, one in enumerate(new) if one == state]
        if of:
            series.append(Series(entry, [0.0] * len(of), of, style, kind="points"))
    notes = [Note(0.06, -float(i), line) for i, line in enumerate(lines)]
    return Panel(title, Axis("", limits=(-0.06, 1.0)), Axis("", limits=(0.5 - rows, 0.5)), series, True, notes)
