"""The batch that decodes: rows of any context length side by side, finished ones leave and new ones enter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ttc_core.engines.embedded.attention import BLOCK, Floats, Pages, attend, pages_for, view
from ttc_core.engines.embedded.cache import Entry, Tokens
from ttc_core.engines.embedded.llama import Llama
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
    """At most `batch` rows. Row i's keys and values are in the pages _table[i], in order; the rest is per row too."""

    def __init__(self, model: Llama, tokenizer: Tokenizer, batch: int) -> None:
        self.model, self.tokenizer, self.batch = model, tokenizer, batch
        self.rows: list[Row] = []
        self.tokens_decoded = 0
        self._pages = Pages(model.shape)
        self._used = 0  # the first pages, `_free` among them, are or were somebody's
        self._free: list[int] = []
        self._table = np.zeros((batch, pages_for(model.longest)), np.int64)
        self._held = np.zeros(batch, np.int64)
        self._state = np.zeros((batch, model.width), np.float32)
        self._seeds = np.zeros(batch, np.uint64)
        self._temperatures = np.zeros(batch, np.float32)

    def enter(self, row: Row, path: list[Entry]) -> None:
        """Start a row behind a complete context; the caller keeps to `batch`."""
        index = len(self.rows)
        self._held[index] = 0
        for _ in range(pages_for(row.context)):
            self._add_page(index)
        numbers = self._table[index].tolist()
        for entry in path:
            self._pages.write(numbers, entry.start, entry.kv)
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
                    row.kv = self._pages.read(self._table[index].tolist(), row.context, len(row.tokens) - 1)
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
        page, offset = positions // BLOCK, positions % BLOCK
        for index in np.flatnonzero(page == self._held[:n]):
            self._add_page(int(index))
        self._close_up()
        here = self._table[np.arange(n), page]
        seen = view(self._table, positions[:, None] + 1, self._used)
        x = self.model.embed(tokens)
        for layer in range(self.model.layers):
            q, k, v = self.model.project(layer, x, positions)
            self._pages.note(layer, here, offset, k, v)
            keys, values = self._pages.keys[layer, : self._used], self._pages.values[layer, : self._used]
            x = self.model.finish(layer, x, attend(q[:, None], keys, values, seen).reshape(n, -1))
        self._state[:n] = self.model.hidden(x)

    def _add_page(self, index: int) -> None:
        """Give a row one more page."""
        if self._free:
            page = self._free.pop()
        else:
            page, self._used = self._used, self._used + 1
            if page == len(self._pages):
                self._pages.resize(max(16, 3 * page // 2))
        self._table[index, self._held[index]] = page
        self._held[index] += 1

    def _close_up(self) -> None:
        """Once a quarter is free, which is computed with like the rest, move the last pages into free ones before."""
        if 4 * len(self._free) <= self._used:
            return
        self._used -= len(self._free)
        free = set(self._free)
        targets = sorted(page for page in free if page < self._used)
        sources = [page for page in range(self._used, self._used + len(free)) if page not in free]
        self._pages.move(np.array(sources, np.int64), np.array(targets, np.int64))
        moved = np.arange(len(self._pages))
        moved[sources] = targets
        self._table = moved[self._table]
        self._free = []

    def _leave(self, index: int) -> None:
        """Remove a row; the last one takes its place."""
        self._free += self._table[index, : self._held[index]].tolist()
        last = len(self.rows) - 1
        if index != last:
            for state in (self._table, self._held, self._state, self._seeds, self._temperatures):
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
