"""Math-Shepherd: a causal language model that says + or - at each step tag (Wang et al. 2024, arXiv 2312.08935)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ttc_core import reading
from ttc_core.jobs import Chat, Evaluate, Reading, Scoring, StepScores
from ttc_core.registry import param, verifier
from ttc_core.types import Node, Problem


@verifier("math_shepherd")
@dataclass(frozen=True)
class MathShepherd(reading.OneModel):
    """P(right so far) = softmax(logit +, logit -)[+] at the tag behind each step of "QUESTION STEP ки\\nSTEP ки".

    As published with math-shepherd-mistral-7b-prm; the whole text is encoded at once, and "+", "-" and "ки" are the
    tokens with a space before them.
    """

    name: str
    model: str = param("", help="a causal language model trained on the tags")
    step: str = param("\n\n", help="what ends a step in the policy's solutions")
    tag: str = param("ки", help="the step tag, one token with the space before it")
    good: str = param("+", help="the token that stands for right")
    bad: str = param("-", help="the token that stands for wrong")
    between: str = param("\n", help="what stands between a tag and the next step")

    def score(self, problem: Problem, node: Node, carry: tuple[float, ...]) -> Scoring:
        """One evaluation; nothing is carried on."""
        [reply] = yield [Evaluate(self.model, (self.good, self.bad), layout=self.layout)]
        return StepScores(tuple(reading.share(row, 0) for row in reply.logits))

    def layout(self, question: str, before: str, text: str, chat: Chat) -> Reading:
        """What the model is given. A tag that stands in a step by itself is taken out."""
        alone = re.compile(rf"(?<!\S){re.escape(self.tag)}(?!\S)")
        earlier, here = (
            [f"{alone.sub('', step).strip()} {self.tag}" for step in found]
            for found in (reading.above(before, self.step), reading.steps(text, self.step))
        )
        whole, marks = reading.marked(f"{question} ", earlier, here, self.between)
        return Reading((whole,), marks, tag=self.tag)
