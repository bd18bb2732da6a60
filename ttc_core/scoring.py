"""Drives a verifier over the nodes of one search: its evaluations become jobs, its step scores go into the tree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ttc_core import grading
from ttc_core.backend import Backend
from ttc_core.errors import EngineError, EngineFault, StrategyFault
from ttc_core.jobs import Engine, Evaluate, Evaluated, EvaluateJob, Job, Reading, Scoring, Segment, StepScores, Verifier
from ttc_core.tree import Tree
from ttc_core.types import ROOT, Node, NodeId, Problem

UNSENT = -1  # the ticket of what no engine was asked
# What a search asks of the scheduler: `send(model, make, arguments, receive)` sends the job make(ticket, *arguments) to
# that model's engine and calls `receive` with the reply.
Send = Callable[[str, Callable[..., Job], tuple[Any, ...], Callable[[Any], None]], None]


class Gather:
    """Collects n values that arrive in any order and hands them on in theirs."""

    __slots__ = ("_done", "_missing", "_values")

    def __init__(self, n: int, done: Callable[[list[Any]], None]) -> None:
        self._values: list[Any] = [None] * n
        self._missing = n
        self._done = done
        if n == 0:
            done([])

    def put(self, index: int, value: Any) -> None:
        """Receive the value number `index`."""
        self._values[index] = value
        self._missing -= 1
        if self._missing == 0:
            self._done(self._values)

    def slot(self, index: int) -> Callable[[Any], None]:
        """Receiver of the value number `index`."""
        return partial(self.put, index)


@dataclass(eq=False, slots=True)
class _Scoring:
    """A verifier at work on one node; several requests may wait for it."""

    generator: Scoring
    waiting: list[Callable[[Node], None]] = field(default_factory=list)


class Scorer:
    """Scores nodes of one tree. `charge` is told every evaluation, `failed` every score that did not come."""

    charge: Callable[[Evaluated, int], None]
    failed: Callable[[], None]

    def __init__(
        self, tree: Tree, problem: Problem, verifier: Verifier, backend: Backend, send: Send, tokenizer: str
    ) -> None:
        self._tree, self._problem, self._verifier, self._backend = tree, problem, verifier, backend
        self._send, self._tokenizer = send, tokenizer
        self._prompts: dict[tuple[str, tuple[str, ...]], Segment] = {}
        self._at_work: dict[NodeId, _Scoring] = {}

    def score(self, node_id: NodeId, fill: Callable[[Node], None]) -> None:
        """Hand `fill` the node once scored, at once if it is; without scores when scoring failed.

        Raises:
            StrategyFault: no such node, or its parent has no score yet.
        """
        node = self._tree.nodes.get(node_id)
        if node is None:
            raise StrategyFault(f"there is no node {node_id!r} to score")
        if node.scores or node.state == "failed":
            fill(node)
        elif node_id in self._at_work:
            self._at_work[node_id].waiting.append(fill)
        else:
            parent = self._tree.parent(node)
            if parent is not None and not parent.scores:
                self._after_the_given(node_id, parent, fill)
                return
            generator = self._verifier.score(self._problem, node, parent.carry if parent else ())
            self._at_work[node_id] = _Scoring(generator, [fill])
            self._step(node_id, None)

    def _after_the_given(self, node_id: NodeId, parent: Node, fill: Callable[[Node], None]) -> None:
        """Score the steps that the search was given, of which no strategy knows, before the first one behind them."""
        if parent.id != ROOT:
            raise StrategyFault(f"node {node_id} is scored before its parent")
        if parent.state != "failed":
            self.score(ROOT, lambda _: self.score(node_id, fill))
            return
        self.failed()
        fill(self._tree.change(node_id, state="failed", why=parent.why))

    def close(self) -> None:
        """Forget the nodes at work; replies that still come are ignored."""
        self._at_work.clear()

    def _step(self, node_id: NodeId, replies: list[Any] | None) -> None:
        """Hand the verifier its replies; send what it asks next, or record the score it returns."""
        try:
            asked = self._at_work[node_id].generator.send(replies)  # type: ignore[arg-type]
        except StopIteration as stop:
            self._record(node_id, stop.value)
            return
        except EngineError as error:
            self._fail(node_id, error)
            return
        gather = Gather(len(asked), partial(self._received, node_id))
        for i, request in enumerate(asked):
            if isinstance(request, Evaluate):
                self._evaluate(self._tree.nodes[node_id], request, gather, i)
            else:
                answer, truth = self._tree.nodes[node_id].answer, self._problem.answer
                gather.put(i, grading.grade(answer, truth, self._problem.metadata.get("grader", grading.DEFAULT)))

    def _evaluate(self, node: Node, asked: Evaluate, gather: Gather, index: int) -> None:
        """Send the job of an evaluation."""
        engine = self._backend.engine(asked.model)
        target = self._tree.segment(node, self._tokenizer)
        continued = self._tree.parent(node) is not None
        reading: Reading | None = None
        context: tuple[Segment, ...] = ()
        if asked.layout is not None:
            before = self._tree.text(node.parent) if continued else ""
            try:
                reading = asked.layout(self._problem.question, before, node.text, engine.chat)
            except EngineError as error:  # this solution cannot be laid out for the model; others may be
                gather.put(index, Evaluated(UNSENT, error=error))
                return
        elif continued:
            context = (self._prompt(node.id, asked, engine), *self._tree.segments(node.parent, self._tokenizer))
        else:
            context = (self._prompt(node.id, asked, engine),)
        receive = partial(self._evaluated, gather, index, engine.parameters, reading if not asked.write else None)
        self._send(asked.model, EvaluateJob, (context, target, asked.read, reading, asked.write), receive)

    def _prompt(self, node_id: NodeId, evaluation: Evaluate, engine: Engine) -> Segment:
        """The evaluating model's prompt, made once for all nodes that it suits."""
        attempts: tuple[str, ...] = ()
        if evaluation.attempts:
            attempts = self._tree.attempts(self._tree.revised(node_id), evaluation.attempts)
        key = (evaluation.model, attempts)
        if key not in self._prompts:
            self._prompts[key] = engine.prompt(self._problem, attempts)
        return self._prompts[key]

    def _evaluated(
        self, gather: Gather, index: int, parameters: int, reading: Reading | None, reply: Evaluated
    ) -> None:
        self.charge(reply, parameters)
        rows = reply.logits or reply.values
        if reading is not None and reply.error is None and len(rows) != len(reading.marks):
            fault = EngineFault(f"{len(reading.marks)} places were to be read and {len(rows)} were")
            reply = replace(reply, error=fault)
        gather.put(index, reply)

    def _received(self, node_id: NodeId, replies: list[Any]) -> None:
        errors = [reply.error for reply in replies if isinstance(reply, Evaluated) and reply.error is not None]
        if node_id not in self._at_work:
            return
        if errors:
            self._fail(node_id, errors[0])
        else:
            self._step(node_id, replies)

    def _record(self, node_id: NodeId, scores: StepScores) -> None:
        bad = [v for v in scores.values if not 0.0 <= v <= 1.0]
        if bad or not scores.values:
            self._fail(node_id, EngineFault(f"the verifier returned {bad[0] if bad else 'no score'}"))
            return
        parent, values = self._tree.parent(self._tree.nodes[node_id]), tuple(scores.values)
        path = (*(parent.path_scores if parent else ()), *values)
        self._deliver(self._tree.change(node_id, scores=values, path_scores=path, carry=tuple(scores.carry)))

    def _fail(self, node_id: NodeId, error: Exception) -> None:
        """A score that failed is not zero: the node leaves the search and is counted."""
        self.failed()
        self._deliver(self._tree.change(node_id, state="failed", why=f"not scored: {error}"))

    def _deliver(self, node: Node) -> None:
        for fill in self._at_work.pop(node.id).waiting:
            fill(node)
