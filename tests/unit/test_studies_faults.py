"""Studies under faults: the disk, the lock, the server, a unit that ends its workers, a worker that was stopped.

Whatever happens, what is stored is right, the error says what it was, and the study goes on afterwards.
"""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import threading
import time
from contextlib import closing

import pytest
from sqlalchemy import event

from benchmarks import stop_study
from benchmarks.kill_study import _in_child as in_child
from tests.unit.test_studies import BEAM, PROBLEMS, add
from ttc_core import grading, runs, runs_driver, studies
from ttc_core.bench.searches import POLICY, VERIFIER, ScriptedBackend
from ttc_core.errors import StoreBusy, StoreFault
from ttc_core.runs_checks import named
from ttc_core.settings import settings
from ttc_core.store import database as database_module
from ttc_core.store import leases, upkeep
from ttc_core.store import studies_made as stored
from ttc_core.store.database import Database, database
from ttc_core.store.studies_made import NewMethod, NewStudy, NewUnit

FAULT, BUSY = 3, 4  # exit codes of children that met a StoreFault, a StoreBusy
COSTS = ["seconds", "run", "policy_prompt_tokens", "policy_cached_tokens", "policy_flops", "verifier_flops"]


@pytest.fixture
def url(tmp_path):
    """A database with a study in it that nobody has begun."""
    url = f"sqlite:///{tmp_path / 'x.db'}"
    runs.ensure_database(db=url)
    add(url)
    database(url).close()
    return url


def work(url, backend=None, study="s"):
    studies.work(study, backend=backend or ScriptedBackend(64), db=url)


def child(url, prepare=lambda url: None, backend=None, seconds=120.0):
    """Work in a child process that `prepare` spoils first; returns its exit code. Prints the fault it met."""

    def inside():
        prepare(url)
        try:
            work(url, backend)
        except (StoreFault, StoreBusy) as error:
            with open(f"{database(url).path}.said", "w") as file:
                file.write(str(error))
            os._exit(FAULT if isinstance(error, StoreFault) else BUSY)

    return in_child(inside, seconds)


def said(url):
    with open(f"{Database(url).path}.said") as file:
        return file.read()


def shown(url, study="s"):
    return studies.outcomes(study, db=url).drop(columns=COSTS)


def check_partial(url):
    """What is stored is sound, and every unit that is done has all its outcomes, each once."""
    assert upkeep.check(database(url))["fine"]
    frame = studies.outcomes("s", db=url)
    assert not frame.duplicated(["problem", "method", "budget", "seed"]).any()
    database(url).close()
    return len(frame)


def check_goes_on(url):
    """The study ends as it would have undisturbed."""
    work(url)
    assert studies.progress("s", db=url).status == "done"
    add(url, "calm")
    work(url, study="calm")
    ended, calm = (shown(url, name) for name in ("s", "calm"))
    assert len(ended) == 84 and ended.equals(calm)
    database(url).close()


def small(url, pages=12):
    """No more than so many further pages: what SQLite says is that the disk is full."""
    db = database(url)
    db.close()
    most = os.path.getsize(db.path) // 4096 + pages

    @event.listens_for(db._writer, "connect")
    def limit(connection, _record):
        connection.execute(f"PRAGMA max_page_count = {most}")


def limited(url):
    """Files end at so many bytes: writing beyond fails as on a broken disk."""
    most = os.path.getsize(database(url).path) + 400_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def read_only(url):
    """Writing is refused from a moment on."""
    counted = [0]

    @event.listens_for(database(url)._writer, "begin")
    def refuse(connection):
        counted[0] += 1
        if counted[0] > 25:
            connection.exec_driver_sql("PRAGMA query_only = ON")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [(small, "the disk is full"), (limited, "the disk reported an error"), (read_only, "read-only")],
)
def test_a_fault_of_the_disk_ends_the_worker_and_loses_nothing(url, spoil, says):
    assert child(url, spoil) == FAULT
    assert says in said(url)
    assert check_partial(url) < 84
    check_goes_on(url)


def test_a_locked_database_is_waited_for(url, monkeypatch):
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.05)
    db = database(url)
    db.__init__(url)  # with the shorter patience
    with closing(sqlite3.connect(db.path, isolation_level=None, check_same_thread=False)) as other:

        def hold():
            time.sleep(0.3)
            for _ in range(3):
                other.execute("BEGIN IMMEDIATE")
                time.sleep(0.5)
                other.execute("COMMIT")
                time.sleep(0.2)

        holder = threading.Thread(target=hold)
        holder.start()
        work(url)
        holder.join()
    check_goes_on(url)


def test_a_stop_is_heard_while_another_program_holds_the_database(url, monkeypatch, caplog):
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr(leases, "STALLED_SECONDS", 3.0)  # what could not be given back is free then
    db = database(url)
    db.__init__(url)  # with the shorter patience
    asked = [0, 0]  # before the database is held, and since
    with closing(sqlite3.connect(db.path, isolation_level=None, check_same_thread=False)) as other:

        def until():
            if asked[0] == 5:
                other.execute("BEGIN IMMEDIATE")
            asked[asked[0] > 5] += 1
            return asked[1] > 5

        options = {"until": until, "backend": ScriptedBackend(64), "db": url}
        worker = threading.Thread(target=studies.work, args=("s",), kwargs=options, daemon=True)
        worker.start()
        worker.join(30)
        assert not worker.is_alive()
        other.execute("COMMIT")
    assert sum("results wait" in record.message for record in caplog.records) == 1
    assert check_partial(url) < 84
    check_goes_on(url)


