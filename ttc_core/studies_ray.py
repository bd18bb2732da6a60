"""A study carried out by actors of a Ray cluster (requirements-ray.txt), on one machine or many.

An actor is a worker like any other: it leases units from the database by its URL and writes under the lease's epoch
(`studies.work`). Ray places actors by the resources that they declare, starts those that die anew, and may grow the
cluster for those that wait. Nothing of a study travels through Ray: results go into the database alone.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ttc_core import studies
from ttc_core.errors import TTCError, UserError
from ttc_core.settings import REPOSITORY, settings
from ttc_core.store import studies_tables as tables
from ttc_core.store.database import Database, database
from ttc_core.store.process import HOST, me
from ttc_core.studies_crew import Group, Member
from ttc_core.studies_views import Tally

log = logging.getLogger("ttc.ray")

LOOK_SECONDS = 0.2
STOP_SECONDS = 20.0  # for actors to end their turn and give their units back; then they are killed
START_SECONDS = 3.0  # for one that has not answered yet: it may be about to begin, or wait for a place
OBJECT_STORE = 80 << 20  # bytes of a cluster of our own, the least that Ray takes: nothing is kept there


def carry_out(
    study: str,
    groups: Sequence[Group] = (),
    address: str = "",
    *,
    until: Callable[[], bool],
    crew: list[Member] | None = None,
    db: str | None = None,
) -> None:
    """Carry out a stored study by actors; returns when it has ended or `until`, which is asked all the time, says so.

    Arguments:
        groups: none for as many actors of one CPU as the cluster has CPUs.
        address: of a cluster ("auto", host:port); "" for RAY_ADDRESS, else one of our own on this machine, for so long.
        crew: filled with the actors, for whoever shows them.
    Raises:
        UnknownName: no such study; UserError: Ray is not installed, the cluster is not there, its machines cannot share
        the database, or no actor can take some of the units; TTCError: all actors of a group have
        failed; the others have done what they take.
    """
    _covered(study, groups, db)
    stored = database(db or settings().database_url)
    ray = imported()
    with _joined(ray, address) as own:
        _shared(stored, [node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]])
        groups = groups or [Group(n=max(1, int(ray.cluster_resources().get("CPU", 1))))]
        if own:
            _fits(groups, ray.cluster_resources())
        crew = [] if crew is None else crew
        sweep = _Sweep(ray, crew)
        try:
            for one in groups:
                for _ in range(one.n):
                    crew.append(Member(f"{study}-{len(crew)}", one))
                    sweep.hire(crew[-1], (stored.absolute_url, study, one.models, crew[-1].name, HOST))
            sweep.watch(until)
            if (lost := sweep.lost()) and not (until() or studies.progress(study, db=db).ended):
                raise lost
        finally:
            sweep.dismiss()


class _Sweep:
    """The actors of one study, seen from the program that started them."""

    def __init__(self, ray: Any, crew: list[Member]) -> None:
        self._ray, self._crew = ray, crew
        self._actors: list[Any] = []
        self._work: dict[Any, int] = {}  # what each does, until it has ended: by Ray's reference
        self._asked: dict[Any, int] = {}  # what each was asked for
        self._faults: dict[int, tuple[str, str]] = {}

    def hire(self, member: Member, said: tuple[Any, ...]) -> None:
        """Ask Ray for an actor; it starts when there is room for it."""
        needs = {"num_cpus": member.group.cpus, "num_gpus": member.group.gpus, "name": member.name}
        again = {"max_restarts": -1, "max_task_retries": -1, "max_concurrency": 4}  # working, and answering beside it
        remote = self._ray.remote(Worker).options(**needs, **again, runtime_env={"env_vars": _environment()})
        actor = remote.remote(*said)
        self._work[actor.work.remote()] = len(self._actors)
        self._asked[actor.numbers.remote()] = len(self._actors)
        self._actors.append(actor)

    def watch(self, until: Callable[[], bool]) -> None:
        """Wait until all have ended: the units that they take have, or they cannot go on."""
        while self._work and not until():
            ended, _ = self._ray.wait(list(self._work), num_returns=len(self._work), timeout=LOOK_SECONDS)
            for reference in ended:
                self._ended(reference)
            self._hear()

    def lost(self) -> TTCError | None:
        """Why a group came to nothing, if all actors of one cannot go on."""
        for i, (kind, why) in self._faults.items():
            peers = [k for k, other in enumerate(self._crew) if other.group is self._crew[i].group]
            if all(k in self._faults for k in peers):
                error = UserError if kind == "user" else TTCError
                of = f" of {', '.join(models)}" if (models := self._crew[i].group.models) else ""
                return error(f"no actor is left to take units{of}: {why}", hint="`sweep --resume` goes on from there")
        return None

    def _ended(self, reference: Any) -> None:
        i = self._work.pop(reference)
        self._crew[i].ended = True
        if fault := self._answer(i, reference):
            self._faults[i] = fault
            log.warning("actor %s has ended: %s", self._crew[i].name, fault[1])

    def _answer(self, i: int, reference: Any) -> tuple[str, str] | None:
        """Take in what an actor says of itself; returns why it cannot go on, if so."""
        try:
            said = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            return "ray", f"{type(error).__name__}: {str(error).strip().splitlines()[-1]}"
        self._crew[i].heard(said, time.time())
        fault: tuple[str, str] | None = said["fault"]
        return fault

    def _hear(self) -> None:
        """Take in what the actors have answered, and ask them again; one that waits for a place answers later."""
        ready, _ = (
            self._ray.wait(list(self._asked), num_returns=len(self._asked), timeout=0) if self._asked else ([], [])
        )
        for reference in ready:
            i = self._asked.pop(reference)
            if not self._crew[i].ended:
                self._answer(i, reference)
                self._asked[self._actors[i].numbers.remote()] = i

    def dismiss(self) -> None:
        """Have all give back what they hold, and end them."""
        for i in self._work.values():
            self._actors[i].stop.remote()
        for placed, seconds in ((True, STOP_SECONDS), (False, START_SECONDS)):
            left = [reference for reference, i in self._work.items() if bool(self._crew[i].pid) is placed]
            for reference in self._ray.wait(left, num_returns=len(left), timeout=seconds)[0] if left else ():
                self._ended(reference)
        for actor in self._actors:
            self._ray.kill(actor)


class Worker:
    """An actor's life, in a process of its own; Ray starts it anew with the same arguments, and its work with it."""

    def __init__(self, url: str, study: str, models: tuple[str, ...], name: str, host: str) -> None:
        """url: of the database, which stays out of what Ray shows; host: of the program that started the actors."""
        os.dup2(2, 1)  # what is printed is for the log; standard output is for results
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
        os.environ["TTC_DATABASE_URL"] = url
        self._url, self._study, self._models, self._name, self._host = url, study, models, name, host
        self._tally, self._begun, self._stop = Tally(), time.monotonic(), False
        self._metrics = _Metrics(study, name)

    def work(self) -> dict[str, Any]:
        """Take units until the study has ended or `stop`; returns `numbers`, with why it could not as their fault."""
        log.info("actor %s takes units of %s", self._name, self._study)
        try:
            _shared(database(self._url), [HOST, self._host])
            options: dict[str, Any] = {"until": self._look, "models": self._models, "tally": self._tally}
            studies.work(self._study, **options, db=self._url)
        except TTCError as error:
            said = f"{error} ({error.hint})" if error.hint else str(error)
            return self.numbers() | {"fault": ("user" if isinstance(error, UserError) else "store", said)}
        log.info("actor %s is done: %s units, %s tokens", self._name, self._tally.units, self._tally.tokens)
        return self.numbers()

    def _look(self) -> bool:
        self._metrics.show(self._tally)
        return self._stop

    def numbers(self) -> dict[str, Any]:
        """What this process has done so far."""
        counted = {"units": self._tally.units, "tokens": self._tally.tokens, "fault": None}
        return {**counted, "pid": me(), "host": HOST, "seconds": time.monotonic() - self._begun}

    def stop(self) -> None:
        """Give back what is leased, after the turn that is under way."""
        self._stop = True


