"""Replies of models kept for searches that ask the same.

A sample's seed comes from its node's id, not from the strategy or the budget: the chain of revisions that one search
writes is how a longer one begins, and the solutions of a pool are the first attempts of all chains. Such searches ask
for the very same and may share the answer.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from ttc_core.jobs import Evaluated, Generated, Job

Reply = Generated | Evaluated
MOST = 1 << 16  # replies kept, those asked for last


class Shared:
    """The latest `most` replies by what was asked of which model; what failed is asked again."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: OrderedDict[bytes, Reply] = OrderedDict()

    def ask(self, model: str, job: Job, receive: Callable[[Reply], None]) -> Callable[[Reply], None] | None:
        """Hand `receive` the reply that is known; else return who is to receive it when it comes, and note it."""
        key = _key(model, job)
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
            receive(known)
            return None

        def note(reply: Reply) -> None:
            if reply.error is None:
                self._known[key] = reply
                if len(self._known) > self._most:
                    self._known.popitem(last=False)
            receive(reply)

        return note


def _key(model: str, job: Job) -> bytes:
    """All of a job but its ticket: contexts are long, so that what is kept is a sum."""
    asked = repr((model, replace(job, ticket=0)))
    return hashlib.blake2b(asked.encode("utf-8", "surrogatepass"), digest_size=16).digest()
