"""Forwarding new tokens behind contexts, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ttc_core.engines.embedded.attention import BLOCK, Floats, Ints, Pages, View, attend, pages_for, view
from ttc_core.engines.embedded.cache import Entry, Trie
from ttc_core.engines.embedded.llama import Llama

MOST_ROWS = 2048  # tokens forwarded in one go
PADDING = 8  # works whose numbers of tokens differ by less attend together,
TOGETHER = 256  # as long as they have no more rows than this: their scores stay in the processor's cache


@dataclass(eq=False)
class Work:
    """Forward what is missing of a path: `missing` are its last entries, the first of them perhaps begun."""

    path: list[Entry]
    missing: list[Entry]

    @property
    def start(self) -> int:
        """Position of the first token to forward."""
        return self.missing[0].start + self.missing[0].computed

    @property
    def tokens(self) -> list[int]:
        """The token ids to forward."""
        first, *rest = self.missing
        return [*first.tokens[first.computed :], *(t for entry in rest for t in entry.tokens)]


def missing(path: Sequence[Entry]) -> list[Entry]:
    """The entries of a path from the first incomplete one on."""
    for i, entry in enumerate(path):
        if not entry.complete:
            return list(path[i:])
    return []


def forward(model: Llama, trie: Trie, works: Sequence[Work]) -> list[Floats]:
    """Forward all works together, in batches; fill their entries and return the states (tokens, width) of each."""
    states: list[Floats] = []
    batch: list[Work] = []
    rows = 0
    for work in works:
        if batch and rows + len(work.tokens) > MOST_ROWS:
            states += _forward(model, trie, batch)
            batch, rows = [], 0
        batch.append(work)
        rows += len(work.tokens)
    return states + (_forward(model, trie, batch) if batch else [])


@dataclass(eq=False)
class _Group:
    """Works of about equal length, whose rows attend together.

    works  their indices; pages: their keys and values; table (works, most): each one's page numbers
    rows   (n,): their rows in the batch; seats (n,): each row's place when every work is padded to `per` rows
    spots  (n,), (n,): the page and the offset that each row's key goes to
    """

    works: list[int]
    per: int
    pages: Pages
    table: Ints
    rows: Ints
    seats: Ints
    spots: tuple[Ints, Ints]
    view: View

    def attend(self, layer: int, q: Floats, k: Floats, v: Floats) -> Floats:
        """Note the keys and values of the group's rows and return their attention outputs (n, heads head)."""
        self.pages.note(layer, *self.spots, k[self.rows], v[self.rows])
        padded = np.zeros((len(self.works) * self.per, *q.shape[1:]), np.float32)
        padded[self.seats] = q[self.rows]
        queries = padded.reshape(len(self.works), self.per, *q.shape[1:])
        mixed = attend(queries, self.pages.kv[layer], self.view)
        attended: Floats = mixed.reshape(len(padded), -1)[self.seats]
        return attended


def _forward(model: Llama, trie: Trie, works: Sequence[Work]) -> list[Floats]:
    tokens = np.array([t for work in works for t in work.tokens], np.int64)
    positions = np.concatenate([np.arange(w.start, w.start + len(w.tokens)) for w in works])
    bounds = np.cumsum([0, *(len(w.tokens) for w in works)])
    groups = _grouped(model, works, bounds, positions)
    x = model.embed(tokens)
    attended = np.empty((len(tokens), model.heads * model.head), np.float32)
    for layer in range(model.layers):
        q, k, v = model.project(layer, x, positions)
        for group in groups:
            attended[group.rows] = group.attend(layer, q, k, v)
        x = model.finish(layer, x, attended)
    hidden = model.hidden(x)
    states = [hidden[low:high] for low, high in pairwise(bounds)]
    for group in groups:
        for i, numbers in zip(group.works, group.table, strict=True):
            _fill(trie, works[i], group.pages, numbers.tolist(), states[i])
    return states


def _grouped(model: Llama, works: Sequence[Work], bounds: Ints, positions: Ints) -> list[_Group]:
    """Works with nearly as many tokens go together: little padding, few calls."""
    alike: dict[int, list[int]] = {}
    for i, work in enumerate(works):
        n = len(work.tokens)
        alike.setdefault(-(-n // PADDING) if n > 1 else 0, []).append(i)  # often the last token of a step is missing
    groups = []
    for same in alike.values():
        most = max(1, TOGETHER // max(len(works[i].tokens) for i in same))
        for first in range(0, len(same), most):
            groups.append(_group(model, works, same[first : first + most], bounds, positions))
    return groups


def _group(model: Llama, works: Sequence[Work], members: list[int], bounds: Ints, positions: Ints) -> _Group:
    sizes = [len(works[i].tokens) for i in members]
    counts = [pages_for(works[i].start + size) for i, size in zip(members, sizes, strict=True)]
    firsts = np.cumsum([0, *counts])
    table = firsts[:-1, None] + np.arange(max(counts))  # beyond a work's pages: never looked up
    pages = Pages(model.shape, int(firsts[-1]))
    for i, numbers in zip(members, table.tolist(), strict=True):
        for entry in works[i].path:
            pages.write(numbers, entry.start, entry.kv)
    per = max(sizes)
    owner = np.repeat(np.arange(len(members)), sizes)
    rows = np.concatenate([np.arange(bounds[i], bounds[i + 1]) for i in members])
    seats = np.concatenate([per * place + np.arange(size) for place, size in enumerate(sizes)])
    here = positions[rows]
    lengths = np.ones(len(members) * per, np.int64)  # a padding row sees one key, so that its sums stay numbers
    lengths[seats] = here + 1
    seen = view(table, lengths.reshape(-1, per), len(pages))
    return _Group(members, per, pages, table, rows, seats, (table[owner, here // BLOCK], here % BLOCK), seen)


def _fill(trie: Trie, work: Work, pages: Pages, numbers: list[int], state: Floats) -> None:
    """Give each missing entry its keys and values and the state after its last token."""
    start = work.start
    for entry in work.missing:
        end = entry.start + len(entry.tokens)
        entry.last = state[end - 1 - start].copy()
        trie.store(entry, pages.read(numbers, entry.start, len(entry.tokens)))
