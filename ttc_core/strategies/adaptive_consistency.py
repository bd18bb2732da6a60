"""Adaptive consistency (Aggarwal et al. 2023, arXiv 2305.11860): stop sampling once the leading answer is safe.

With v_i votes for answer i, the answers' true shares are Dirichlet(v_1 + 1, ..., v_m + 1) distributed. Sampling ends
when the probability that the leader's share is the largest reaches a threshold. The paper's default looks at the
leader and the runner-up alone, whose relative share is Beta(v_1 + 1, v_2 + 1) distributed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import ClassVar

from ttc_core.registry import param, strategy
from ttc_core.selection import candidates, choose
from ttc_core.types import ROOT, Budget, Node, Problem, Sample, Search

POINTS = 400  # of the trapezoidal rule; the integrand is smooth and vanishes at both ends, so that its error is < 1e-9


@strategy("adaptive_consistency")
@dataclass(frozen=True)
class AdaptiveConsistency:
    """Sample solutions until the leading answer is safe, then take the majority. Costs at most N generations.

    What the stop saves of N stays unspent. Solutions without an answer cost their generation and vote for nothing.
    """

    goes_on: ClassVar[bool] = True

    threshold: float = param(0.95, min=0.5, max=0.999999, help="stop when the leader is ahead with this probability")
    rule: str = param("beta", choices=("beta", "dirichlet"), help="leader against the runner-up, or against all others")
    window: int = param(1, min=1, max=1024, help="solutions sampled side by side between two looks at the votes")

    def run(self, problem: Problem, budget: Budget, rng: Random) -> Search:
        """The last window is cut to what is left of N."""
        found: list[Node] = []
        failed = 0
        for first in range(0, budget.generations, self.window):
            n = min(self.window, budget.generations - first)
            [sampled] = yield [Sample(ROOT, n=n, first=first, until="end")]
            found += sampled.nodes
            failed += sampled.failed
            if self._safe(Counter(node.answer for node in found if node.answer is not None)):
                break
        return choose(candidates(found, None), "majority", failed)

    def _safe(self, votes: Counter[str]) -> bool:
        """Being ahead of all others is rarer than being ahead of one, so the costly rule is asked last."""
        if not votes:
            return False
        leader, *others = sorted(votes.values(), reverse=True)
        others = others or [0]  # an answer nobody gave yet
        if ahead(leader, others[0]) < self.threshold:
            return False
        return self.rule == "beta" or len(others) == 1 or ahead_of_all(leader, others) >= self.threshold


def ahead(leader: int, other: int) -> float:
    """P(p > 1/2) for p ~ Beta(leader + 1, other + 1), exactly: that of at most `leader` heads in leader + other + 1
    throws of a coin."""
    throws, ways, term = leader + other + 1, 0, 1
    for heads in range(leader + 1):
        ways += term
        term = term * (throws - heads) // (heads + 1)
    return ways / (1 << throws)


def ahead_of_all(leader: int, others: Sequence[int]) -> float:
    """P(p_1 > p_i for all i) for p ~ Dirichlet(leader + 1, others + 1).

    The p_i are independent Gamma(v_i + 1) variates over their sum, so that this is the integral over the leader's
    variate x of its density times every P(Gamma(v_i + 1) < x); both come from Poisson(x) probabilities.
    """
    equal = Counter(others)
    width = (leader + 1 + 10 * math.sqrt(leader + 1) + 20) / POINTS
    total = 0.0
    for point in range(1, POINTS):
        x = point * width
        poisson = [math.exp(k * math.log(x) - x - math.lgamma(k + 1)) for k in range(max(leader, *others) + 1)]
        at_most = [*accumulate(poisson)]
        total += poisson[leader] * math.prod((1 - at_most[votes]) ** n for votes, n in equal.items())
    return total * width
