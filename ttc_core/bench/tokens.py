"""Tokens forwarded beside the least possible, counted from the jobs alone, and tokens generated for nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ttc_core import registry
from ttc_core.backend import LocalBackend
from ttc_core.bench.searches import problems, search, spec
from ttc_core.bench.sizes import Size
from ttc_core.errors import TTCError
from ttc_core.jobs import Engine, Evaluated, EvaluateJob, Generated, Job, Segment, Verifier
from ttc_core.types import Node, Problem


class Positions:
    """Distinct token positions: a position is known by all tokens up to and including it."""

    def __init__(self) -> None:
        self._known: set[int] = set()

    def add(self, segments: Iterable[Segment], *, skip_last: bool = False) -> int:
        """How many positions of this text are new; the last token may be left out."""
        tokens = [token for segment in segments for token in segment.tokens]
        before, prefix = len(self._known), 0
        for token in tokens[: len(tokens) - skip_last]:
            prefix = hash((prefix, token))
            self._known.add(prefix)
        return len(self._known) - before


class Counting:
    """An engine that notes the least that any engine would have had to forward for its jobs.

    contexts   each position once, and not at all where decoding or scoring met it: both need all tokens of a step but
               its last, unless logits behind that one are read
    nodes      the tokens of each distinct node that was evaluated
    positions  the same more strictly: what two different steps begin with counts once
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.contexts = self.nodes = self.positions = 0
        self._jobs: dict[int, Job] = {}
        self._read, self._scored = Positions(), Positions()
        self._known: set[tuple[Segment, ...]] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def submit(self, jobs: list[Job]) -> None:
        """Note what these jobs need at least."""
        for job in jobs:
            self._jobs[job.ticket] = job
            self.contexts += self._read.add(job.context)
            self._scored.add(job.context)
            if isinstance(job, EvaluateJob) and (whole := (*job.context, job.target)) not in self._known:
                self._known.add(whole)
                self._read.add(whole, skip_last=not job.read)
                self.nodes += len(job.target.tokens)
                self.positions += self._scored.add(whole)
        self.engine.submit(jobs)

    def poll(self, timeout: float = 0.0) -> list[Generated | Evaluated]:
        """Note what decoding has forwarded."""
        replies = self.engine.poll(timeout)
        for reply in replies:
            job = self._jobs.pop(reply.ticket)
            if isinstance(reply, Generated):
                self._read.add((*job.context, Segment("", reply.tokens)), skip_last=True)
        return replies


class CountingBackend:
    """The bundled models, each engine wrapped in `Counting`."""

    def __init__(self) -> None:
        self._local = LocalBackend()
        self.engines: dict[str, Counting] = {}

    def engine(self, name: str) -> Engine:
        """The counting engine of a model."""
        if name not in self.engines:
            self.engines[name] = Counting(self._local.engine(name))
        return self.engines[name]

    def verifier(self, name: str) -> Verifier:
        """The verifier."""
        return self._local.verifier(name)


def measure(size: Size) -> dict[str, Any]:
    """Prompt and verifier tokens forwarded / least possible, for beam search; waste, for every strategy."""
    asked = problems(size.token_problems)
    backend = CountingBackend()
    specs = [spec(problem, "beam_search", size.beams[0]) for problem in asked]
    search(backend, specs, asked)
    policy = backend.engines[specs[0].model]
    models = {name: e for name, e in backend.engines.items() if e.nodes}
    evaluated = {name: e.counters.evaluate / e.nodes for name, e in models.items()}
    waste, skipped = _waste(asked[: max(1, len(asked) // 4)], size.beams[0])
    return {
        "prompt_token_ratio": policy.counters.context / max(1, policy.contexts),
        "verifier_token_ratio": max(evaluated.values(), default=None),
        "verifier_token_ratio_by_model": evaluated,
        "verifier_token_ratio_by_position": {n: e.counters.evaluate / e.positions for n, e in models.items()},
        "wasted_fraction": max(waste.values(), default=None),
        "wasted_fraction_by_strategy": waste,
        "skipped_strategies": skipped,
    }


def _waste(asked: list[Problem], beams: int) -> tuple[dict[str, float], dict[str, str]]:
    waste: dict[str, float] = {}
    skipped: dict[str, str] = {}
    backend = LocalBackend()
    for name in registry.names("strategy"):
        try:
            done = search(backend, [spec(problem, name, beams) for problem in asked], asked, keep=True)
        except TTCError as error:  # for instance a strategy that needs a model made for revising
            skipped[name] = str(error)
            continue
        totals = [0, 0]
        for nodes, outcome in zip(done.nodes, done.outcomes, strict=True):
            chosen = {candidate.node for candidate in outcome.candidates} if outcome else set()
            for i, n in enumerate(_used_and_not(nodes, chosen)):
                totals[i] += n
        waste[name] = totals[1] / max(1, sum(totals))
    return waste, skipped


def _used_and_not(nodes: dict[str, Node], chosen: set[str]) -> tuple[int, int]:
    """Tokens of nodes that were scored or rated by confidence, sampled further or could be chosen; and of the others.

    A step that a scored one below the same parent repeats word for word has that one's score.
    """
    above = {node.parent for node in nodes.values()}
    rated = {(node.parent, node.text) for node in nodes.values() if node.scores or node.confidences}
    used = [n for n in nodes.values() if n.id in above or n.id in chosen or (n.parent, n.text) in rated]
    spent = sum(len(node.tokens) for node in used)
    return spent, sum(len(node.tokens) for node in nodes.values()) - spent
