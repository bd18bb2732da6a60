"""What the tests of verifiers share: driving one over a node, and engines that give numbers written in the test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ttc_core.jobs import Evaluate, Evaluated, EvaluateJob, Reading, Segment, StepScores
from ttc_core.models import ModelCard
from ttc_core.types import ROOT, Node, Problem

QUESTION = "What is 2 + 3 times 4?"
PROBLEM = Problem("p", QUESTION, "14", "", {"grader": "numeric"})


def card(kind: str, **fields: Any) -> ModelCard:
    """A verifier's card as the models file makes it."""
    return ModelCard("the-verifier", kind, "", 0, Path(), {"kind": kind, **fields})


def node(text: str, **fields: Any) -> Node:
    return Node("r.0", ROOT, text, fields.pop("finish", "step"), **fields)


def chatml(messages, answer=False) -> str:
    """The conversation as Qwen's models are given it."""
    text = "".join(f"<|im_start|>{role}\n{content}<|im_end|>\n" for role, content in messages)
    return text + ("<|im_start|>assistant\n" if answer else "")


def llama3(messages, answer=False) -> str:
    """The conversation as Llama 3 is given it."""
    head = "<|start_header_id|>{}<|end_header_id|>\n\n"
    text = "".join(head.format(role) + content.strip() + "<|eot_id|>" for role, content in messages)
    return "<|begin_of_text|>" + text + (head.format("assistant") if answer else "")


class Given:
    """An engine whose replies are given: `rows` for what is read, `text` for what it writes; it keeps the readings."""

    def __init__(self, rows=(), text: str = "", chat=chatml) -> None:
        self.rows, self.text, self.chat = rows, text, chat
        self.readings: list[Reading] = []
        self.requests: list[Evaluate] = []

    def answer(self, job: EvaluateJob) -> Evaluated:
        if job.write:
            return Evaluated(job.ticket, text=self.text)
        rows = tuple(tuple(row) for row in self.rows)
        return Evaluated(job.ticket, logits=rows) if job.read else Evaluated(job.ticket, values=rows)


class Loaded:
    """An engine as `Given` is one."""

    def __init__(self, engine: Any) -> None:
        self.engine, self.chat = engine, engine.chat
        self.readings: list[Reading] = []
        self.requests: list[Evaluate] = []

    def answer(self, job: EvaluateJob) -> Evaluated:
        self.engine.submit([job])
        [reply] = self.engine.poll(120.0)
        if reply.error is not None:
            raise reply.error
        return reply


def score(verifier: Any, world: Any, text: str, before: str = "", graded: Any = None, **fields: Any) -> StepScores:
    """Drive the verifier over a node with this text as the scorer does."""
    carry = fields.pop("carry", ())
    problem = fields.pop("problem", PROBLEM)
    scoring = verifier.score(problem, node(text, **fields), carry)
    replies = None
    while True:
        try:
            asked = scoring.send(replies)
        except StopIteration as stop:
            return stop.value
        replies = []
        for request in asked:
            if not isinstance(request, Evaluate):
                replies.append(graded)
                continue
            reading = request.layout(problem.question, before, text, world.chat)
            world.requests.append(request)
            world.readings.append(reading)
            replies.append(world.answer(EvaluateJob(0, (), Segment(text), request.read, reading, request.write)))
