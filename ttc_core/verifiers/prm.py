"""Discriminative reward model: the margin between two token logits at a step's end, calibrated to a probability.

With labels of every step it is a process reward model (Lightman et al. 2023, arXiv 2305.20050), with labels of whole
solutions an outcome reward model (Cobbe et al. 2021, arXiv 2110.14168); what it was trained on is all that differs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from ttc_core import reading
from ttc_core.errors import EngineFault
from ttc_core.jobs import Evaluate, Scoring, StepScores
from ttc_core.models import ModelCard
from ttc_core.registry import verifier
from ttc_core.types import Node, Problem


@verifier("prm")
@dataclass(frozen=True)
class ProcessRewardModel:
    """P(right so far) = sigmoid(scale * (logit(good) - logit(bad)) + shift), read at each step's end.

    model     the causal language model that is read
    good, bad ids of the two verdict tokens in its vocabulary
    attempts  most earlier attempts it sees when it judges a revision, 0 for none
    """

    name: str
    model: str
    good: int
    bad: int
    scale: float = 1.0
    shift: float = 0.0
    attempts: int = 0

    @classmethod
    def load(cls, card: ModelCard) -> ProcessRewardModel:
        """Read `verifier.json`.

        Raises:
            EngineFault: the file is missing, broken or lacks a field.
        """
        try:
            config = json.loads((card.folder / "verifier.json").read_text("utf-8"))
            return cls(
                card.name,
                str(config["model"]),
                int(config["good"]),
                int(config["bad"]),
                float(config["scale"]),
                float(config["shift"]),
                int(config.get("attempts", 0)),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EngineFault(f"the verifier {card.name!r} cannot be loaded: {error}") from error

    @property
    def models(self) -> tuple[str, ...]:
        """The model it reads."""
        return (self.model,)

    def score(self, problem: Problem, node: Node, carry: tuple[float, ...]) -> Scoring:
        """Score each step of the node by itself; nothing is carried on."""
        [reply] = yield [Evaluate(self.model, read=(self.good, self.bad), attempts=self.attempts)]
        return StepScores(tuple(reading.squash(self.scale * (good - bad) + self.shift) for good, bad in reply.logits))
