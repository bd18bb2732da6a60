"""Carries runs out: claims them, feeds the scheduler, and commits what each of its turns brought before the next.

One driver a process. The worker lets it take whatever waits, units of studies too; `runs.execute` gives it certain
runs, `studies.work` one study.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from ttc_core import runs_checks
from ttc_core.backend import Backend, LocalBackend
from ttc_core.errors import StoreBusy, StoreError, TTCError
from ttc_core.scheduler import Event, Failed, Finished, Recorded, Scheduler
from ttc_core.settings import settings
from ttc_core.store import endings, leases, repository
from ttc_core.store.database import Database
from ttc_core.store.leases import Change, Claim, End, Lease
from ttc_core.studies_driver import UnitWork
from ttc_core.studies_views import Tally
from ttc_core.types import Node, NodeId, Outcome, RunSpec, Usage

log = logging.getLogger("ttc.worker")

BEAT_SECONDS = 2.0
LOOK_SECONDS = 0.25  # how often an idle driver looks for runs: a click starts within this time
ASK_SECONDS = 0.1  # how often a busy one looks for runs and stop requests
BUSY_SECONDS = 60.0  # for which a database that is busy is waited for where there is nothing else to do
RETRY_SECONDS = 0.1  # between attempts to write where the database refuses at once
SLOTS = 16  # runs under way together; more share the engines' batches no better and each take memory
HUNG = 75  # exit code of a process that gives up: an engine, or something else, did not come back


@dataclass
class _Job:
    """A run under way: what its scheduler turn brought and is not committed yet."""

    lease: Lease
    spec: RunSpec
    cost: Usage  # when last committed
    suspect: bool = False  # it has ended several workers already: nothing else is to be worked on beside it
    recorded: dict[NodeId, Node] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    usage: Usage | None = None
    end: End | None = None


class Driver:
    """Use as a context manager: inside, this process is known as a worker; on leaving, it gives back what it holds."""

    def __init__(
        self,
        db: Database,
        *,
        role: str,
        backend: Backend | None = None,
        slots: int = SLOTS,
        study: str | None = None,
        models: Sequence[str] = (),
        tally: Tally | None = None,
    ) -> None:
        """role: "worker" (takes any run or unit), "solve" (runs it is given) or "study" (units of `study`).

        models: take only units of these, none for all; tally: what the units' progress is counted into.
        """
        self._db, self._role, self._slots = db, role, slots
        self._id = secrets.token_hex(8)
        self._scheduler = Scheduler(backend or LocalBackend())
        self._units = UnitWork(db, self._id, self._scheduler, study, models, tally)
        self._jobs: dict[str, _Job] = {}
        self._next_look = self._next_reclaim = 0.0
        self._alive_at = time.monotonic()
        self._waits = False  # for the database to take what is noted
        self._unlooked = 0.0  # since when nobody could look for runs
        self._ended = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        leases.enrol(self._db, self._id, self._role, os.getpid())
        self._heart.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._ended.set()
        self._heart.join()
        try:
            if error is None:  # what had to wait for the database gets a last chance
                self._commit()
                self._units.commit()
            leases.leave(self._db, self._id)
        except StoreError as fault:  # what is held is free again once its heartbeat is old, and goes on from its record
            log.warning("could not sign off: %s", fault)

    # --- the loops ---------------------------------------------------------------------------------------------------

    def complete(self, run_ids: Sequence[str], until: Callable[[], bool]) -> None:
        """Work until these runs have ended; stop them when `until` says so.

        Raises:
            UnknownName: no such run.
        """
        for run_id in run_ids:
            repository.get(self._db, run_id)
        while open_ := self._still_open(run_ids):
            if until():
                self._stop([run_id for run_id in open_ if run_id in self._jobs])
                for run_id in open_:
                    repository.request_stop(self._db, run_id)
                return
            while self.turn(only=open_) and not until():
                pass
            if not self._jobs and self._still_open(open_):  # another process has them
                time.sleep(LOOK_SECONDS)

    def _still_open(self, run_ids: Sequence[str]) -> list[str]:
        """Which of them have not ended; waits for a database that is busy, though not for ever."""
        end = time.monotonic() + BUSY_SECONDS
        while time.monotonic() < end:
            with suppress(StoreBusy):
                return repository.still_open(self._db, run_ids)
            self._ended.wait(RETRY_SECONDS)
        return repository.still_open(self._db, run_ids)

    def work(self, until: Callable[[], bool], *, forever: bool) -> None:
        """Take runs until none is left, or, with `forever`, until `until` says so."""
        while not until():
            if not self.turn():
                if not forever:
                    return
                self._ended.wait(LOOK_SECONDS)

    def finish(self, open_: Callable[[], bool], until: Callable[[], bool]) -> None:
        """Work on the study of this driver for as long as it is open, waiting for what other processes hold of it."""
        while not until():
            if not self.turn():
                with suppress(StoreBusy):
                    if not open_():
                        return
                self._ended.wait(LOOK_SECONDS)

    def turn(self, only: Sequence[str] | None = None) -> bool:
        """Claim what waits, let the scheduler take one turn, commit what it brought; False if there was nothing to do.

        Raises:
            StoreFault: the database cannot be written; nothing of this turn is recorded, and its runs remain claimable.
        """
        self._alive_at = now = time.monotonic()
        if not self._saved():  # nothing more is asked of the models meanwhile
            return True
        if now >= self._next_look or not (self._jobs or self._units.busy):
            self._next_look = now + ASK_SECONDS
            try:
                self._look(now, only)
            except StoreBusy as busy:  # what runs goes on; the next look will do
                if not self._unlooked:
                    log.warning("could not look for runs: %s", busy)
                self._unlooked = self._unlooked or now
                if not (self._jobs or self._units.busy) and now - self._unlooked < BUSY_SECONDS:
                    self._ended.wait(RETRY_SECONDS)
                    return True  # nobody knows yet whether there is anything to do
            else:
                self._unlooked = 0.0
        if not (self._jobs or self._units.busy):
            return False
        try:
            events = self._scheduler.step()
        except Exception as error:  # a bug in the scheduler or an engine: these runs fail, the worker goes on
            log.exception("the scheduler broke")
            self._units.fail(error)
            events = [Failed(run_id, error, job.usage or job.cost) for run_id, job in self._jobs.items()]
            for run_id in self._jobs:
                self._scheduler.cancel(run_id)  # the engines forget their jobs; otherwise replies could be mixed up
        self._note(events)
        self._units.note(events)
        self._saved()
        return True

    def _saved(self) -> bool:
        """Write everything noted; False where another process holds the database: then the next turn tries again."""
        try:
            self._commit()
            self._units.commit()
        except StoreBusy as busy:
            if not self._waits:
                log.warning("results wait until the database takes them: %s", busy)
            self._waits = True
            self._ended.wait(RETRY_SECONDS)
            return False
        if self._waits:
            log.warning("the database has taken what waited")
        self._waits = False
        return True

    @property
    def _suspect(self) -> bool:
        return any(job.suspect for job in self._jobs.values())

    # --- runs in and out ---------------------------------------------------------------------------------------------

    def _look(self, now: float, only: Sequence[str] | None) -> None:
        if now >= self._next_reclaim:
            self._next_reclaim = now + BEAT_SECONDS
            leases.reclaim(self._db)
            leases.give_back(self._db, self._id, [job.lease for job in self._jobs.values()], self._units.leases)
        if self._jobs:
            written = leases.held(self._db, [job.lease for job in self._jobs.values()])
            self._drop(written.lost)
            self._stop(written.stop)
        if self._role != "study" and len(self._jobs) < self._slots and not (self._suspect or self._units.suspect):
            alone = not (self._jobs or self._units.busy)
            for claim in leases.claim(self._db, self._id, self._slots - len(self._jobs), only, suspects=alone):
                self._begin(claim)
        if self._role != "solve" and not self._suspect:
            self._units.look(beside=bool(self._jobs))

    def _begin(self, claim: Claim) -> None:
        spec, run_id = claim.spec, claim.lease.run_id
        self._jobs[run_id] = _Job(claim.lease, spec, claim.usage, claim.suspect, {n.id: n for n in claim.nodes})
        try:
            strategy = runs_checks.named("strategy", spec.strategy, spec.params)
            problem = runs_checks.problem_of(spec)
            self._scheduler.add(run_id, spec, problem, strategy, claim.nodes, usage=claim.usage)
        except Exception as error:  # for instance a strategy that is no longer there
            self._note([Failed(run_id, error, claim.usage)])

    def _drop(self, run_ids: Iterable[str]) -> None:
        """Somebody else owns these runs now, or they were deleted."""
        for run_id in run_ids:
            log.info("run %s is no longer ours", run_id)
            self._scheduler.cancel(run_id)
            self._jobs.pop(run_id, None)

    def _stop(self, run_ids: Iterable[str]) -> None:
        for run_id in run_ids:
            self._scheduler.cancel(run_id)
            job = self._jobs[run_id]
            job.end = job.end or End("stopped")  # it may have ended and wait for the database
        self._commit()

    # --- what happened -----------------------------------------------------------------------------------------------

    def _note(self, events: Iterable[Event]) -> None:
        for event in events:
            job = self._jobs.get(event.search_id)
            if job is None:
                continue
            if isinstance(event, Recorded):
                job.nodes.append(event.node)
                job.recorded[event.node.id] = event.node
                continue
            job.usage = event.usage
            if isinstance(event, Finished):
                job.end = _graded(event, job.spec)
            elif isinstance(event, Failed):
                job.end = _failure(event.search_id, event.error)

    def _commit(self) -> None:
        """Write everything noted of runs, in one transaction."""
        jobs = {run_id: job for run_id, job in self._jobs.items() if job.nodes or job.usage or job.end}
        if not jobs:
            return
        changes = [Change(job.lease, job.nodes, job.usage, job.end, job.recorded) for job in jobs.values()]
        written = leases.commit(self._db, changes)
        for run_id, job in jobs.items():
            if job.end is not None:
                del self._jobs[run_id]
            job.cost = job.usage or job.cost
            job.nodes, job.usage = [], None
        self._drop(written.lost & self._jobs.keys())
        if written.stop:
            self._stop(written.stop & self._jobs.keys())

    def _beat(self) -> None:
        said = False
        while not self._ended.wait(BEAT_SECONDS):
            try:
                silent = time.monotonic() - max(self._alive_at, self._scheduler.moved)
                stuck = self._scheduler.stuck()
                if silent > (stuck[1] if stuck else settings().patience):
                    self._give_up(silent, stuck)
                if silent > BEAT_SECONDS:  # whoever wants a run stopped need not wait for what does not come back
                    endings.stop(self._db, self._id)
                leases.beat(self._db, self._id)
                said = False
            except StoreError as error:
                log.log(logging.DEBUG if said else logging.WARNING, "no heartbeat: %s", error)
                said = True

    def _give_up(self, silent: float, stuck: tuple[str, float, set[str]] | None) -> None:
        """End the process: nothing else stops an engine that hangs, and what is held shall go to others."""
        why, whose = f"its worker came to nothing for {silent:.0f} s", None
        if stuck:
            why, whose = f"{why}, as {stuck[0]} did not come back", stuck[2] & self._jobs.keys()
        leases.leave(self._db, self._id, hung=why, whose=whose)
        log.error("given up: %s", why)
        os._exit(HUNG)


def _graded(event: Finished, spec: RunSpec) -> End:
    try:
        return _done(event.outcome, spec, event.usage)
    except Exception as error:  # grading: this run fails, the worker goes on
        return _failure(event.search_id, error)


def _done(outcome: Outcome, spec: RunSpec, usage: Usage) -> End:
    from ttc_core import grading

    if spec.answer is None or outcome.lost(usage):
        return End("done", outcome)
    verdict = grading.grade(outcome.answer, spec.answer, spec.grader)
    return End("done", outcome, verdict, grading.version(spec.grader))


def _failure(run_id: str, error: Exception) -> End:
    if isinstance(error, TTCError):
        log.info("run %s failed: %s", run_id, error)
        return End("failed", error=str(error), hint=error.hint)
    log.error("run %s failed", run_id, exc_info=error)
    return End("failed", error=f"{type(error).__name__}: {error}", hint="this is a fault of the workbench; see its log")
