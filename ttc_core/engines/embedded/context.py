"""Keys and values in attention's block layout, and forwarding new tokens behind a context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ttc_core.engines.embedded.cache import Entry, Trie
from ttc_core.engines.embedded.llama import BLOCK, Floats, Ints, Llama

MOST_ROWS = 2048  # tokens forwarded in one go
PADDING = 8  # works whose numbers of tokens differ by less attend together,
TOGETHER = 256  # as long as they have no more rows than this: their scores stay in the processor's cache


def blocks_for(length: int) -> int:
    """How many blocks hold `length` keys."""
    return max(1, -(-length // BLOCK))


def write(blocks: Floats, start: int, kv: Floats) -> None:
    """Copy kv (layers, 2, heads, n, head) to positions start.. of blocks (layers, 2, blocks, heads, BLOCK, head)."""
    done = 0
    while done < kv.shape[3]:
        block, offset = divmod(start + done, BLOCK)
        n = min(BLOCK - offset, kv.shape[3] - done)
        blocks[:, :, block, :, offset : offset + n] = kv[:, :, :, done : done + n]
        done += n


def read(blocks: Floats, start: int, n: int) -> Floats:
    """The inverse of `write`: a copy (layers, 2, heads, n, head)."""
    layers, two, _, heads, _, head = blocks.shape
    kv = np.empty((layers, two, heads, n, head), np.float32)
    done = 0
    while done < n:
        block, offset = divmod(start + done, BLOCK)
        m = min(BLOCK - offset, n - done)
        kv[:, :, :, done : done + m] = blocks[:, :, block, :, offset : offset + m]
        done += m
    return kv


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

    context  (works, layers, 2, blocks, heads, BLOCK, head): their keys and values
    rows     (n,): their rows in the batch; owner (n,): each row's work within the group
    seats    (n,): each row's place when every work is padded to `per` rows; lengths (works * per,): keys to see
    """

    works: list[int]
    context: Floats
    rows: Ints
    owner: Ints
    seats: Ints
    lengths: Ints

    def attend(self, model: Llama, layer: int, q: Floats, k: Floats, v: Floats, positions: Ints) -> Floats:
        """Note the keys and values of the group's rows and return their attention outputs (n, width)."""
        here = positions[self.rows]
        block, offset = here // BLOCK, here % BLOCK
        self.context[self.owner, layer, 0, block, :, offset] = k[self.rows]
        self.context[self.owner, layer, 1, block, :, offset] = v[self.rows]
        padded = np.zeros((len(self.lengths), model.heads, model.head), np.float32)
        padded[self.seats] = q[self.rows]
        keys, values = self.context[:, layer, 0], self.context[:, layer, 1]
        attended: Floats = model.attend(padded, keys, values, self.lengths)[self.seats]
        return attended


def _forward(model: Llama, trie: Trie, works: Sequence[Work]) -> list[Floats]:
    tokens = np.array([t for work in works for t in work.tokens], np.int64)
    positions = np.concatenate([np.arange(w.start, w.start + len(w.tokens)) for w in works])
    bounds = np.cumsum([0, *(len(w.tokens) for w in works)])
    groups = _grouped(model, works, bounds, positions)
    x = model.embed(tokens)
    attended = np.empty((len(tokens), model.width), np.float32)
    for layer in range(model.layers):
        q, k, v = model.project(layer, x, positions)
        for group in groups:
            attended[group.rows] = group.attend(model, layer, q, k, v, positions)
        x = model.finish(layer, x, attended)
    hidden = model.hidden(x)
    states = [hidden[low:high] for low, high in pairwise(bounds)]
    for group in groups:
        for i, context in zip(group.works, group.context, strict=True):
            _fill(trie, works[i], context, states[i])
    return states


def _grouped(model: Llama, works: Sequence[Work], bounds: Ints, positions: Ints) -> list[_Group]:
    """Works with as many blocks and nearly as many tokens go together: little padding, few calls."""
    alike: dict[tuple[int, int], list[int]] = {}
    for i, work in enumerate(works):
        last = work.path[-1]
        size = -(-len(work.tokens) // PADDING)
        alike.setdefault((blocks_for(last.start + len(last.tokens)), size), []).append(i)
    groups = []
    for (blocks, size), same in alike.items():
        most = max(1, TOGETHER // (size * PADDING))
        for first in range(0, len(same), most):
            groups.append(_group(model, works, same[first : first + most], blocks, bounds, positions))
    return groups


def _group(
    model: Llama, works: Sequence[Work], members: list[int], blocks: int, bounds: Ints, positions: Ints
) -> _Group:
    per = max(len(works[i].tokens) for i in members)
    context = np.zeros((len(members), model.layers, 2, blocks, model.heads, BLOCK, model.head), np.float32)
    for place, i in enumerate(members):
        for entry in works[i].path:
            write(context[place], entry.start, entry.kv)
    rows = np.concatenate([np.arange(bounds[i], bounds[i + 1]) for i in members])
    owner = np.repeat(np.arange(len(members)), [len(works[i].tokens) for i in members])
    seats = np.concatenate([per * place + np.arange(len(works[i].tokens)) for place, i in enumerate(members)])
    lengths = np.ones(len(members) * per, np.int64)  # a padding row sees one key, so that its sums stay numbers
    lengths[seats] = positions[rows] + 1
    return _Group(members, context, rows, owner, seats, lengths)


def _fill(trie: Trie, work: Work, context: Floats, state: Floats) -> None:
    """Give each missing entry its keys and values and the state after its last token."""
    start = work.start
    for entry in work.missing:
        end = entry.start + len(entry.tokens)
        entry.last = state[end - 1 - start].copy()
        trie.store(entry, read(context, entry.start, len(entry.tokens)))
