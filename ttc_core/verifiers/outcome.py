"""Outcome reward model: one value for question and solution (Cobbe et al. 2021, arXiv 2110.14168)."""

from __future__ import annotations

from dataclasses import dataclass

from ttc_core import reading
from ttc_core.jobs import Chat, Evaluate, Message, Reading, Scoring, StepScores
from ttc_core.registry import param, verifier
from ttc_core.types import Node, Problem


@verifier("outcome")
@dataclass(frozen=True)
class OutcomeRewardModel(reading.OneModel):
    """P(right) = sigmoid(scale * reward + shift), the reward of a sequence classifier at the conversation's last token.

    With scale 1 and shift 0 this is the Bradley-Terry probability of beating a solution of reward 0 (Ouyang et al.
    2022). One score a node, for all of the solution so far; such models are trained on complete ones.
    """

    name: str
    model: str = param("", help="a sequence classifier with one label")
    scale: float = param(1.0, help="factor of the reward")
    shift: float = param(0.0, help="added to it")

    def score(self, problem: Problem, node: Node, carry: tuple[float, ...]) -> Scoring:
        """One evaluation; nothing is carried on."""
        [reply] = yield [Evaluate(self.model, layout=self.layout)]
        reward = reading.only(reply.values[0])
        return StepScores((reading.squash(self.scale * reward + self.shift),))

    def layout(self, question: str, before: str, text: str, chat: Chat) -> Reading:
        """The question as the user's turn, the solution as the assistant's; the mark is at the very end."""
        messages: tuple[Message, ...] = (("user", question), ("assistant", (before + text).strip()))
        whole = chat(messages, False)
        return Reading((whole,), (len(whole),), begin=False, messages=messages)
