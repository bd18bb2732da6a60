"""The traffic of one engine: what waits for a place in it, what it was asked, and how long it has answered nothing.

An engine that answers nothing for longer than its `deadline` is taken to hang, and whoever waits for it hears of it.
Only time in which it was looked at counts: a process that was suspended, or an engine beside it that computes for long,
makes no engine silent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ttc_core.errors import EngineSilent
from ttc_core.jobs import Engine, Evaluated, Generated, GenerateJob, Job
from ttc_core.search import SearchRun
from ttc_core.settings import settings

Receive = Callable[[Any], None]
GLANCE = 10.0  # seconds: two looks that lie further apart count as so far


@dataclass(eq=False)
class Active:
    """A search under way; `run` is None only while it is being made, `gone` once it has ended.

    share: what it asks may be answered by what another search was told; asked: sums of what it has asked, then.
    """

    id: str
    priority: int
    share: bool = False
    asked: set[bytes] = field(default_factory=set)
    run: SearchRun | None = None
    gone: bool = False


class Lane:
    """One engine's. awaited: searches by the ticket of what they wait for."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.awaited: dict[int, tuple[Active, Receive]] = {}
        self.deadline: float = getattr(engine, "deadline", settings().patience)
        self._queues: dict[tuple[int, bool], deque[tuple[Active, Job, Receive]]] = {}
        self._silent, self._looked, self._heard = 0.0, engine.now(), 0

    def put(self, search: Active, job: Job, receive: Receive) -> None:
        """Queue a job behind those of its priority and kind."""
        kind = (search.priority, isinstance(job, GenerateJob))
        if kind not in self._queues:
            self._queues = dict(sorted([*self._queues.items(), (kind, deque())]))
        self._queues[kind].append((search, job, receive))

    def take(self) -> list[Job]:
        """The jobs that the engine has places for, the most urgent first; those of searches gone are dropped."""
        jobs: list[Job] = []
        if not self.awaited:
            self._silent, self._looked = 0.0, self.engine.now()
        for (_, generating), queue in self._queues.items():
            places = self.engine.capacity * (1 if generating else 2)
            while queue and (queue[0][0].gone or len(self.awaited) < places):
                search, job, receive = queue.popleft()
                if not search.gone:
                    self.awaited[job.ticket] = (search, receive)
                    jobs.append(job)
        return jobs

    def poll(self, timeout: float) -> list[Generated | Evaluated]:
        """Let the engine work once; its replies. One with `EngineGone` stays awaited: its search is to end with others.

        Raises:
            EngineSilent: it was asked something and has answered nothing for longer than its deadline.
        """
        if not self.awaited:
            return []
        replies = self.engine.poll(timeout)
        now = self.engine.now()
        heard = getattr(self.engine, "heard", 0)
        self._silent = 0.0 if replies or heard != self._heard else self._silent + min(now - self._looked, GLANCE)
        self._looked, self._heard = now, heard
        if self._silent > self.deadline:
            raise EngineSilent(
                f"{self.engine.name} has answered nothing for {self._silent:.0f} s",
                hint="is it overloaded, or does it hang? deadline in models.toml, or TTC_PATIENCE, gives it longer",
            )
        return replies

    def searches(self) -> Iterator[Active]:
        """Those that wait for an answer of the engine, or for a place in it; one may come more than once."""
        waiting = list(self.awaited.values())  # copied at once: another thread may ask
        yield from (search for search, _ in waiting)
        for queue in list(self._queues.values()):
            yield from (search for search, *_ in list(queue) if not search.gone)

    def drop(self, search: Active) -> None:
        """Forget what the engine holds for a search; what is queued is dropped when its turn comes."""
        gone = {ticket for ticket, (owner, _) in self.awaited.items() if owner is search}
        for ticket in gone:
            del self.awaited[ticket]
        if gone:
            self.engine.cancel(gone)

    @property
    def queued(self) -> int:
        """Jobs not yet submitted, those of searches gone included."""
        return sum(map(len, self._queues.values()))
