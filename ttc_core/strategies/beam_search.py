"""Beam search against a process reward model (Snell et al. 2024, arXiv 2408.03314, section 5.1).

Sample N first steps, score them, keep the top N/M, sample M continuations of each, and so on until the kept beams are
complete or 40 rounds have passed; then best-of-N weighted over the complete solutions. (One caption of the paper says
"top M"; its text says N/M, and so do we.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from ttc_core.registry import param, strategy
from ttc_core.selection import AGGREGATES, SELECTS, aggregate, candidates, choose
from ttc_core.types import ROOT, Budget, Node, Problem, Prune, Request, Sample, Score, Search


@strategy("beam_search")
@dataclass(frozen=True)
class BeamSearch:
    """Grow N beams step by step, keeping the N/M that the verifier likes best. Costs N generations.

    Complete solutions compete with unfinished ones; a kept complete one holds its share of the N slots, which is then
    left unspent. All complete solutions vote in the end. When fewer than N/M distinct steps are left, those share the
    N continuations.
    """

    width: int = param(4, min=0, max=1024, help="continuations of each kept step (the paper's M); 0 means sqrt(N)")
    rounds: int = param(40, min=1, max=1000, help="give up unfinished beams after so many steps")
    distinct: bool = param(True, help="let identical steps of one parent hold only one place")
    select: str = param("weighted", choices=SELECTS, help="how one answer is chosen among complete solutions")
    aggregate: str = param("last", choices=AGGREGATES, help="how step scores rank a beam")

    def run(self, problem: Problem, budget: Budget, rng: Random) -> Search:
        """The search; beams are in order of creation, ties in rank go to the earlier one."""
        n = budget.generations
        width = self.width or max(1, math.isqrt(n))
        places = max(1, n // width)
        done: list[Node] = []
        kept_complete: list[Node] = []
        excluded = 0
        batches = yield [Sample(ROOT, n=n)]
        for round_ in range(self.rounds):
            excluded += sum(batch.failed for batch in batches)
            [scored] = yield [Score(tuple(node.id for batch in batches for node in batch.nodes))]
            excluded += scored.failed
            done += [node for node in scored.nodes if node.complete]
            kept, pruned = self._rank([*kept_complete, *scored.nodes], places)
            kept_complete = [node for node in kept if node.complete]
            growing = round_ + 1 < self.rounds
            requests: list[Request] = [
                Sample(node.id, n=share)
                for node, share in zip(kept, _shares(n, len(kept)), strict=True)
                if growing and share and not node.complete
            ]
            if not requests:
                yield list(pruned)
                break
            replies = yield [*pruned, *requests]
            batches = replies[len(pruned) :]
        return choose(candidates(done, self.aggregate), self.select, excluded)

    def _rank(self, beams: Sequence[Node], places: int) -> tuple[list[Node], list[Prune]]:
        """The best `places` beams, and why each other one is given up."""
        ranked = sorted(beams, key=lambda node: -aggregate(node.path_scores, self.aggregate))
        kept: list[Node] = []
        pruned: list[Prune] = []
        seen: dict[tuple[str, str], Node] = {}
        for rank, node in enumerate(ranked, 1):
            twin = seen.setdefault((node.parent, node.text), node)
            if self.distinct and twin is not node:
                pruned.append(Prune((node.id,), f"same step as {twin.id}"))
            elif len(kept) < places:
                kept.append(node)
            else:
                pruned.append(Prune((node.id,), f"rank {rank} of {len(ranked)} by verifier score, {places} kept"))
        return kept, pruned


def _shares(n: int, parts: int) -> list[int]:
    """`n` continuations divided over `parts` beams as evenly as possible, the better ones first."""
    return [n // parts + (i < n % parts) for i in range(parts)]
