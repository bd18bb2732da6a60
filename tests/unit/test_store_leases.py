"""Leases: one owner at a time, and nothing written under an old epoch."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, update

from ttc_core.errors import UnknownName, UserError
from ttc_core.store import leases, migrate, process, repository, upkeep
from ttc_core.store.database import Database, database
from ttc_core.store.leases import Change, End
from ttc_core.store.process import gone, started
from ttc_core.store.repository import candidates, runs
from ttc_core.store.trees import nodes
from ttc_core.types import Candidate, Node, Outcome, RunSpec, Usage

SPEC = RunSpec("How many?", "beam_search", 4)
OUTCOME = Outcome("7", "r.0", (Candidate("r.0", "7", 0.5, 0.75), Candidate("r.1", None, None)), excluded=2)


@pytest.fixture
def db(any_url):
    return database(any_url)


def node(id, **fields):
    return Node(id, "r", "text", "step", **fields)


def claim_one(db, worker="w", run="a"):
    repository.add(db, run, SPEC)
    [claim] = leases.claim(db, worker, 5)
    return claim


def age(db, run, seconds):
    with db.write() as connection:
        connection.execute(update(runs).where(runs.c.id == run).values(heartbeat=time.time() - seconds))


def test_a_claimed_run_is_not_claimed_again(db):
    claim_one(db)
    assert repository.get(db, "a").status == "running"
    assert leases.claim(db, "other", 5) == []


def test_oldest_first_up_to_the_limit_and_only_those_asked_for(db):
    for name in "abc":
        repository.add(db, name, SPEC)
    assert [c.lease.run_id for c in leases.claim(db, "w", 2)] == ["a", "b"]
    assert leases.claim(db, "w", 2, only=["a"]) == []
    assert [c.lease.run_id for c in leases.claim(db, "w", 2, only=["c"])] == ["c"]


def test_many_claimants_get_each_run_once(db):
    for i in range(40):
        repository.add(db, f"run{i}", SPEC)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda i: [c.lease.run_id for c in leases.claim(db, f"w{i}", 7)], range(8)))
    assert sorted(name for names in taken for name in names) == sorted(f"run{i}" for i in range(40))


def test_a_silent_owner_loses_the_run_and_its_writes_are_rejected(db):
    old = claim_one(db)
    leases.commit(db, [Change(old.lease, [node("r.0")], Usage(generations=1))])
    age(db, "a", 9.0)
    assert leases.claim(db, "other", 5) == []
    age(db, "a", 11.0)
    [new] = leases.claim(db, "other", 5)
    assert new.lease.epoch == old.lease.epoch + 1
    assert [n.id for n in new.nodes] == ["r.0"] and new.usage == Usage(generations=1)
    before = repository.get(db, "a")
    for change in (
        Change(old.lease, [node("r.1")]),
        Change(old.lease, usage=Usage(generations=9)),
        Change(old.lease, end=End("done", OUTCOME)),
    ):
        assert leases.commit(db, [change]).lost == {"a"}
    assert leases.held(db, [old.lease]).lost == {"a"} and leases.held(db, [new.lease]).lost == set()
    after = repository.get(db, "a")
    assert (after.revision, after.nodes, after.usage, after.status) == (before.revision, 1, before.usage, "running")


def test_one_lost_lease_does_not_cost_the_others_their_writes(db):
    lost, kept = claim_one(db, run="a"), claim_one(db, run="b")
    repository.remove(db, ["a"])
    written = leases.commit(db, [Change(lost.lease, [node("r.0")]), Change(kept.lease, [node("r.0")])])
    assert written.lost == {"a"}
    assert repository.get(db, "b").nodes == 1


def test_the_lease_of_a_deleted_run_does_not_fit_its_successor(db):
    lost = claim_one(db, run="a")
    repository.remove(db, ["a"])
    claim_one(db, run="b")  # gets the same key and epoch
    assert leases.commit(db, [Change(lost.lease, [node("r.0")])]).lost == {"a"}
    assert repository.get(db, "b").nodes == 0


def test_a_heartbeat_keeps_what_its_worker_holds(db):
    leases.enrol(db, "w", "worker", os.getpid())
    claim_one(db)
    age(db, "a", 60.0)
    leases.beat(db, "w")
    assert leases.claim(db, "other", 5) == []
    view = leases.state(db)
    assert view.alive and view.pid == os.getpid() and view.heartbeat_age < 5


def test_leaving_gives_everything_back(db):
    leases.enrol(db, "w", "worker", os.getpid())
    old = claim_one(db)
    leases.leave(db, "w")
    assert repository.get(db, "a").status == "pending"
    assert leases.commit(db, [Change(old.lease, [node("r.0")])]).lost == {"a"}
    assert not leases.state(db).alive


def test_runs_of_a_process_that_is_gone_are_taken_at_once(db):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    leases.enrol(db, "w", "worker", child.pid)
    claim_one(db)
    assert leases.reclaim(db) == 0 and leases.state(db).alive
    child.kill()
    child.wait()
    assert not leases.state(db).alive
    assert leases.reclaim(db) == 1
    assert len(leases.claim(db, "other", 5)) == 1


def test_a_number_given_to_another_process_is_another_process():
    assert not gone(os.getpid(), started(os.getpid()))
    assert gone(os.getpid(), f"{process.machine()} 1")


def test_a_machine_of_the_same_name_does_not_take_what_a_living_worker_of_another_holds(db, monkeypatch):
    leases.enrol(db, "w", "worker", os.getpid())
    claim_one(db)
    monkeypatch.setattr(process, "machine", lambda: "another boot")
    assert leases.state(db).alive
    assert leases.reclaim(db) == 0 and leases.claim(db, "other", 5) == []
    assert not gone(os.getpid(), "what an earlier version noted")


def test_only_workers_that_take_any_run_count_as_the_worker(db):
    leases.enrol(db, "s", "solve", os.getpid())
    assert leases.state(db) == leases.WorkerView(False, None, None)


# --- what is written -------------------------------------------------------------------------------------------------


def test_deltas_hold_what_changed_since(db):
    claim = claim_one(db)
    leases.commit(db, [Change(claim.lease, [node("r.0"), node("r.1")])])
    first = repository.tree(db, "a")
    leases.commit(db, [Change(claim.lease, [node("r.1", state="kept"), node("r.2")])])
    delta = repository.tree(db, "a", since=first.revision)
    assert [n.id for n in first.nodes] == ["r.0", "r.1"]
    assert [(n.id, n.state) for n in delta.nodes] == [("r.1", "kept"), ("r.2", "open")]
    assert repository.tree(db, "a", since=delta.revision) == repository.NodeDelta((), delta.revision)
    assert [(n.id, n.state) for n in repository.tree(db, "a").nodes] == [
        ("r.0", "open"),
        *((n.id, n.state) for n in delta.nodes),
    ]
    assert repository.get(db, "a").nodes == 3


def test_a_node_changed_twice_in_one_commit_is_recorded_as_it_was_last(db):
    claim = claim_one(db)
    leases.commit(db, [Change(claim.lease, [node("r.0"), node("r.0", state="pruned", why="rank 5")])])
    assert [n.state for n in repository.tree(db, "a").nodes] == ["pruned"]
    assert repository.get(db, "a").nodes == 1


def test_an_ended_run_has_its_outcome_and_no_owner(db):
    claim = claim_one(db)
    leases.commit(db, [Change(claim.lease, [node("r.0")], Usage(generations=4), End("done", OUTCOME, correct=True))])
    view = repository.get(db, "a")
    assert (view.status, view.answer, view.correct, view.outcome) == ("done", "7", True, OUTCOME)
    assert view.finished >= view.started >= view.created and view.heartbeat_age is None and view.ended
    assert leases.claim(db, "other", 5) == []


def test_an_outcome_without_answer_is_an_outcome(db):
    claim = claim_one(db)
    leases.commit(db, [Change(claim.lease, end=End("done", Outcome(None, None, (), excluded=3)))])
    assert repository.get(db, "a").outcome == Outcome(None, None, (), excluded=3)


def test_stopping(db):
    repository.add(db, "waiting", SPEC)
    repository.request_stop(db, "waiting")
    assert repository.get(db, "waiting").status == "stopped"
    claim = claim_one(db)
    repository.request_stop(db, "a")
    assert repository.get(db, "a").status == "running"
    assert leases.held(db, [claim.lease]).stop == {"a"}
    assert leases.commit(db, [Change(claim.lease, [node("r.0")])]).stop == {"a"}
    leases.commit(db, [Change(claim.lease, end=End("stopped"))])
    repository.request_stop(db, "a")
    assert repository.get(db, "a").status == "stopped"


def test_stopping_a_stalled_run_shuts_its_owner_out(db):
    claim = claim_one(db)
    age(db, "a", 11.0)
    repository.request_stop(db, "a")
    assert repository.get(db, "a").status == "stopped"
    assert leases.commit(db, [Change(claim.lease, [node("r.0")])]).lost == {"a"}


def test_extending_keeps_the_tree_and_drops_the_outcome(db):
    claim = claim_one(db)
    leases.commit(db, [Change(claim.lease, [node("r.0")], Usage(generations=4), End("done", OUTCOME, correct=True))])
    for budget in (3, 4):
        with pytest.raises(UserError, match="budget of 4"):
            repository.extend(db, "a", budget)
    with pytest.raises(UserError, match="is done"):
        repository.reopen(db, "a")
    repository.extend(db, "a", 8)
    view = repository.get(db, "a")
    assert (view.status, view.spec.budget, view.outcome, view.correct, view.nodes) == ("pending", 8, None, None, 1)
    with pytest.raises(UserError, match="is pending"):
        repository.reopen(db, "a")
    [again] = leases.claim(db, "w", 1)
    assert again.usage == Usage(generations=4) and len(again.nodes) == 1
    with db.read() as connection:
        assert connection.execute(select(candidates)).all() == []


@pytest.mark.parametrize("stop", [False, True])
def test_a_budget_raised_while_somebody_works_counts_from_the_end_of_the_smaller_one(db, stop):
    claim = claim_one(db)
    repository.extend(db, "a", 8)
    assert not leases.commit(db, [Change(claim.lease, [node("r.0")], Usage(generations=2))]).lost
    assert (repository.get(db, "a").status, repository.get(db, "a").spec.budget) == ("running", 8)
    if stop:
        repository.request_stop(db, "a")
    leases.commit(db, [Change(claim.lease, [node("r.1")], Usage(generations=4), End("done", OUTCOME, correct=True))])
    view = repository.get(db, "a")
    assert (view.status, view.outcome, view.correct, view.nodes) == ("stopped" if stop else "pending", None, None, 2)
    if stop:
        repository.reopen(db, "a")
    [again] = leases.claim(db, "w", 1)
    assert (again.lease.budget, again.spec.budget, again.attempts, len(again.nodes)) == (8, 8, 1, 2)
    leases.commit(db, [Change(again.lease, end=End("done", OUTCOME, correct=True))])
    assert repository.get(db, "a").status == "done" and repository.get(db, "a").outcome == OUTCOME


def test_deleting_frees_everything(db):
    empty = upkeep.check(db)["bytes"]
    claim = claim_one(db)
    many = [Node(f"r.{i}", "r", "x" * 1000, "end") for i in range(1000)]
    leases.commit(db, [Change(claim.lease, many, end=End("done", OUTCOME))])
    full = upkeep.check(db)["bytes"]
    assert repository.remove(db, ["a", "unknown"]) == 1
    with db.read() as connection:
        assert connection.execute(select(nodes)).all() == connection.execute(select(candidates)).all() == []
    upkeep.vacuum(db)
    assert full - upkeep.check(db)["bytes"] > 0.9 * (full - empty) > 900_000
    with pytest.raises(UnknownName):
        repository.get(db, "a")


def test_deleting_gives_space_back_at_once(tmp_path):
    db = Database(f"sqlite:///{tmp_path / 'x.db'}")
    migrate.ensure(db)
    claim = claim_one(db)
    leases.commit(db, [Change(claim.lease, [Node(f"r.{i}", "r", "x" * 1000, "end") for i in range(1000)])])
    repository.remove(db, ["a"])
    assert (tmp_path / "x.db").stat().st_size < 150_000  # of more than a million


def test_filters(db):
    specs = {
        "a": RunSpec("How many apples?", "beam_search", 4, dataset="d", problem_id="p-1", answer="7"),
        "b": RunSpec("100% of_them \\ \x00", "best_of_n", 8),
        "c": RunSpec("How many pears?", "best_of_n", 8, model="m"),
    }
    for name, spec in specs.items():
        repository.add(db, name, spec)
    [claim] = leases.claim(db, "w", 1, only=["a"])
    leases.commit(db, [Change(claim.lease, end=End("done", OUTCOME, correct=True))])

    def found(text=None, **equal):
        return [view.id for view in repository.listing(db, equal, text).rows]

    assert found() == ["c", "b", "a"]
    assert found(strategy="best_of_n") == ["c", "b"] and found(strategy="best_of_n", model="m") == ["c"]
    assert found(status="done") == found(correct=True) == found(dataset="d") == found(budget=4) == ["a"]
    assert found("HOW MANY") == ["c", "a"] and found("p-1") == ["a"]
    assert found("%") == found("_") == found("\\") == found("\x00") == ["b"]
    page = repository.listing(db, {}, limit=1, offset=1)
    assert ([view.id for view in page.rows], page.total) == (["b"], 3)
