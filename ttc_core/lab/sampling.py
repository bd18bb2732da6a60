"""Batched sampling and scoring in torch, for the lab's own needs (rollouts, calibration)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ttc_core.lab.model import Llama
from ttc_core.lab.training import collate
from ttc_core.lab.vocabulary import EOS

LONGEST_SOLUTION = 180
DROP = 0.75  # rows are compacted when so few of them are alive


@dataclass
class _Batch:
    """Rows being decoded together.

    The prompts are padded on the right to one length and what is generated follows in the slots behind, so that a
    row's slots between its prompt and there are never seen (`visible`); positions count a row's own tokens.
    """

    tokens: Tensor  # (rows, generated)
    keys: list[Tensor]  # per layer (rows, heads, slots, head)
    values: list[Tensor]
    visible: Tensor  # (rows, 1, 1, slots)
    positions: Tensor  # (rows,) of the token decoded next
    rows: Tensor  # (rows,) indices of the caller's rows
    alive: Tensor  # (rows,)

    def keep(self) -> None:
        """Drop the rows that are done."""
        kept = self.alive.nonzero()[:, 0]
        self.keys, self.values = ([x[kept] for x in part] for part in (self.keys, self.values))
        for name in ("tokens", "visible", "positions", "rows", "alive"):
            setattr(self, name, getattr(self, name)[kept])


@torch.inference_mode()
def _prefill(model: Llama, prompts: Sequence[list[int]], room: int) -> tuple[Tensor, _Batch]:
    """Return the logits behind each prompt and the rows ready to be decoded."""
    distinct = sorted(set(map(tuple, prompts)))
    place = {p: i for i, p in enumerate(distinct)}
    inverse = torch.tensor([place[tuple(p)] for p in prompts])
    tokens = collate([list(p) for p in distinct])
    lengths = torch.tensor([len(p) for p in distinct])
    length = tokens.shape[1]
    x = model.embedding(tokens)
    keys, values = [], []
    for block in model.blocks:
        q, k, v = block.project(x, model.cosines[:length], model.sines[:length])
        x = block.finish(x, functional.scaled_dot_product_attention(q, k, v, is_causal=True))
        keys.append(functional.pad(k[inverse], (0, 0, 0, room)))
        values.append(functional.pad(v[inverse], (0, 0, 0, room)))
    logits = model.logits(model.norm(x[torch.arange(len(distinct)), lengths - 1]))
    slots = torch.arange(length + room)
    visible = (slots < lengths[:, None]) | (slots >= length)
    count = len(prompts)
    batch = _Batch(
        torch.empty(count, 0, dtype=torch.long),
        keys,
        values,
        visible[inverse][:, None, None],
        lengths[inverse],
        torch.arange(count),
        torch.ones(count, dtype=torch.bool),
    )
    return logits[inverse], batch


@torch.inference_mode()
def _decode(model: Llama, tokens: Tensor, slot: int, batch: _Batch) -> Tensor:
    """Return the logits behind one more token of each row, (rows, vocabulary)."""
    x = model.embedding(tokens)[:, None]
    cosines, sines = (table[batch.positions][:, None, None] for table in (model.cosines, model.sines))
    visible = batch.visible[..., : slot + 1]
    for index, block in enumerate(model.blocks):
        q, k, v = block.project(x, cosines, sines)
        batch.keys[index][:, :, slot] = k[:, :, 0]
        batch.values[index][:, :, slot] = v[:, :, 0]
        past = batch.keys[index][:, :, : slot + 1], batch.values[index][:, :, : slot + 1]
        x = block.finish(x, functional.scaled_dot_product_attention(q, *past, attn_mask=visible))
    batch.positions = batch.positions + 1
    return model.logits(model.norm(x[:, 0]))


def _choose(logits: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    if temperature == 0:
        return logits.argmax(-1)
    return torch.multinomial(torch.softmax(logits / temperature, -1), 1, generator=generator)[:, 0]


@torch.inference_mode()
def _run(
    model: Llama, prompts: Sequence[list[int]], temperature: float, generator: torch.Generator, longest: int
) -> list[list[int]]:
    logits, batch = _prefill(model, prompts, longest)
    start = batch.visible.shape[-1] - longest
    results: list[list[int]] = [[] for _ in prompts]
    for offset in range(longest):
        token = _choose(logits, temperature, generator)
        batch.tokens = torch.cat([batch.tokens, token[:, None]], 1)
        done = batch.alive & ((token == EOS) | (offset == longest - 1))
        for row in done.nonzero()[:, 0].tolist():
            results[int(batch.rows[row])] = [t for t in batch.tokens[row].tolist() if t != EOS]
        batch.alive = batch.alive & ~done
        living = int(batch.alive.sum())
        if living == 0:
            break
        if living <= DROP * len(token):  # to copy the keys and values of the others costs more than a few idle rows
            token = token[batch.alive]
            batch.keep()
        logits = _decode(model, token, start + offset, batch)
    return results


def sample(
    model: Llama,
    prompts: Sequence[list[int]],
    count: int = 1,
    temperature: float = 1.0,
    seed: int = 0,
    longest: int = LONGEST_SOLUTION,
    rows: int = 256,
) -> list[list[list[int]]]:
    """Sample solutions.

    Arguments:
        prompts: token ids of each prompt.
        count: solutions per prompt.
        temperature: 0 means greedy.
        seed: seed of the whole call.
        longest: most new tokens of a solution.
        rows: solutions decoded together, of prompts of about equal length.
    Returns:
        For each prompt `count` solutions without <eos>.
    """
    generator = torch.Generator().manual_seed(seed)
    flat = [i for _, i in sorted((len(p), i) for i, p in enumerate(prompts) for _ in range(count))]
    found: list[list[list[int]]] = [[] for _ in prompts]
    for start in range(0, len(flat), rows):
        part = flat[start : start + rows]
        results = _run(model, [prompts[i] for i in part], temperature, generator, longest)
        for index, solution in zip(part, results, strict=True):
            found[index].append(solution)
    return found


@torch.inference_mode()
def token_values(
    model: Llama,
    pairs: Sequence[tuple[tuple[int, ...], tuple[int, ...]]],
    reduce: Callable[[Tensor, Tensor], Tensor],
    tokens: int = 16_384,
) -> dict[tuple[tuple[int, ...], tuple[int, ...]], list[float]]:
    """Compute one number per solution token for many (prompt, solution) pairs.

    Arguments:
        pairs: prompts and solutions, non-empty.
        reduce: from logits (rows, length, vocabulary) and tokens (rows, length) to (rows, length), the value at each
            position of the sequence.
        tokens: most tokens computed together.
    Returns:
        For each distinct pair the values at the positions of the solution's tokens.
    """
    ordered = sorted(set(pairs), key=lambda pair: len(pair[0]) + len(pair[1]))
    values: dict[tuple[tuple[int, ...], tuple[int, ...]], list[float]] = {}
    start = 0
    while start < len(ordered):
        stop = start + 1
        while stop < len(ordered) and (stop - start + 1) * sum(map(len, ordered[stop])) <= tokens:
            stop += 1
        rows = collate([[*a, *b] for a, b in ordered[start:stop]])
        table = reduce(model(rows), rows)
        for row, (a, b) in enumerate(ordered[start:stop]):
            values[(a, b)] = table[row, len(a) : len(a) + len(b)].tolist()
        start = stop
    return values


def log_probabilities(logits: Tensor, tokens: Tensor) -> Tensor:
    """Return the log-probability of each token given those before it (0 for the first)."""
    log = torch.log_softmax(logits[:, :-1], -1).gather(-1, tokens[:, 1:, None])[..., 0]
    return functional.pad(log, (1, 0))
