"""RLHFlow's process reward models: each step is a user's turn and + or - the answer to it (Xiong et al. 2024)."""

from __future__ import annotations

from dataclasses import dataclass

from ttc_core import reading
from ttc_core.errors import EngineFault
from ttc_core.jobs import Chat, Evaluate, Message, Reading, Scoring, StepScores
from ttc_core.registry import param, verifier
from ttc_core.types import Node, Problem


@verifier("rlhflow")
@dataclass(frozen=True)
class RLHFlow(reading.OneModel):
    """P(right so far) = softmax(logit +, logit -)[+] where the assistant's answer to each step begins.

    The first turn is "QUESTION STEP", the others a step each, and every earlier answer reads "+" whatever its score
    was: as published with Llama3.1-8B-PRM-Mistral-Data and -Deepseek-Data (github.com/RLHFlow/RLHF-Reward-Modeling).
    """

    name: str
    model: str = param("", help="a causal language model trained on such conversations")
    step: str = param("\n\n", help="what ends a step in the policy's solutions")
    good: str = param("+", help="the answer to a right step")
    bad: str = param("-", help="the answer to a wrong step")

    def score(self, problem: Problem, node: Node, carry: tuple[float, ...]) -> Scoring:
        """One evaluation; nothing is carried on."""
        [reply] = yield [Evaluate(self.model, (self.good, self.bad), layout=self.layout)]
        return StepScores(tuple(reading.share(row, 0) for row in reply.logits))

    def layout(self, question: str, before: str, text: str, chat: Chat) -> Reading:
        """The conversation up to where the answer to the last step begins.

        Raises:
            EngineFault: this chat template writes a conversation's beginning anew when it goes on.
        """
        earlier = reading.above(before, self.step)
        messages: list[Message] = []
        texts: list[str] = []
        for number, step in enumerate((*earlier, *reading.steps(text, self.step))):
            messages.append(("user", step if number else f"{question} {step}"))
            texts.append(chat(messages, True))
            messages.append(("assistant", self.good))
        if not all(texts[-1].startswith(shorter) for shorter in texts):
            raise EngineFault(f"{self.model}'s chat template rewrites earlier turns, so that steps cannot be scored")
        marks = tuple(map(len, texts[len(earlier) :]))
        return Reading((texts[-1],), marks, begin=False, messages=tuple(messages[:-1]))
