"""What a search costs: generations by definition, tokens by count, FLOPs by formula.

One **generation** is one complete sampled solution's worth of work. We count, for every step depth, how often a step
at that depth was sampled; the generations of a search are the largest of these counts. Best-of-N and beam search with
N beams cost N, lookahead with k further steps N(k+1), a chain of n attempts n: the paper's units, without a formula a
strategy could get wrong.
"""

from __future__ import annotations

from collections import defaultdict

from ttc_core.types import Until


def flops(parameters: int, tokens: int) -> float:
    """Floating-point operations of forwarding `tokens` tokens: 2 per parameter and token (Kaplan et al. 2020)."""
    return 2.0 * parameters * tokens


class Generations:
    """Counts how often each step depth has been sampled."""

    def __init__(self) -> None:
        self._at: defaultdict[int, int] = defaultdict(int)  # samples that cover exactly this depth
        self._open: defaultdict[int, int] = defaultdict(int)  # samples that cover this depth and everything below

    def add(self, depth: int, n: int, until: Until = "step", steps: int = 1) -> None:
        """Count `n` samples that start after `depth` steps and run for `steps` steps or to the end."""
        if until == "end":
            self._open[depth] += n
        else:
            for d in range(depth, depth + steps):
                self._at[d] += n

    @property
    def total(self) -> int:
        """Generations so far."""
        most, running = 0, 0
        for depth in sorted({*self._at, *self._open}):
            running += self._open[depth]
            most = max(most, running + self._at[depth])
        return most
