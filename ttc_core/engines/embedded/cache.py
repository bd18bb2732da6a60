"""A trie of contexts: which keys and values have been computed, shared by every job that starts with the same text.

An entry is one segment of context (a prompt, a reasoning step) below the segments before it, found by its token ids.
A prompt that begins as another one does starts with a copy of that one's keys and values.
What a job decodes becomes an entry too, all but the keys of its last token, which was sampled and never forwarded.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from ttc_core.engines.embedded.attention import Floats

Tokens = tuple[int, ...]


class Entry:
    """One segment.

    kv        (layers, 2, heads, n, head): keys and values of its first n tokens; n = len(tokens) when complete
    last      (width,): state after its last token, None until that was forwarded
    logprobs  natural-log probability of each token given all before it, None where nobody computed them
    ends      (step ends, width): states at its step ends, None where nobody computed them
    start     position of its first token; key: a hash of all tokens from the first segment through this one
    forwarded token ids of those children that were forwarded as contexts, in order: neighbours begin alike
    """

    __slots__ = ("children", "ends", "forwarded", "key", "kv", "last", "logprobs", "parent", "start", "tokens")

    def __init__(self, parent: Entry | None, tokens: Tokens, kv: Floats) -> None:
        self.parent = parent
        self.tokens = tokens
        self.kv = kv
        self.last: Floats | None = None
        self.logprobs: tuple[float, ...] | None = None
        self.ends: Floats | None = None
        self.children: dict[Tokens, Entry] = {}
        self.forwarded: list[Tokens] = []
        self.start: int = parent.start + len(parent.tokens) if parent else 0
        self.key: int = hash((parent.key if parent else 0, tokens))

    @property
    def overhead(self) -> int:
        """Bytes, about, that it takes besides keys and values: itself, its tokens and their log-probabilities."""
        return 600 + 64 * len(self.tokens)

    @property
    def complete(self) -> bool:
        """All its tokens have been forwarded."""
        return self.last is not None

    @property
    def computed(self) -> int:
        """How many of its tokens have keys and values."""
        return int(self.kv.shape[3])

    def path(self) -> list[Entry]:
        """The entries from the first segment through this one."""
        entries: list[Entry] = []
        entry: Entry | None = self
        while entry is not None and entry.parent is not None:
            entries.append(entry)
            entry = entry.parent
        return entries[::-1]


class Trie:
    """Entries by content, at most `cap` bytes beyond what is in use; the least recent leaf goes."""

    def __init__(self, shape: tuple[int, int, int], cap: int) -> None:
        """shape: (layers, heads, head)."""
        layers, heads, head = shape
        self.empty: Floats = np.zeros((layers, 2, heads, 0, head), np.float32)
        self.root = Entry(None, (), self.empty)
        self.cap = cap
        self.bytes = 0
        self.evicted = 0
        self._recent: OrderedDict[int, Entry] = OrderedDict()

    def find(self, segments: Sequence[Tokens]) -> Entry:
        """The entry of these segments, made (incomplete) where it is not there."""
        entry = self.root
        for tokens in segments:
            if tokens:
                entry = entry.children.get(tokens) or self._new(entry, tokens)
                self._touch(entry)
        return entry

    def store(self, entry: Entry, kv: Floats) -> None:
        """Set an entry's keys and values, an array of its own."""
        self.bytes += kv.nbytes - entry.kv.nbytes
        entry.kv = kv
        self._touch(entry)

    def alike(self, entry: Entry) -> tuple[Entry | None, int]:
        """The forwarded sibling that begins with most of the entry's tokens, and with how many of them.

        At most all but the last, behind which the state is wanted.
        """
        best, most = None, 0
        if entry.parent is not None:
            siblings = entry.parent.forwarded
            place = bisect_left(siblings, entry.tokens)
            for tokens in siblings[max(0, place - 1) : place + 1]:
                n = _common(tokens, entry.tokens)
                if n > most and tokens != entry.tokens:
                    best, most = entry.parent.children[tokens], n
        return best, min(most, len(entry.tokens) - 1)

    def note_forwarded(self, entry: Entry) -> None:
        """From now on siblings may begin with what this entry has."""
        if entry.parent is not None:
            siblings = entry.parent.forwarded
            place = bisect_left(siblings, entry.tokens)
            if siblings[place : place + 1] != [entry.tokens]:
                siblings.insert(place, entry.tokens)

    def trim(self) -> None:
        """Drop the least recently used leaves until the cap is kept."""
        if self.bytes <= self.cap:
            return
        for key, entry in [*self._recent.items()]:
            if self.bytes <= self.cap:
                return
            if not entry.children:
                del self._recent[key]
                self._drop(entry)

    def _new(self, parent: Entry, tokens: Tokens) -> Entry:
        entry = parent.children[tokens] = Entry(parent, tokens, self.empty)
        self.bytes += entry.overhead
        return entry

    def _touch(self, entry: Entry) -> None:
        self._recent[id(entry)] = entry
        self._recent.move_to_end(id(entry))

    def _drop(self, entry: Entry) -> None:
        self.bytes -= entry.kv.nbytes + entry.overhead
        self.evicted += 1
        if entry.parent is not None:
            del entry.parent.children[entry.tokens]
            siblings = entry.parent.forwarded
            place = bisect_left(siblings, entry.tokens)
            if siblings[place : place + 1] == [entry.tokens]:
                del siblings[place]


def _common(one: Tokens, other: Tokens) -> int:
    """How many tokens both begin with."""
    n = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        n += 1
    return n
