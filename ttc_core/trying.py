"""Whether a strategy asks for scores, tried without a model before anything is stored or sampled."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from ttc_core.types import Budget, Node, Parallel, Problem, Request, Sample, Sampled, Score, Search, Strategy, child_id

TURNS = 64  # of a search that are looked at
MOST = 4  # generations


class _Asked(Exception):
    """It wants a score."""


def scores(strategy: Strategy, problem: Problem, budget: int) -> bool:
    """Whether its first turns ask for a score where every solution gives the same answer.

    One that would do so later alone, when answers differ, is not found out.
    """
    try:
        _ended(strategy.run(problem, Budget(min(budget, MOST)), Random(0)))
    except _Asked:
        return True
    except Exception:  # of a strategy that cannot use what is made up here: its search will say what is wrong
        return False
    return False


def _ended(search: Search) -> Any:
    """What a search comes to; None where it goes on for long."""
    replies: list[Any] | None = None
    for _ in range(TURNS):
        try:
            requests = search.send(replies)  # type: ignore[arg-type]
        except StopIteration as stop:
            return stop.value
        replies = [_reply(request) for request in requests]
    return None


def _reply(request: Request) -> Any:
    if isinstance(request, Score):
        raise _Asked
    if isinstance(request, Parallel):
        return [_ended(search) for search in request.searches]
    return Sampled(tuple(_made_up(request))) if isinstance(request, Sample) else None


def _made_up(request: Sample) -> Iterator[Node]:
    ended = request.until == "end" or bool(request.attempts or request.ask)
    for i in range(request.n):
        name = child_id(request.node, request.first + i, request.branch)
        yield Node(name, request.node, "1\n", "end" if ended else "step", answer="1" if ended else None)
