"""Process reward models as token classifiers, as TRL trains them (huggingface/trl, PRMTrainer; Uesato et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass

from ttc_core import reading
from ttc_core.jobs import Chat, Evaluate, Reading, Scoring, StepScores
from ttc_core.registry import param, verifier
from ttc_core.types import Node, Problem


@verifier("token_classification")
@dataclass(frozen=True)
class TokenClassification(reading.OneModel):
    """P(right so far) = softmax(labels)[good] at the last token of the separator behind each step.

    Question, steps and separators are encoded one by one and put together, as in PRMTrainer.tokenize_row; for
    Qwen2ForTokenClassification and any other ForTokenClassification.
    """

    name: str
    model: str = param("", help="a model with a token classification head")
    step: str = param("\n\n", help="what ends a step in the policy's solutions")
    separator: str = param("\n", help="what stands behind each step (PRMTrainer's step_separator)")
    good: int = param(1, min=0, help="number of the label that means right")

    def score(self, problem: Problem, node: Node, carry: tuple[float, ...]) -> Scoring:
        """One evaluation; nothing is carried on."""
        [reply] = yield [Evaluate(self.model, layout=self.layout)]
        return StepScores(tuple(reading.share(row, self.good) for row in reply.values))

    def layout(self, question: str, before: str, text: str, chat: Chat) -> Reading:
        """The pieces; a mark stands behind the separator of each of the node's steps."""
        earlier, here = reading.above(before, self.step), reading.steps(text, self.step)
        pieces, marks = [question], []
        for number, step in enumerate((*earlier, *here)):
            pieces += [step, self.separator]
            if number >= len(earlier):
                marks.append(sum(map(len, pieces)))
        return Reading(tuple(pieces), tuple(marks))
