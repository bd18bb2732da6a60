"""The batch that decodes: rows of any context length side by side, finished ones leave and new ones enter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ttc_core.engines.embedded.cache import Entry, Tokens
from ttc_core.engines.embedded.context import blocks_for, read, write
from ttc_core.engines.embedded.llama import BLOCK, Floats, Llama
from ttc_core.engines.embedded.tokens import Tokenizer
from ttc_core.types import Finish, GenerateJob

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def uniforms(seeds: NDArray[np.uint64], positions: NDArray[np.uint64]) -> NDArray[np.float64]:
    """One number in [0, 1) per row from its seed and the index of its token: SplitMix64 (Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        z = seeds + (positions + np.uint64(1)) * _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    numbers: NDArray[np.float64] = (z >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return numbers


@dataclass(eq=False)
class Row:
    """One job being decoded."""

    job: GenerateJob
    segments: tuple[Tokens, ...]
    context: int  # tokens of context
    computed: int
    cached: int
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    confidences: list[float] = field(default_factory=list)  # of each token, if the job asks for them
    steps: int = 0
    line: int = 0  # index of the first token of the line being written
    finish: Finish | None = None
    broken: bool = False
    kv: Floats | None = None  # of all tokens but the last, once finished

    def take(self, token: int, logprob: float, tokenizer: Tokenizer, longest: int) -> None:
        """Append a sampled token and note whether the job ends with it."""
        if token == tokenizer.eos:
            self.finish = "end"
            return
        self.tokens.append(token)
        self.logprobs.append(logprob)
        if token == tokenizer.delimiter:
            self.steps += 1
            if self.tokens[self.line] == tokenizer.answer:  # the answer line ends the solution
                self.finish = "end"
            elif self.job.until == "step" and self.steps >= self.job.steps:
                self.finish = "step"
            self.line = len(self.tokens)
        if self.finish is None and (
            len(self.tokens) >= self.job.max_tokens or self.context + len(self.tokens) >= longest
        ):
            self.finish = "length"


class Decoder:
    """At most `batch` rows; their keys and values live in one array (layers, 2, batch, blocks, heads, BLOCK, head)."""

    def __init__(self, model: Llama, tokenizer: Tokenizer, batch: int) -> None:
        self.model, self.tokenizer, self.batch = model, tokenizer, batch
        self.rows: list[Row] = []
        self.tokens_decoded = 0
        self._kv: Floats = np.zeros((model.layers, 2, 0, 0, model.heads, BLOCK, model.head), np.float32)
        self._state = np.zeros((batch, model.width), np.float32)
        self._seeds = np.zeros(batch, np.uint64)
        self._temperatures = np.zeros(batch, np.float32)

    def enter(self, row: Row, path: list[Entry]) -> None:
        """Start a row behind a complete context; the caller keeps to `batch`."""
        self._reserve(len(self.rows) + 1, blocks_for(row.context + 1))
        index = len(self.rows)
        for entry in path:
            write(self._kv[:, :, index], entry.start, entry.kv)
        self._state[index] = path[-1].last
        self._seeds[index] = np.uint64(row.job.seed & (2**64 - 1))
        self._temperatures[index] = row.job.temperature
        self.rows.append(row)

    def drop(self, tickets: set[int]) -> None:
        """Take rows out unfinished."""
        for index in reversed(range(len(self.rows))):
            if self.rows[index].job.ticket in tickets:
                self._leave(index)

    def step(self) -> list[Row]:
        """Sample one token for every row and forward it; the rows that finished, with their keys and values."""
        tokens, logprobs, fine, confidences = self._sample()
        longest = self.model.longest
        for row, token, logprob, ok in zip(self.rows, tokens.tolist(), logprobs.tolist(), fine.tolist(), strict=True):
            if ok:
                row.take(token, logprob, self.tokenizer, longest)
            else:
                row.finish, row.broken = "error", True
        for row, confidence in zip(self.rows, confidences, strict=False):  # () if no row asks
            if row.job.confidence and len(row.confidences) < len(row.tokens):  # not of <eos>
                row.confidences.append(confidence)
        self.tokens_decoded += len(self.rows)
        finished = []
        keep = tokens
        for index in reversed(range(len(self.rows))):
            row = self.rows[index]
            if row.finish is not None:
                if row.finish == "step":
                    row.kv = read(self._kv[:, :, index], row.context, len(row.tokens) - 1)
                keep[index] = keep[len(self.rows) - 1]
                self._leave(index)
                finished.append(row)
        if self.rows:
            self._forward(keep[: len(self.rows)])
        return finished[::-1]

    def _sample(self) -> tuple[NDArray[np.int64], Floats, NDArray[np.bool_], Sequence[float]]:
        """Each row's next token by inverse CDF, its log-probability at temperature 1, and whether it is sound.

        Last the tokens' confidences, () where no row asks for them.
        """
        n = len(self.rows)
        logits = self.model.logits(self._state[:n])
        fine: NDArray[np.bool_] = np.asarray(np.isfinite(logits).all(-1))
        logits = np.where(fine[:, None], logits, np.float32(0))
        greedy = self._temperatures[:n] <= 0
        heat = np.where(greedy, np.float32(1), self._temperatures[:n])
        logs = log_softmax(logits)
        scaled = logits / heat[:, None]
        cumulated = np.cumsum(np.exp(scaled - scaled.max(-1, keepdims=True)), -1, dtype=np.float64)
        drawn = uniforms(self._seeds[:n], np.array([len(r.tokens) for r in self.rows], np.uint64))
        tokens = (cumulated <= (drawn * cumulated[:, -1])[:, None]).sum(-1)
        tokens = np.where(greedy, logits.argmax(-1), np.minimum(tokens, logits.shape[1] - 1))
        asked = [row.job.confidence for row in self.rows]
        return tokens, logs[np.arange(n), tokens], fine, token_confidences(logs, asked) if any(asked) else ()

    def _forward(self, tokens: NDArray[np.int64]) -> None:
        n = len(self.rows)
        positions = np.array([row.context + len(row.tokens) - 1 for row in self.rows], np.int64)
        blocks = blocks_for(int(positions.max()) + 1)
        self._reserve(n, blocks)
        block, offset, every = positions // BLOCK, positions % BLOCK, np.arange(n)
        x = self.model.embed(tokens)
        for layer in range(self.model.layers):
            q, k, v = self.model.project(layer, x, positions)
            keys, values = self._kv[layer, 0], self._kv[layer, 1]
            keys[every, block, :, offset] = k
            values[every, block, :, offset] = v
            attended = self.model.attend(q, keys[:n, :blocks], values[:n, :blocks], positions + 1)
            x = self.model.finish(layer, x, attended)
        self._state[:n] = self.model.hidden(x)

    def _reserve(self, rows: int, blocks: int) -> None:
        """Make room, keeping what is there; grows in halves of the batch and single blocks."""
        have_rows, have_blocks = self._kv.shape[2], self._kv.shape[3]
        if rows <= have_rows and blocks <= have_blocks:
            return
        want_rows = have_rows if rows <= have_rows else min(self.batch, max(rows, 2 * have_rows, 16))
        m = self.model
        larger = np.zeros((m.layers, 2, want_rows, max(blocks, have_blocks), m.heads, BLOCK, m.head), np.float32)
        larger[:, :, :have_rows, :have_blocks] = self._kv
        self._kv = larger

    def _leave(self, index: int) -> None:
        """Remove a row; the last one takes its place."""
        last = len(self.rows) - 1
        if index != last:
            self._kv[:, :, index] = self._kv[:, :, last]
            for state in (self._state, self._seeds, self._temperatures):
                state[index] = state[last]
            self.rows[index] = self.rows[last]
        self.rows.pop()


def log_softmax(logits: Floats) -> Floats:
    """Natural-log probabilities (rows, vocabulary); sums run in order, so that a row's result is its own."""
    shifted = logits - logits.max(-1, keepdims=True)
    mass = np.cumsum(np.exp(shifted), -1, dtype=np.float64)[:, -1:]
    logs: Floats = (shifted - np.log(mass)).astype(np.float32)
    return logs


def token_confidences(logs: Floats, k: Sequence[int]) -> list[float]:
    """Minus the mean of each row's k largest log-probabilities (Fu et al. 2025, arXiv 2508.15260, eq. 2).

    logs (rows, vocabulary); k (rows,) at least 1 where the result counts. Sums run in order, as in `log_softmax`.
    """
    ks = np.clip(np.asarray(k, np.int64), 1, logs.shape[1])
    likeliest = -np.sort(np.partition(-logs, ks.max() - 1)[:, : ks.max()])
    means = np.cumsum(likeliest, -1, dtype=np.float64)[np.arange(len(ks)), ks - 1] / ks
    negated: list[float] = (-means).tolist()
    return negated
