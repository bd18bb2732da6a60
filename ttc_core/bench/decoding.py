"""Decoding with the embedded engine beside numpy's own products of the same shapes, in turns and in CPU seconds.

What is compared are floating-point operations per second: decoding's products, and nothing but them, are counted on
both sides, so the ratio is numpy's time for these products alone / the engine's time for whole steps (sampling,
softmax, norms, bookkeeping included). The products are those of `batch` rows: each linear layer as one product, and in
each layer every row's queries with its own keys and values, as many as the rows' mean context (no padding). All arrays
are different ones, as the weights and the keys of layers are.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ttc_core.engines.embedded import Embedded
from ttc_core.engines.embedded.engine import SLICE
from ttc_core.engines.embedded.llama import Llama
from ttc_core.jobs import GenerateJob
from ttc_core.types import Problem

Work = Callable[[], None]


def rates(engine: Embedded, asked: Sequence[Problem], tokens: int = 64, rounds: int = 5) -> dict[str, float]:
    """Medians over the rounds of `embedded_vs_matmul` (as above), tokens and operations a second while decoding.

    engine: a fresh one with as many rows as there are problems; tokens: decoded of each row, its end ignored.
    Raises ValueError when the engine's first slice of work would decode them all.
    """
    if tokens <= SLICE:
        raise ValueError(f"at least {SLICE + 1} tokens of each row have to be decoded, not {tokens}")
    engine.tokenizer.eos = engine.tokenizer.answer = -1  # no token ends a row
    length = round(statistics.mean(len(engine.prompt(problem).tokens) for problem in asked)) + tokens // 2
    products, operations = _products(engine.model, len(asked), length)
    found: list[tuple[float, float]] = []
    for number in range(rounds + 1):  # the first one warms up
        mine = _decode(engine, asked, tokens, number * len(asked)) / tokens
        start = time.process_time()
        for _ in range(tokens // 4):
            products()
        found.append((mine, (time.process_time() - start) / (tokens // 4)))
    return {
        "embedded_vs_matmul": statistics.median(numpys / mine for mine, numpys in found[1:]),
        "decoded_tokens_per_second": statistics.median(len(asked) / mine for mine, _ in found[1:]),
        "decoding_gflops": statistics.median(operations / mine / 1e9 for mine, _ in found[1:]),
        "matmul_gflops": statistics.median(operations / numpys / 1e9 for _, numpys in found[1:]),
    }


def _decode(engine: Embedded, asked: Sequence[Problem], tokens: int, first: int) -> float:
    """CPU seconds of decoding `tokens` tokens for each problem, without reading the questions."""
    jobs = [
        GenerateJob(first + i, (engine.prompt(problem),), seed=first + i, until="end", max_tokens=tokens)
        for i, problem in enumerate(asked)
    ]
    engine.submit(list(jobs))
    came = len(engine.poll())  # reads the questions, and takes a few steps
    before = engine.counters.decoded
    start = time.process_time()
    while came < len(jobs):
        came += len(engine.poll())
    spent = time.process_time() - start
    return spent * tokens * len(jobs) / (engine.counters.decoded - before)


def _products(model: Llama, batch: int, length: int) -> tuple[Work, float]:
    """One decoding step's products, and how many floating-point operations they are."""
    rng = np.random.default_rng(0)

    def floats(*shape: int) -> NDArray[np.float32]:
        return rng.standard_normal(shape, dtype=np.float32)

    linear = [(floats(batch, w.shape[0]), w, np.empty((batch, w.shape[1]), np.float32)) for w in model.linear()]
    shape = (batch, model.groups, model.heads // model.groups)
    q, p = floats(*shape, model.head), floats(*shape, length)
    keys = [floats(batch, model.groups, model.head, length) for _ in range(model.layers)]
    values = [floats(batch, model.groups, length, model.head) for _ in range(model.layers)]
    scores, mixed = np.empty_like(p), np.empty_like(q)

    def products() -> None:
        for x, w, out in linear:
            np.matmul(x, w, out=out)
        for k, v in zip(keys, values, strict=True):
            np.matmul(q, k, out=scores)
            np.matmul(p, v, out=mixed)

    attention = 2 * model.layers * batch * model.heads * length * model.head * 2
    return products, float(attention + 2 * batch * sum(w.size for _, w, _ in linear))
