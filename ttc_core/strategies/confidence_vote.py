"""Confidence-weighted voting: DeepConf in its offline form (Fu et al. 2025, arXiv 2508.15260, sections 3.1 and 3.2).

A token's confidence is minus the mean log-probability of the k likeliest tokens at its place (equation 2): large where
the policy sees one way to go on. A solution's confidence is made from its tokens', the least confident solutions are
left out, and the others vote with their confidence as weight.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from ttc_core.registry import param, strategy
from ttc_core.selection import choose
from ttc_core.types import ROOT, Budget, Candidate, Problem, Prune, Sample, Search

MEASURES = ("bottom", "lowest", "tail", "average")


@strategy("confidence_vote")
@dataclass(frozen=True)
class ConfidenceVote:
    """Sample N solutions and weigh each vote by the policy's own confidence. Costs N generations and no verifier.

    A solution whose tokens have no confidence, because the engine gave none, is left out and counted.
    """

    measure: str = param(
        "bottom", choices=MEASURES, help="mean of the lowest tenth of groups, lowest group, last group, or whole trace"
    )
    group: int = param(16, min=1, max=100_000, help="tokens in a group (the paper: 2048 on traces of many thousands)")
    keep: int = param(90, min=1, max=100, help="percentage of solutions that vote, the most confident ones")

    def run(self, problem: Problem, budget: Budget, rng: Random) -> Search:
        """The filter counts solutions with an answer, keeps at least one, and keeps the earlier of equals."""
        [sampled] = yield [Sample(ROOT, n=budget.generations, until="end", confidence=True)]
        known = [node for node in sampled.nodes if node.confidences and all(map(math.isfinite, node.confidences))]
        unknown = tuple(node.id for node in sampled.nodes if node not in known)
        traces = [(node, trace_confidence(node.confidences, self.measure, self.group)) for node in known]
        ranked = sorted((trace for trace in traces if trace[0].answer is not None), key=lambda trace: -trace[1])
        left_out = ranked[max(1, len(ranked) * self.keep // 100) :]
        yield [
            Prune(unknown, "no vote: the engine gave no confidence for its tokens"),
            *(Prune((n.id,), f"no vote: confidence {c:.3f} is not in the top {self.keep} %") for n, c in left_out),
        ]
        most = max((value for _, value in traces), default=0.0) or 1.0  # only the weights' proportions matter
        found = [Candidate(n.id, n.answer, c / most) for n, c in traces if (n, c) not in left_out]
        return choose(found, "weighted", sampled.failed + len(unknown))


def trace_confidence(tokens: Sequence[float], measure: str, group: int) -> float:
    """One confidence for a solution from those of its tokens; groups overlap, and a shorter trace is one group.

    Raises:
        ValueError: no tokens, or an unknown measure.
    """
    if not tokens or measure not in MEASURES:
        raise ValueError(f"no {measure!r} confidence of {len(tokens)} tokens")
    if measure == "average":
        return math.fsum(tokens) / len(tokens)
    size = min(group, len(tokens))
    if measure == "tail":
        return math.fsum(tokens[-size:]) / size
    sums = [0.0, *accumulate(tokens)]
    groups = sorted((above - below) / size for below, above in zip(sums, sums[size:], strict=False))
    lowest = groups[: 1 if measure == "lowest" else max(1, len(groups) // 10)]
    return math.fsum(lowest) / len(lowest)
