"""The values that pass between a study's driver and the store of its units (`store.units`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ttc_core.store.leases import SUSPECT, End, Lease
from ttc_core.types import Node, RunSpec, Usage

Place = tuple[int, int, int]  # key of a study, position of a unit's first problem, seed


@dataclass(frozen=True, slots=True)
class Method:
    """A row of `study_methods`. budgets: at which it is to be reported; samples: of the pool it is, 0 for others."""

    key: int
    model: str
    verifier: str
    strategy: str
    params: Mapping[str, Any]
    label: str
    temperature: float
    budgets: tuple[int, ...]
    samples: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """One search of a unit that has not ended, with what was recorded of it. problem: its position in the study."""

    run_id: str
    key: int
    problem: int
    spec: RunSpec
    nodes: tuple[Node, ...]
    usage: Usage


@dataclass(frozen=True, slots=True)
class UnitClaim:
    """A unit taken over: its method, the methods that are served from it if it is a pool, and its open searches."""

    lease: Lease
    study: str
    options: Mapping[str, Any]
    priority: int
    method: Method
    served: tuple[Method, ...]
    place: Place
    attempts: int
    tasks: tuple[Task, ...]

    @property
    def share(self) -> bool:
        """Its searches share replies, so that their seconds say nothing."""
        return bool(self.options.get("share"))

    @property
    def suspect(self) -> bool:
        """It has ended several workers already: nothing else is to be worked on beside it."""
        return self.attempts > SUSPECT


@dataclass(frozen=True, slots=True)
class SearchEnd:
    """What a search came to: rows of `outcomes`, of `pools`, and its end as a run where the tree is kept."""

    outcomes: Sequence[Mapping[str, Any]]
    pools: Sequence[Mapping[str, Any]]
    kept: End | None


@dataclass(frozen=True, slots=True)
class SearchChange:
    """What happened to a search of a unit since its last change.

    fresh: how many of the nodes were not recorded before; error: why it could not go on; recorded: as of a `Change`.
    """

    task: Task
    nodes: Sequence[Node] = ()
    usage: Usage | None = None
    end: SearchEnd | None = None
    error: str = ""
    fresh: int = 0
    recorded: Mapping[str, Node] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UnitChange:
    """The same for a unit. status: "done", "failed" or "pending" (to be tried again) when it is given up, else ""."""

    lease: Lease
    searches: Sequence[SearchChange] = field(default=())
    status: str = ""
    error: str = ""
    hint: str = ""
