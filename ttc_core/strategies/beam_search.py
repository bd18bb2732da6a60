"""Beam search against a process reward model (Snell et al. 2024, arXiv 2408.03314, section 5.1).

Sample N first steps, score them, keep the top N/M, sample M continuations of each, and so on until the kept beams are
complete or 40 rounds have passed; then best-of-N weighted over the complete solutions. (One caption of the paper says
"top M"; its text says N/M, and so do we.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from ttc_core.registry import param, strategy
from ttc_core.selection import AGGREGATES, SELECTS, candidates, choose
from ttc_core.stepwise import best, by_score, grow
from ttc_core.types import ROOT, Budget, Problem, Sample, Search


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
        """Beams are in order of creation; ties in rank go to the earlier one."""
        n = budget.generations
        places = max(1, n // (self.width or math.isqrt(n)))
        found = yield from grow(
            Sample(ROOT, n=n),
            by_score(self.aggregate),
            lambda beams: best(beams, places, n, self.distinct),
            self.rounds,
        )
        return choose(candidates(found.complete, self.aggregate), self.select, found.excluded)
