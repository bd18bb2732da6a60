"""The values that the facade `ttc_core.runs` hands to pages, command line and worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ttc_core.models import ModelCard
from ttc_core.registry import Param
from ttc_core.types import Node, Outcome, RunSpec, Status, Usage

MOST_NOTE = 4000  # characters of a note
STALLED_SECONDS = 10.0  # a heartbeat older than this means that nobody works on the run any more


@dataclass(frozen=True, slots=True)
class RunView:
    """One stored run as it stands.

    created, started, finished   UTC, None while it has not happened
    error, hint                  why it failed and what to do next, "" otherwise
    answer, correct              the chosen answer; right or wrong, None while unknown or without ground truth
    graded_by                    the grader's version; with correct None: a grade was asked for and could not be had
    outcome                      None until the search has ended
    nodes, revision              how many nodes are recorded; changes whenever anything of the run but its note does
    heartbeat_age                seconds since its worker last gave a sign of life, None unless running
    parent, parent_node          the run this one was started from, None if it stands alone; the step it goes on from
    note                         what somebody wrote beside it
    """

    id: str
    spec: RunSpec
    status: Status
    created: datetime
    started: datetime | None
    finished: datetime | None
    error: str
    hint: str
    answer: str | None
    correct: bool | None
    outcome: Outcome | None
    usage: Usage
    nodes: int
    revision: int
    heartbeat_age: float | None
    parent: str | None
    graded_by: str | None = None
    parent_node: str | None = None
    note: str = ""

    @property
    def ended(self) -> bool:
        """Nothing more comes unless somebody extends or resumes it."""
        return self.status in ("done", "failed", "stopped")

    @property
    def unspent(self) -> int:
        """Generations of the budget that a finished search did not need; 0 while it has not finished."""
        return max(0, self.spec.budget - self.usage.generations) if self.status == "done" else 0

    @property
    def stalled(self) -> bool:
        """Running on paper, but its worker gives no sign of life."""
        return self.heartbeat_age is not None and self.heartbeat_age > STALLED_SECONDS


@dataclass(frozen=True, slots=True)
class NodeDelta:
    """The nodes changed after the revision asked for, in the order of their ids, and the revision they bring one to."""

    nodes: tuple[Node, ...]
    revision: int


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of stored runs, newest first; `total` counts all that fit the filters. Rows carry no candidates."""

    rows: tuple[RunView, ...]
    total: int


@dataclass(frozen=True, slots=True)
class WorkerView:
    """The worker with the freshest sign of life. heartbeat_age: seconds, None if there never was one."""

    alive: bool
    heartbeat_age: float | None
    pid: int | None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is registered.

    strategies       name -> (one-paragraph description, hyper-parameters)
    not_extendable   name -> why its runs cannot be continued to a larger budget; the others can
    revising         strategies in which a model writes attempts in sight of earlier ones
    benchmarks       data sets that are known by name, there or not
    """

    strategies: Mapping[str, tuple[str, list[Param]]]
    not_extendable: Mapping[str, str]
    revising: list[str]
    models: Mapping[str, ModelCard]
    verifiers: Mapping[str, ModelCard]
    datasets: Mapping[str, str]
    benchmarks: Mapping[str, str]
    engines: Mapping[str, str]


Document = dict[str, Any]
