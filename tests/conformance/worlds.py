"""Scripted models that behave awkwardly: replies in any order, cut off, empty, all alike, or with a canary in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from tests.conformance.harness import ScriptedBackend
from ttc_core.jobs import Evaluated, Generated, GenerateJob, Job

Rewrite = Callable[[GenerateJob, Generated], Generated]


class Watched:
    """An engine seen from outside: its jobs and replies are kept, and its replies may be rewritten and delivered late.

    jobs, replies   everything submitted and delivered, by ticket and in order
    under_way       tickets for which a reply is still to come
    """

    def __init__(self, engine: Any, rewrite: Rewrite | None, order: int | None) -> None:
        self._engine, self._rewrite = engine, rewrite
        self._order = None if order is None else Random(order)
        self._held: list[Generated | Evaluated] = []
        self.jobs: dict[int, Job] = {}
        self.replies: list[Generated | Evaluated] = []
        self.under_way: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    @property
    def generate_jobs(self) -> list[GenerateJob]:
        return [job for job in self.jobs.values() if isinstance(job, GenerateJob)]

    def submit(self, jobs: list[Job]) -> None:
        self.jobs.update((job.ticket, job) for job in jobs)
        self.under_way |= {job.ticket for job in jobs}
        self._engine.submit(jobs)

    def poll(self, timeout: float = 0.0) -> list[Generated | Evaluated]:
        self._held += [self._seen(reply) for reply in self._engine.poll(timeout)]
        count = len(self._held)
        if self._order is not None and count:
            self._order.shuffle(self._held)
            count = self._order.randint(1, count)
        delivered, self._held = self._held[:count], self._held[count:]
        self.under_way -= {reply.ticket for reply in delivered}
        self.replies += delivered
        return delivered

    def cancel(self, tickets: set[int]) -> None:
        self._engine.cancel(tickets)
        self._held = [reply for reply in self._held if reply.ticket not in tickets]
        self.under_way -= tickets

    def _seen(self, reply: Generated | Evaluated) -> Generated | Evaluated:
        job = self.jobs[reply.ticket]
        if not isinstance(reply, Generated) or not isinstance(job, GenerateJob) or reply.error is not None:
            return reply
        reply = self._rewrite(job, reply) if self._rewrite else reply
        return replace(reply, tokens=tuple(range(reply.generated)))  # so that tokens can be counted on the nodes


@dataclass
class World(ScriptedBackend):
    """Two scripted models, watched. order: seed of the order in which replies come, None for their virtual time."""

    rewrite: Rewrite | None = None
    order: int | None = None

    def engine(self, name: str) -> Any:
        if name not in self._engines:
            self._engines[name] = Watched(super().engine(name), self.rewrite, self.order)
        return self._engines[name]

    @property
    def policy(self) -> Any:
        return self.engine("scripted-policy")

    @property
    def verifier_model(self) -> Any:
        return self.engine("scripted-prm")


# --- rewrites --------------------------------------------------------------------------------------------------------


def unanswered(job: GenerateJob, reply: Generated) -> Generated:
    """A solution that ends without naming its answer."""
    return replace(reply, text=reply.text.replace("Answer: ", "It is hard to say: "))


def empty_steps(job: GenerateJob, reply: Generated) -> Generated:
    """Steps that hold nothing but their delimiter; answers stay."""
    lines = reply.text.splitlines(keepends=True)
    return replace(reply, text="".join(line if line.startswith("Answer") else "\n" for line in lines))


def nothing(job: GenerateJob, reply: Generated) -> Generated:
    """The model ends at once: not a single token."""
    return _sized(replace(reply, text="", steps=0, finish="end", logprob=0.0), 0)


def one_token(job: GenerateJob, reply: Generated) -> Generated:
    """Cut off after the first token."""
    return _sized(replace(reply, text=reply.text[:1], steps=1, finish="length", logprob=-0.1), 1)


def sometimes_cut(job: GenerateJob, reply: Generated) -> Generated:
    """Every other reply is over-long and cut off."""
    return one_token(job, reply) if job.seed % 2 else reply


def endless(job: GenerateJob, reply: Generated) -> Generated:
    """A model that never comes to an answer: one step after another, or cut off when asked for a whole solution."""
    if job.until == "end":
        return replace(reply, text="on and on\n", steps=1, finish="length")
    return replace(reply, text="on and on\n" * job.steps, steps=job.steps, finish="step")


def alike(job: GenerateJob, reply: Generated) -> Generated:
    """Every sample of a problem is the same: two steps and an answer."""
    solution = ["step\n", "step\n", "Answer: 0\n"]
    written = "".join(segment.text for segment in job.context[1:]).count("\n")
    lines = solution[written:] if job.until == "end" else solution[written : written + job.steps]
    finish = "end" if written + len(lines) >= len(solution) else "step"
    return replace(reply, text="".join(lines), steps=len(lines), finish=finish)


def marked(job: GenerateJob, reply: Generated) -> Generated:
    """Each line begins with the first line of the prompt it was written for: the problem's canary."""
    canary = job.context[0].text.splitlines()[0]
    return replace(reply, text="".join(f"{canary}| {line}" for line in reply.text.splitlines(keepends=True)))


def _sized(reply: Generated, tokens: int) -> Generated:
    """The reply with so many tokens, in every field that has one entry a token."""
    per_token = {"confidences": reply.confidences[:tokens]} if getattr(reply, "confidences", ()) else {}
    return replace(reply, generated=tokens, **per_token)
