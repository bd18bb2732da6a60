"""Carrying runs out on the scripted engine: what is recorded, stopped, failed, given back, and survives SIGKILL."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.conformance.harness import PROBLEM, ScriptedBackend, spec
from ttc_core import runs, runs_driver
from ttc_core.errors import EngineFault, StoreBusy
from ttc_core.runs_checks import problem_of
from ttc_core.runs_documents import dumps, same_search
from ttc_core.runs_driver import Driver
from ttc_core.scheduler import Scheduler
from ttc_core.settings import REPOSITORY
from ttc_core.store import leases, repository
from ttc_core.store.database import database
from ttc_core.types import RunSpec


@pytest.fixture
def url(tmp_path):
    url = f"sqlite:///{tmp_path / 'x.db'}"
    runs.ensure_database(db=url)
    for view in runs.listing(db=url).rows:  # the shipped examples
        runs.delete([view.id], db=url)
    yield url
    database(url).close()


def add(url, run_id, strategy="beam_search", budget=16, **fields):
    """A run for the scripted models, which no card names and `runs.start` therefore refuses."""
    base = spec(strategy, budget, **fields)
    repository.add(database(url), run_id, base)
    return run_id


def driver(url, backend=None, **options):
    return Driver(database(url), role="worker", backend=backend or ScriptedBackend(), **options)


def carry_out(url, backend=None, **options):
    with driver(url, backend, **options) as d:
        d.work(lambda: False, forever=False)


def searched(url, run_id):
    return dumps({**same_search(runs.export_run(run_id, db=url)), "id": ""})


def test_a_run_is_carried_out_and_graded(url):
    add(url, "a")
    carry_out(url)
    view = runs.get("a", db=url)
    assert view.status == "done" and view.outcome.answer == view.answer is not None
    assert view.correct is None  # no ground truth was given
    assert view.nodes == len(runs.nodes("a", db=url).nodes) > 16
    assert view.usage.generations == 16 and view.usage.generated_tokens > 0
    assert {n.id for n in runs.nodes("a", db=url).nodes} >= {c.node for c in view.outcome.candidates}


def test_right_and_wrong(url):
    for i, gold in enumerate(["0", "1", "2", "3"]):
        base = spec("best_of_n", 8)
        repository.add(database(url), f"run{i}", RunSpec(**{**_fields(base), "answer": gold}))
    carry_out(url)
    views = [runs.get(f"run{i}", db=url) for i in range(4)]
    assert sorted(view.correct for view in views) == [False, False, False, True]
    assert all(view.correct == (view.answer == view.spec.answer) for view in views)


def _fields(base):
    return {name: getattr(base, name) for name in base.__dataclass_fields__}


def test_many_runs_share_the_engine_and_each_is_as_if_alone(url, tmp_path):
    for i in range(30):  # more than the slots
        add(url, f"run{i}", ["beam_search", "best_of_n"][i % 2], budget=8, seed=i)
    carry_out(url)
    other = f"sqlite:///{tmp_path / 'y.db'}"
    runs.ensure_database(db=other)
    for i in (0, 7, 29):
        add(other, f"run{i}", ["beam_search", "best_of_n"][i % 2], budget=8, seed=i)
        carry_out(other, ScriptedBackend(capacity=1))
        assert searched(other, f"run{i}") == searched(url, f"run{i}")


def test_a_search_that_fails_does_not_take_the_others_along(url):
    add(url, "good")
    add(url, "bad", strategy="no_such_strategy")
    add(url, "worse", width=-1)
    carry_out(url)
    assert runs.get("good", db=url).status == "done"
    for name, reason in (("bad", "no_such_strategy"), ("worse", "width")):
        view = runs.get(name, db=url)
        assert view.status == "failed" and reason in view.error


def test_an_engine_that_cannot_be_loaded_fails_its_run(url):
    class Broken(ScriptedBackend):
        def engine(self, name):
            raise EngineFault("the weights are missing", hint="fetch them")

    add(url, "a")
    carry_out(url, Broken())
    view = runs.get("a", db=url)
    assert (view.status, view.error, view.hint) == ("failed", "the weights are missing", "fetch them")


def test_a_scheduler_that_breaks_fails_its_runs_and_the_worker_goes_on(url, monkeypatch):
    real, broken = Scheduler.step, [True]

    def step(self, timeout=0.05):
        if broken.pop() if broken else False:
            raise ZeroDivisionError("a bug")
        return real(self, timeout)

    monkeypatch.setattr(Scheduler, "step", step)
    add(url, "a")
    with driver(url) as d:
        d.turn()
        assert "ZeroDivisionError: a bug" in runs.get("a", db=url).error
        add(url, "b")
        d.work(lambda: False, forever=False)
    assert runs.get("b", db=url).status == "done"


def test_failed_runs_can_be_resumed(url):
    add(url, "a")
    carry_out(url, ScriptedBackend(fault=lambda job: EngineFault("down")))
    first = runs.get("a", db=url)
    assert first.status == "done" and first.outcome.answer is None and first.outcome.excluded > 0
    add(url, "b", strategy="none_such")
    carry_out(url)
    runs.resume("b", db=url)
    assert runs.get("b", db=url).status == "pending" and runs.get("b", db=url).error == ""


def test_a_stop_is_obeyed_and_the_run_goes_on_later_as_if_never_stopped(url):
    add(url, "a", budget=64)
    add(url, "undisturbed", budget=64)
    with driver(url) as d:
        for _ in range(3):
            d.turn(only=["a"])
        runs.stop("a", db=url)
        d.turn(only=["a"])
        stopped = runs.get("a", db=url)
        assert stopped.status == "stopped" and stopped.nodes > 0
        runs.resume("a", db=url)
        d.work(lambda: False, forever=False)
    assert stopped.nodes < runs.get("a", db=url).nodes
    assert searched(url, "a") == searched(url, "undisturbed")


def test_a_deleted_run_is_forgotten(url):
    add(url, "a", budget=64)
    with driver(url) as d:
        d.turn()
        runs.delete(["a"], db=url)
        d.turn()
        assert d.turn() is False


def test_extending_samples_nothing_again(url):
    add(url, "a", strategy="best_of_n", budget=8)
    carry_out(url)
    small = runs.get("a", db=url)
    runs.extend("a", 32, db=url)
    backend = ScriptedBackend()
    carry_out(url, backend)
    large = runs.get("a", db=url)
    sampled = backend.engine("scripted-policy").jobs_seen
    assert (small.nodes, large.nodes, len(sampled)) == (8, 32, 24)
    assert large.usage.generations == 32
    add(url, "at_once", strategy="best_of_n", budget=32)
    carry_out(url)
    assert searched(url, "a") == searched(url, "at_once")


@pytest.mark.parametrize("strategy", ["best_of_n", "beam_search"])
def test_a_budget_raised_on_a_running_search_ends_as_the_larger_search(url, strategy):
    add(url, "a", strategy=strategy, budget=8)
    with driver(url) as d:
        d.turn()
        assert runs.get("a", db=url).status == "running"
        runs.extend("a", 32, db=url)
        d.work(lambda: False, forever=False)
    raised = runs.get("a", db=url)
    add(url, "extended", strategy=strategy, budget=8)
    carry_out(url)
    runs.extend("extended", 32, db=url)
    add(url, "at_once", strategy=strategy, budget=32)
    carry_out(url)
    assert (raised.status, raised.spec.budget) == ("done", 32)
    assert raised.outcome == runs.get("at_once", db=url).outcome
    assert searched(url, "a") == searched(url, "extended")
    if strategy == "best_of_n":  # of a beam search the steps that only the smaller one kept remain too
        assert searched(url, "a") == searched(url, "at_once")


def test_a_busy_database_delays_and_loses_nothing(url, monkeypatch):
    add(url, "a")
    real, busy = leases.commit, [3]

    def commit(db, changes):
        busy[0] -= 1
        if busy[0] > 0:
            raise StoreBusy("held by a test")
        return real(db, changes)

    monkeypatch.setattr(leases, "commit", commit)
    carry_out(url)
    add(url, "b")
    monkeypatch.undo()
    carry_out(url)
    assert searched(url, "a") == searched(url, "b")


def test_what_waits_for_the_database_is_written_on_leaving(url, monkeypatch):
    def busy(*arguments):
        raise StoreBusy("held by a test")

    add(url, "a", budget=64)
    with driver(url) as d:
        monkeypatch.setattr(leases, "commit", busy)
        assert d.turn() and d.turn()
        assert runs.get("a", db=url).nodes == 0
        monkeypatch.undo()
    view = runs.get("a", db=url)
    assert view.status == "pending" and view.nodes > 0


def test_a_run_that_has_ended_and_waits_for_the_database_is_done_though_it_is_stopped(url, monkeypatch):
    add(url, "a", strategy="best_of_n", budget=1)
    real, held = leases.commit, [True]

    def commit(db, changes):
        if held[0] and any(change.end for change in changes):
            raise StoreBusy("held by a test")
        return real(db, changes)

    def until():
        held[0] = not any(job.end for job in d._jobs.values())
        return not held[0]

    monkeypatch.setattr(leases, "commit", commit)
    with driver(url) as d:
        d.complete(["a"], until)
    assert runs.get("a", db=url).status == "done"


def test_a_database_that_is_busy_when_looked_at_does_not_end_the_worker(url, monkeypatch):
    def claim(*arguments, **more):
        raise StoreBusy("held by a test")

    add(url, "a")
    with driver(url) as d:
        monkeypatch.setattr(leases, "claim", claim)
        assert d.turn() is True  # nobody knows whether there is anything to do
        monkeypatch.setattr(runs_driver, "BUSY_SECONDS", 0.0)
        assert d.turn() is False
        monkeypatch.undo()
        d.work(lambda: False, forever=False)
    assert runs.get("a", db=url).status == "done"


def test_ending_gives_the_runs_back(url):
    add(url, "a", budget=64)
    with driver(url) as d:
        d.turn()
        assert runs.get("a", db=url).status == "running"
        assert runs.worker_state(db=url).alive
    assert runs.get("a", db=url).status == "pending"
    assert not runs.worker_state(db=url).alive


def test_a_slow_turn_does_not_cost_the_lease(url, monkeypatch):
    monkeypatch.setattr(runs_driver, "BEAT_SECONDS", 0.02)
    add(url, "a")
    with driver(url) as d:
        d.turn()
        before = leases.state(database(url)).heartbeat_age
        time.sleep(0.3)
        assert leases.state(database(url)).heartbeat_age < before + 0.2


def test_a_waiting_worker_starts_a_run_soon(url):
    ended = threading.Event()
    with driver(url) as d:
        thread = threading.Thread(target=d.work, args=(ended.is_set,), kwargs={"forever": True})
        thread.start()
        time.sleep(0.3)
        add(url, "a", budget=1)
        asked = time.monotonic()
        while runs.get("a", db=url).status == "pending":
            assert time.monotonic() - asked < 15
            time.sleep(0.005)
        ended.set()
        thread.join()


def test_waiting_costs_little(url):
    with driver(url) as d:
        until = time.monotonic() + 1.0
        before = time.thread_time()
        d.work(lambda: time.monotonic() > until, forever=True)
        assert time.thread_time() - before < 0.1


def test_completing_waits_for_a_run_that_another_process_has(url):
    add(url, "a")
    theirs, ours = driver(url), driver(url)
    with theirs, ours:
        theirs.turn()
        thread = threading.Thread(target=ours.complete, args=(["a"], lambda: False))
        thread.start()
        time.sleep(0.3)
        assert thread.is_alive()
        theirs.work(lambda: False, forever=False)
        thread.join(5)
        assert not thread.is_alive()
    assert runs.get("a", db=url).status == "done"


def test_completing_can_be_interrupted(url):
    add(url, "a", budget=64)
    turns = iter([False, False, True, True, True])
    with driver(url) as d:
        d.complete(["a"], lambda: next(turns))
    assert runs.get("a", db=url).status == "stopped"


NURSERY = """
import os, sys, time
from tests.conformance.harness import ScriptedBackend
from ttc_core import grading, scheduler
from ttc_core.runs_driver import Driver
from ttc_core.store import leases
from ttc_core.store.database import database
commit = leases.commit
def slowly(db, changes):
    time.sleep(0.01)
    return commit(db, changes)
