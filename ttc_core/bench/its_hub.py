"""The beam search of its-hub (Red Hat, Apache 2.0) on the same engine, with the same step rule and verifier.

Measured only where `its_hub` and numpy can be imported; the workbench does not need it. Its beam search keeps
`beam_width` beams (the paper: N / M) and samples them again; complete beams are copied. Its model and its verifier are
adapters to our engine which batch as it batches, one step of all beams at a time, and share our caches, so that what is
compared is the loop.
"""

from __future__ import annotations

import asyncio
import logging
import statistics
from collections.abc import Sequence
from typing import Any

from ttc_core import grading, seeds
from ttc_core.backend import LocalBackend
from ttc_core.bench.lockstep import LockStep
from ttc_core.bench.searches import problems, seconds_of, settled, spec
from ttc_core.bench.sizes import Size
from ttc_core.bench.speed import accuracy, together
from ttc_core.jobs import GenerateJob, Job
from ttc_core.types import ROOT, Node, Problem

WIDTH, MOST_STEPS = 4, 40


def measure(size: Size) -> dict[str, Any]:
    """Its time / ours at `few` problems and at one, and its accuracy; or why not."""
    try:
        from its_hub.core.algorithms.beam_search import BeamSearch
        from its_hub.core.lms.step_generation import StepGeneration
    except ImportError as error:  # it is not installed, or its own requirements are not
        return {"speedup_vs_its_hub_32": None, "skipped_its_hub": f"its-hub cannot be imported: {error}"}
    few = problems(size.few)
    backend = LocalBackend()
    model = Adapter(backend, few)
    steps = StepGeneration(MOST_STEPS, "\n", "Answer: ", temperature=1.0, include_stop_str_in_output=True)
    theirs = BeamSearch(steps, model, WIDTH)
    answers: list[str | None] = []

    def one(problem: Problem) -> None:
        answers.append(model.answer(asyncio.run(theirs.ainfer(model, problem.question, size.beams[0]))["content"]))

    logging.disable(logging.INFO)  # it tells of every step
    with settled():
        taken = [seconds_of(lambda problem=problem: one(problem)) for problem in few]  # type: ignore[misc]
        ours, _ = together(few, size.beams[0])
        singles = [t / together([p], size.beams[0])[0] for t, p in zip(taken[: size.rounds], few, strict=False)]
    logging.disable(logging.NOTSET)
    return {
        "speedup_vs_its_hub_32": sum(taken) / ours,
        "speedup_vs_its_hub_1": statistics.median(singles),
        "its_hub_accuracy": accuracy(answers, few),
    }


class Adapter(LockStep):
    """Our engine and verifier as its language model (`agenerate`) and its process reward model (`ascore`)."""

    def __init__(self, backend: LocalBackend, asked: Sequence[Problem]) -> None:
        super().__init__(backend, spec(asked[0], "beam_search", WIDTH))
        for name in {self._spec.model, *self._verifier.models}:
            backend.engine(name)
        self._asked = {problem.question: problem for problem in asked}
        self._samples = 0

    def answer(self, text: str) -> str | None:
        """The canonical answer of a solution's text."""
        found = grading.extract(text)
        return None if found is None else grading.canonical(found)

    async def agenerate(self, messages_lst: list[list[Any]], **options: Any) -> list[dict[str, str]]:
        """One step behind each conversation, the whole batch at once. A node's id here is its solution's text."""
        if self._problem.question != messages_lst[0][0].content:
            self.begin(self._asked[messages_lst[0][0].content])
        texts = [messages[1].content if len(messages) > 1 else ROOT for messages in messages_lst]
        jobs: list[Job] = []
        for text in texts:
            self._samples += 1
            context = (self._prompt(self._spec.model), *self._segments(text))
            jobs.append(GenerateJob(self._ticket(), context, seeds.derive(0, self._problem.id, str(self._samples))))
        replies = self._drain(self._spec.model, jobs)
        for above, reply in zip(texts, replies, strict=True):
            if reply.text:
                text = reply.text if above == ROOT else above + reply.text
                self._nodes.setdefault(text, Node(text, above, reply.text, reply.finish, reply.tokens, reply.steps))
        return [{"role": "assistant", "content": reply.text} for reply in replies]

    async def ascore(self, prompt: str, responses: list[str]) -> list[float]:
        """The last step's score of each solution, 0 where it was cut off."""
        fresh = {text: self._nodes[text] for text in responses if text in self._nodes and not self._nodes[text].scores}
        self._score(list(fresh.values()))
        nodes = [self._nodes.get(text) for text in responses]
        return [0.0 if node is None or node.score is None else node.score for node in nodes]
