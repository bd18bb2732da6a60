"""A language model asked whether a solution is right so far: the probability that it says yes.

The simplest generative verifier (Kadavath et al. 2022, arXiv 2207.05221; Zhang et al. 2024, arXiv 2408.15240). It needs
no training, only a model that follows instructions.
"""

from __future__ import annotations

from dataclasses import dataclass

from ttc_core import reading
from ttc_core.jobs import Chat, Evaluate, Message, Reading, Scoring, StepScores
from ttc_core.registry import param, verifier
from ttc_core.types import Node, Problem

PROMPT = """Question:
{question}

Solution so far:
{solution}

Is every step of this solution right so far? Answer with Yes or No."""


@verifier("judge")
@dataclass(frozen=True)
class Judge(reading.OneModel):
    """P(right so far) = softmax(logit yes, logit no)[yes] where the answer begins. One score a node."""

    name: str
    model: str = param("", help="a language model that follows instructions")
    prompt: str = param(PROMPT, help="what it is asked, with {question} and {solution}")
    yes: str = param("Yes", help="the answer that means right; its last token is read")
    no: str = param("No", help="the answer that means wrong")
    chat: bool = param(True, help="ask in the model's chat form; false: as plain text, for a base model")

    def score(self, problem: Problem, node: Node, carry: tuple[float, ...]) -> Scoring:
        """One evaluation; nothing is carried on."""
        [reply] = yield [Evaluate(self.model, (self.yes, self.no), layout=self.layout)]
        return StepScores((reading.share(reply.logits[0], 0),))

    def layout(self, question: str, before: str, text: str, chat: Chat) -> Reading:
        """The prompt up to where the answer begins."""
        asked = reading.filled(self.prompt, {"question": question, "solution": (before + text).strip()})
        if not self.chat:
            return Reading((asked,), (len(asked),))
        messages: tuple[Message, ...] = (("user", asked),)
        whole = chat(messages, True)
        return Reading((whole,), (len(whole),), begin=False, messages=messages)
