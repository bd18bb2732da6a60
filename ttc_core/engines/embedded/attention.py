"""Attention over pages of keys: contexts of any length side by side, without padding the short ones.

A page holds BLOCK keys and values of one context. Every product is a query with one page, always of the same shape;
a context's pages are added up in order, so that the result is the same bits whatever else is in the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Pairs = tuple[Ints, Ints]

BLOCK = 64  # keys of a page
_ONES = np.ones(BLOCK, np.float32)
_HIDDEN = np.where(np.arange(BLOCK) < np.arange(BLOCK + 1)[:, None], np.float32(0), np.float32(-np.inf))  # all but n


def pages_for(length: int) -> int:
    """How many pages hold `length` keys."""
    return max(1, -(-length // BLOCK))


class Pages:
    """Keys (layers, pages, heads, head, BLOCK), transposed for the product, and values (.., heads, BLOCK, head)."""

    def __init__(self, shape: tuple[int, int, int], count: int = 0) -> None:
        """shape: (layers, heads, head) of the keys."""
        layers, heads, head = shape
        self.keys: Floats = np.zeros((layers, count, heads, head, BLOCK), np.float32)
        self.values: Floats = np.zeros((layers, count, heads, BLOCK, head), np.float32)

    def __len__(self) -> int:
        return int(self.keys.shape[1])

    def resize(self, count: int) -> None:
        """Have `count` pages, keeping what is in the first ones."""
        keep = min(count, len(self))
        layers, _, heads, head, _ = self.keys.shape
        old, new = self, Pages((layers, heads, head), count)
        new.keys[:, :keep], new.values[:, :keep] = old.keys[:, :keep], old.values[:, :keep]
        self.keys, self.values = new.keys, new.values

    def move(self, sources: Ints, targets: Ints) -> None:
        """Copy pages over others."""
        self.keys[:, targets] = self.keys[:, sources]
        self.values[:, targets] = self.values[:, sources]

    def write(self, pages: Sequence[int], start: int, kv: Floats) -> None:
        """Copy kv (layers, 2, heads, n, head) to positions start.. of the context that has these pages."""
        done = 0
        while done < kv.shape[3]:
            i, offset = divmod(start + done, BLOCK)
            n = min(BLOCK - offset, kv.shape[3] - done)
            self.keys[:, pages[i], :, :, offset : offset + n] = kv[:, 0, :, done : done + n].swapaxes(-1, -2)
            self.values[:, pages[i], :, offset : offset + n] = kv[:, 1, :, done : done + n]
            done += n

    def read(self, pages: Sequence[int], start: int, n: int) -> Floats:
        """The inverse of `write`: a copy (layers, 2, heads, n, head)."""
        layers, _, heads, head, _ = self.keys.shape
        kv = np.empty((layers, 2, heads, n, head), np.float32)
        done = 0
        while done < n:
            i, offset = divmod(start + done, BLOCK)
            m = min(BLOCK - offset, n - done)
            kv[:, 0, :, done : done + m] = self.keys[:, pages[i], :, :, offset : offset + m].swapaxes(-1, -2)
            kv[:, 1, :, done : done + m] = self.values[:, pages[i], :, offset : offset + m]
            done += m
        return kv

    def note(self, layer: int, pages: Ints, offsets: Ints, k: Floats, v: Floats) -> None:
        """Set the key and value (n, heads, head) at an offset of a page each."""
        self.keys[layer, pages, :, :, offsets] = k
        self.values[layer, pages, :, offsets] = v


@dataclass(frozen=True)
class View:
    """Who reads which page.

    owner   (pages,): the context of each page
    lanes   for i = 0, 1, ..: the contexts that have an i-th page, and its number
    hidden  (pages, queries, 1, BLOCK): 0 where a query of the owner sees a key, -inf where not
    """

    owner: Ints
    lanes: list[Pairs]
    hidden: Floats

    def over(self, operation: np.ufunc, parts: Floats) -> Floats:
        """Parts (pages, ...) put together to (contexts, ...), page after page in order."""
        (_, first), *others = self.lanes
        whole: Floats = parts[first]
        for contexts, pages in others:
            whole[contexts] = operation(whole[contexts], parts[pages])
        return whole


def view(table: Ints, lengths: Ints, pages: int) -> View:
    """Contexts whose i-th page is table (contexts, most), lengths (contexts, queries) their keys that a query sees.

    pages: how many there are; those of no context are hidden from the first one.
    """
    owner = np.zeros(pages, np.int64)
    hidden = np.full((pages, lengths.shape[1], 1, BLOCK), -np.inf, np.float32)
    lanes = []
    longest = lengths.max(1)
    for i in range(pages_for(int(longest.max()))):
        contexts = np.flatnonzero(longest > i * BLOCK)
        numbers = table[contexts, i]
        owner[numbers] = contexts
        hidden[numbers, :, 0] = _HIDDEN[np.clip(lengths[contexts] - i * BLOCK, 0, BLOCK)]
        lanes.append((contexts, numbers))
    return View(owner, lanes, hidden)


def attend(q: Floats, keys: Floats, values: Floats, view: View) -> Floats:
    """Attention outputs (contexts, queries, heads, head) of the queries q, of the same shape and already scaled.

    keys (pages, kv heads, head, BLOCK), values (pages, kv heads, BLOCK, head): as many query heads share each of their
    heads as there are more of them.
    """
    contexts, queries, heads, head = q.shape
    pages, groups = keys.shape[:2]
    mine = q.reshape(contexts, queries, groups, -1, head)[view.owner]
    scores = np.matmul(mine, keys[:, None]).reshape(pages, queries, heads, BLOCK)
    scores += view.hidden
    scores -= view.over(np.maximum, scores.max(-1))[view.owner][..., None]
    np.exp(scores, out=scores)
    total = view.over(np.add, np.vecdot(scores, _ONES))  # (contexts, queries, heads)
    weights = scores.reshape(pages, queries, groups, -1, BLOCK)
    mixed = view.over(np.add, np.matmul(weights, values[:, None]).reshape(pages, queries, heads, head))
    mixed /= total[..., None]
    return mixed
