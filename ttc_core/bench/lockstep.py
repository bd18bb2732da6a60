"""The loop that ours is compared with: one problem at a time, every beam waits for all others, policy then verifier.

Written anew after what open tools do (generate one step for all beams as a batch, wait, score all as a batch, wait,
choose). It drives the same strategy with the same seeds on the same engines, so that both grow the same trees and only
the time differs. `batched=False` makes it the naive loop that asks for one piece after another.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from ttc_core import grading, registry, seeds
from ttc_core.backend import Backend
from ttc_core.jobs import Evaluate, Evaluated, EvaluateJob, GenerateJob, Job, Scoring, Segment, StepScores
from ttc_core.tree import evolve
from ttc_core.types import ROOT, Budget, Node, Outcome, Problem, RunSpec, Sample, Sampled, Score, Scored, child_id


class LockStep:
    """Searches one problem after another as `spec` says."""

    def __init__(self, backend: Backend, spec: RunSpec, *, batched: bool = True) -> None:
        self._backend, self._spec, self._batched = backend, spec, batched
        self._verifier = backend.verifier(spec.verifier)
        self._tickets = 0
        self._problem = Problem("", "")
        self._nodes: dict[str, Node] = {}
        self._prompts: dict[str, Segment] = {}

    def begin(self, problem: Problem) -> None:
        """Start a new tree."""
        self._problem, self._nodes, self._prompts = problem, {}, {}

    def search(self, problem: Problem) -> Outcome:
        """Drive the strategy, answering each of its lists of requests in full before it goes on."""
        self.begin(problem)
        strategy = registry.build("strategy", self._spec.strategy, self._spec.params)
        rng = Random(seeds.derive(self._spec.seed, problem.id, "strategy"))
        steps = strategy.run(problem, Budget(self._spec.budget), rng)
        replies: list[Any] | None = None
        while True:
            try:
                requests = steps.send(replies)
            except StopIteration as stop:
                outcome: Outcome = stop.value
                return outcome
            sampled = self._sample([r for r in requests if isinstance(r, Sample)])
            replies = []
            for request in requests:
                if isinstance(request, Sample):
                    replies.append(sampled.pop(0))
                elif isinstance(request, Score):
                    replies.append(self._score([self._nodes[i] for i in request.nodes]))
                else:
                    replies.append(None)

    def _sample(self, requests: Sequence[Sample]) -> list[Sampled]:
        spec = self._spec
        ids = [[child_id(r.node, r.first + i, r.branch) for i in range(r.n)] for r in requests]
        jobs: list[Job] = [
            GenerateJob(
                self._ticket(),
                (self._prompt(spec.model), *self._segments(request.node)),
                seeds.derive(spec.seed, self._problem.id, node_id),
                request.until,
                request.steps,
                spec.heat if request.temperature is None else request.temperature,
            )
            for request, names in zip(requests, ids, strict=True)
            for node_id in names
        ]
        replies = iter(self._drain(spec.model, jobs))
        found = []
        for request, names in zip(requests, ids, strict=True):
            nodes = [self._node(request.node, name, next(replies)) for name in names]
            self._nodes.update((node.id, node) for node in nodes)
            found.append(Sampled(tuple(node for node in nodes if node.finish != "error")))
        return found

    def _node(self, parent: str, node_id: str, reply: Any) -> Node:
        node = Node(node_id, parent, reply.text, reply.finish, reply.tokens, max(1, reply.steps))
        if node.finish != "end":
            return node
        answer = grading.extract("".join(n.text for n in self._path(parent)) + node.text)
        return evolve(node, answer=None if answer is None else grading.canonical(answer))

    def _score(self, nodes: Sequence[Node]) -> Scored:
        """Run the verifier on all nodes at once, one of its models after the other; cut-off nodes are not scored."""
        nodes = [node for node in nodes if node.finish != "length"]
        running: list[tuple[Node, Scoring]] = []
        for node in nodes:
            above = self._nodes.get(node.parent)
            running.append((node, self._verifier.score(self._problem, node, above.carry if above else ())))
        replies: list[Any] = [None] * len(running)
        while running:
            asked: list[tuple[Node, Scoring, list[Evaluate]]] = []
            for (node, scoring), reply in zip(running, replies, strict=True):
                try:
                    wanted = [e for e in scoring.send(reply) if isinstance(e, Evaluate)]  # no scripted one asks else
                    asked.append((node, scoring, wanted))
                except StopIteration as stop:
                    self._nodes[node.id] = self._scored(node, stop.value)
            running = [(node, scoring) for node, scoring, _ in asked]
            replies = self._evaluate([(node, evaluations) for node, _, evaluations in asked])
        return Scored(tuple(self._nodes[node.id] for node in nodes))

    def _scored(self, node: Node, scores: StepScores) -> Node:
        above = self._nodes.get(node.parent)
        path = (*(above.path_scores if above else ()), *scores.values)
        return evolve(node, scores=scores.values, path_scores=path, carry=scores.carry)

    def _evaluate(self, asked: Sequence[tuple[Node, list[Evaluate]]]) -> list[list[Evaluated]]:
        by_model: dict[str, list[tuple[int, int, Job]]] = {}
        replies: list[list[Any]] = [[None] * len(evaluations) for _, evaluations in asked]
        for i, (node, evaluations) in enumerate(asked):
            *above, target = self._segments(node.id)
            for j, evaluation in enumerate(evaluations):
                context = (self._prompt(evaluation.model), *above)
                job = EvaluateJob(self._ticket(), context, target, evaluation.read)
                by_model.setdefault(evaluation.model, []).append((i, j, job))
        for model, entries in by_model.items():
            for (i, j, _), reply in zip(entries, self._drain(model, [job for _, _, job in entries]), strict=True):
                replies[i][j] = reply
        return replies

    def _drain(self, model: str, jobs: list[Job]) -> list[Any]:
        """All replies, in the order of the jobs; one job after another in the naive loop.

        Raises:
            Exception: of the first reply that is an error.
        """
        engine = self._backend.engine(model)
        replies: dict[int, Any] = {}
        for batch in [jobs] if self._batched else [[job] for job in jobs]:
            engine.submit(batch)
            while any(job.ticket not in replies for job in batch):
                replies.update((reply.ticket, reply) for reply in engine.poll(0.05))
        for reply in replies.values():
            if reply.error is not None:
                raise reply.error
        return [replies[job.ticket] for job in jobs]

    def _prompt(self, model: str) -> Segment:
        if model not in self._prompts:
            self._prompts[model] = self._backend.engine(model).prompt(self._problem)
        return self._prompts[model]

    def _path(self, node_id: str) -> list[Node]:
        path = []
        while node_id != ROOT:
            path.append(self._nodes[node_id])
            node_id = path[-1].parent
        return path[::-1]

    def _segments(self, node_id: str) -> tuple[Segment, ...]:
        tokenizer = self._prompt(self._spec.model).tokenizer
        return tuple(Segment(node.text, node.tokens, tokenizer) for node in self._path(node_id))

    def _ticket(self) -> int:
        self._tickets -= 1  # below zero: apart from any scheduler's on the same engine
        return self._tickets
