"""Runs many searches at once over shared engines.

Each turn (`step`) starts what waits and lets each engine work once; a search whose replies have come goes on at once,
and what it asks for next is handed out before the next engine works. No search waits for another: a batch is whatever
is ready, so that policy and verifier alternate and a slow step holds up only its own search. Results do not depend on
any of this, because seeds come from the nodes' ids and engines are batch-invariant.

An engine holds as many generations as it has places and, beside them, as many evaluations: these are short, they are
what searches wait for, and they go first. Everything else waits here, where a better priority overtakes it.
"""

from __future__ import annotations

import functools
import itertools
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ttc_core import grading
from ttc_core.backend import Backend, Watched
from ttc_core.errors import EngineGone, EngineSilent, StrategyFault
from ttc_core.jobs import Job
from ttc_core.lanes import Active, Lane, Receive
from ttc_core.scoring import Send
from ttc_core.search import SearchRun
from ttc_core.shared import Shared
from ttc_core.types import NO_USAGE, Node, Outcome, Problem, RunSpec, Strategy, Usage

log = logging.getLogger("ttc.worker")


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


LOADING_SECONDS = 4 * 3600.0  # a model may take to be loaded, its weights fetched before
Event = Recorded | Progress | Finished | Failed


@dataclass(frozen=True, eq=False)
class _Waiting:
    """A search that has not been started yet."""

    spec: RunSpec
    problem: Problem
    strategy: Strategy
    recorded: tuple[Node, ...]
    usage: Usage
    share: bool


