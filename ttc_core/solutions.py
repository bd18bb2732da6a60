"""Whole solutions side by side, and running another strategy on top of those there are.

A strategy that first samples a few solutions, to predict how hard the question is or hoping that they will do, hands
over to another one with `after`. What the other asks for again is there already and costs nothing twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Mapping, Sequence, Set
from dataclasses import replace
from random import Random
from typing import Any

from ttc_core import registry
from ttc_core.selection import SELECTS, candidates, choose
from ttc_core.types import (
    ROOT,
    Budget,
    Node,
    NodeId,
    Outcome,
    Parallel,
    Problem,
    Request,
    Sample,
    Sampled,
    Score,
    Search,
    child_id,
)

Found = list[Node | None]
"""Solutions by sample number from 0; None where sampling or scoring one failed."""


def solutions(first: int, n: int, *, scored: bool = True) -> Generator[list[Request], list[Any], Found]:
    """Sample the solutions number `first` to `first + n - 1`, each scored without waiting for the others."""
    [found] = yield [Parallel(tuple(_solution(first + i, scored) for i in range(n)))]
    return list(found)


def _solution(index: int, scored: bool) -> Generator[list[Request], list[Any], Node | None]:
    [sampled] = yield [Sample(ROOT, first=index, until="end")]
    if not scored or not sampled.nodes:
        return next(iter(sampled.nodes), None)
    [rated] = yield [Score((sampled.nodes[0].id,))]
    return next(iter(rated.nodes), None)


def after(
    found: Found,
    name: str,
    params: Mapping[str, Any],
    problem: Problem,
    budget: Budget,
    rng: Random,
    most: int | None = None,
) -> Search:
    """Run the strategy `name` when the solutions `found` are there, both together within `budget`.

    It is given the largest budget that what it does not ask for again of `found` leaves, and not more than `most`. Its
    own samples get ids of their own, so that it can follow any other strategy. Solutions that it does not know of vote
    with its own. A strategy that samples whole solutions alone, from the first on, some at a time, says `goes_on`.

    Raises:
        UnknownName, BadValue: no such strategy or parameters.
    """
    strategy = registry.build("strategy", name, params)
    done, n = len(found), budget.generations
    largest = n if most is None else min(n, most)
    for inner in range(largest, min(largest, n - done) - 1, -1):
        again = _asked_first(strategy.run(problem, Budget(inner), Random(0)), done)
        if getattr(strategy, "goes_on", False):  # it will ask for all of them
            again = set(range(min(done, inner)))
        if inner - len(again) <= n - done:
            break
    mark = _mark(name, params, inner if registry.not_extendable(strategy) else None)
    failed = {child_id(ROOT, i) for i, node in enumerate(found) if node is None}
    told: set[NodeId] = set()
    outcome: Outcome = yield from _apart(_knowing(strategy.run(problem, Budget(inner), rng), failed, told), mark)
    excluded = outcome.excluded + len(failed - told)
    every = again == set(range(min(done, inner)))  # who asks for all of them may take fewer
    voted = {candidate.node for candidate in outcome.candidates}
    others = [node for node in found[: 0 if every else done] if node is not None and node.id not in voted]
    if not others or getattr(strategy, "select", "") not in SELECTS:
        return replace(outcome, excluded=excluded)
    before = candidates(others, getattr(strategy, "aggregate", "last"))
    return choose([*before, *outcome.candidates], strategy.select, excluded)


def _asked_first(search: Search, done: int) -> set[int]:
    """Which of the first `done` solutions a search asks for before it waits; reading this of a pure search is free."""
    asked: set[int] = set()
    for request in next(search, []):
        if isinstance(request, Parallel):
            asked.update(*(_asked_first(part, done) for part in request.searches))
        elif isinstance(request, Sample) and _is_solution(request):
            asked.update(range(request.first, min(done, request.first + request.n)))
    search.close()
    return asked


def _is_solution(request: Sample) -> bool:
    return request == Sample(ROOT, request.n, request.first, "end")


def _mark(name: str, params: Mapping[str, Any], budget: int | None) -> str:
    """A branch that names the strategy and its settings; a node id has no room for all of them."""
    spelled = json.dumps([sorted(params.items()), budget])
    return f"{name}-{hashlib.blake2b(spelled.encode(), digest_size=2).hexdigest()}-"


def _apart(search: Generator[list[Request], list[Any], Any], mark: str) -> Generator[list[Request], list[Any], Any]:
    """The same search, all it samples below the branch `mark`, save whole solutions, which everybody shares."""
    replies: Any = None
    while True:
        try:
            requests = search.send(replies)
        except StopIteration as stop:
            return stop.value
        replies = yield [_marked(request, mark) for request in requests]


def _marked(request: Request, mark: str) -> Request:
    if isinstance(request, Parallel):
        return Parallel(tuple(_apart(search, mark) for search in request.searches))
    if not isinstance(request, Sample) or _is_solution(request) or f".{mark}" in request.node:
        return request
    return replace(request, branch=mark + request.branch)


def _knowing(
    search: Generator[list[Request], list[Any], Any], failed: Set[NodeId], told: set[NodeId]
) -> Generator[list[Request], list[Any], Any]:
    """The same search, for which solutions that `failed` before, if only to be scored, fail again.

    `told` collects those it asked for: it counts them itself.
    """
    replies: Any = None
    while True:
        try:
            requests = search.send(replies)
        except StopIteration as stop:
            return stop.value
        came = yield [
            Parallel(tuple(_knowing(part, failed, told) for part in request.searches))
            if isinstance(request, Parallel)
            else request
            for request in requests
        ]
        replies = [_without(failed, told, *pair) for pair in zip(requests, came, strict=True)]


def _without(failed: Set[NodeId], told: set[NodeId], request: Request, reply: Any) -> Any:
    """The reply to a request, without solutions that failed before."""
    if not isinstance(request, Sample) or not _is_solution(request):
        return reply
    told |= failed & {child_id(ROOT, request.first + i) for i in range(request.n)}
    nodes = tuple(node for node in reply.nodes if node.id not in failed)
    return Sampled(nodes, request.n - len(nodes))


def solved(found: Sequence[Node | None]) -> list[Node]:
    """The solutions that came, in order."""
    return [node for node in found if node is not None]
