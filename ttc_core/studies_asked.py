"""What a study file asks for, once it was read and checked."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ttc_core.types import Problem

BLOCK = 8  # problems of a unit


@dataclass(frozen=True)
class Method:
    """A strategy with its settings, all of them, on a model and a verifier, and the budgets it is searched at."""

    model: str
    verifier: str
    strategy: str
    params: Mapping[str, Any]
    budgets: tuple[int, ...]
    label: str
    temperature: float


@dataclass(frozen=True)
class StudyFile:
    """A checked study file. keep: None for all trees, else of so many problems of each data set.

    share: searches that ask a model the same share its reply.
    """

    name: str
    text: str
    problems: tuple[Problem, ...]
    methods: tuple[Method, ...]
    seeds: tuple[int, ...]
    pool: int = 0
    keep: int | None = 0
    max_cost: Mapping[str, float] = field(default_factory=dict)
    temperature: float | None = None
    priority: int = 0
    block: int = BLOCK
    share: bool = False

    @property
    def most_units(self) -> int:
        """Work units, at most: of every method at each of its budgets, and of a pool for each pair of models."""
        blocks = sum(math.ceil(len(list(of)) / self.block) for _, of in itertools.groupby(self.problems, _dataset))
        pools = len({(method.model, method.verifier) for method in self.methods})
        return (sum(len(method.budgets) for method in self.methods) + pools) * len(self.seeds) * blocks


def _dataset(problem: Problem) -> str:
    return problem.dataset