class Scheduler:
    """Interleaves searches. At most `max_active` of one priority or better are under way; the others wait for a place.

    A search of a better priority therefore starts at once beside a running study of any size, and memory stays bounded.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        max_active: int = 256,
        read_answer: Callable[[str], str | None] | None = None,
    ) -> None:
        self._backend = Watched(backend)
        self._max_active = max_active
        self._read_answer = read_answer  # in place of the one that each search names
        self._lanes: dict[str, Lane] = {}
        self._active: dict[str, Active] = {}
        self._waiting: dict[int, dict[str, _Waiting]] = {}  # by priority, then in order of arrival
        self._touched: dict[str, None] = {}
        self._tickets = itertools.count()
        self._shared = Shared()
        self._asking: Lane | None = None  # whose engine is called now
        self.moved = 0.0  # when a reply was last taken in, on the machine's monotonic clock

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
        share: bool = False,
    ) -> None:
        """Queue a search. `recorded` and `usage` are what an earlier part of the same search left; priority 0 is served
        before 1. share: take a reply that another such search had to the same job, at the tokens it cost there.

        Raises:
            StrategyFault: a search of this id is under way.
        """
        if search_id in self._active or any(search_id in waiting for waiting in self._waiting.values()):
            raise StrategyFault(f"search {search_id!r} is under way already")
        if priority not in self._waiting:
            self._waiting = dict(sorted([*self._waiting.items(), (priority, {})]))
        self._waiting[priority][search_id] = _Waiting(spec, problem, strategy, tuple(recorded), usage, share)

    def cancel(self, search_id: str) -> None:
        """Forget a search: nothing more is generated for it and no event comes. Unknown ids are ignored."""
        for waiting in self._waiting.values():
            waiting.pop(search_id, None)
        search = self._active.pop(search_id, None)
        if search is not None:
            search.gone = True
            if search.run is not None:
                search.run.close()
            for lane in self._lanes.values():
                lane.drop(search)

    @property
    def idle(self) -> bool:
        """Nothing is under way or waiting."""
        return not self._active and not any(self._waiting.values())

    def stuck(self) -> tuple[str, float, set[str]] | None:
        """The engine that is called now, the seconds it may take, the searches that wait for it; None between calls.

        For another thread, when this one does not come back.
        """
        if model := self._backend.loading:
            return (f"loading {model}", LOADING_SECONDS, set(self._active))
        lane = self._asking
        if lane is None:
            return None
        return (lane.engine.name, lane.deadline, {search.id for search in lane.searches()})

    def backlog(self, model: str) -> int:
        """How many jobs for a model's engine wait here for a place in it."""
        return self._lanes[model].queued if model in self._lanes else 0

    def step(self, timeout: float = 0.05) -> list[Event]:
        """One turn; waits at most `timeout` seconds where engines work elsewhere. Returns events in order."""
        events = self._start_waiting()
        self._go_on(events)
        came = [self._receive(lane, 0.0, events) for lane in [*self._lanes.values()]]
        if came and not any(came):  # nothing was ready: now the engines may take their time
            for lane in [*self._lanes.values()]:
                self._receive(lane, timeout / len(came), events)
        return events

    def _start_waiting(self) -> list[Event]:
        events: list[Event] = []
        for priority, waiting in self._waiting.items():
            while waiting and sum(s.priority <= priority for s in self._active.values()) < self._max_active:
                search_id = next(iter(waiting))
                w = waiting.pop(search_id)
                search = Active(search_id, priority, w.share)
                try:
                    search.run = SearchRun(
                        w.spec,
                        w.problem,
                        w.strategy,
                        self._backend,
                        self._read_answer or functools.partial(grading.read, grader=w.spec.grader),
                        self._sender(search),
                        w.recorded,
                        w.usage,
                    )
                except Exception as error:  # a model that cannot be loaded ends this search, not the others
                    events.append(Failed(search_id, error, w.usage))
                    continue
                self._active[search_id] = search
                self._touched[search_id] = None
        return events

    def _go_on(self, events: list[Event]) -> None:
        """Let every search whose replies have come go on, and hand out what they ask for."""
        for search_id in self._touched:
            search = self._active.get(search_id)
            if search is not None and search.run is not None:
                events += self._advance(search_id, search.run)
        self._touched.clear()
        for lane in self._lanes.values():
            jobs = lane.take()
            if jobs:
                self._asking = lane
                try:
                    lane.engine.submit(jobs)
                finally:
                    self._asking = None

    def _advance(self, search_id: str, run: SearchRun) -> list[Event]:
        run.advance()
        ended = run.outcome is not None or run.error is not None
        nodes = run.tree.settle() if run.outcome is not None else run.tree.changed()
        events: list[Event] = [Recorded(search_id, node) for node in nodes]
        if not ended:
            return [*events, Progress(search_id, run.usage)] if events else []
        self.cancel(search_id)
        if run.outcome is not None:
            return [*events, Finished(search_id, run.outcome, run.usage)]
        return [*events, Failed(search_id, run.error or StrategyFault("ended without an outcome"), run.usage)]

    # --- engines -----------------------------------------------------------------------------------------------------

    def _sender(self, search: Active) -> Send:
        def send(model: str, make: Callable[..., Job], arguments: tuple[Any, ...], receive: Receive) -> None:
            lane = self._lanes.get(model)
            if lane is None:
                lane = self._lanes[model] = Lane(self._backend.engine(model))
            job = make(next(self._tickets), *arguments)
            awaiting = self._shared.ask(model, job, receive, search.asked) if search.share else receive
            if awaiting is not None:
                lane.put(search, job, awaiting)

        return send

    def _receive(self, lane: Lane, timeout: float, events: list[Event]) -> bool:
        """Let an engine work once and its searches go on; whether anything came."""
        self._asking = lane
        try:
            replies = lane.poll(timeout)
        except EngineSilent as error:
            self._fail(lane, error)
            self._go_on(events)
            return True
        finally:
            self._asking = None
        gone = next((reply.error for reply in replies if isinstance(reply.error, EngineGone)), None)
        for reply in replies:
            if isinstance(reply.error, EngineGone):
                continue
            self.moved = time.monotonic()  # taking one in may take long: its answer may be read by a grader
            awaited = lane.awaited.pop(reply.ticket, None)
            if awaited is not None:
                search, receive = awaited
                self._touched[search.id] = None
                try:
                    receive(reply)
                except Exception as error:  # a fault in one strategy or verifier ends that search, not the others
                    if search.run is not None:
                        search.run.error = error
        if gone is not None:  # what came besides is kept
            self._fail(lane, gone)
            self._lanes = {model: other for model, other in self._lanes.items() if other is not lane}
            if not getattr(lane.engine, "gone", False):
                lane.engine.cancel(set(lane.awaited))
        if replies:
            self._go_on(events)
        return bool(replies)

    def _fail(self, lane: Lane, error: EngineSilent) -> None:
        """End all searches that wait for this engine: what they asked next it would not answer either."""
        log.error("%s", error)
        for search in lane.searches():
            self._touched[search.id] = None
            if search.run is not None:
                search.run.error = error
