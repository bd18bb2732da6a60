"""How sure the policy was of its own solution, from what was recorded while sampling: no model is asked.

The mean log-probability of the sampled tokens, or the mean confidence of its distributions (self-certainty, Kang et
al. 2025, arXiv 2502.18581, over the likeliest tokens as in DeepConf, Fu et al. 2025, arXiv 2508.15260).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ttc_core import reading
from ttc_core.errors import EngineFault
from ttc_core.jobs import Scoring, StepScores
from ttc_core.models import ModelCard
from ttc_core.registry import param, verifier
from ttc_core.types import GIVEN, Node, Problem


@verifier("self_certainty")
@dataclass(frozen=True)
class SelfCertainty:
    """One score a node, of the solution so far with T tokens.

    likelihood  exp(sum over tokens of log p / T), the geometric mean of the tokens' probabilities
    confidence  1 - exp(-sum over tokens of C / T), C the token's confidence (`Node.confidences`): any increasing map
                into [0, 1] would do, since confidences have no upper limit

    Neither is a calibrated probability of being right; they order solutions of one model to one question.
    """

    name: str
    measure: str = param("likelihood", choices=("likelihood", "confidence"), help="what is averaged over tokens")

    @classmethod
    def load(cls, card: ModelCard) -> SelfCertainty:
        """From a table of models.toml."""
        made: SelfCertainty = reading.built(card)
        return made

    @property
    def models(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def confidence(self) -> bool:
        """Whether samples shall hold the confidence of each token."""
        return self.measure == "confidence"

    def score(self, problem: Problem, node: Node, carry: tuple[float, ...]) -> Scoring:
        """carry = (sum, tokens) of the solution above.

        Raises:
            EngineFault: the policy's engine did not say what is needed.
        """
        yield []  # there is nobody to ask
        if node.spec == GIVEN:  # not the policy's own words
            return StepScores((1.0,), (0.0, 0.0))
        total, tokens = carry or (0.0, 0.0)
        count = len(node.confidences) if self.confidence else len(node.tokens) or len(node.confidences)
        found = math.fsum(node.confidences) if self.confidence else node.logprob
        if not count or found is None or not math.isfinite(found):
            raise EngineFault(
                "the policy's engine gave no log-probabilities of the sampled tokens",
                hint=""
                if self.confidence
                else 'measure = "confidence" needs no tokens, only the likeliest at each place',
            )
        total, tokens = total + found, tokens + count
        mean = total / tokens
        value = 1 - math.exp(-max(0.0, mean)) if self.confidence else math.exp(min(0.0, mean))
        return StepScores((value,), (total, tokens))
