"""Several servers of one model: which is asked next."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

REST = 1.0  # seconds that a server is left alone after it could not be reached; doubled each time, at most LONGEST
LONGEST = 60.0


@dataclass
class Endpoint:
    """One server: requests under way, failures in a row, and until when it is left alone (seconds of the clock)."""

    url: str
    busy: int = 0
    failures: int = 0
    until: float = 0.0


class Pool:
    """The least busy healthy server with a free place; where none is healthy, the one that is so soonest."""

    def __init__(self, urls: Sequence[str], connections: int, now: Callable[[], float]) -> None:
        self.endpoints = [Endpoint(url) for url in urls]
        self._connections, self._now = connections, now
        self._freed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def place(self) -> AsyncIterator[Endpoint]:
        """A place at a server, waited for if all are taken."""
        async with self._freed:
            await self._freed.wait_for(lambda: any(e.busy < self._connections for e in self.endpoints))
            chosen = self._choose()
            chosen.busy += 1
        try:
            yield chosen
        finally:
            chosen.busy -= 1
            async with self._freed:
                self._freed.notify()

    def well(self, endpoint: Endpoint) -> None:
        """It answered."""
        endpoint.failures, endpoint.until = 0, 0.0

    def ill(self, endpoint: Endpoint) -> None:
        """It could not be reached, or did not answer in time."""
        endpoint.failures += 1
        endpoint.until = self._now() + min(LONGEST, REST * 2.0 ** (endpoint.failures - 1))

    def _choose(self) -> Endpoint:
        now = self._now()
        free = [e for e in self.endpoints if e.busy < self._connections]
        return min(free, key=lambda e: (e.until if e.until > now else 0.0, e.busy))
