"""Carries a study's units out, many searches at once in the driver's scheduler (`runs_driver`).

Units are taken while the searches under way ask for fewer generations than fill the engines' batches twice over. Every
turn's nodes are committed before the next, and a search's before it is graded: where a worker dies while grading, no
model is asked again. A unit is done when all its searches have ended.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ttc_core import grading, runs_checks
from ttc_core.errors import StoreBusy, TTCError
from ttc_core.scheduler import Event, Failed, Finished, Recorded, Scheduler
from ttc_core.settings import settings
from ttc_core.store import studies as stored
from ttc_core.store import units
from ttc_core.store.database import Database
from ttc_core.store.leases import End, Lease
from ttc_core.store.units_values import Place, SearchChange, SearchEnd, Task, UnitChange, UnitClaim
from ttc_core.studies_pools import Replay, columns, solutions
from ttc_core.studies_views import Tally
from ttc_core.types import Node, NodeId, Outcome, Usage

log = logging.getLogger("ttc.study")

RETRIES = 3  # leases of a unit whose searches fail in a way that may pass
RECENT = 256  # places whose replies may still be there to share
BATCHES = 2  # of generations asked for by the searches under way


@dataclass
class _Search:
    """A search of a unit: all its nodes (of a pool), and what is not committed yet."""

    task: Task
    nodes: dict[NodeId, Node]
    new: list[Node] = field(default_factory=list)
    fresh: int = 0  # of these, how many are not in the database
    usage: Usage | None = None
    outcome: tuple[Outcome, Usage] | None = None  # to be graded when all its nodes are committed
    end: SearchEnd | None = None
    failure: Exception | None = None
    told: bool = False  # its end is committed
    tokens: int = 0  # forwarded for it so far

    @property
    def open(self) -> bool:
        """It has not ended."""
        return self.end is None and self.failure is None


@dataclass
class _Unit:
    """A unit under way."""

    claim: UnitClaim
    searches: dict[str, _Search]
    begun: bool = False  # its searches are in the scheduler
    unwanted: bool = False  # to be given back

    @property
    def place(self) -> tuple[Place, str]:
        """The problems, and the model that they are asked of."""
        return self.claim.place, self.claim.method.model


class UnitWork:
    """The units under way in this process."""

    def __init__(
        self,
        db: Database,
        worker: str,
        scheduler: Scheduler,
        study: str | None,
        models: Sequence[str] = (),
        tally: Tally | None = None,
    ) -> None:
        """study: take units of this one alone; models: of these alone, none for all; tally: what is counted into."""
        self._db, self._worker, self._scheduler, self._study = db, worker, scheduler, study
        self._models, self._tally = models, tally or Tally()
        self._units: dict[str, _Unit] = {}
        self._of: dict[str, _Unit] = {}  # by search
        self._room = BATCHES * settings().batch
        self._near: deque[Place] = deque(maxlen=RECENT)

    @property
    def busy(self) -> bool:
        """Something is under way."""
        return bool(self._units)

    @property
    def leases(self) -> list[Lease]:
        """Of the units under way."""
        return [unit.claim.lease for unit in self._units.values()]

    @property
    def suspect(self) -> bool:
        """One of them has ended several workers already: nothing else is to be worked on beside it."""
        return any(unit.claim.suspect for unit in self._units.values())

    def look(self, *, beside: bool = False) -> None:
        """Give up what is no longer ours or wanted, and take more while there is room; beside: runs are under way."""
        if self._units:
            written = units.held(self._db, self.leases)
            self._drop(written.lost)
            if written.stop:
                self._release(written.stop)
        while self._load() < self._room and not self.suspect:
            alone = not (self._units or beside)
            claims = units.claim(
                self._db, self._worker, 1, self._study, models=self._models, suspects=alone, near=self._near
            )  # fmt: skip
            if not claims:
                break
            self._take(claims[0])
        self._begin()

    def _load(self) -> int:
        searches = (s for unit in self._units.values() for s in unit.searches.values() if s.open)
        return sum(search.task.spec.budget for search in searches)

    def _take(self, claim: UnitClaim) -> None:
        unit = self._units[claim.lease.run_id] = _Unit(claim, {})
        if claim.share and claim.place not in self._near:
            self._near.append(claim.place)
        for task in claim.tasks:
            unit.searches[task.run_id] = _Search(task, {n.id: n for n in task.nodes}, tokens=_tokens(task.usage))
            self._of[task.run_id] = unit

    def _begin(self) -> None:
        """Let the searches of units begin; where they share replies, those of the same problems one unit at a time."""
        at_work = {unit.place for unit in self._units.values() if unit.begun}
        for unit in self._units.values():
            if not unit.begun and not (unit.claim.share and unit.place in at_work):
                at_work.add(unit.place)
                unit.begun = True
                for search in unit.searches.values():
                    self._search(unit.claim, search)

    def _search(self, claim: UnitClaim, search: _Search) -> None:
        task = search.task
        try:
            self._scheduler.add(
                task.run_id,
                task.spec,
                runs_checks.problem_of(task.spec),
                runs_checks.named("strategy", task.spec.strategy, task.spec.params),
                task.nodes,
                usage=task.usage,
                priority=1 + claim.priority,
                share=claim.share,
            )
        except Exception as error:  # for instance a strategy that is no longer there
            search.failure = error

    def _drop(self, lost: Iterable[str]) -> None:
        """Somebody else owns these units now, or their study was deleted."""
        for key in lost:
            unit = self._units.pop(key, None)
            for run_id in unit.searches if unit else ():
                self._scheduler.cancel(run_id)
                self._of.pop(run_id, None)

    def _release(self, stop: Iterable[str]) -> None:
        """Their study is paused or cancelled: commit what is noted and give them back."""
        for key in stop:
            self._units[key].unwanted = True
            for run_id in self._units[key].searches:
                self._scheduler.cancel(run_id)
        self.commit()

    # --- what happened -----------------------------------------------------------------------------------------------

    def note(self, events: Iterable[Event]) -> None:
        """Take in what the scheduler tells; events of other searches are ignored."""
        for event in events:
            unit = self._of.get(event.search_id)
            if unit is None:
                continue
            search = unit.searches[event.search_id]
            if isinstance(event, Recorded):
                search.new.append(event.node)
                search.fresh += event.node.id not in search.nodes
                search.nodes[event.node.id] = event.node
                continue
            usage = replace(event.usage, seconds=0.0) if unit.claim.share else event.usage
            search.usage = usage
            search.tokens, before = _tokens(usage), search.tokens
            self._tally.tokens += search.tokens - before
            if isinstance(event, Finished):
                search.outcome = (event.outcome, usage)
            elif isinstance(event, Failed):
                search.failure = event.error

    def fail(self, error: Exception) -> None:
        """The scheduler broke: all that is under way fails, and is tried again."""
        for run_id, unit in self._of.items():
            self._scheduler.cancel(run_id)
            if unit.searches[run_id].open:
                unit.searches[run_id].failure = error

    def commit(self) -> None:
        """Write everything noted, in one transaction, and grade what came to an outcome, to be written by the next.

        Raises:
            StoreBusy: another process holds the database. Nothing is written, and all is kept for another attempt.
        """
        changes = [(unit, *_state(unit)) for unit in self._units.values() if _state(unit)[0] or _noted(unit)]
        if changes:
            self._write(changes)
            self._begin()
        for unit in self._units.values():
            for search in unit.searches.values():
                if search.outcome is not None:
                    _grade(unit.claim, search, *search.outcome)

    def _write(self, changes: Sequence[tuple[_Unit, str, Exception | None]]) -> None:
        rows = [_change(unit, status, error) for unit, status, error in changes]
        written = units.commit(self._db, rows)
        for unit, status, error in changes:
            if error is not None:
                log.log(logging.INFO if isinstance(error, TTCError) else logging.ERROR, "a unit failed", exc_info=error)
            for search in unit.searches.values():
                search.new, search.usage, search.fresh = [], None, 0
                search.told = search.told or not search.open
                if search.told:
                    search.nodes.clear()
            if status:
                self._tally.units += status == "done" and unit.claim.lease.run_id not in written.lost
                self._drop([unit.claim.lease.run_id])
                with suppress(StoreBusy):  # the next unit that ends will do
                    stored.check_cost(self._db, unit.claim.study)
        self._drop(written.lost)
        if stop := written.stop & self._units.keys():
            self._release(stop)


def _tokens(usage: Usage) -> int:
    return usage.policy_tokens + usage.verifier_tokens


def _noted(unit: _Unit) -> bool:
    return any(s.new or s.usage or (s.end and not s.told) for s in unit.searches.values())


def _state(unit: _Unit) -> tuple[str, Exception | None]:
    """How the unit ends now, "" if it does not, and why."""
    if any(search.open for search in unit.searches.values()):
        return "pending" if unit.unwanted else "", None
    failures = [search.failure for search in unit.searches.values() if search.failure is not None]
    if not failures:
        return "done", None
    passes = not isinstance(failures[0], TTCError) or failures[0].retryable
    again = passes and unit.claim.attempts < RETRIES
    return "pending" if again else "failed", failures[0]


def _change(unit: _Unit, status: str, error: Exception | None) -> UnitChange:
    searches = [
        SearchChange(s.task, s.new, s.usage, None if s.told else s.end, _words(s.failure), s.fresh, s.nodes)
        for s in unit.searches.values()
        if not s.told and (s.new or s.usage or not s.open)
    ]
    hint = error.hint if isinstance(error, TTCError) else ""
    return UnitChange(unit.claim.lease, searches, status, _words(error), hint)


def _words(error: Exception | None) -> str:
    if error is None or isinstance(error, TTCError):
        return str(error or "")
    return f"{type(error).__name__}: {error}"


def _grade(claim: UnitClaim, search: _Search, outcome: Outcome, usage: Usage) -> None:
    """Turn the outcome of a search into its end."""
    try:
        search.end = _ended(claim, search, outcome, usage)
    except Exception as error:  # grading or a strategy on its pool: the unit fails, the worker goes on
        search.failure = error
    search.outcome, search.usage = None, usage


def _ended(claim: UnitClaim, search: _Search, outcome: Outcome, usage: Usage) -> SearchEnd:
    """What is stored of a search that has finished."""
    task, spec = search.task, search.task.spec
    chosen = claim.options.get("kept")
    keep = chosen is None or task.problem in chosen
    run = task.run_id if keep else None
    graded = _graded(outcome, task, usage)
    kept = End("done", outcome, graded["correct"], graded["graded_by"]) if keep else None
    if not claim.method.samples:
        row = {"method": claim.method.key, "budget": spec.budget, **graded, **asdict(usage), "run": run}
        return SearchEnd([row], [], kept)
    how = str(spec.params.get("aggregate", "last"))
    found = solutions(search.nodes, spec.budget, usage.generated_tokens, spec.answer, spec.grader, how)
    place = {"method": claim.method.key, "problem": task.problem, "seed": spec.seed, "run": run}
    replay = Replay(search.nodes, spec.budget, usage, rated=bool(spec.verifier))
    rows: list[dict[str, Any]] = []
    for method in claim.served:
        for budget in method.budgets:
            came = replay.run(method.strategy, method.params, runs_checks.problem_of(spec), budget, spec.seed)
            cost = replay.cost()
            row = {"method": method.key, "budget": budget, **_graded(came, task, cost), **asdict(cost), "run": run}
            rows.append(row)
    return SearchEnd(rows, [{**place, **columns(found)}], kept)


def _graded(outcome: Outcome, task: Task, usage: Usage) -> dict[str, Any]:
    spec, lost = task.spec, outcome.lost(usage)
    scores = [c.score for c in outcome.candidates if c.node == outcome.chosen]
    correct = None if spec.answer is None or lost else grading.grade(outcome.answer, spec.answer, spec.grader)
    return {
        "problem": task.problem,
        "seed": spec.seed,
        "answer": outcome.answer,
        "correct": correct,
        "graded_by": None if spec.answer is None else grading.version(spec.grader),
        "score": scores[0] if scores else None,
        "excluded": outcome.excluded,
    }
