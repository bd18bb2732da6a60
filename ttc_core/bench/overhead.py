"""What the scheduler, the searches and the strategies take themselves, beside the engines' work.

The searches run once on the bundled models, whose replies are written down, and again on engines that give the same
replies back at once: the same trees with a zero latency. The replaying engines' own time is taken off, as such an
engine would have none. How it grows with the number of beams is measured on scripted engines, likewise.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict, deque
from typing import Any

from ttc_core.backend import Backend, LocalBackend
from ttc_core.bench.searches import ScriptedBackend, problems, scripted_problems, search, settled, spec
from ttc_core.bench.sizes import Size
from ttc_core.jobs import Engine, Evaluated, Generated, GenerateJob, Job, Verifier

Key = tuple[Any, ...]


def key_of(job: Job) -> Key:
    """What determines a job's reply: a sample's seed belongs to it alone."""
    if isinstance(job, GenerateJob):
        return (job.seed,)
    return (*(segment.text for segment in job.context), job.target.text)


class Recording:
    """An engine that writes its replies down."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.replies: defaultdict[Key, list[Generated | Evaluated]] = defaultdict(list)
        self._keys: dict[int, Key] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def submit(self, jobs: list[Job]) -> None:
        """Remember what is asked."""
        self._keys.update((job.ticket, key_of(job)) for job in jobs)
        self.engine.submit(jobs)

    def poll(self, timeout: float = 0.0) -> list[Generated | Evaluated]:
        """Write down what is answered."""
        replies = self.engine.poll(timeout)
        for reply in replies:
            self.replies[self._keys.pop(reply.ticket)].append(reply)
        return replies


class Replaying:
    """An engine that answers at once what `recording` has written down; `inside` is the CPU time it took itself."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.inside = 0.0
        self._replies = {key: list(replies) for key, replies in recording.replies.items()}
        self._ready: list[Generated | Evaluated] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.recording.engine, name)

    def submit(self, jobs: list[Job]) -> None:
        """Find the replies."""
        begun = time.process_time()
        for job in jobs:
            reply = self._replies[key_of(job)].pop()
            object.__setattr__(reply, "ticket", job.ticket)  # a copy would cost more than it is worth here
            self._ready.append(reply)
        self.inside += time.process_time() - begun

    def poll(self, timeout: float = 0.0) -> list[Generated | Evaluated]:
        """All replies that are due."""
        ready, self._ready = self._ready, []
        return ready


class Wrapped:
    """A backend whose engines are wrapped, each once."""

    def __init__(self, inner: Backend, wrap: Any) -> None:
        self._inner, self._wrap = inner, wrap
        self.engines: dict[str, Any] = {}

    def engine(self, name: str) -> Engine:
        """The wrapped engine."""
        if name not in self.engines:
            self.engines[name] = self._wrap(self._inner.engine(name))
        engine: Engine = self.engines[name]
        return engine

    def verifier(self, name: str) -> Verifier:
        """The verifier."""
        return self._inner.verifier(name)


class Timed:
    """An engine with the CPU time that it took, as `inside`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.inside = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def submit(self, jobs: list[Job]) -> None:
        """Pass on."""
        begun = time.process_time()
        self.engine.submit(jobs)
        self.inside += time.process_time() - begun

    def poll(self, timeout: float = 0.0) -> list[Generated | Evaluated]:
        """Pass on."""
        begun = time.process_time()
        replies = self.engine.poll(timeout)
        self.inside += time.process_time() - begun
        return replies


def measure(size: Size) -> dict[str, Any]:
    """Overhead / time with the embedded engine, its growth when the beams double, nodes a second."""
    asked = problems(size.problems)
    specs = [spec(problem, "beam_search", size.overhead_beams) for problem in asked]
    recorded = Wrapped(LocalBackend(), Recording)
    real = search(recorded, specs, asked, keep=True)
    overheads = []
    for _ in range(size.rounds):
        replayed = Wrapped(recorded, Replaying)
        for name in recorded.engines:
            replayed.engine(name)
        with settled():
            again = search(replayed, specs, asked)
        overheads.append(again.seconds - sum(engine.inside for engine in replayed.engines.values()))
        if again.outcomes != real.outcomes:
            raise RuntimeError("the replayed searches came out otherwise")
    overhead = statistics.median(overheads)
    nodes = sum(map(len, real.nodes))
    n = size.overhead_beams
    growth = [_scripted(size.problems, 2 * n) / _scripted(size.problems, n) for _ in range(size.rounds)]
    return {
        "scheduler_overhead": overhead / real.seconds,
        "scheduler_overhead_seconds": overhead,
        "embedded_seconds": real.seconds,
        "nodes": nodes,
        "nodes_per_second_zero_latency": nodes / overhead,
        "overhead_doubling": statistics.median(growth),
    }


def _scripted(n_problems: int, beams: int) -> float:
    """CPU seconds of everything but the engines."""
    asked = scripted_problems(n_problems)
    scripted = ScriptedBackend(256)
    for engine in scripted.engines.values():
        engine.jobs_seen = deque(maxlen=0)
    backend = Wrapped(scripted, Timed)
    specs = [spec(problem, "beam_search", beams) for problem in asked]
    with settled():
        done = search(backend, specs, asked)
    inside: float = sum(engine.inside for engine in backend.engines.values())
    return done.seconds - inside
