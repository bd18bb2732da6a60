"""Implicit process reward: a better-trained model's likelihood of the steps (Yuan et al. 2024, arXiv 2412.01981).

No step labels are needed. The log-likelihood of a prefix under a better-trained model, and its ratio to the policy's
own, tell a right prefix from a wrong one; a logistic fit on the validation set turns them into P(right so far).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from ttc_core import reading
from ttc_core.errors import EngineFault
from ttc_core.jobs import Evaluate, Scoring, StepScores
from ttc_core.models import ModelCard
from ttc_core.registry import verifier
from ttc_core.types import Node, Problem

FEATURES = ("sum_policy", "sum_ratio", "min_policy", "steps")


@verifier("implicit")
@dataclass(frozen=True)
class Implicit:
    """P(right so far) = sigmoid(intercept + coefficients . features), features accumulated along the path.

    sum_policy  log-likelihood of all steps so far under `policy`, nats
    sum_ratio   the same minus that under `reference`, nats
    min_policy  the smallest single step's log-likelihood under `policy`, nats
    steps       how many steps so far
    """

    name: str
    policy: str
    reference: str
    coefficients: tuple[float, ...]
    intercept: float

    @classmethod
    def load(cls, card: ModelCard) -> Implicit:
        """Read `verifier.json`.

        Raises:
            EngineFault: the file is missing, broken, or names other features than these.
        """
        try:
            config = json.loads((card.folder / "verifier.json").read_text("utf-8"))
            if tuple(config["features"]) != FEATURES or len(config["coefficients"]) != len(FEATURES):
                raise ValueError(f"its features are not {', '.join(FEATURES)}")
            coefficients = tuple(float(c) for c in config["coefficients"])
            return cls(card.name, config["policy"], config["reference"], coefficients, float(config["intercept"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EngineFault(f"the verifier {card.name!r} cannot be loaded: {error}") from error

    @property
    def models(self) -> tuple[str, ...]:
        """The two models it reads."""
        return (self.policy, self.reference)

    def score(self, problem: Problem, node: Node, carry: tuple[float, ...]) -> Scoring:
        """Score each step of the node; carry = (sum_policy, sum_reference, min_policy, steps) of the path above."""
        policy, reference = yield [Evaluate(self.policy), Evaluate(self.reference)]
        total, other, least, steps = carry or (0.0, 0.0, 0.0, 0.0)
        values, start = [], 0
        for end in policy.step_ends:
            step = math.fsum(policy.logprobs[start : end + 1])
            total += step
            other += math.fsum(reference.logprobs[start : end + 1])
            least = step if steps == 0 else min(least, step)
            steps += 1
            start = end + 1
            values.append(self._probability((total, total - other, least, steps)))
        return StepScores(tuple(values), (total, other, least, steps))

    def _probability(self, features: tuple[float, ...]) -> float:
        z = self.intercept + math.fsum(c * f for c, f in zip(self.coefficients, features, strict=True))
        return reading.squash(z)
