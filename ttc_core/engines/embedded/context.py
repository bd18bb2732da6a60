"""Keys and values in attention's block layout, and forwarding new tokens behind a context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ttc_core.engines.embedded.cache import Entry, Trie
from ttc_core.engines.embedded.llama import BLOCK, Floats, Llama

MOST_ROWS = 2048  # tokens forwarded in one go


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


def _forward(model: Llama, trie: Trie, works: Sequence[Work]) -> list[Floats]:
    contexts = [_assemble(model, work) for work in works]
    tokens = np.array([t for work in works for t in work.tokens], np.int64)
    positions = np.concatenate([np.arange(w.start, w.start + len(w.tokens)) for w in works])
    bounds = np.cumsum([0, *(len(w.tokens) for w in works)])
    x = model.embed(tokens)
    attended = np.empty((len(tokens), model.width), np.float32)
    for layer in range(model.layers):
        q, k, v = model.project(layer, x, positions)
        for context, low, high in zip(contexts, bounds[:-1], bounds[1:], strict=True):
            here = positions[low:high]
            block, offset = here // BLOCK, here % BLOCK
            context[layer, 0, block, :, offset] = k[low:high]
            context[layer, 1, block, :, offset] = v[low:high]
            attended[low:high] = model.attend(q[low:high], context[layer, 0][None], context[layer, 1][None], here + 1)
        x = model.finish(layer, x, attended)
    hidden = model.hidden(x)
    states = [hidden[low:high] for low, high in pairwise(bounds)]
    for work, context, state in zip(works, contexts, states, strict=True):
        _fill(trie, work, context, state)
    return states


def _assemble(model: Llama, work: Work) -> Floats:
    last = work.path[-1]
    blocks = blocks_for(last.start + len(last.tokens))
    context = np.zeros((model.layers, 2, blocks, model.heads, BLOCK, model.head), np.float32)
    for entry in work.path:
        write(context, entry.start, entry.kv)
    return context


def _fill(trie: Trie, work: Work, context: Floats, state: Floats) -> None:
    """Give each missing entry its keys and values and the state after its last token."""
    start = work.start
    for entry in work.missing:
        end = entry.start + len(entry.tokens)
        entry.last = state[end - 1 - start].copy()
        trie.store(entry, read(context, entry.start, len(entry.tokens)))
