"""One search: drives a strategy's generators and turns their requests into jobs for engines.

A strategy may run sub-searches in parallel, so a search is a tree of generators (`_Task`). Each waits for the replies
to the list of requests it yielded; a reply that is already in the tree (recorded before) comes at once, the others
when the engines deliver. Nothing here waits, knows a clock or touches a database.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Any

from ttc_core import accounting, seeds
from ttc_core.backend import Backend
from ttc_core.errors import BudgetExceeded, StrategyFault, UserError
from ttc_core.jobs import Generated, GenerateJob, Segment
from ttc_core.scoring import Gather, Scorer, Send
from ttc_core.tree import Tree, evolve, initial_state, is_critique
from ttc_core.types import (
    NO_USAGE,
    Budget,
    Node,
    NodeId,
    Outcome,
    Parallel,
    Problem,
    Prune,
    RunSpec,
    Sample,
    Sampled,
    Score,
    Scored,
    Strategy,
    Usage,
    child_id,
)

CONFIDENCE_TOP = 20  # a token's confidence is taken over so many most likely ones, as many as servers give (DeepConf)


@dataclass(eq=False, slots=True)
class _Task:
    """A generator and the replies it goes on with; `done` receives its return value."""

    generator: Generator[list[Any], list[Any], Any]
    done: Callable[[Any], None]
    replies: list[Any] | None = None  # None before the generator has started


class SearchRun:
    """A search under way. `outcome` or `error` is set when it has ended."""

    def __init__(
        self,
        spec: RunSpec,
        problem: Problem,
        strategy: Strategy,
        backend: Backend,
        read_answer: Callable[[str], str | None],
        send: Send,
        recorded: Iterable[Node] = (),
        usage: Usage = NO_USAGE,
    ) -> None:
        self.tree = Tree(recorded, spec.prefix)
        self.outcome: Outcome | None = None
        self.error: Exception | None = None
        self._spec, self._problem, self._send, self._read_answer = spec, problem, send, read_answer
        self._engine = backend.engine(spec.model)
        self._prompt = self._engine.prompt(problem)
        self._meter = accounting.Meter(usage, self._engine.parameters)
        self._scorer: Scorer | None = None
        self._confidence = False  # whether the verifier wants the confidence of each token with every sample
        if spec.verifier:
            verifier = backend.verifier(spec.verifier)
            self._confidence = getattr(verifier, "confidence", False)
            self._scorer = Scorer(self.tree, problem, verifier, backend, send, self._prompt.tokenizer)
            self._scorer.charge, self._scorer.failed = self._meter.scored, self._meter.score_failed
        self._generations = accounting.Generations()
        self._runnable: list[_Task] = []
        self._started = self._engine.now()
        rng = Random(seeds.derive(spec.seed, problem.id, "strategy"))
        self._spawn(strategy.run(problem, Budget(spec.budget), rng), self._finish)

    # --- running generators ------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """Run every generator whose replies are complete until all wait or the search has ended; never raises."""
        try:
            while self._runnable and self.outcome is None and self.error is None:
                self._resume(self._runnable.pop())
        except Exception as error:
            self.error = error

    @property
    def usage(self) -> Usage:
        """What the search has cost so far, earlier parts included."""
        return self._meter.usage(self._generations.total, self._engine.now() - self._started)

    def close(self) -> None:
        """Give up what is still waiting."""
        self._runnable.clear()
        if self._scorer is not None:
            self._scorer.close()

    def _spawn(self, generator: Generator[list[Any], list[Any], Any], done: Callable[[Any], None]) -> None:
        self._runnable.append(_Task(generator, done))

    def _resume(self, task: _Task) -> None:
        try:
            requests = task.generator.send(task.replies)  # type: ignore[arg-type]
        except StopIteration as stop:
            task.done(stop.value)
            return
        if not isinstance(requests, list):
            raise StrategyFault(f"a strategy must yield a list of requests, not {type(requests).__name__}")
        replies = Gather(len(requests), lambda values: self._ready(task, values))
        for i, request in enumerate(requests):
            self._ask(request, replies.slot(i))

    def _ready(self, task: _Task, replies: list[Any]) -> None:
        task.replies = replies
        self._runnable.append(task)

    def _ask(self, request: Any, fill: Callable[[Any], None]) -> None:
        if isinstance(request, Sample):
            self._sample(request, fill)
        elif isinstance(request, Score):
            self._score(request, fill)
        elif isinstance(request, Prune):
            for node_id in request.nodes:
                self._prune(node_id, request.why)
            fill(None)
        elif isinstance(request, Parallel):
            gather = Gather(len(request.searches), lambda values: fill(tuple(values)))
            for i, generator in enumerate(request.searches):
                self._spawn(generator, gather.slot(i))
        else:
            raise StrategyFault(f"a strategy yielded {type(request).__name__}, which is no request")

    def _finish(self, outcome: Any) -> None:
        if not isinstance(outcome, Outcome):
            raise StrategyFault(f"a strategy must return an Outcome, not {type(outcome).__name__}")
        self.outcome = outcome

    def _prune(self, node_id: NodeId, why: str) -> None:
        node = self.tree.nodes.get(node_id)
        if node is None:
            raise StrategyFault(f"there is no node {node_id!r} to prune")
        self.tree.change(node_id, state="pruned" if node.state in ("open", "kept") else node.state, why=why)

    # --- sampling ----------------------------------------------------------------------------------------------------

    def _sample(self, request: Sample, fill: Callable[[Any], None]) -> None:
        self._check(request)
        if self._confidence:
            request = replace(request, confidence=True)
        ids = [child_id(request.node, request.first + i, request.branch) for i in range(request.n)]
        new = sum(node_id not in self.tree.nodes for node_id in ids)  # asked for again, a sample costs nothing twice
        self._generations.add(self.tree.depth(request.node), new, request.until, request.steps)
        if self._generations.total > self._spec.budget:
            raise BudgetExceeded(f"{self._spec.strategy} asked for more than {self._spec.budget} generations")
        self.tree.keep(request.node)
        temperature = self._spec.heat if request.temperature is None else request.temperature
        spec = _sampling_spec(request, temperature)
        gather = Gather(request.n, lambda nodes: fill(_sampled(nodes)))
        make: Callable[[int, int], GenerateJob] | None = None
        for i, node_id in enumerate(ids):
            known = self.tree.recall(node_id, spec)
            if known is not None:
                gather.put(i, known)
                continue
            make = make or _generate_jobs(self._context(request), request, temperature)
            seed = seeds.derive(self._spec.seed, self._problem.id, node_id)
            receive = partial(self._came, request.node, node_id, spec, gather, i)
            self._send(self._spec.model, make, (seed,), receive)

    def _check(self, request: Sample) -> None:
        if request.n < 0 or request.first < 0 or request.steps < 1 or request.attempts < 0:
            raise StrategyFault(f"this cannot be sampled: {request}")
        node = self.tree.nodes.get(request.node)
        if request.attempts and self._spec.prefix:
            raise UserError("a revision begins anew, so a search that revises cannot go on from a step")
        if request.ask and not request.attempts:
            raise StrategyFault(f"a {request.ask} needs an attempt in sight: {request}")
        if (node is not None and node.complete) != (request.attempts > 0):
            what = "complete and can only be revised" if node is not None and node.complete else "no complete attempt"
            raise StrategyFault(f"node {request.node} is {what}")

    def _context(self, request: Sample) -> tuple[Segment, ...]:
        if request.attempts:
            attempts = self.tree.attempts(request.node, request.attempts, critiques=request.ask != "")
            return (self._engine.prompt(self._problem, attempts, request.ask),)
        return (self._prompt, *self.tree.segments(request.node, self._prompt.tokenizer))

    def _came(self, parent: NodeId, node_id: NodeId, spec: str, gather: Gather, index: int, reply: Generated) -> None:
        node = self._node(parent, node_id, spec, reply)
        self._meter.sampled(reply, failed=node.finish == "error")
        self.tree.add(node)
        gather.put(index, node)

    def _node(self, parent: NodeId, node_id: NodeId, spec: str, reply: Generated) -> Node:
        if reply.error is not None:
            return Node(node_id, parent, "", "error", state="failed", why=str(reply.error), spec=spec)
        node = Node(
            node_id,
            parent,
            reply.text,
            reply.finish,
            reply.tokens,
            max(1, reply.steps),
            logprob=reply.logprob,
            confidences=reply.confidences,
            spec=spec,
        )
        if node.finish == "step":
            return node  # open, as a new node is
        answer = None
        if node.finish == "end" and not is_critique(node):
            above = self.tree.nodes.get(parent)
            before = "" if above is None or above.complete else self.tree.text(parent)
            answer = self._read_answer(before + node.text)
        why = f"cut off after {len(node.tokens) or reply.generated} tokens" if node.finish == "length" else ""
        return evolve(node, state=initial_state(node), why=why, answer=answer)

    # --- scoring -----------------------------------------------------------------------------------------------------

    def _score(self, request: Score, fill: Callable[[Any], None]) -> None:
        if self._scorer is None:
            raise UserError(f"{self._spec.strategy} needs a verifier", hint="name one with --verifier")
        gather = Gather(len(request.nodes), lambda nodes: fill(_scored(nodes)))
        for i, node_id in enumerate(request.nodes):
            self._scorer.score(node_id, gather.slot(i))


def _sampled(nodes: list[Node]) -> Sampled:
    came = tuple(node for node in nodes if node.finish != "error")
    return Sampled(came, len(nodes) - len(came))


def _scored(nodes: list[Node]) -> Scored:
    came = tuple(node for node in nodes if node.scores)
    return Scored(came, len(nodes) - len(came))


def _generate_jobs(
    context: tuple[Segment, ...], request: Sample, temperature: float
) -> Callable[[int, int], GenerateJob]:
    """The samples of a request differ in ticket and seed alone."""
    confidence = CONFIDENCE_TOP if request.confidence else 0
    return lambda ticket, seed: GenerateJob(
        ticket, context, seed, request.until, request.steps, temperature, confidence=confidence
    )


def _sampling_spec(request: Sample, temperature: float) -> str:
    """`Node.spec`: all of a request that makes a difference to the node it brings."""
    attempts = f":{request.attempts}" if request.attempts else ""
    attempts += f":{request.ask}" if request.ask else ""
    return f"{request.until}:{request.steps}:{temperature:g}{attempts}" + (":confidence" if request.confidence else "")
