"""What the strategies that revise share: chains of attempts, each written in sight of the ones before it.

In the tree an attempt hangs below the one it revises. Every attempt costs one generation, one that failed too. After a
failure the latest attempt that ended is revised once more; the first attempt is then sampled anew.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ttc_core.selection import candidates, choose
from ttc_core.types import ROOT, Ask, Candidate, Node, NodeId, Outcome, Request, Sample, Score

HIERARCHICAL = "hierarchical"


@dataclass(frozen=True, slots=True)
class Chain:
    """The attempts of one chain that can be chosen, in order, and how many failed, were cut off or not scored."""

    attempts: tuple[Node, ...]
    excluded: int


@dataclass
class Tip:
    """Where a chain goes on: below `node`, whose children so far number `failed` because none of them ended.

    Chains side by side number their first attempts apart: `first`, first + stride, first + 2 stride, ...
    """

    node: NodeId = ROOT
    first: int = 0
    stride: int = 1
    failed: int = 0

    def sample(self, attempts: int, ask: Ask = "") -> Sample:
        """The request for what comes next, with so many of the latest attempts in sight."""
        if self.node == ROOT:
            return Sample(ROOT, first=self.first + self.failed * self.stride, until="end")
        return Sample(self.node, first=self.failed, until="end", attempts=attempts, ask=ask)

    def take(self, nodes: Sequence[Node]) -> Node | None:
        """Go on from what came if it ended, else try again from here; the node that ended."""
        ended = next((node for node in nodes if node.finish == "end"), None)
        if ended is None:
            self.failed += 1
        else:
            self.node, self.failed = ended.id, 0
        return ended


def chain(
    length: int, context: int, scored: bool, first: int = 0, stride: int = 1
) -> Generator[list[Request], list[Any], Chain]:
    """Sample `length` attempts one after another, each in sight of the latest `context`.

    scored: let the verifier score each attempt while the next one is being written.
    """
    tip = Tip(first=first, stride=stride)
    attempts: list[Node] = []
    unscored: list[Request] = []
    for _ in range(length):
        sampled, *scores = yield [tip.sample(context), *unscored]
        attempts += [node for reply in scores for node in reply.nodes]
        node = tip.take(sampled.nodes)
        unscored = [Score((node.id,))] if node is not None and scored else []
        attempts += [node] if node is not None and not scored else []
    if unscored:
        [last] = yield unscored
        attempts += last.nodes
    return Chain(tuple(attempts), length - len(attempts))


def choose_among(chains: Sequence[Chain], select: str, how: str | None) -> Outcome:
    """One answer from all attempts of all chains (Snell et al. 2024, section 6).

    hierarchical   best-of-N weighted inside each chain; of the chains' answers the one with the best-scored candidate
    otherwise      `selection.choose` over all attempts, as if they were independent samples

    how: the aggregate of step scores, None where the verifier takes no part. Weights of the hierarchical choice are
    these best scores, 0 for an answer that no chain chose.
    """
    excluded = sum(chain.excluded for chain in chains)
    flat = [candidate for chain in chains for candidate in candidates(chain.attempts, how)]
    if select != HIERARCHICAL:
        return choose(flat, select, excluded)
    inside = [choose(candidates(chain.attempts, how), "weighted") for chain in chains]
    heads = [_chosen(outcome) for outcome in inside if outcome.chosen is not None]
    across = choose(heads, "best", excluded)
    weights = {head.answer: head.weight for head in across.candidates}
    return replace(across, candidates=tuple(replace(c, weight=weights.get(c.answer, 0.0)) for c in flat))


def _chosen(outcome: Outcome) -> Candidate:
    return next(candidate for candidate in outcome.candidates if candidate.node == outcome.chosen)


def lengths(budget: int, chains: int) -> list[int]:
    """`budget` attempts shared among at most `chains` chains; what does not divide goes to the first ones."""
    n = min(chains, budget)
    return [math.ceil((budget - i) / n) for i in range(n)]
