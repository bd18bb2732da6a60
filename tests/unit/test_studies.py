"""Studies on the scripted engine: what is stored, shared, paused, failed, tried again, fenced, and survives SIGKILL."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import kill_study
from ttc_core import runs, studies, studies_frames
from ttc_core.bench.searches import POLICY, VERIFIER, ScriptedBackend, scripted_problems
from ttc_core.cli import studies as cli
from ttc_core.errors import EngineBusy, EngineFault, UnknownName, UserError
from ttc_core.runs_checks import named
from ttc_core.runs_driver import Driver
from ttc_core.store import leases, units, upkeep
from ttc_core.store import studies_made as stored
from ttc_core.store.database import database
from ttc_core.store.studies_made import NewMethod, NewStudy, NewUnit
from ttc_core.store.units_values import UnitChange

PROBLEMS = [replace(problem, answer=str(i % 4)) for i, problem in enumerate(scripted_problems(6))]
BEST, BEAM = vars(named("strategy", "best_of_n", {})), vars(named("strategy", "beam_search", {}))
MAJORITY = {**BEST, "select": "majority"}
COSTS = ["seconds", "policy_prompt_tokens", "policy_cached_tokens", "policy_flops", "verifier_flops", "verifier_tokens"]


@pytest.fixture
def url(any_url):
    return any_url


def add(url, name="s", *, pooled=True, methods=None, **fields):
    """A study for the scripted models, which no card names and a study file could therefore not ask for."""
    pool = [NewMethod(POLICY, VERIFIER, "best_of_n", BEST, "pool", [16], samples=16)] if pooled else []
    served = 0 if pooled else None
    methods = methods or [
        NewMethod(POLICY, VERIFIER, "best_of_n", BEST, "best_of_n", [1, 4, 16], pool=served),
        NewMethod(POLICY, VERIFIER, "best_of_n", MAJORITY, "best_of_n select=majority", [4, 16], pool=served),
        NewMethod(POLICY, VERIFIER, "beam_search", BEAM, "beam_search", [4, 8]),
    ]
    methods = [*pool, *methods]
    own = [(i, b) for i, m in enumerate(methods) if m.samples or m.pool is None for b in m.budgets]
    planned = [NewUnit(i, b, seed, first, 3) for i, b in own for seed in (0, 1) for first in (0, 3)]
    options = fields.pop("options", {"kept": [1]})
    with database(url).write() as connection:
        stored.create(connection, NewStudy(name, "sweep", "", options, PROBLEMS, methods, planned, **fields))
    return name


def carry_out(url, study="s", backend=None, **options):
    studies.work(study, backend=backend or ScriptedBackend(512), db=url, **options)
    return studies.progress(study, db=url)


def test_a_study_is_carried_out(url):
    view = carry_out(url, add(url))
    assert view.status == "done" and view.units == {"pending": 0, "leased": 0, "done": 12, "failed": 0}
    frame = studies.outcomes("s", db=url)
    assert list(frame.columns) == list(studies_frames.COLUMNS)
    assert len(frame) == view.outcomes == 6 * 2 * (3 + 2 + 2)
    assert not frame.duplicated(["problem", "method", "budget", "seed"]).any()
    assert set(frame["correct"].map(bool)) == {True, False}
    mean, low, high = view.accuracy
    assert mean == pytest.approx(frame["correct"].mean()) and low < mean < high
    assert (frame["generations"] <= frame["budget"]).all() and (frame["policy_tokens"] > 0).all()
    kept = frame["run"].dropna()
    assert set(frame.loc[kept.index, "problem"]) == {"scripted-1"}
    assert {runs.get(run, db=url).status for run in kept} == {"done"}
    assert runs.listing(db=url, limit=1000).total == len(set(kept))
    assert view.generations == 6 * 2 * 16 + sum(frame[frame["strategy"] == "beam_search"]["generations"])


def test_a_pool_serves_what_searches_of_their_own_would_have_found(url):
    add(url, "shared")
    add(url, "apart", pooled=False)
    for name in ("shared", "apart"):
        assert carry_out(url, name).status == "done"
    shared, apart = (
        studies.outcomes(name, db=url).drop(columns=["run", *COSTS, "policy_tokens"]) for name in ("shared", "apart")
    )
    assert shared.equals(apart)
    tokens = [studies.outcomes(name, db=url).groupby("budget")["policy_tokens"].sum() for name in ("shared", "apart")]
    assert tokens[0].to_numpy() == pytest.approx(tokens[1].to_numpy(), rel=0.2)  # shares by length where no ids are


def test_the_pool_as_analysis_wants_it(url):
    add(url)
    carry_out(url)
    pool = studies.pool("s", db=url)
    assert pool.problems == [problem.id for problem in PROBLEMS]
    assert pool.correct.shape == (6, 32) and pool.valid.all()  # two seeds of 16
    frame = studies.outcomes("s", db=url)
    first = frame[(frame["method"] == "best_of_n") & (frame["budget"] == 1) & (frame["seed"] == 0)]
    assert list(first["correct"].astype(bool)) == list(pool.correct[:, 0])
    assert first["score"].to_numpy() == pytest.approx(pool.scores[:, 0])
    assert all(len(steps) > 0 and steps[-1] == s for steps, s in zip(pool.steps[2], pool.scores[2], strict=True))
    assert (pool.answers[:, 0] == 0).all() and (pool.answers.max(axis=1) < 4).all()
    assert (pool.tokens > 0).all() and not np.isnan(pool.scores).any()
    with pytest.raises(UserError, match="no pool"):
        studies.pool("s", "elsewhere", db=url)


def test_failed_samples_and_scores_are_no_zeros(url):
    backend = ScriptedBackend(64)
    backend.engines[POLICY].fault = lambda job: EngineFault("broken") if job.seed % 7 == 0 else None
    add(url)
    carry_out(url, backend=backend)
    pool, frame = studies.pool("s", db=url), studies.outcomes("s", db=url)
    assert 0 < (~pool.valid).sum() < pool.valid.size / 3
    assert np.isnan(pool.scores[~pool.valid]).all() and not np.isnan(pool.scores[pool.valid]).any()
    full = frame[(frame["method"] == "best_of_n") & (frame["budget"] == 16)]
    assert full["failed"].sum() == (~pool.valid).sum()


# --- stopping, failing, trying again ---------------------------------------------------------------------------------


def test_pause_resume_cancel(url):
    add(url)
    asked = []

    def until():
        asked.append(0)
        if len(asked) == 20:
            studies.pause("s", db=url)
        return False

    view = carry_out(url, until=until)
    assert view.status == "paused" and view.units["leased"] == 0 and view.units["pending"] > 0
    before = studies.outcomes("s", db=url)
    studies.cancel("s", db=url)
    assert carry_out(url).status == "cancelled"
    assert studies.outcomes("s", db=url).equals(before)
    studies.resume("s", db=url)
    assert carry_out(url).status == "done"
    add(url, "calm")
    carry_out(url, "calm")
    ended, calm = (studies.outcomes(name, db=url).drop(columns=["run", *COSTS]) for name in ("s", "calm"))
    assert ended.equals(calm)


def test_a_unit_that_fails_says_why_and_is_tried_again_by_one_command(url):
    broken = NewMethod(POLICY, VERIFIER, "no_such_strategy", {}, "broken", [4])
    fine = NewMethod(POLICY, VERIFIER, "beam_search", BEAM, "beam_search", [4])
    add(url, pooled=False, methods=[broken, fine])
    view = carry_out(url)
    assert view.status == "failed" and view.units["failed"] == 4 and view.units["done"] == 4
    assert {unit["method"] for unit in view.failed} == {"broken"}
    assert all("no_such_strategy" in unit["error"] and unit["attempts"] == 1 for unit in view.failed)
    assert studies.resume("s", db=url) == 4
    assert studies.progress("s", db=url).units["pending"] == 4


def test_what_may_pass_is_tried_a_few_times(url):
    class Starting(ScriptedBackend):
        def engine(self, name):
            raise EngineBusy("the server is starting")

    add(url, pooled=False, methods=[NewMethod(POLICY, VERIFIER, "beam_search", BEAM, "beam_search", [4])])
    view = carry_out(url, backend=Starting(64))
    assert view.status == "failed" and {unit["attempts"] for unit in view.failed} == {3}
    studies.resume("s", db=url)
    assert carry_out(url).status == "done"


def test_giving_units_back_counts_for_nothing(url):
    add(url, pooled=False, methods=[NewMethod(POLICY, VERIFIER, "beam_search", BEAM, "beam_search", [4])])
    for _ in range(2 * leases.DEATHS):
        leases.enrol(database(url), "w", "worker", os.getpid())
        assert {claim.attempts for claim in units.claim(database(url), "w", 10)} == {1}
        leases.leave(database(url), "w")
    assert studies.progress("s", db=url).units["pending"] == 4


def test_it_pauses_when_it_has_spent_what_it_may(url):
    add(url, options={"kept": [], "max_cost": {"generations": 100.0}})
    view = carry_out(url)
    assert view.status == "paused" and "generations, of at most 100" in view.why
    assert 100 <= view.generations < 6 * 2 * 16 + 6 * 2 * 12


# --- leases ----------------------------------------------------------------------------------------------------------


def test_a_worker_that_comes_back_from_the_dead_writes_nothing(url, monkeypatch):
    add(url)
    db = database(url)
    late = Driver(db, role="study", backend=ScriptedBackend(64), study="s")
    late._units.look()
    for _ in range(30):
        late._units.note(late._scheduler.step())
    claims = [unit.claim for unit in late._units._units.values()]
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60)  # its heart has not beaten for a minute
    assert carry_out(url).status == "done"
    before = (studies.outcomes("s", db=url), runs.listing(db=url, limit=1000))
    for claim in claims:
        for status in ("", "done", "pending", "failed"):
            change = UnitChange(claim.lease, (), status)
            assert units.commit(db, [change]).lost == {claim.lease.run_id}
    assert any(search.new for unit in late._units._units.values() for search in unit.searches.values())
    late._units.commit()
    late._units.look()
    assert not late._units.busy
    assert studies.outcomes("s", db=url).equals(before[0])
    assert studies.progress("s", db=url).units["done"] == 12


def test_two_drivers_share_a_study(url):
    add(url)
    drivers = [Driver(database(url), role="study", backend=ScriptedBackend(16), study="s") for _ in range(2)]
    for driver in drivers:
        driver._units._room = 60
    worked = [0, 0]
    while not studies.progress("s", db=url).ended:
        for i, driver in enumerate(drivers):
            worked[i] += driver.turn()
    assert min(worked) > 3
    assert len(studies.outcomes("s", db=url)) == 6 * 2 * 7


def test_kills_lose_nothing(tmp_path):
    report = kill_study.measure(tmp_path, 6, seed=1)
    assert report["kills"] == 6 and report["outcomes"] == 60
    assert kill_study.fine(report), report


# --- the facade ------------------------------------------------------------------------------------------------------


def test_deleting_takes_everything_along(url):
    db = database(url)
    add(url, options={})
    add(url, "other")
    carry_out(url)
    upkeep.vacuum(db)
    full = upkeep.check(db)
    assert full["fine"] and full["rows"]["outcomes"] == 6 * 2 * 7
    studies.delete("s", db=url)
    assert not studies.exists("s", db=url) and studies.exists("other", db=url)
    upkeep.vacuum(db)
    left = upkeep.check(db)
    assert left["fine"] and [left["rows"][name] for name in ("outcomes", "pools", "runs", "nodes")] == [0, 0, 0, 0]
    assert left["rows"]["units"] == 12 and left["bytes"] < full["bytes"]
    with pytest.raises(UnknownName, match="'s'"):
        studies.progress("s", db=url)


def test_a_study_deleted_under_its_worker(url):
    add(url)
    turns = []

    def until():
        turns.append(0)
        if len(turns) == 15:
            studies.delete("s", db=url)
        return len(turns) > 60

    with Driver(database(url), role="study", backend=ScriptedBackend(64), study="s") as driver:
        driver.finish(lambda: False, until)
    assert not driver._units.busy and not studies.exists("s", db=url)


def test_names_are_taken_once(url):
    add(url)
    with pytest.raises(UserError, match="already"):
        add(url)


def test_progress_in_a_terminal(url, capsys):
    add(url)
    asked = iter(range(1_000_000))
    with cli._bar("s", lambda: next(asked) > 1_000_000, [], url) as until:
        studies.work("s", until=until, backend=ScriptedBackend(512), db=url)
    said = " ".join(capsys.readouterr().err.split())
    view = studies.progress("s", db=url)
    assert "12/12 units" in said and f"accuracy {view.accuracy[0]:.1%}" in said
