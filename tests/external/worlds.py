"""Trees that never end, the same for our strategies and for other people's: a path names a step and fixes its score."""

from __future__ import annotations

import hashlib
from collections import Counter
from random import Random

from tests.conformance.harness import PROBLEM, drive
from tests.unit.test_strategies_golden import World
from ttc_core import registry
from ttc_core.types import ROOT, Budget, Sample


def score(path: str, seed: int = 0) -> float:
    """Between 0 and 1, another one for every path."""
    digest = hashlib.blake2b(f"{seed} {path}".encode(), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48


class Forest(dict):
    """Every path as a row of a `World`'s table; solutions are complete after `depth` steps.

    first: how many first steps there are; samples beyond them fail. scores: for the paths that matter.
    """

    def __init__(self, seed: int = 0, depth: int = 10**6, first: int = 10**6, scores: dict[str, float] | None = None):
        self.seed, self.depth, self.first, self.known = seed, depth, first, scores or {}

    def __contains__(self, path: object) -> bool:
        _, *indices = str(path).split(".")
        return len(indices) > 1 or int(indices[0]) < self.first

    def __getitem__(self, path: str):
        ends = path.count(".") >= self.depth
        return f"{path.rsplit('.', 1)[1]}\n", path if ends else None, self.score(path)

    def score(self, path: str) -> float:
        return self.known.get(path, score(path, self.seed))


def ours(name: str, forest: Forest, budget: int, seed: int = 0, **params):
    """Our search in that forest: its outcome and the steps it continued, in order."""
    strategy = registry.build("strategy", name, params)
    outcome, log = drive(strategy.run(PROBLEM, Budget(budget), Random(seed)), World(forest))
    return outcome, [(r.node, r.n) for r in log if isinstance(r, Sample) and r.n]


class Children:
    """Names the samples of other people's searches as ours are named: by parent and number."""

    def __init__(self) -> None:
        self.born: Counter[str] = Counter()

    def __call__(self, parent: str | None) -> str:
        parent = ROOT if parent is None else parent
        self.born[parent] += 1
        return f"{parent}.{self.born[parent] - 1}"
