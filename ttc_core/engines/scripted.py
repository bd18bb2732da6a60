"""An engine that computes nothing: replies are a function of context and seed, time is virtual.

The scheduler's tests and benchmarks stand on it. Lengths of steps are log-normal (sigma 0.6 looks like real models),
jobs occupy one of `capacity` lanes for tokens x seconds per token on the engine's own clock, and `fault` may answer
any job with an error. No model card names this engine, so nothing a user runs reaches it.
"""

from __future__ import annotations

import hashlib
import heapq
import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from ttc_core.jobs import Evaluated, EvaluateJob, Generated, GenerateJob, Job, Message, Reading, Segment
from ttc_core.registry import engine
from ttc_core.types import Ask, Finish, Problem


def _no_fault(job: Job) -> Exception | None:
    return None


class Clock:
    """Virtual seconds, shared by engines that work side by side: time moves to the earliest reply of any of them.

    watch  called with the seconds that are about to pass
    """

    def __init__(self, watch: Callable[[float], None] = lambda seconds: None) -> None:
        self.now = 0.0
        self.watch = watch
        self.engines: list[Scripted] = []

    def reach(self, moment: float) -> bool:
        """Move on to `moment`, unless another engine has a reply before; whether the clock got there."""
        if any(engine.due < moment for engine in self.engines):
            return False
        if moment > self.now:
            self.watch(moment - self.now)
            self.now = moment
        return True


