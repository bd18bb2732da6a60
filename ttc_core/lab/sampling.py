"""Batched sampling and scoring in torch, for the lab's own needs (rollouts, calibration)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor
from torch.nn import functional

from ttc_core.lab.model import Llama
from ttc_core.lab.training import collate
from ttc_core.lab.vocabulary import EOS

LONGEST_SOLUTION = 180


@dataclass
class _Batch:
    """Rows being decoded together; all share one prompt length."""

    tokens: Tensor
    keys: list[Tensor]
    values: list[Tensor]
    rows: list[int]


@torch.inference_mode()
def _prefill(model: Llama, prompts: Tensor, room: int) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    length = prompts.shape[1]
    x = model.embedding(prompts)
    keys, values = [], []
    for block in model.blocks:
        q, k, v = block.project(x, model.cosines[:length], model.sines[:length])
        x = block.finish(x, functional.scaled_dot_product_attention(q, k, v, is_causal=True))
        keys.append(functional.pad(k, (0, 0, 0, room)))
        values.append(functional.pad(v, (0, 0, 0, room)))
    return model.logits(model.norm(x[:, -1])), keys, values


@torch.inference_mode()
def _decode(model: Llama, tokens: Tensor, position: int, batch: _Batch) -> Tensor:
    x = model.embedding(tokens)[:, None]
    here = slice(position, position + 1)
    for index, block in enumerate(model.blocks):
        q, k, v = block.project(x, model.cosines[here], model.sines[here])
        batch.keys[index][:, :, position] = k[:, :, 0]
        batch.values[index][:, :, position] = v[:, :, 0]
        past = batch.keys[index][:, :, : position + 1], batch.values[index][:, :, : position + 1]
        x = block.finish(x, functional.scaled_dot_product_attention(q, *past))
    return model.logits(model.norm(x[:, 0]))


def _choose(logits: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    if temperature == 0:
        return logits.argmax(-1)
    return torch.multinomial(torch.softmax(logits / temperature, -1), 1, generator=generator)[:, 0]


@torch.inference_mode()
def _run(
    model: Llama, prompts: Tensor, rows: list[int], temperature: float, generator: torch.Generator, longest: int
) -> dict[int, list[int]]:
    length = prompts.shape[1]
    distinct, inverse = torch.unique(prompts, dim=0, return_inverse=True)
    logits, keys, values = _prefill(model, distinct, longest)
    batch = _Batch(prompts[:, :0], [k[inverse] for k in keys], [v[inverse] for v in values], rows)
    logits = logits[inverse]
    results: dict[int, list[int]] = {}
    for offset in range(longest):
        token = _choose(logits, temperature, generator)
        batch.tokens = torch.cat([batch.tokens, token[:, None]], 1)
        done = token == EOS
        if offset == longest - 1:
            done = torch.ones_like(done)
        if bool(done.any()):
            for row in done.nonzero()[:, 0].tolist():
                results[batch.rows[row]] = [t for t in batch.tokens[row].tolist() if t != EOS]
            keep = (~done).nonzero()[:, 0]
            if len(keep) == 0:
                break
            batch.rows = [batch.rows[i] for i in keep.tolist()]
            batch.tokens, token = batch.tokens[keep], token[keep]
            batch.keys = [k[keep] for k in batch.keys]
            batch.values = [v[keep] for v in batch.values]
        logits = _decode(model, token, length + offset, batch)
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
        rows: solutions decoded together.
    Returns:
        For each prompt `count` solutions without <eos>.
    """
    generator = torch.Generator().manual_seed(seed)
    flat = sorted((len(p), i) for i, p in enumerate(prompts) for _ in range(count))
    found: list[list[list[int]]] = [[] for _ in prompts]
    for _, group in groupby(flat, key=lambda pair: pair[0]):
        members = [index for _, index in group]
        for start in range(0, len(members), rows):
            part = members[start : start + rows]
            results = _run(
                model, torch.tensor([prompts[i] for i in part]), list(range(len(part))), temperature, generator, longest
            )
            for row, index in enumerate(part):
                found[index].append(results[row])
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