leases.commit = slowly
for _ in sys.stdin:
    pid = os.fork()
    if pid == 0:
        with Driver(database(sys.argv[1]), role="worker", backend=ScriptedBackend(capacity=3)) as driver:
            driver.work(lambda: False, forever=False)
        os._exit(0)
    print(pid, flush=True)
    os.waitpid(pid, 0)
    print("ended", flush=True)
"""


def test_killed_at_ten_random_moments_nothing_is_lost(url):
    """The same on the embedded engine with a whole worker: benchmarks/kill_worker.py."""
    add(url, "undisturbed", budget=48)
    carry_out(url)
    add(url, "killed", budget=48)
    command = [sys.executable, "-c", NURSERY, url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    moments, recorded, caught_at = random.Random(0), {}, []
    with subprocess.Popen(command, cwd=REPOSITORY, **pipes) as nursery:
        for kill in [True] * 10 + [False]:
            nursery.stdin.write("\n")
            nursery.stdin.flush()
            worker = int(nursery.stdout.readline())
            if kill:
                # a moment of the search, not of the clock: a busy machine must not move all kills before its start
                until = runs.get("killed", db=url).revision + moments.randrange(12)
                while (view := runs.get("killed", db=url)).revision < until and not view.ended:
                    time.sleep(0.002)
                time.sleep(moments.uniform(0.0, 0.02))
                os.kill(worker, signal.SIGKILL)
            nursery.stdout.readline()
            now = {node.id: node.text for node in runs.nodes("killed", db=url).nodes}
            assert recorded.items() <= now.items()
            recorded = now
            caught_at.append(len(now))
        nursery.stdin.close()
    assert len(set(caught_at)) >= 5  # the kills came at different moments of the search
    assert runs.get("killed", db=url).status == "done"
    assert searched(url, "killed") == searched(url, "undisturbed")
    with database(url).read() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    killed, undisturbed = (runs.get(name, db=url).usage for name in ("killed", "undisturbed"))
    assert killed.generated_tokens == undisturbed.generated_tokens
    assert killed.generations == undisturbed.generations


def test_the_problem_of_a_stored_question_depends_on_its_text():
    ids = {problem_of(RunSpec(question, "s", 1)).id for question in ("a", "b", "a", "\ud800")}
    assert len(ids) == 3
    assert problem_of(RunSpec("a", "s", 1, dataset="d", problem_id="p")).id == "p"
    assert PROBLEM.id not in ids


# --- runs that end their workers -------------------------------------------------------------------------------------

NOBODY = 2**22 + 1  # more than any process's number


def die(url, name):
    """A worker claims what it may have and is gone; returns what it had."""
    db = database(url)
    leases.enrol(db, name, "worker", NOBODY)
    claimed = [(claim.lease.run_id, claim.suspect) for claim in leases.claim(db, name, 16)]
    leases.reclaim(db)
    return claimed


def test_a_run_that_ends_its_workers_is_worked_on_alone_and_fails_after_a_few(any_url):
    add(any_url, "bad")
    add(any_url, "good")
    died = [die(any_url, f"w{i}") for i in range(leases.DEATHS + 1)]
    assert died == [[("bad", False), ("good", False)]] * 2 + [[("bad", True)]] * 3 + [[]]
    failed = runs.get("bad", db=any_url)
    assert failed.status == "failed" and "5 workers in a row ended" in failed.error and failed.hint
    carry_out(any_url)
    assert runs.get("good", db=any_url).status == "done"
    repository.reopen(database(any_url), "bad")
    carry_out(any_url)
    assert runs.get("bad", db=any_url).status == "done"


def test_what_brings_something_new_or_is_given_back_ends_nobody(any_url):
    add(any_url, "a", budget=64)
    for i in range(2 * leases.DEATHS):
        with driver(any_url) as d:
            d.turn()
            if i % 2:  # as if it had been killed: it gives nothing back
                leases.enrol(database(any_url), f"w{i}", "worker", NOBODY)
                with database(any_url).write() as connection:
                    connection.exec_driver_sql(f"UPDATE runs SET owner = 'w{i}'")
        leases.reclaim(database(any_url))
    assert runs.get("a", db=any_url).status == "pending" and runs.get("a", db=any_url).nodes > 0
    carry_out(any_url)
    assert runs.get("a", db=any_url).status == "done"


def test_a_suspect_waits_until_nothing_else_is_under_way(url):
    add(url, "suspect")
    add(url, "other")
    with database(url).write() as connection:
        connection.exec_driver_sql(f"UPDATE runs SET attempts = {leases.SUSPECT} WHERE id = 'suspect'")
    carry_out(url)
    with database(url).read() as connection:
        began, ended = (
            connection.exec_driver_sql(f"SELECT {what} FROM runs WHERE id = '{run}'").scalar_one()
            for what, run in (("started", "suspect"), ("finished", "other"))
        )
    assert began >= ended
