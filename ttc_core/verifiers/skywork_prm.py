"""Skywork-o1-Open-PRM: a value head, read at the line end behind each step (He et al. 2024)."""

from __future__ import annotations

from dataclasses import dataclass

from ttc_core import reading
from ttc_core.jobs import Chat, Evaluate, Reading, Scoring, StepScores
from ttc_core.registry import param, verifier
from ttc_core.types import Node, Problem


@verifier("skywork_prm")
@dataclass(frozen=True)
class SkyworkPRM(reading.OneModel):
    """P(right so far) = sigmoid(value) at the end of each step, which may have several lines.

    The question with its line end, then each line and each line end are encoded one by one and put together, as
    published with Skywork-o1-Open-PRM-Qwen-2.5 (github.com/SkyworkAI/skywork-o1-prm-inference, prepare_input).
    """

    name: str
    model: str = param("", help="a model with a value head")
    step: str = param("\n\n", help="what ends a step in the policy's solutions")
    line: str = param("\n", help="what ends a line, one token")

    def score(self, problem: Problem, node: Node, carry: tuple[float, ...]) -> Scoring:
        """One evaluation; nothing is carried on."""
        [reply] = yield [Evaluate(self.model, layout=self.layout)]
        return StepScores(tuple(reading.squash(reading.only(row)) for row in reply.values))

    def layout(self, question: str, before: str, text: str, chat: Chat) -> Reading:
        """The pieces; a mark stands behind the last line end of each of the node's steps."""
        pieces = [f"{question}\n"]
        earlier, marks = reading.above(before, self.step), []
        for number, step in enumerate((*earlier, *reading.steps(text, self.step))):
            for line in reading.steps(step, self.line):
                pieces += [line, self.line]
            if number >= len(earlier):
                marks.append(sum(map(len, pieces)))
        return Reading(tuple(pieces), tuple(marks), tag=self.line)
