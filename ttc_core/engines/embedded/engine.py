"""Jobs in, replies out: contexts are completed in the trie, generations decoded in the batch, evaluations read off."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

import numpy as np

from ttc_core import models
from ttc_core.engines.embedded.attention import Floats
from ttc_core.engines.embedded.cache import Entry, Tokens, Trie
from ttc_core.engines.embedded.context import Work, forward, missing
from ttc_core.engines.embedded.decoding import Decoder, Row, log_softmax
from ttc_core.engines.embedded.llama import Llama
from ttc_core.engines.embedded.tokens import DELIMITER, Tokenizer
from ttc_core.errors import EngineFault, UserError
from ttc_core.jobs import Evaluated, EvaluateJob, Generated, GenerateJob, Job, Message, Segment
from ttc_core.types import Ask, Problem

SLICE = 8  # decoding steps at most in one poll
REMEMBERED = 2**17  # segments that the counters know to have been forwarded; older ones count as new
ROOM = 256  # tokens kept free behind a prompt with attempts, for the revision: what a job may write


@dataclass
class Counters:
    """Tokens forwarded so far, beside the least that any engine would have had to forward for the same jobs.

    context: tokens of contexts (a step's last token, sampled but not forwarded while decoding, counts when something
    continues it); evaluate: tokens of evaluated nodes; decoded: sampled tokens. `_minimum` counts each distinct token
    position once, however often its segment is asked for, and not at all where it was decoded.
    """

    context: int = 0
    context_minimum: int = 0
    evaluate: int = 0
    evaluate_minimum: int = 0
    decoded: int = 0


class Embedded:
    """A Llama from a folder, on one thread. See `Engine` in ttc_core/jobs.py for the interface."""

    def __init__(
        self, name: str, folder: Path, *, batch: int = 256, cache_bytes: int = 256 * 2**20, revises: int = 0
    ) -> None:
        """Load the model. revises: most attempts that it was trained to revise at a time, 0 for none.

        Raises:
            EngineFault: the folder does not hold a model this engine can run.
        """
        from threadpoolctl import threadpool_limits

        self._limits = threadpool_limits(1, user_api="blas")  # a second thread makes products of this size slower
        self.name, self.capacity, self.revises = name, batch, revises
        self.model, self.tokenizer = Llama(folder), Tokenizer(folder)
        self.parameters = self.model.parameters
        self.trie = Trie(self.model.shape, cache_bytes)
        self.counters = Counters()
        self._decoder = Decoder(self.model, self.tokenizer, batch)
        self._generate: deque[GenerateJob] = deque()
        self._evaluate: deque[EvaluateJob] = deque()
        self._seen: OrderedDict[int, None] = OrderedDict()

    def prompt(self, problem: Problem, attempts: Sequence[str] = (), ask: Ask = "") -> Segment:
        """<bos>, the question, each attempt with <eos> behind it, a line end.

        The latest attempts are shown, as many as it was trained with and as leave room for one more solution.

        Raises:
            UserError: this model was not trained to revise, or a critique is asked for.
        """
        if ask:
            raise models.unable(self.name, "critiques")
        if attempts and not self.revises:
            raise models.unable(self.name, "revises")
        shown = list(attempts)[-self.revises :] if attempts else []
        while True:
            pieces = self.tokenizer.prompt(problem.question, shown)
            *cuts, length = accumulate(map(len, pieces))
            if len(shown) <= 1 or length + ROOM <= self.model.longest:
                break
            del shown[0]
        text = "".join((problem.question, *shown, DELIMITER))
        tokens = tuple(token for piece in pieces for token in piece)
        return Segment(text, tokens, self.tokenizer.id, tuple(cuts) if self.revises else ())

    def chat(self, messages: Sequence[Message], answer: bool = False) -> str:
        """There is none.

        Raises:
            UserError: always.
        """
        raise UserError(f"{self.name} has no chat template", hint="ask a model that was trained to converse")

    def submit(self, jobs: list[Job]) -> None:
        """Queue jobs."""
        for job in jobs:
            (self._generate if isinstance(job, GenerateJob) else self._evaluate).append(job)  # type: ignore[arg-type]

    def poll(self, timeout: float = 0.0) -> list[Generated | Evaluated]:
        """Bounded work: fill the batch, evaluate what is queued, decode until a row ends or `SLICE` steps."""
        replies: list[Generated | Evaluated] = []
        self._admit(replies)
        self._evaluate_some(replies)
        for _ in range(SLICE):
            if not self._decoder.rows:
                break
            finished = self._decoder.step()
            if finished:
                replies += [self._generated(row) for row in finished]
                break
        self.counters.decoded = self._decoder.tokens_decoded
        self.trie.trim()
        return replies

    def cancel(self, tickets: set[int]) -> None:
        """Forget these jobs and free their rows."""
        self._generate = deque(job for job in self._generate if job.ticket not in tickets)
        self._evaluate = deque(job for job in self._evaluate if job.ticket not in tickets)
        self._decoder.drop(tickets)

    def now(self) -> float:
        """Seconds of the machine's monotonic clock."""
        return time.monotonic()

    # --- contexts ----------------------------------------------------------------------------------------------------

    def _tokens(self, context: tuple[Segment, ...]) -> tuple[Tokens, ...]:
        """The context in pieces that other contexts may share."""
        return tuple(piece for segment in context for piece in self.tokenizer.pieces(segment))

    def _too_long(self, length: int) -> EngineFault | None:
        if length < self.model.longest:
            return None
        return EngineFault(
            f"the question and what is written so far have {length} tokens, {self.name} reads {self.model.longest}",
            hint="shorten the question",
        )

    def _complete(self, entries: list[Entry]) -> list[int]:
        """Forward what is missing of these entries' paths, each token once; how many tokens were forwarded for each."""
        spent = [0] * len(entries)
        waiting = list(range(len(entries)))
        while waiting:
            works: list[Work] = []
            busy: set[int] = set()
            later: list[int] = []
            for i in waiting:
                path = entries[i].path()
                lacking = missing(path)
                if not lacking:
                    continue
                if any(id(entry) in busy for entry in lacking) or self._begins_as_one_of(busy, lacking[0]):
                    later.append(i)  # another job of this batch computes it, or what it begins with
                else:
                    busy.update(id(entry) for entry in lacking)
                    self.trie.note_forwarded(lacking[0])
                    works.append(Work(path, lacking))
                    spent[i] = len(works[-1].tokens)
            for work in works:
                self.counters.context += len(work.tokens)
                self.counters.context_minimum += self._first_time(work.missing)
            forward(self.model, self.trie, works)
            waiting = later
        return spent

    def _begins_as_one_of(self, busy: set[int], entry: Entry) -> bool:
        """Take over what a sibling has of the entry's beginning; True when that sibling is being computed just now."""
        sibling, common = self.trie.alike(entry)
        if sibling is None or common <= entry.computed:
            return False
        if id(sibling) in busy:
            return True
        common = min(common, sibling.computed)
        if common > entry.computed:
            self.trie.store(entry, sibling.kv[:, :, :, :common].copy())
        return False

    def _first_time(self, entries: list[Entry]) -> int:
        """Tokens of these entries that nothing has forwarded before."""
        total = 0
        for entry in entries:
            if entry.key not in self._seen:
                self._seen[entry.key] = None
                if len(self._seen) > REMEMBERED:
                    self._seen.popitem(last=False)
                total += len(entry.tokens) - entry.computed
        return total

    # --- generation --------------------------------------------------------------------------------------------------

    def _admit(self, replies: list[Generated | Evaluated]) -> None:
        free = self.capacity - len(self._decoder.rows)
        jobs: list[tuple[GenerateJob, tuple[Tokens, ...]]] = []
        while self._generate and len(jobs) < free:
            job = self._generate.popleft()
            segments = self._tokens(job.context)
            fault = self._too_long(sum(map(len, segments)))
            if fault is not None:
                replies.append(Generated(job.ticket, error=fault))
            else:
                jobs.append((job, segments))
        entries = [self.trie.find(segments) for _, segments in jobs]
        for (job, segments), entry, spent in zip(jobs, entries, self._complete(entries), strict=True):
            context = entry.start + len(entry.tokens)
            self._decoder.enter(Row(job, segments, context, spent, context - spent), entry.path())

    def _generated(self, row: Row) -> Generated:
        ticket = row.job.ticket
        if row.finish is None or row.finish == "error":
            return Generated(ticket, error=EngineFault(f"{self.name} computed logits that are no numbers"))
        tokens = tuple(row.tokens)
        if tokens:
            entry = self.trie.find((*row.segments, tokens))
            entry.logprobs = tuple(row.logprobs)
            if row.kv is not None and entry.computed < len(tokens) - 1:
                self.trie.store(entry, row.kv)
        return Generated(
            ticket,
            self.tokenizer.decode(tokens),
            tokens,
            self.tokenizer.id,
            row.steps,
            row.finish,
            float(np.sum(np.array(row.logprobs, np.float64))),
            len(tokens),
            row.computed,
            row.cached,
            confidences=tuple(row.confidences),
        )

    # --- evaluation --------------------------------------------------------------------------------------------------

    @staticmethod
    def _unread(job: EvaluateJob, entry: Entry) -> bool:
        """Whether what the job asks for has still to be computed."""
        return entry.logprobs is None or (bool(job.read) and entry.ends is None)

    def _evaluate_some(self, replies: list[Generated | Evaluated]) -> None:
        jobs: list[tuple[EvaluateJob, Entry, Entry]] = []
        above: set[int] = set()  # entries that contexts of this batch run through, and those that it evaluates
        below: set[int] = set()
        while self._evaluate and len(jobs) < self.capacity:
            job = self._evaluate.popleft()
            context, target = self._tokens(job.context), self.tokenizer.of(job.target)
            fault = self._too_long(sum(map(len, context)) + len(target) - 1) or self._foreign(job)
            if not target:
                fault = EngineFault("there is no text to score")
            if fault is not None:
                replies.append(Evaluated(job.ticket, error=fault))
                continue
            context_entry = self.trie.find(context)
            entry = self.trie.find((*(one.tokens for one in context_entry.path()), target))
            path = {id(one) for one in context_entry.path()}
            fresh = self._unread(job, entry)
            if not below.isdisjoint(path) or (fresh and id(entry) in above):
                self._evaluate.appendleft(job)  # reading an entry empties it: what goes on from it waits for a batch
                break
            jobs.append((job, context_entry, entry))
            above |= path
            below |= {id(entry)} if fresh else set()
        spent = self._complete([entry for _, entry, _ in jobs])
        todo: dict[int, tuple[Entry, Work]] = {}
        for job, _, entry in jobs:
            if self._unread(job, entry):
                entry.last = None
                self.trie.store(entry, self.trie.empty)
                todo.setdefault(id(entry), (entry, Work(entry.path(), [entry])))
        owed = {key: len(work.tokens) for key, (_, work) in todo.items()}
        for entry, _ in todo.values():
            self.counters.evaluate += len(entry.tokens)
            self.counters.evaluate_minimum += self._first_time([entry])
        works = [work for _, work in todo.values()]
        self._read_off([entry for entry, _ in todo.values()], forward(self.model, self.trie, works))
        read = [i for i, (job, _, _) in enumerate(jobs) if job.read]
        logits = dict(zip(read, self._logits([jobs[i][2].ends for i in read]), strict=True))
        for i, (job, context_entry, entry) in enumerate(jobs):
            computed = spent[i] + owed.pop(id(entry), 0)
            total = context_entry.start + len(context_entry.tokens) + len(entry.tokens)
            reply = self._evaluated(job, entry, logits.get(i))
            replies.append(replace(reply, computed=computed, cached=total - computed))

    def _foreign(self, job: EvaluateJob) -> EngineFault | None:
        if job.reading is None and all(isinstance(token, int) for token in job.read):
            return None
        hint = "the embedded family's verifiers are read in its own form"
        return EngineFault(f"{self.name} runs on the embedded engine, which reads no other model's format", hint=hint)

    def _logits(self, states: Sequence[Floats | None]) -> list[Floats]:
        """Logits of each array of states (rows, width), all in one product."""
        parts = [state for state in states if state is not None]
        if not parts:
            return []
        logits = self.model.logits(np.concatenate(parts))
        return np.split(logits, np.cumsum([len(part) for part in parts])[:-1])

    def _read_off(self, entries: list[Entry], states: list[Floats]) -> None:
        """Log-probabilities and step-end states of entries whose tokens were just forwarded."""
        before = []
        for entry, state in zip(entries, states, strict=True):
            above = entry.parent.last if entry.parent is not None else None
            if above is None:
                raise EngineFault("a node was evaluated before its context")  # _complete has seen to it
            before.append(np.concatenate([above[None], state[:-1]]))
        for entry, state, logits in zip(entries, states, self._logits(before), strict=True):
            logs = log_softmax(logits)
            entry.logprobs = tuple(logs[np.arange(len(entry.tokens)), list(entry.tokens)].tolist())
            entry.ends = state[self.tokenizer.ends(entry.tokens)].copy()

    def _evaluated(self, job: EvaluateJob, entry: Entry, ends: Floats | None) -> Evaluated:
        """The reply of a job; ends (step ends, vocabulary): logits there, None where the job reads none."""
        logits: tuple[tuple[float, ...], ...] = ()
        if ends is not None:
            logits = tuple(tuple(row) for row in ends[:, [int(token) for token in job.read]].tolist())
        values = [*(entry.logprobs or ()), *(v for row in logits for v in row)]
        if not np.isfinite(values).all():
            return Evaluated(job.ticket, error=EngineFault(f"{self.name} computed scores that are no numbers"))
        return Evaluated(job.ticket, entry.logprobs or (), tuple(self.tokenizer.ends(entry.tokens)), logits)
