"""What a search costs: generations by definition, tokens by count, FLOPs by formula.

One **generation** is one complete sampled solution's worth of work. We count, for every step depth, how often a step
at that depth was sampled; the generations of a search are the largest of these counts. Best-of-N and beam search with
N beams cost N, lookahead with k further steps N(k+1), a chain of n attempts n: the paper's units, without a formula a
strategy could get wrong.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from typing import Any

from ttc_core.jobs import Evaluated, Generated
from ttc_core.types import Until, Usage


def flops(parameters: int, tokens: int) -> float:
    """Floating-point operations of forwarding `tokens` tokens: 2 per parameter and token (Kaplan et al. 2020)."""
    return 2.0 * parameters * tokens


class Generations:
    """Counts how often each step depth has been sampled; `total` is the generations so far."""

    def __init__(self) -> None:
        self.total = 0
        self._at: defaultdict[int, int] = defaultdict(int)  # samples that cover exactly this depth
        self._open: defaultdict[int, int] = defaultdict(int)  # samples that cover this depth and everything below

    def add(self, depth: int, n: int, until: Until = "step", steps: int = 1) -> None:
        """Count `n` samples that start after `depth` steps and run for `steps` steps or to the end."""
        grown: list[int]
        if until == "end":
            self._open[depth] += n
            grown = [depth, *(d for d in self._at if d >= depth), *(d for d in self._open if d >= depth)]
        else:
            grown = list(range(depth, depth + steps))
            for d in grown:
                self._at[d] += n
        for d in grown:
            below = sum(count for start, count in self._open.items() if start <= d)
            self.total = max(self.total, below + self._at.get(d, 0))


class Meter:
    """The running sums of what a search costs; `usage` gives them as a value."""

    def __init__(self, before: Usage, parameters: int) -> None:
        """before: what an earlier part of the search cost; parameters: the policy's."""
        self._sums: dict[str, Any] = asdict(before)
        self._per_token, self._seconds_before = flops(parameters, 1), before.seconds

    def sampled(self, reply: Generated, failed: bool) -> None:
        """Add a reply of the policy."""
        sums = self._sums
        sums["prompt_tokens_computed"] += reply.computed
        sums["prompt_tokens_cached"] += reply.cached
        sums["generated_tokens"] += reply.generated
        sums["policy_flops"] += self._per_token * (reply.computed + reply.generated)
        sums["failed_samples"] += failed

    def scored(self, reply: Evaluated, parameters: int) -> None:
        """Add a reply of a verifier's model of so many parameters."""
        self._sums["verifier_tokens"] += reply.computed
        self._sums["verifier_flops"] += flops(parameters, reply.computed)

    def score_failed(self) -> None:
        """Add a score that did not come."""
        self._sums["failed_scores"] += 1

    def usage(self, generations: int, seconds: float) -> Usage:
        """All of it. generations: so far, in this part or an earlier one; seconds: of this part."""
        self._sums["generations"] = max(self._sums["generations"], generations)
        self._sums["seconds"] = self._seconds_before + seconds
        return Usage(**self._sums)
