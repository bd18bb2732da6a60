"""Self-Refine: a model criticises its own solution and writes it anew (Madaan et al. 2023, arXiv 2303.17651).

No training: the same instruct model is asked for a solution y0, for feedback fb_t on y_t (equation 2) and for a better
solution y_t+1 in sight of what came before (equation 4), until a critique finds nothing more or the budget is spent.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from ttc_core.chains import Chain, Tip, choose_among
from ttc_core.registry import param, strategy
from ttc_core.selection import AGGREGATES, SELECTS
from ttc_core.types import Budget, Node, Problem, Request, Score, Search

LATEST = "latest"


@strategy("self_refine")
@dataclass(frozen=True)
class SelfRefine:
    """Solve, then criticise and rewrite in turn. Each text costs one generation; R rounds cost 1 + 2 R.

    A critique without a rewrite would be wasted: of an even budget one generation is left unspent. So is all the rest
    when a critique says that nothing is wrong.
    """

    needs: ClassVar[str] = "critiques"

    rounds: int = param(4, min=1, max=64, help="how many of the latest rounds (solution, critique) a rewrite sees")
    stop: str = param("no mistake", help="a critique that says this ends the search; empty: nothing does")
    select: str = param(
        LATEST, choices=(LATEST, *SELECTS), help="how one answer is chosen; latest and majority need no verifier"
    )
    aggregate: str = param("last", choices=AGGREGATES, help="how step scores become one score for a solution")

    def run(self, problem: Problem, budget: Budget, rng: Random) -> Search:
        """Choosing the latest solution is the paper's way; the others choose among all of them."""
        how = None if self.select in (LATEST, "majority") else self.aggregate
        solutions, excluded = yield from self._solutions(budget.generations)
        if how is not None and solutions:
            [scored] = yield [Score(tuple(node.id for node in solutions))]
            solutions, excluded = list(scored.nodes), excluded + scored.failed
        if self.select == LATEST:
            solutions = [node for node in solutions if node.answer is not None][-1:]
        return choose_among([Chain(tuple(solutions), excluded)], self._rule, how)

    @property
    def _rule(self) -> str:
        return "majority" if self.select == LATEST else self.select

    def _solutions(self, budget: int) -> Generator[list[Request], list[Any], tuple[list[Node], int]]:
        """All solutions in order, and how many texts failed; a text that failed is asked for again."""
        tip, failed = Tip(), 0
        solutions: list[Node] = []
        critique: Node | None = None
        for left in range(budget, 0, -1):
            if solutions and critique is None and left < 2:
                break
            if critique is not None:
                request = tip.sample(2 * self.rounds, "rewrite")
            else:
                request = tip.sample(1, "critique")
            [sampled] = yield [request]
            node = tip.take(sampled.nodes)
            if node is None:
                failed += 1
            elif not solutions or critique is not None:
                solutions.append(node)
                critique = None
            elif self.stop and self.stop.lower() in node.text.lower():
                break
            else:
                critique = node
        return solutions, failed
