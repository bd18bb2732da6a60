"""From many candidate solutions to one answer (Snell et al. 2024, section 3.1 and appendix)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from ttc_core.types import Candidate, Node, Outcome

Aggregate = Literal["last", "min", "prod", "mean"]
Select = Literal["weighted", "best", "majority"]
AGGREGATES: tuple[str, ...] = ("last", "min", "prod", "mean")
SELECTS: tuple[str, ...] = ("weighted", "best", "majority")


def aggregate(scores: Sequence[float], how: str = "last") -> float:
    """One score in [0, 1] for a solution from its step scores: "last" (the paper's choice), "min", "prod" or "mean".

    Raises:
        ValueError: no scores, or an unknown way.
    """
    if not scores:
        raise ValueError("a solution without step scores has no aggregate")
    if how == "last":
        return scores[-1]
    if how == "min":
        return min(scores)
    if how == "prod":
        return math.prod(scores)
    if how == "mean":
        return math.fsum(scores) / len(scores)
    raise ValueError(f"unknown aggregate {how!r}")


def candidates(nodes: Iterable[Node], how: str | None = "last") -> tuple[Candidate, ...]:
    """Complete nodes as candidates, in the order given; how=None leaves scores out (methods without a verifier)."""
    return tuple(
        Candidate(n.id, n.answer, None if how is None or not n.path_scores else aggregate(n.path_scores, how))
        for n in nodes
    )


def choose(found: Sequence[Candidate], how: str, excluded: int = 0) -> Outcome:
    """Choose among candidates in the order they were first seen.

    majority   the answer most candidates gave
    best       the answer of the highest-scored candidate
    weighted   the answer with the largest sum of scores over the candidates that gave it (best-of-N weighted)

    Ties: the first answer seen wins. Candidates without an answer take part in nothing; a candidate without a score
    takes part only in "majority". Each returned candidate carries its answer group's total as `weight`.

    Raises:
        ValueError: an unknown way of choosing.
    """
    if how not in SELECTS:
        raise ValueError(f"unknown selection {how!r}")
    weights: dict[str, list[float]] = {}
    for c in found:
        share = 1.0 if how == "majority" else c.score
        if c.answer is not None and share is not None:
            weights.setdefault(c.answer, []).append(share)
    merge = max if how == "best" else math.fsum
    totals = {answer: merge(shares) for answer, shares in weights.items()}
    answer = max(totals, key=totals.__getitem__) if totals else None  # max keeps the first of equals
    weighed = tuple(replace(c, weight=totals.get(c.answer, 0.0) if c.answer is not None else 0.0) for c in found)
    return Outcome(answer, _best_of(weighed, answer), weighed, excluded)


def _best_of(found: Sequence[Candidate], answer: str | None) -> str | None:
    """The node that stands for the chosen answer: its highest-scored candidate, the first of equals."""
    group = [c for c in found if answer is not None and c.answer == answer]
    if not group:
        return None
    return max(group, key=lambda c: -math.inf if c.score is None else c.score).node
