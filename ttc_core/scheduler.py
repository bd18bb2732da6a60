"""Runs many searches at once over shared engines.

Each turn (`step`) lets every search whose replies have come go on, fills the engines' batches from all searches
together, lets each engine work once, and returns what happened. No search waits for another: a batch is whatever is
ready, so that policy and verifier alternate and a slow step holds up only its own search. Results do not depend on
any of this, because seeds come from the nodes' ids and engines are batch-invariant.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ttc_core import grading
from ttc_core.backend import Backend
from ttc_core.errors import StrategyFault
from ttc_core.search import SearchRun
from ttc_core.types import NO_USAGE, EvaluateJob, GenerateJob, Node, Outcome, Problem, RunSpec, Strategy, Usage


@dataclass(frozen=True, slots=True)
class Recorded:
    """A node is new or has changed; the latest event for an id holds."""

    search_id: str
    node: Node


@dataclass(frozen=True, slots=True)
class Progress:
    """What the search has cost so far; comes with every turn that recorded something."""

    search_id: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class Finished:
    """The search has returned."""

    search_id: str
    outcome: Outcome
    usage: Usage


@dataclass(frozen=True, slots=True)
class Failed:
    """The search could not go on; what it recorded stands."""

    search_id: str
    error: Exception
    usage: Usage


Event = Recorded | Progress | Finished | Failed


@dataclass(frozen=True)
class _Waiting:
    """A search that has not been started yet."""

    spec: RunSpec
    problem: Problem
    strategy: Strategy
    recorded: tuple[Node, ...]
    usage: Usage
    priority: int


@dataclass
class _Lane:
    """The traffic of one engine: jobs not yet submitted, by priority and age, and replies awaited by ticket."""

    engine: Any
    queue: list[tuple[int, int, str, Callable[[int], GenerateJob | EvaluateJob], Callable[[Any], None]]] = field(
        default_factory=list
    )
    awaited: dict[int, tuple[str, Callable[[Any], None]]] = field(default_factory=dict)


def _read_answer(text: str) -> str | None:
    """The canonical final answer of a solution's text, None when it gives none."""
    found = grading.extract(text)
    return None if found is None else grading.canonical(found)


class Scheduler:
    """Interleaves searches. At most `max_active` are under way; the others wait in order of priority and arrival."""

    def __init__(
        self,
        backend: Backend,
        *,
        max_active: int = 256,
        read_answer: Callable[[str], str | None] = _read_answer,
    ) -> None:
        self._backend = backend
        self._max_active = max_active
        self._read_answer = read_answer
        self._lanes: dict[str, _Lane] = {}
        self._active: dict[str, SearchRun] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._touched: dict[str, None] = {}
        self._tickets = itertools.count()

    def add(
        self,
        search_id: str,
        spec: RunSpec,
        problem: Problem,
        strategy: Strategy,
        recorded: Iterable[Node] = (),
        *,
        usage: Usage = NO_USAGE,
        priority: int = 0,
    ) -> None:
        """Queue a search. `recorded` and `usage` are what an earlier part of the same search left; priority 0 is served
        before 1.

        Raises:
            StrategyFault: a search of this id is under way.
        """
        if search_id in self._active or search_id in self._waiting:
            raise StrategyFault(f"search {search_id!r} is under way already")
        self._waiting[search_id] = _Waiting(spec, problem, strategy, tuple(recorded), usage, priority)

    def cancel(self, search_id: str) -> None:
        """Forget a search: nothing more is generated for it and no event comes. Unknown ids are ignored."""
        self._waiting.pop(search_id, None)
        run = self._active.pop(search_id, None)
        if run is not None:
            run.close()
            self._drop_jobs(search_id)

    @property
    def idle(self) -> bool:
        """Nothing is under way or waiting."""
        return not self._active and not self._waiting

    def step(self, timeout: float = 0.05) -> list[Event]:
        """One turn; waits at most `timeout` seconds where engines work elsewhere. Returns events in order."""
        events = self._start_waiting()
        self._submit()
        for lane in [*self._lanes.values()]:
            if lane.awaited:
                self._receive(lane, timeout)
        for search_id in [*self._touched]:
            del self._touched[search_id]
            if search_id in self._active:
                events += self._advance(search_id)
        self._submit()
        return events

    def _start_waiting(self) -> list[Event]:
        events: list[Event] = []
        while self._waiting and len(self._active) < self._max_active:
            search_id = min(self._waiting, key=lambda s: self._waiting[s].priority)  # first of equals: by arrival
            w = self._waiting.pop(search_id)
            send = self._sender(search_id, w.priority)
            try:
                self._active[search_id] = SearchRun(
                    w.spec, w.problem, w.strategy, self._backend, self._read_answer, send, w.recorded, w.usage
                )
                self._touched[search_id] = None
            except Exception as error:  # a model that cannot be loaded ends this search, not the others
                events.append(Failed(search_id, error, w.usage))
        return events

    def _advance(self, search_id: str) -> list[Event]:
        run = self._active[search_id]
        run.advance()
        ended = run.outcome is not None or run.error is not None
        nodes = run.tree.settle() if run.outcome is not None else run.tree.changed()
        events: list[Event] = [Recorded(search_id, node) for node in nodes]
        if not ended:
            return [*events, Progress(search_id, run.usage)] if events else []
        usage = run.usage
        outcome, error = run.outcome, run.error
        self.cancel(search_id)
        if outcome is not None:
            return [*events, Finished(search_id, outcome, usage)]
        return [*events, Failed(search_id, error or StrategyFault("ended without an outcome"), usage)]

    # --- engines -----------------------------------------------------------------------------------------------------

    def _sender(self, search_id: str, priority: int) -> Callable[..., None]:
        def send(model: str, job: Callable[[int], GenerateJob | EvaluateJob], receive: Callable[[Any], None]) -> None:
            lane = self._lanes.get(model)
            if lane is None:
                lane = self._lanes[model] = _Lane(self._backend.engine(model))
            heapq.heappush(lane.queue, (priority, next(self._tickets), search_id, job, receive))

        return send

    def _submit(self) -> None:
        """Fill every engine up to twice its capacity; the rest waits here, where priority can still overtake it."""
        for lane in self._lanes.values():
            jobs: list[Any] = []
            while lane.queue and len(lane.awaited) < 2 * lane.engine.capacity:
                _, ticket, search_id, job, receive = heapq.heappop(lane.queue)
                lane.awaited[ticket] = (search_id, receive)
                jobs.append(job(ticket))
            if jobs:
                lane.engine.submit(jobs)

    def _receive(self, lane: _Lane, timeout: float) -> None:
        for reply in lane.engine.poll(timeout):
            awaited = lane.awaited.pop(reply.ticket, None)
            if awaited is not None:
                search_id, receive = awaited
                self._touched[search_id] = None
                try:
                    receive(reply)
                except Exception as error:  # a fault in one strategy or verifier ends that search, not the others
                    self._active[search_id].error = error

    def _drop_jobs(self, search_id: str) -> None:
        for lane in self._lanes.values():
            lane.queue = [entry for entry in lane.queue if entry[2] != search_id]
            heapq.heapify(lane.queue)
            gone = {ticket for ticket, (owner, _) in lane.awaited.items() if owner == search_id}
            for ticket in gone:
                del lane.awaited[ticket]
            if gone:
                lane.engine.cancel(gone)
