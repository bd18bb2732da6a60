"""The ground truth as verifier: an upper bound on what any verifier could bring, never a method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ttc_core import reading
from ttc_core.errors import EngineFault, UserError
from ttc_core.jobs import Grade, Scoring, StepScores
from ttc_core.models import ModelCard
from ttc_core.registry import verifier
from ttc_core.types import Node, Problem

UNFINISHED = 0.5  # the ground truth says nothing about the steps on the way


@verifier("oracle")
@dataclass(frozen=True)
class Oracle:
    """UPPER BOUND, it looks at the answer: 1 for a right solution, 0 for a wrong one, 0.5 for an unfinished one.

    With it best-of-N is pass@N. One score a node. A solution that cannot be graded has no score.
    """

    name: str
    upper_bound: ClassVar[bool] = True  # results with it are marked; it is nobody's default

    @classmethod
    def load(cls, card: ModelCard) -> Oracle:
        """From a table of models.toml."""
        made: Oracle = reading.built(card)
        return made

    @property
    def models(self) -> tuple[str, ...]:
        """None."""
        return ()

    def score(self, problem: Problem, node: Node, carry: tuple[float, ...]) -> Scoring:
        """Have a finished solution graded.

        Raises:
            UserError: nobody knows the answer; EngineFault: this solution cannot be graded.
        """
        if problem.answer is None:
            raise UserError(
                "the verifier oracle needs a question whose answer is known",
                hint="give the answer, or choose another verifier",
            )
        if node.finish != "end":
            return StepScores((UNFINISHED,))
        [right] = yield [Grade()]
        if right is None:
            raise EngineFault("the answer cannot be graded")
        return StepScores((float(right),))
