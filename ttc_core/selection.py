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

    Ties: of equal scores the first candidate wins, of equal totals the answer seen first. Candidates without an answer
    take part in nothing; a candidate without a score takes part only in "majority". Each returned candidate carries its
    answer group's total as `weight`.

    Raises:
        ValueError: an unknown way of choosing.
    """
    if how not in SELECTS:
        raise ValueError(f"unknown selection {how!r}")
    answered = [(c.answer, 1.0 if how == "majority" else c.score) for c in found if c.answer is not None]
    shares = [(answer, share) for answer, share in answered if share is not None]
    weights: dict[str, list[float]] = {}
    for answer, share in shares:
        weights.setdefault(answer, []).append(share)
    merge = max if how == "best" else math.fsum
    totals = {answer: merge(each) for answer, each in weights.items()}
    ranks = [share if how == "best" else totals[answer] for answer, share in shares]
    chosen = shares[ranks.index(max(ranks))][0] if shares else None  # the first of equals
    weighed = tuple(replace(c, weight=totals.get(c.answer, 0.0) if c.answer is not None else 0.0) for c in found)
    return Outcome(chosen, _best_of(weighed, chosen), weighed, excluded)


def _best_of(found: Sequence[Candidate], answer: str | None) -> str | None:
    """The node that stands for the chosen answer: its highest-scored candidate, the first of equals."""
    group = [c for c in found if answer is not None and c.answer == answer]
    if not group:
        return None
    return max(group, key=lambda c: -math.inf if c.score is None else c.score).node
