"""Lookahead search (Snell et al. 2024, arXiv 2408.03314, section 5.1): beam search that ranks steps by where they lead.

From each candidate step a rollout of up to k further steps at temperature 0 is sampled, and the verifier's score at
the rollout's end ranks the step. k = 0 is beam search. Costs N(k+1) generations: a budget B runs N = B/(k+1) beams.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from ttc_core.registry import param, strategy
from ttc_core.selection import AGGREGATES, SELECTS, aggregate, candidates, choose
from ttc_core.stepwise import Beam, Effects, best, by_score, grow
from ttc_core.types import ROOT, Budget, Node, Problem, Prune, Sample, Score, Search


@strategy("lookahead_search")
@dataclass(frozen=True)
class LookaheadSearch:
    """Beam search in which each step is judged by the end of a k-step greedy rollout. Costs N(k+1) generations."""

    k: int = param(1, min=0, max=40, help="further steps rolled out at temperature 0 from each candidate")
    width: int = param(4, min=0, max=1024, help="continuations of each kept step (the paper's M); 0 means sqrt(N)")
    rounds: int = param(40, min=1, max=1000, help="give up unfinished beams after so many steps")
    distinct: bool = param(True, help="let identical steps of one parent hold only one place")
    select: str = param("weighted", choices=SELECTS, help="how one answer is chosen among complete solutions")
    aggregate: str = param("last", choices=AGGREGATES, help="how step scores rank a rollout")

    def run(self, problem: Problem, budget: Budget, rng: Random) -> Search:
        """A budget below k + 1 looks only budget - 1 steps ahead."""
        k = min(self.k, budget.generations - 1)
        n = budget.generations // (k + 1)
        places = max(1, n // (self.width or math.isqrt(n)))
        found = yield from grow(
            Sample(ROOT, n=n),
            lambda nodes: self._ahead(nodes, k),
            lambda beams: best(beams, places, n, self.distinct),
            self.rounds,
        )
        return choose(candidates(found.complete, self.aggregate), self.select, found.excluded)

    def _ahead(self, nodes: Sequence[Node], k: int) -> Effects:
        """Rate complete steps by their own score, the others by the score at their rollout's end."""
        beams: list[Beam] = yield from by_score(self.aggregate)(nodes)
        growing = [beam.node for beam in beams if k and not beam.node.complete]
        branch = f"~{k}~"  # a larger budget may look further ahead: those rollouts are other samples
        rollouts = yield [Sample(node.id, steps=k, temperature=0.0, branch=branch) for node in growing]
        ends = {node.parent: node for reply in rollouts for node in reply.nodes}
        [scored] = yield [Score(tuple(node.id for node in ends.values()))]
        yield [Prune(tuple(node.id for node in scored.nodes), "a rollout: its score ranks the step it starts from")]
        ahead = {node.parent: aggregate(node.path_scores, self.aggregate) for node in scored.nodes}
        return [
            Beam(beam.node, ahead.get(beam.node.id, beam.value))
            for beam in beams
            if beam.node not in growing or beam.node.id in ahead
        ]
