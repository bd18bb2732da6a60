"""Qwen2.5-Math-PRM: a head of two classes, read at the token behind each step (Zhang et al. 2025, arXiv 2501.07301)."""

from __future__ import annotations

from dataclasses import dataclass

from ttc_core import reading
from ttc_core.errors import EngineFault
from ttc_core.jobs import Chat, Evaluate, Message, Reading, Scoring, StepScores
from ttc_core.registry import param, verifier
from ttc_core.types import Node, Problem


@verifier("qwen_prm")
@dataclass(frozen=True)
class QwenPRM(reading.OneModel):
    """P(right so far) = softmax(head)[1] at the tag behind each step of the turn "STEP<extra_0>STEP<extra_0>".

    As published with Qwen2.5-Math-PRM-7B; the head is two linear layers with a ReLU between them.
    """

    name: str
    model: str = param("", help="a model with a head of two classes, wrong and right")
    step: str = param("\n\n", help="what ends a step in the policy's solutions")
    tag: str = param("<extra_0>", help="the token behind each step")
    system: str = param(
        "Please reason step by step, and put your final answer within \\boxed{}.", help="the system's turn"
    )

    def score(self, problem: Problem, node: Node, carry: tuple[float, ...]) -> Scoring:
        """One evaluation; nothing is carried on."""
        [reply] = yield [Evaluate(self.model, layout=self.layout)]
        return StepScores(tuple(reading.share(row, 1) for row in reply.values))

    def layout(self, question: str, before: str, text: str, chat: Chat) -> Reading:
        """The conversation up to the last tag; what a template writes behind it cannot be seen from there.

        Raises:
            EngineFault: this chat template changes what the assistant says.
        """
        before, text = reading.without(before, self.tag), reading.without(text, self.tag)
        earlier, here = (
            [step + self.tag for step in found]
            for found in (reading.above(before, self.step), reading.steps(text, self.step))
        )
        said, marks = reading.marked("", earlier, here)
        messages: list[Message] = [("system", self.system), ("user", question), ("assistant", said)]
        whole = chat(messages, False)
        start = whole.rfind(said)
        if start < 0:
            raise EngineFault(f"{self.model}'s chat template changes the solution, so that steps cannot be scored")
        ends = tuple(start + mark for mark in marks)
        return Reading((whole[: ends[-1]],), ends, begin=False, tag=self.tag, messages=tuple(messages))