@engine("scripted")
@dataclass(eq=False)
class Scripted:
    """A virtual model.

    depth      mean number of steps of a solution, the answer line included
    answers    how many different answers there are
    sigma      spread of the log-normal step length; `step_tokens` is its median
    latency    virtual seconds a generated token takes; scoring a step takes as long as one token
    labels     how many its own head gives
    fault      called with each job; an exception it returns is that job's reply
    clock      one for all engines of a backend lets them work side by side; by default the engine has one of its own
    """

    name: str = "scripted"
    parameters: int = 1_000_000
    capacity: int = 64
    depth: int = 5
    answers: int = 4
    step_tokens: float = 12.0
    sigma: float = 0.6
    latency: float = 0.001
    labels: int = 2
    fault: Callable[[Job], Exception | None] = _no_fault
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.clock.engines.append(self)
        self.busy_seconds = 0.0
        self.jobs_seen: list[Job] | deque[Job] = []
        self._queue: deque[Job] = deque()
        self._running: list[tuple[float, int, Generated | Evaluated]] = []

    def prompt(self, problem: Problem, attempts: Sequence[str] = (), ask: Ask = "") -> Segment:
        """The question and a newline, earlier attempts and what is asked for between."""
        return Segment("\n".join((problem.question, *attempts, *filter(None, (ask,)))) + "\n")

    def chat(self, messages: Sequence[Message], answer: bool = False) -> str:
        """A line for each message, as many as it has."""
        return "".join(f"{role}: {content}\n" for role, content in messages) + ("assistant: " if answer else "")

    def submit(self, jobs: list[Job]) -> None:
        """Queue jobs; they start when a lane is free."""
        self.jobs_seen.extend(jobs)
        self._queue += jobs
        self._fill()

    def poll(self, timeout: float = 0.0) -> list[Generated | Evaluated]:
        """Advance the clock to the next completion and return all replies of that moment; [] if others come first."""
        if not self._running or not self.clock.reach(self.due):
            return []
        ready = []
        while self.due <= self.clock.now:
            ready.append(heapq.heappop(self._running)[2])
        self._fill()
        return ready

    def cancel(self, tickets: set[int]) -> None:
        """Forget these jobs."""
        self._queue = deque(job for job in self._queue if job.ticket not in tickets)
        self._running = [entry for entry in self._running if entry[1] not in tickets]
        heapq.heapify(self._running)

    def now(self) -> float:
        """Virtual seconds."""
        return self.clock.now

    @property
    def due(self) -> float:
        """When the next reply will be ready; infinity while nothing runs."""
        return self._running[0][0] if self._running else math.inf

    @property
    def free(self) -> int:
        """Lanes on which nothing runs."""
        return self.capacity - len(self._running)

    def _fill(self) -> None:
        while self._queue and len(self._running) < self.capacity:
            job = self._queue.popleft()
            reply, tokens = self._reply(job)
            seconds = tokens * self.latency
            self.busy_seconds += seconds
            heapq.heappush(self._running, (self.clock.now + seconds, job.ticket, reply))

    def _reply(self, job: Job) -> tuple[Generated | Evaluated, int]:
        error = self.fault(job)
        if isinstance(job, GenerateJob):
            return (Generated(job.ticket, error=error), 1) if error else self._generate(job)
        return (Evaluated(job.ticket, error=error) if error else self._evaluate(job)), 1

    def _generate(self, job: GenerateJob) -> tuple[Generated, int]:
        rng = self._random(job.context, job.seed if job.temperature > 0 else 0)
        written = "".join(segment.text for segment in job.context[1:]).count("\n")
        text, steps, tokens = "", 0, 0
        finish: Finish = "step"
        while steps < (job.steps if job.until == "step" else 10**6) and finish == "step":
            steps += 1
            last = written + steps >= self.depth + rng.choice((-1, 0, 1))
            text += f"Answer: {rng.randrange(self.answers)}\n" if last else f"step {rng.randrange(1000)}\n"
            tokens += max(1, round(self.step_tokens * math.exp(rng.gauss(0.0, self.sigma))))
            finish = "end" if last else "step"
        if tokens > job.max_tokens:
            tokens, finish = job.max_tokens, "length"
        rng = self._random((*job.context, Segment(text)), 1)
        confidences = tuple(rng.gammavariate(4.0, 2.0) for _ in range(tokens if job.confidence else 0))
        reply = Generated(job.ticket, text, (), "", steps, finish, -0.1 * tokens, tokens, confidences=confidences)
        return reply, tokens

    def _evaluate(self, job: EvaluateJob) -> Evaluated:
        if job.reading is not None:
            return self._read(job, job.reading)
        ends = [i for i, line in enumerate(job.target.text.splitlines())] or [0]
        logits, context = [], [*job.context]
        for line in job.target.text.splitlines(keepends=True) or [""]:
            rng = self._random((*context, Segment(line)), 1)
            logits.append(tuple(rng.gauss(0.0, 2.0) for _ in job.read))
            context.append(Segment(line))
        logprobs = tuple(-abs(self._random((*job.context, job.target), 2 + i).gauss(0.0, 0.5)) for i in ends)
        return Evaluated(job.ticket, logprobs, tuple(ends), tuple(logits), computed=len(ends))

    def _read(self, job: EvaluateJob, reading: Reading) -> Evaluated:
        """Numbers that depend on the text before each mark, `labels` of them where the model's own head is read."""
        if job.write:
            words = self._random((Segment(reading.text),), 1).choices(
                ("sound", "wrong", "unclear"), k=min(4, job.write)
            )
            return Evaluated(job.ticket, text=" ".join(words), computed=len(words))
        rows = []
        for mark in reading.marks:
            rng = self._random((Segment(reading.text[:mark]),), 1)
            rows.append(tuple(rng.gauss(0.0, 2.0) for _ in job.read or range(self.labels)))
        if job.read:
            return Evaluated(job.ticket, logits=tuple(rows), computed=len(rows))
        return Evaluated(job.ticket, values=tuple(rows), computed=len(rows))

    def _random(self, context: tuple[Segment, ...], seed: int) -> Random:
        """Randomness that depends on the text so far, however it is cut into segments, and the seed."""
        text = "".join(segment.text for segment in context)
        digest = hashlib.blake2b(f"{self.name}\x1f{seed}\x1f{text}".encode("utf-8", "surrogatepass"), digest_size=8)
        return Random(int.from_bytes(digest.digest(), "little"))
