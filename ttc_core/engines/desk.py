"""Between a scheduler that polls and coroutines on an event loop in another thread: jobs over, replies back."""

from __future__ import annotations

import asyncio
import queue
import time

from ttc_core.errors import EngineFault, TTCError
from ttc_core.jobs import Evaluated, Generated, GenerateJob, Job

Reply = Generated | Evaluated


class Desk:
    """What engines that answer on an event loop have in common.

    Each job is a task of its own on `loop`: what is finished goes back while others are still worked on.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._open: set[int] = set()  # tickets whose replies are wanted
        self._tasks: dict[int, asyncio.Task[None]] = {}  # touched on the loop alone
        self._ready: queue.SimpleQueue[Reply] = queue.SimpleQueue()

    def submit(self, jobs: list[Job]) -> None:
        """Queue jobs; as `Engine.submit`."""
        self._open.update(job.ticket for job in jobs)
        self._loop.call_soon_threadsafe(self._start, jobs)

    def poll(self, timeout: float = 0.0) -> list[Reply]:
        """The replies that are there; waits at most `timeout` seconds for a first one."""
        came: list[Reply] = []
        try:
            came.append(self._ready.get(timeout=timeout) if timeout > 0 else self._ready.get_nowait())
            while True:
                came.append(self._ready.get_nowait())
        except queue.Empty:
            wanted = [reply for reply in came if reply.ticket in self._open]
            self._open.difference_update(reply.ticket for reply in wanted)
            return wanted

    def cancel(self, tickets: set[int]) -> None:
        """Forget these jobs and stop working on them."""
        self._open -= tickets
        self._loop.call_soon_threadsafe(self._stop, tickets)

    def now(self) -> float:
        """Seconds of the machine's monotonic clock."""
        return time.monotonic()

    async def _answer(self, job: Job) -> Reply:
        """What the engine replies to a job; an error it raises becomes the reply's."""
        raise NotImplementedError

    def _start(self, jobs: list[Job]) -> None:
        for job in jobs:
            self._tasks[job.ticket] = self._loop.create_task(self._work(job))

    def _stop(self, tickets: set[int]) -> None:
        for ticket in tickets & self._tasks.keys():
            self._tasks[ticket].cancel()

    async def _work(self, job: Job) -> None:
        make = Generated if isinstance(job, GenerateJob) else Evaluated
        try:
            reply = await self._answer(job)
        except TTCError as error:
            reply = make(job.ticket, error=error)
        except Exception as error:  # whoever waits must hear of it
            reply = make(job.ticket, error=EngineFault(f"no answer: {error!r}"))
        finally:
            self._tasks.pop(job.ticket, None)
        self._ready.put(reply)
