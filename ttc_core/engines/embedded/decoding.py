"""The batch that decodes: rows of any context length side by side, finished ones leave and new ones enter."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ttc_core.engines.embedded.attention import BLOCK, Floats, Ints, Pages, attend, pages_for, view
from ttc_core.engines.embedded.cache import Entry, Tokens
from ttc_core.engines.embedded.llama import Llama
from ttc_core.engines.embedded.tokens import Tokenizer
from ttc_core.jobs import GenerateJob
from ttc_core.types import Finish

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
    """One job being decoded. What it wrote is filled in once it has finished."""

    job: GenerateJob
    segments: tuple[Tokens, ...]
    context: int  # tokens of context
    computed: int
    cached: int
    steps: int = 0
    line: int = 0  # index of the first token of the line being written
    finish: Finish | None = None
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    confidences: list[float] = field(default_factory=list)  # of each token, if the job asks for them
    kv: Floats | None = None  # of all tokens but the last


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
        self._held = np.zeros(batch, np.int64)  # pages
        self._context = np.zeros(batch, np.int64)
        self._written = np.zeros(batch, np.int64)  # tokens so far,
        self._most = np.zeros(batch, np.int64)  # and at most
        self._tokens = np.zeros((batch, model.longest), np.int64)
        self._logprobs = np.zeros((batch, model.longest), np.float32)
        self._confidences = np.zeros((batch, model.longest), np.float64)
        self._asked = np.zeros(batch, np.int64)  # k of the confidences, 0 for none
        self._state = np.zeros((batch, model.width), np.float32)
        self._seeds = np.zeros(batch, np.uint64)
        self._temperatures = np.zeros(batch, np.float32)
        self._per_row = [value for value in vars(self).values() if isinstance(value, np.ndarray)]

    def enter(self, row: Row, path: list[Entry]) -> None:
        """Start a row behind a complete context; the caller keeps to `batch`."""
        index = len(self.rows)
        self._held[index] = 0
        for _ in range(pages_for(row.context)):
            self._add_page(index)
        numbers = self._table[index].tolist()
        for entry in path:
            self._pages.write(numbers, entry.start, entry.kv)
        self._context[index], self._written[index] = row.context, 0
        self._most[index] = max(1, min(row.job.max_tokens, self.model.longest - row.context))
        self._asked[index] = row.job.confidence
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
        n = len(self.rows)
        tokens, fine = self._sample()
        going = fine & (tokens != self.tokenizer.eos)
        written = self._written[:n]
        written += going
        self.tokens_decoded += n
        finished = []
        special = ~going | (tokens == self.tokenizer.delimiter) | (written >= self._most[:n])
        for index in reversed(np.flatnonzero(special).tolist()):
            row = self.rows[index]
            row.finish = self._judge(index, int(tokens[index])) if fine[index] else "error"
            if row.finish is not None:
                self._hand_over(index)
                self._leave(index)
                finished.append(row)
        if self.rows:
            self._forward()
        return finished[::-1]

    def _judge(self, index: int, token: int) -> Finish | None:
        """Whether a row ends with this token, its newest."""
        row, written = self.rows[index], int(self._written[index])
        if token == self.tokenizer.eos:
            return "end"
        if token == self.tokenizer.delimiter:
            row.steps += 1
            if self._tokens[index, row.line] == self.tokenizer.answer:  # the answer line ends the solution
                return "end"
            if row.job.until == "step" and row.steps >= row.job.steps:
                return "step"
            row.line = written
        return "length" if written >= self._most[index] else None

    def _hand_over(self, index: int) -> None:
        """Give a finished row what it wrote."""
        row, written = self.rows[index], int(self._written[index])
        row.tokens = self._tokens[index, :written].tolist()
        row.logprobs = self._logprobs[index, :written].tolist()
        if row.job.confidence:
            row.confidences = self._confidences[index, :written].tolist()
        if row.finish == "step":
            row.kv = self._pages.read(self._table[index].tolist(), row.context, written - 1)

    def _sample(self) -> tuple[Ints, NDArray[np.bool_]]:
        """Note each row's next token, by inverse CDF, and its log-probability at temperature 1; whether it is sound."""
        n = len(self.rows)
        every, written = np.arange(n), self._written[:n]
        logits = self.model.logits(self._state[:n])
        fine: NDArray[np.bool_] = np.asarray(np.isfinite(logits).all(-1))
        logits[~fine] = 0
        greedy = self._temperatures[:n] <= 0
        heat = np.where(greedy, np.float32(1), self._temperatures[:n])
        scaled = logits / heat[:, None]
        scaled -= scaled.max(-1, keepdims=True)
        cumulated = np.cumsum(np.exp(scaled, out=scaled), -1, dtype=np.float64)
        drawn = uniforms(self._seeds[:n], written.astype(np.uint64)) * cumulated[:, -1]
        tokens = (cumulated > drawn[:, None]).argmax(-1)
        tokens = np.where(greedy, logits.argmax(-1), tokens)
        logs = log_softmax(logits)
        self._tokens[every, written] = tokens
        self._logprobs[every, written] = logs[every, tokens]
        if self._asked[:n].any():
            self._confidences[every, written] = token_confidences(logs, self._asked[:n])
        return tokens, fine

    def _forward(self) -> None:
        """Read every row's newest token."""
        n = len(self.rows)
        every, newest = np.arange(n), self._written[:n] - 1
        positions = self._context[:n] + newest
        page, offset = positions // BLOCK, positions % BLOCK
        for index in np.flatnonzero(page == self._held[:n]):
            self._add_page(int(index))
        self._close_up()
        here = self._table[every, page]
        seen = view(self._table, positions[:, None] + 1, self._used)
        x = self.model.embed(self._tokens[every, newest])
        for layer in range(self.model.layers):
            q, k, v = self.model.project(layer, x, positions)
            self._pages.note(layer, here, offset, k, v)
            attended = attend(q[:, None], self._pages.kv[layer, :, : self._used], seen)
            x = self.model.finish(layer, x, attended.reshape(n, -1))
        self._state[:n] = self.model.hidden(x)

    def _add_page(self, index: int) -> None:
        """Give a row one more page."""
        if self._free:
            page = self._free.pop()
        else:
            page, self._used = self._used, self._used + 1
            if page == len(self._pages):
                self._pages.grow(2 * max(page, self.batch))
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
        self._pages.kv[:, :, targets] = self._pages.kv[:, :, sources]
        moved = np.arange(len(self._pages))
        moved[sources] = targets
        self._table[:] = moved[self._table]
        self._free = []

    def _leave(self, index: int) -> None:
        """Remove a row; the last one takes its place."""
        self._free += self._table[index, : self._held[index]].tolist()
        last = len(self.rows) - 1
        if index != last:
            for state in self._per_row:
                state[index] = state[last]
            self.rows[index] = self.rows[last]
        self.rows.pop()


def log_softmax(logits: Floats) -> Floats:
    """Natural-log probabilities (rows, vocabulary); each row is summed by a product of its own, in one order."""
    shifted = logits - logits.max(-1, keepdims=True)
    mass = np.vecdot(np.exp(shifted).astype(np.float64), np.ones(logits.shape[-1]))
    logs: Floats = shifted - np.log(mass).astype(np.float32)[:, None]
    return logs


def token_confidences(logs: Floats, k: Ints) -> NDArray[np.float64]:
    """Minus the mean of each row's k largest log-probabilities (Fu et al. 2025, arXiv 2508.15260, eq. 2).

    logs (rows, vocabulary); k (rows,) at least 1 where the result counts. Sums run in order, as in `log_softmax`.
    """
    ks = np.clip(k, 1, logs.shape[1])
    likeliest = -np.sort(np.partition(-logs, ks.max() - 1)[:, : ks.max()])
    means = np.cumsum(likeliest, -1, dtype=np.float64)[np.arange(len(ks)), ks - 1] / ks
    negated: NDArray[np.float64] = -means
    return negated
