"""Attention over pages of keys: contexts of any length side by side, without padding the short ones.

A page holds BLOCK keys and values of one context. Every product is a query with one page, always of the same shape;
a context's pages are added up in order, so that the result is the same bits whatever else is in the batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    """Keys and values of many contexts.

    kv (layers, 2, pages, heads, BLOCK, head): a context's keys and values are in several pages, the last not full.
    """

    def __init__(self, shape: tuple[int, int, int], count: int = 0) -> None:
        """shape: (layers, heads, head) of the keys."""
        layers, heads, head = shape
        self.kv: Floats = np.zeros((layers, 2, count, heads, BLOCK, head), np.float32)

    def __len__(self) -> int:
        return int(self.kv.shape[2])

    def grow(self, count: int) -> None:
        """Have `count` pages, the first ones as they are."""
        layers, two, have, *rest = self.kv.shape
        larger = np.zeros((layers, two, count, *rest), np.float32)
        larger[:, :, :have] = self.kv
        self.kv = larger

    def write(self, pages: Sequence[int], start: int, kv: Floats) -> None:
        """Copy kv (layers, 2, heads, n, head) to positions start.. of the context that has these pages."""
        for page, offset, done, n in _pieces(pages, start, kv.shape[3]):
            self.kv[:, :, page, :, offset : offset + n] = kv[:, :, :, done : done + n]

    def read(self, pages: Sequence[int], start: int, n: int) -> Floats:
        """The inverse of `write`: a copy (layers, 2, heads, n, head)."""
        layers, two, _, heads, _, head = self.kv.shape
        kv = np.empty((layers, two, heads, n, head), np.float32)
        for page, offset, done, m in _pieces(pages, start, n):
            kv[:, :, :, done : done + m] = self.kv[:, :, page, :, offset : offset + m]
        return kv

    def note(self, layer: int, pages: Ints, offsets: Ints, k: Floats, v: Floats) -> None:
        """Set a key and a value (n, heads, head) at an offset of a page each."""
        self.kv[layer, 0][pages, :, offsets] = k
        self.kv[layer, 1][pages, :, offsets] = v


def _pieces(pages: Sequence[int], start: int, n: int) -> Iterator[tuple[int, int, int, int]]:
    """Where n positions from `start` on lie: page, offset in it, how many came before, how many are in it."""
    done = 0
    while done < n:
        i, offset = divmod(start + done, BLOCK)
        here = min(BLOCK - offset, n - done)
        yield pages[i], offset, done, here
        done += here


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


def attend(q: Floats, kv: Floats, view: View) -> Floats:
    """Attention outputs (contexts, queries, heads, head) of the queries q, of the same shape and already scaled.

    kv (2, pages, groups, BLOCK, head): a group of keys and values serves heads / groups consecutive heads of queries.
    """
    contexts, queries, heads, head = q.shape
    (keys, values), (pages, groups) = kv, kv.shape[1:3]
    mine = q.reshape(contexts, queries, groups, -1, head)[view.owner]
    scores = np.matmul(mine, keys[:, None].swapaxes(-1, -2)).reshape(pages, queries, heads, BLOCK)
    scores += view.hidden
    most = np.maximum.reduceat(scores.reshape(-1), np.arange(0, scores.size, BLOCK))  # half the time of scores.max(-1)
    scores -= view.over(np.maximum, most.reshape(scores.shape[:-1]))[view.owner][..., None]
    np.exp(scores, out=scores)
    total = view.over(np.add, np.vecdot(scores, _ONES))  # (contexts, queries, heads)
    weights = scores.reshape(pages, queries, groups, -1, BLOCK)
    mixed = view.over(np.add, np.matmul(weights, values[:, None]).reshape(pages, queries, heads, head))
    mixed /= total[..., None]
    return mixed