class _Metrics:
    """An actor's counts as Ray hands them to Prometheus: ttc_units_total and ttc_tokens_total, by study and actor."""

    def __init__(self, study: str, actor: str) -> None:
        from ray.util.metrics import Counter

        self._tags = {"study": study, "actor": actor}
        kinds = {"units": "units of studies that were done", "tokens": "tokens that policies and verifiers forwarded"}
        self._counters = {k: Counter(f"ttc_{k}", text, tag_keys=("study", "actor")) for k, text in kinds.items()}
        self._shown = Tally()

    def show(self, tally: Tally) -> None:
        """Count on to this."""
        for name, counter in self._counters.items():
            if new := getattr(tally, name) - getattr(self._shown, name):
                counter.inc(new, self._tags)
                setattr(self._shown, name, getattr(tally, name))


# --- what has to hold before anything starts -------------------------------------------------------------------------


def imported() -> Any:
    """The package.

    Raises:
        UserError: it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray tells its makers nothing of what is done here
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    try:
        import ray
    except ImportError as error:
        raise UserError("Ray is not installed", hint="pip install -r requirements-ray.txt") from error
    return ray


@contextmanager
def _joined(ray: Any, address: str) -> Iterator[bool]:
    """Connected to the cluster; whether it is one of our own, which ends with us and nobody else can reach."""
    address = address or os.environ.get("RAY_ADDRESS", "")
    said: dict[str, Any] = {"address": address or "local", "logging_level": logging.WARNING}
    if not address:
        said |= {"include_dashboard": False, "object_store_memory": OBJECT_STORE, "_node_ip_address": "127.0.0.1"}
    try:
        ray.init(**said)
    except (ConnectionError, ImportError, RuntimeError, ValueError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        where = f"the Ray cluster {address!r} cannot be joined" if address else "Ray cannot be started here"
        raise UserError(f"{where}: {first}", hint="`ray start --head` starts one, `ray status` shows it") from error
    try:
        yield not address
    finally:
        ray.shutdown()


def _covered(study: str, groups: Sequence[Group], db: str | None) -> None:
    """Every unit of the study has actors that take it."""
    wanted = tables.models(database(db or settings().database_url), study)
    known = {name for one in groups for name in one.models}
    if odd := sorted(known - set(wanted)):
        raise UserError(f"study {study!r} has no model {odd[0]!r}", hint=f"it has {', '.join(wanted)}")
    if groups and all(one.models for one in groups) and (left := sorted(set(wanted) - known)):
        hint = "add a group for it, or one without a model, which takes all"
        raise UserError(f"no actors take the units of model {left[0]!r}", hint=hint)


def _fits(groups: Sequence[Group], there: Mapping[str, float]) -> None:
    """This machine has what the actors declare; on a cluster Ray lets them wait, as it may grow."""
    for name, key in (("CPU", "cpus"), ("GPU", "gpus")):
        needed, has = sum(one.n * getattr(one, key) for one in groups), there.get(name, 0)
        if needed > has:
            hint = f"fewer actors, or a share for each, as in {key}=0.5"
            raise UserError(f"these actors need {needed:g} {name}s, this machine has {has:g}", hint=hint)


def _shared(stored: Database, hosts: Sequence[str]) -> None:
    """The machines can all write this database."""
    if stored.sqlite and (others := sorted(set(hosts) - {HOST})):
        hint = "put the study into PostgreSQL: `db copy --study`, then sweep --resume with its --db"
        raise UserError(f"several machines cannot share a SQLite file, and there is {others[0]!r} too", hint=hint)


def _environment() -> dict[str, str]:
    """What the actors find in their environment. The database's URL is not there: Ray shows this to everybody."""
    ours = {name: value for name, value in os.environ.items() if name.startswith("TTC_") and name != "TTC_DATABASE_URL"}
    return {**ours, "PYTHONPATH": str(REPOSITORY), "OPENBLAS_NUM_THREADS": os.environ.get("OPENBLAS_NUM_THREADS", "1")}
