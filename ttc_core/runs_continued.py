"""Where a search can go on from: the steps from the question to a node, with the last one as somebody rewrote it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ttc_core.errors import BadValue, UnknownName
from ttc_core.tree import steps_of
from ttc_core.types import ROOT, Node


def steps_to(nodes: Iterable[Node], step: str, prefix: Sequence[str] = ()) -> tuple[str, ...]:
    """The texts of the steps from the question to a step, it included; joined: the solution so far.

    step: a node's id, or ``r.3#2``: the second step of a node that holds several; prefix: what the search began with.

    Raises:
        UnknownName: no such step.
    """
    known = {node.id: node for node in nodes}
    node_id, _, number = step.partition("#")
    found = known.get(node_id)
    if found is None:
        raise UnknownName(f"the search has no step {step!r}", hint="`show RUN_ID` lists them")
    texts = _texts(found, prefix)
    if number:
        if not number.isdecimal() or not 1 <= int(number) <= len(texts):
            raise UnknownName(f"node {node_id!r} has no step {number!r}", hint=f"it has {len(texts)}")
        texts = texts[: int(number)]
    above: Node | None = known.get(found.parent)
    while above is not None and not above.complete:  # below a complete node begins another attempt
        texts = [*_texts(above, prefix), *texts]
        above = known.get(above.parent)
    return tuple(texts)


def _texts(node: Node, prefix: Sequence[str]) -> list[str]:
    return list(prefix) if node.id == ROOT else steps_of(node)


def rewritten(steps: tuple[str, ...], text: str) -> tuple[str, ...]:
    """The steps with another text in place of the last one, which may hold several; they end as steps there end.

    Raises:
        BadValue: the text is empty.
    """
    if not text.strip():
        raise BadValue("the step is empty", hint="write what it shall say, or go on from the step before it")
    ends = [step[len(step.rstrip("\n")) :] for step in reversed(steps)]
    end = next(filter(None, ends), "\n")
    return (*steps[:-1], *(f"{part.strip()}{end}" for part in text.split(end) if part.strip()))
