"""Critique, then score: the model writes what it thinks of a solution and is then read for its verdict.

Thinking before judging makes a generative verifier better (Zhang et al. 2024, arXiv 2408.15240; Ankner et al. 2024,
arXiv 2408.11791), at the price of the tokens it writes, which count as the verifier's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ttc_core import reading
from ttc_core.jobs import Chat, Evaluate, Message, Reading, Scoring, StepScores
from ttc_core.registry import param, verifier
from ttc_core.types import Node, Problem

PROMPT = """Question:
{question}

Solution so far:
{solution}

Check this solution step by step. Say which step is wrong, if one is, and why. Do not solve the problem anew."""
VERDICT = "Is every step of the solution right so far? Answer with Yes or No."


@verifier("critique")
@dataclass(frozen=True)
class Critique(reading.OneModel):
    """P(right so far) = softmax(logit yes, logit no)[yes] after the model's own critique. One score a node.

    The critique is the likeliest text, token by token, so that equal solutions get equal scores.
    """

    name: str
    model: str = param("", help="a language model that follows instructions")
    prompt: str = param(PROMPT, help="what it is asked first, with {question} and {solution}")
    verdict: str = param(VERDICT, help="what it is asked after its critique")
    tokens: int = param(256, min=1, max=16_384, help="the most tokens of a critique; a longer one is cut off")
    yes: str = param("Yes", help="the answer that means right; its last token is read")
    no: str = param("No", help="the answer that means wrong")

    def score(self, problem: Problem, node: Node, carry: tuple[float, ...]) -> Scoring:
        """First the critique, then the verdict; nothing is carried on."""
        [written] = yield [Evaluate(self.model, layout=partial(self.layout, ()), write=self.tokens)]
        rest = (("assistant", written.text.strip()), ("user", self.verdict))
        [reply] = yield [Evaluate(self.model, (self.yes, self.no), layout=partial(self.layout, rest))]
        return StepScores((reading.share(reply.logits[0], 0),))

    def layout(self, rest: Sequence[Message], question: str, before: str, text: str, chat: Chat) -> Reading:
        """The conversation up to where the model's turn begins. rest: what was said after the first question."""
        asked = reading.filled(self.prompt, {"question": question, "solution": (before + text).strip()})
        messages: tuple[Message, ...] = (("user", asked), *rest)
        whole = chat(messages, True)
        return Reading((whole,), (len(whole),), begin=False, messages=messages)
