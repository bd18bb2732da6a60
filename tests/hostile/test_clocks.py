"""Clocks that are set, machines that stood still, answers that were lost: nothing is lost, nothing waits for ever."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import update

from tests.conformance.harness import ScriptedBackend, spec
from tests.unit.test_studies import BEAM, COSTS, add
from ttc_core import grading, runs, studies
from ttc_core.bench.searches import POLICY, VERIFIER
from ttc_core.bench.searches import ScriptedBackend as StudyBackend
from ttc_core.errors import StoreBusy
from ttc_core.runs_driver import Driver
from ttc_core.settings import settings
from ttc_core.store import leases, process, repository, units, upkeep
from ttc_core.store.database import Database, database
from ttc_core.store.studies_made import NewMethod

HOUR = 3600.0
JUMPS = (HOUR, -HOUR, 30 * 24 * HOUR)
ASKED = spec("beam_search", 32, width=2)


@pytest.fixture
def clock(monkeypatch):
    """Sets this machine's clock forwards by so many seconds, or back."""
    real, ahead = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + ahead[0])

    def jump(seconds):
        ahead[0] += seconds

    return jump


@pytest.fixture
def url(any_url, monkeypatch):
    monkeypatch.setenv("TTC_EXAMPLES", "0")
    settings.cache_clear()
    yield any_url
    settings.cache_clear()


def study(url, name="s"):
    beam = NewMethod(POLICY, VERIFIER, "beam_search", BEAM, "beam_search", [4])
    return add(url, name, pooled=False, methods=[beam])


def outcomes(url, name):
    return studies.outcomes(name, db=url).drop(columns=["run", *COSTS]).to_dict()


@pytest.mark.parametrize("seconds", JUMPS)
def test_a_jump_in_the_middle_of_a_search_changes_nothing_of_it(url, clock, seconds):
    db = database(url)
    repository.add(db, "calm", ASKED)
    with Driver(db, role="worker", backend=ScriptedBackend()) as driver:
        driver.work(lambda: False, forever=False)
    repository.add(db, "r", ASKED)
    with Driver(db, role="worker", backend=ScriptedBackend()) as driver:
        for _ in range(3):
            driver.turn()
        assert runs.get("r", db=url).status == "running"
        clock(seconds)
        driver._next_look = 0.0  # it looks for work at once, before its heart has beaten again
        driver.work(lambda: False, forever=False)
    view, calm = runs.get("r", db=url), runs.get("calm", db=url)
    assert (view.status, view.error, view.outcome) == ("done", "", calm.outcome)
    assert view.usage.generations == calm.usage.generations
    assert runs.nodes("r", db=url).nodes == runs.nodes("calm", db=url).nodes


@pytest.mark.parametrize("seconds", JUMPS)
def test_a_jump_in_the_middle_of_a_study_changes_nothing_of_it(url, clock, seconds):
    for name in ("calm", "s"):
        study(url, name)
    studies.work("calm", backend=StudyBackend(64), db=url)
    with Driver(database(url), role="study", study="s", backend=StudyBackend(64)) as driver:
        for _ in range(3):
            driver.turn()
        clock(seconds)
        driver._next_look = 0.0
        driver.finish(lambda: not studies.progress("s", db=url).ended, lambda: False)
    assert studies.progress("s", db=url).status == "done" and outcomes(url, "s") == outcomes(url, "calm")


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
def test_what_a_worker_elsewhere_left_whose_clock_was_wrong_is_taken_over(url, clock, monkeypatch, seconds):
    """Its machine is gone. Where the server's clock counts, that of the machine never did."""
    db = database(url)
    repository.add(db, "r", ASKED)
    study(url)
    clock(seconds)
    monkeypatch.setattr(process, "machine", lambda: "elsewhere")
    leases.enrol(db, "gone", "worker", 1)
    assert len(leases.claim(db, "gone", 5)) == 1 and len(units.claim(db, "gone", 1)) == 1
    monkeypatch.undo()
    if not db.sqlite:  # there, time passes
        with db.write() as connection:
            for of in leases.LEASED:
                connection.execute(update(of).where(of.c.owner == "gone").values(heartbeat=of.c.heartbeat - 11))
    assert [one.lease.run_id for one in leases.claim(db, "next", 5)] == ["r"]
    assert len(units.claim(db, "next", 1)) == 1


