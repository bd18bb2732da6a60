"""What all step-by-step searches share: sample steps, rate them, decide which grow on, until all are complete.

A search of this kind is `grow` with a rule for rating steps (by default the verifier's score) and a rule for sharing
out the next continuations. Beam search, lookahead search, DVTS, REBASE and the particle filter differ in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from ttc_core.selection import aggregate
from ttc_core.types import Node, Prune, Request, Sample, Score

Effects = Generator[list[Request], list[Any], Any]


@dataclass(frozen=True, slots=True)
class Beam:
    """A partial or complete solution ending in `node`, and the value that ranks it (higher is better)."""

    node: Node
    value: float


@dataclass(frozen=True, slots=True)
class Shares:
    """How a round's continuations are divided: (beam, number) pairs, and why the others are given up.

    A complete beam holds its share without spending it and competes again in the next round.
    """

    kept: tuple[tuple[Beam, int], ...]
    pruned: tuple[Prune, ...] = ()


@dataclass(frozen=True, slots=True)
class Grown:
    """Complete solutions in order of completion, and how many candidates failed on the way."""

    complete: tuple[Node, ...]
    excluded: int


def by_score(how: str) -> Callable[[Sequence[Node]], Effects]:
    """Rate nodes by their aggregated step scores; a node whose score failed is left out."""

    def rate(nodes: Sequence[Node]) -> Effects:
        [scored] = yield [Score(tuple(node.id for node in nodes))]
        return [Beam(node, aggregate(node.path_scores, how)) for node in scored.nodes]

    return rate


def grow(
    start: Sample,
    rate: Callable[[Sequence[Node]], Effects],
    share: Callable[[Sequence[Beam]], Shares],
    rounds: int,
) -> Generator[list[Request], list[Any], Grown]:
    """Sample `start`, then rate, share out and sample again for at most `rounds` steps.

    `share` sees the complete beams it kept before and the new ones, in order of creation.
    """
    complete: list[Node] = []
    holding: list[Beam] = []
    excluded = 0
    batches = yield [start]
    for round_ in range(rounds):
        nodes = [node for batch in batches for node in batch.nodes]
        beams = yield from rate(nodes)
        excluded += sum(batch.failed for batch in batches) + len(nodes) - len(beams)
        complete += [beam.node for beam in beams if beam.node.complete]
        shares = share([*holding, *beams])
        holding = [beam for beam, _ in shares.kept if beam.node.complete]
        growing = [(beam.node, n) for beam, n in shares.kept if n and not beam.node.complete]
        if round_ + 1 == rounds:
            gone = tuple(node.id for node, _ in growing)
            yield [*shares.pruned, Prune(gone, f"not complete after {rounds} steps")]
            break
        replies = yield [*shares.pruned, *(Sample(node.id, n=n) for node, n in growing)]
        batches = replies[len(shares.pruned) :]
        if not growing:
            break
    return Grown(tuple(complete), excluded)


def best(beams: Sequence[Beam], places: int, continuations: int, distinct: bool = True) -> Shares:
    """Keep the best `places` beams and divide the continuations among them evenly, the better ones first.

    Ties go to the earlier beam. distinct: identical steps of one parent hold only one place.
    """
    kept: list[Beam] = []
    pruned: list[Prune] = []
    seen: dict[tuple[str, str], Beam] = {}
    ranked = sorted(beams, key=lambda beam: -beam.value)
    for rank, beam in enumerate(ranked, 1):
        twin = seen.setdefault((beam.node.parent, beam.node.text), beam)
        if distinct and twin is not beam:
            pruned.append(Prune((beam.node.id,), f"same step as {twin.node.id}"))
        elif len(kept) < places:
            kept.append(beam)
        else:
            why = f"rank {rank} of {len(ranked)} with {beam.value:.3f}, {places} kept"
            pruned.append(Prune((beam.node.id,), why))
    each, rest = divmod(continuations, max(1, len(kept)))
    return Shares(tuple((beam, each + (i < rest)) for i, beam in enumerate(kept)), tuple(pruned))
