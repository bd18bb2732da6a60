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
Receive = Callable[[Reply], None]
MOST = 1 << 27  # bytes of the replies kept, about


class Shared:
    """The latest replies, up to `most` bytes, by what was asked of which model; what failed is asked again."""

    def __init__(self, most: int = MOST) -> None:
        self._most, self._held = most, 0
        self._known: OrderedDict[bytes, Reply] = OrderedDict()

    def ask(self, model: str, job: Job, receive: Receive, asked: set[bytes]) -> Receive | None:
        """Hand `receive` the reply that another search had; else return who is to receive it when it comes.

        asked: what this search has asked so far, which it asks anew: its engine then finds what it would find alone.
        """
        key = _key(model, job)
        if key in asked:
            return receive
        asked.add(key)
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
            receive(known)
            return None

        def note(reply: Reply) -> None:
            if reply.error is None and key not in self._known:
                self._known[key] = reply
                self._held += _size(reply)
                while self._held > self._most:
                    self._held -= _size(self._known.popitem(last=False)[1])
            receive(reply)

        return note


def _key(model: str, job: Job) -> bytes:
    """All of a job but its ticket: contexts are long, so that what is kept is a sum."""
    asked = repr((model, replace(job, ticket=0)))
    return hashlib.blake2b(asked.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _size(reply: Reply) -> int:
    """Bytes that a reply takes, about."""
    if isinstance(reply, Generated):
        numbers = len(reply.tokens) + len(reply.confidences)
    else:
        numbers = len(reply.logprobs) + len(reply.step_ends) + sum(map(len, (*reply.logits, *reply.values)))
    return 500 + len(reply.text) + 32 * numbers