def test_a_server_that_is_restarted_is_waited_for(postgres, newest):
    url = postgres.url(newest)
    add(url)
    restarted = []

    def until():
        if studies.progress("s", db=url).units["done"] and not restarted:
            restarted.append(1)
            postgres.restart()
        return False

    studies.work("s", backend=ScriptedBackend(64), until=until, db=url)
    assert restarted
    check_goes_on(url)


def test_a_stopped_worker_that_goes_on_after_another_took_over_writes_nothing(tmp_path):
    report = stop_study.measure(tmp_path, 1, seed=2)
    assert report["stopped"] == 1 and stop_study.fine(report), report


@pytest.mark.parametrize(("strategy", "samples"), [("best_of_n", 16), ("beam_search", 0)])
def test_a_worker_that_dies_while_grading_has_no_model_asked_again(tmp_path, strategy, samples):
    url = f"sqlite:///{tmp_path / 'x.db'}"
    runs.ensure_database(db=url)
    params = vars(named("strategy", strategy, {}))
    method = NewMethod(POLICY, VERIFIER, strategy, params, strategy, [16], samples=samples)
    served = [NewMethod(POLICY, VERIFIER, strategy, params, "served", [4, 16], pool=0)] if samples else []
    new = NewStudy("s", "sweep", "", {"kept": []}, PROBLEMS[:1], [method, *served], [NewUnit(0, 16, 0, 0, 1)])
    with database(url).write() as connection:
        stored.create(connection, new)
    database(url).close()

    def deadly(url):
        grading.grade = lambda *_: os.kill(os.getpid(), signal.SIGKILL)

    assert child(url, deadly) == -signal.SIGKILL
    assert studies.outcomes("s", db=url).empty
    backend, asked = ScriptedBackend(64), []
    for engine in backend.engines.values():
        engine.submit = lambda jobs, submit=engine.submit: (asked.extend(jobs), submit(jobs))
    work(url, backend)
    assert studies.progress("s", db=url).status == "done" and not asked
    assert len(studies.outcomes("s", db=url)) == 1 + bool(samples)


# --- units that end their workers ------------------------------------------------------------------------------------


class Poisoned(ScriptedBackend):
    """Its policy does something terrible when it is asked about the poisoned problem."""

    def __init__(self, deed, capacity=64):
        super().__init__(capacity)
        engine = self.engines[POLICY]
        submit = engine.submit

        def poisoned(jobs):
            if any("How many are 4?" in segment.text for job in jobs for segment in job.context):
                deed()
            submit(jobs)

        engine.submit = poisoned


@pytest.fixture
def small_study(tmp_path):
    """URL of a database with a study of 4 units, two of which (problems 3 to 5) hold the poisoned problem."""
    url = f"sqlite:///{tmp_path / 'x.db'}"
    runs.ensure_database(db=url)
    add(url, pooled=False, methods=[NewMethod(POLICY, VERIFIER, "beam_search", BEAM, "beam_search", [4])])
    database(url).close()
    return url


def attempts_until_ended(url, deed, prepare=lambda url: None):
    """Start workers until the study has ended; returns how they ended."""
    codes = []
    while not studies.progress("s", db=url).ended:
        database(url).close()
        codes.append(child(url, prepare, Poisoned(deed)))
        assert len(codes) < 20
    return codes


def test_a_unit_that_kills_its_workers_fails_after_a_few_and_the_others_are_done(small_study):
    codes = attempts_until_ended(small_study, lambda: os.kill(os.getpid(), signal.SIGKILL))
    assert set(codes[:-1]) == {-signal.SIGKILL} and codes[-1] == 0
    assert len(codes) <= 2 * leases.DEATHS + 1
    view = studies.progress("s", db=small_study)
    assert view.status == "failed" and view.units["done"] == view.units["failed"] == 2
    assert {tuple(unit["problems"]) for unit in view.failed} == {(3, 5)}
    assert all("5 workers in a row ended" in unit["error"] for unit in view.failed)
    assert studies.resume("s", db=small_study) == 2
    work(small_study)
    assert studies.progress("s", db=small_study).status == "done"


def test_a_unit_that_hangs_its_workers_fails_and_says_so(small_study, monkeypatch):
    monkeypatch.setenv("TTC_PATIENCE", "0.4")
    settings.cache_clear()
    monkeypatch.setattr(runs_driver, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(leases, "DEATHS", 3)
    codes = attempts_until_ended(small_study, lambda: time.sleep(60))
    monkeypatch.undo()
    settings.cache_clear()
    assert set(codes[:-1]) == {runs_driver.HUNG} and codes[-1] == 0
    view = studies.progress("s", db=small_study)
    assert view.status == "failed" and view.units["done"] == view.units["failed"] == 2
    assert all("the last because its worker came to nothing" in unit["error"] for unit in view.failed)