def test_a_living_worker_elsewhere_keeps_its_work_whatever_its_clock_says(url, clock):
    db = database(url)
    if db.sqlite:
        pytest.skip("all who share a file are on one machine")
    repository.add(db, "r", ASKED)
    study(url)
    clock(HOUR)
    assert len(leases.claim(db, "ahead", 5)) == 1 and len(units.claim(db, "ahead", 99)) == 4
    clock(-2 * HOUR)
    assert leases.claim(db, "behind", 5) == [] and units.claim(db, "behind", 5) == []


def test_a_clock_that_is_set_back_does_not_make_everybody_silent_for_long(url, clock):
    db = database(url)
    leases.enrol(db, "w", "worker", 1)
    repository.add(db, "r", ASKED)
    leases.claim(db, "w", 5)
    clock(-HOUR)
    leases.beat(db, "w")
    assert leases.claim(db, "other", 5) == []


def test_a_claim_whose_answer_was_lost_is_given_back(url, monkeypatch):
    """The server carried it out; its word did not come back. The heart of the worker would keep it for ever."""
    db = database(url)
    repository.add(db, "r", ASKED)
    study(url)
    for module in (leases, units):
        real, lost = module.claim, [0]

        def claim(*args, real=real, lost=lost, **options):
            found = real(*args, **options)
            lost[0] += bool(found)
            if found and lost[0] == 1:
                raise StoreBusy("the connection was lost")
            return found

        monkeypatch.setattr(module, "claim", claim)
    monkeypatch.setattr("ttc_core.runs_driver.BEAT_SECONDS", 0.1)
    until = time.monotonic() + 20

    def ended():
        done = runs.get("r", db=url).ended and studies.progress("s", db=url).ended
        return done or time.monotonic() > until

    with Driver(db, role="worker", backend=Both()) as driver:
        driver.work(ended, forever=True)
    assert runs.get("r", db=url).status == "done" and studies.progress("s", db=url).status == "done"


class Both(StudyBackend):
    """The models of the search, and of the study."""

    def __init__(self):
        super().__init__(64)
        self._other = ScriptedBackend()

    def engine(self, name):
        return self._other.engine(name) if name.startswith("scripted-p") else super().engine(name)

    def verifier(self, name):
        return self._other.verifier(name) if name.startswith("scripted-p") else super().verifier(name)


def test_a_copied_database_does_not_wait_for_those_who_worked_in_the_first(url, tmp_path):
    study(url)
    assert len(units.claim(database(url), "w", 1)) == 1
    target = f"sqlite:///{tmp_path / 'copy.db'}"
    upkeep.copy(database(url), Database(target))
    studies.work("s", backend=StudyBackend(64), db=target, until=deadline(20))
    assert studies.progress("s", db=target).status == "done"
    database(target).close()


def deadline(seconds):
    until = time.monotonic() + seconds
    return lambda: time.monotonic() > until


def test_a_grader_that_raises_fails_its_search_and_the_worker_goes_on(url, monkeypatch):
    db = database(url)
    asked = spec("best_of_n", 4, select="weighted")
    asked = type(asked)(**{**{name: getattr(asked, name) for name in asked.__slots__}, "answer": "1"})
    for name in "ab":
        repository.add(db, name, asked)
    real, count = grading.grade, [0]

    def grade(*args):
        count[0] += 1
        if count[0] == 1:
            raise RuntimeError("the grader broke")
        return real(*args)

    monkeypatch.setattr(grading, "grade", grade)
    with Driver(db, role="worker", backend=ScriptedBackend()) as driver:
        driver.work(lambda: False, forever=False)
    views = {runs.get(name, db=url).status: runs.get(name, db=url) for name in "ab"}
    assert set(views) == {"done", "failed"} and "the grader broke" in views["failed"].error
    assert views["failed"].correct is None
