"""Engines that answer nothing: the searches that wait for them end with the reason, and nothing else suffers."""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conformance.harness import PROBLEM, ScriptedBackend, run, spec
from ttc_core import grading, lanes, models, registry, runs, runs_driver
from ttc_core.backend import LocalBackend
from ttc_core.engines.openai_http import OpenAIHTTP
from ttc_core.engines.scripted import Scripted
from ttc_core.errors import BadValue, EngineGone, EngineSilent
from ttc_core.models import ModelCard
from ttc_core.runs_driver import HUNG, Driver
from ttc_core.scheduler import LOADING_SECONDS, Scheduler
from ttc_core.settings import settings
from ttc_core.store import repository
from ttc_core.store.database import database

DEADLINE = 60.0  # virtual seconds
LOOKS = 200  # of a tenth of the deadline: an engine that hangs is noticed long before


@dataclass(eq=False)
class Hangs(Scripted):
    """Answers nothing after `good` replies, while time goes on."""

    good: int = 0
    deadline: float = DEADLINE
    looks: int = 0

    def poll(self, timeout: float = 0.0) -> list[Any]:
        if self.good > 0:
            found = super().poll(timeout)
            self.good -= len(found)
            return found
        self.looks += 1
        assert self.looks <= LOOKS, "nobody minds"
        self.clock.now += DEADLINE / 10
        return []


def backend(component="policy", **options):
    """Two models; `component` hangs. The policy "other" does not."""
    made = ScriptedBackend()
    made._engines[f"scripted-{component}"] = Hangs(f"scripted-{component}", capacity=8, **options)
    return made


def asked(model="scripted-policy", strategy="beam_search", verifier="scripted-prm"):
    return replace(spec(strategy, 16, width=2), model=model, verifier=verifier)


@pytest.mark.parametrize("component", ["policy", "prm"])
@pytest.mark.parametrize("good", [0, 1, 16, 24])
def test_searches_end_that_wait_for_an_engine_that_hangs(component, good):
    """Those in its queue too; what came before stays, and searches of other models do not notice."""
    other = asked("other", "best_of_n", "")
    other = replace(other, params={"select": "majority"})
    *ended, result = run([asked(), asked(), other], backend(component, good=good))
    [calm] = run([other])
    for one in ended:
        assert isinstance(one.error, EngineSilent) and one.outcome is None
        assert f"scripted-{component} has answered nothing for" in str(one.error) and "TTC_PATIENCE" in one.error.hint
    assert sum(len(one.nodes) for one in ended) >= (good if component == "policy" else 1)
    assert result.error is None and result.tree() == calm.tree()


def test_an_engine_that_answers_now_and_then_does_not_hang():
    """Each answer gives it its whole deadline again."""

    class Slow(Hangs):
        def poll(self, timeout=0.0):
            if self.looks < 9:  # nine tenths of the deadline
                return super().poll(timeout)
            self.looks = 0
            return Scripted.poll(self, timeout)

    slow = ScriptedBackend()
    slow._engines["scripted-policy"] = Slow("scripted-policy", capacity=1)
    [result] = run([asked()], slow)
    assert result.error is None and slow._engines["scripted-policy"].clock.now > 10 * DEADLINE


def test_an_engine_whose_jobs_take_many_requests_is_heard_of_by_each():
    class Steps(Hangs):
        heard = 0

        def poll(self, timeout=0.0):
            if self.looks < 50:  # five times the deadline
                self.heard += 1
                return super().poll(timeout)
            return Scripted.poll(self, timeout)

    backend = ScriptedBackend()
    backend._engines["scripted-policy"] = Steps("scripted-policy", capacity=64)
    [result] = run([asked()], backend)
    assert result.error is None and backend._engines["scripted-policy"].looks == 50


def test_an_engine_that_has_ended_is_loaded_anew_for_whoever_asks_next(monkeypatch):
    """Its searches end, to be tried again, instead of coming to nothing as if the model had answered."""
    loaded = []

    class Ends(Scripted):
        gone = False

        def poll(self, timeout=0.0):
            found = super().poll(timeout)
            if len(loaded) == 1 and found:
                self.gone = True
                return [replace(one, error=EngineGone("its process has ended")) for one in found]
            return found

    def load(name, card, batch):
        loaded.append(name)
        return Ends(name, capacity=8)

    monkeypatch.setattr(models, "ready", lambda name, **_: SimpleNamespace(name=name, engine="ends"))
    monkeypatch.setattr("ttc_core.backend.registry", SimpleNamespace(get=lambda kind, name: load))
    majority = replace(asked("model", "best_of_n", ""), params={"select": "majority"})
    local = LocalBackend()
    [first] = run([majority], local)
    assert isinstance(first.error, EngineGone) and first.error.retryable and first.outcome is None
    [again] = run([majority], local)
    assert again.error is None and again.outcome.candidates and loaded == ["model", "model"]


def test_a_model_that_is_being_loaded_is_said_and_has_its_time():
    """Weights may have to be fetched first: nobody takes that for a hang after the patience for answers."""
    told = []

    class Loads(ScriptedBackend):
        def engine(self, name):
            told.append(scheduler.stuck())
            return super().engine(name)

    scheduler = Scheduler(Loads(), read_answer=lambda text: "1")
    scheduler.add("a", asked(), PROBLEM, registry.build("strategy", "beam_search", {}))
    while not scheduler.idle:
        scheduler.step()
    assert [what for what, *_ in told][:2] == ["loading scripted-policy", "loading scripted-policy"]
    assert all(seconds == LOADING_SECONDS > 900 for _, seconds, _ in told) and scheduler.stuck() is None


def test_time_in_which_nobody_looked_makes_no_engine_silent():
    """A machine that was suspended for an hour; an engine beside it that computes for minutes."""

    class Late(Scripted):
        deadline = DEADLINE
        naps = 0

        def poll(self, timeout=0.0):
            if self.naps < 3:
                self.naps += 1
                self.clock.now += 3600
                return []
            return super().poll(timeout)

    late = ScriptedBackend()
    late._engines["scripted-policy"] = Late("scripted-policy")
    [result] = run([asked()], late)
    assert result.error is None and 3 * lanes.GLANCE < DEADLINE


def test_deadlines_are_the_models_or_the_settings(monkeypatch):
    monkeypatch.setenv("TTC_PATIENCE", "12.5")
    settings.cache_clear()
    try:
        assert lanes.Lane(Scripted()).deadline == 12.5
    finally:
        monkeypatch.undo()
        settings.cache_clear()
    assert lanes.Lane(Scripted()).deadline == settings().patience == 900
    table = {"base_url": "http://127.0.0.1:9", "model": "m", "deadline": 7}
    server = OpenAIHTTP("m", ModelCard("m", "policy", "openai_http", 1, settings().data_dir, table))
    assert lanes.Lane(server).deadline > 7  # it says so itself, at 7
    server.close()


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon"])
def test_patience_that_is_none_is_refused(monkeypatch, value):
    monkeypatch.setenv("TTC_PATIENCE", value)
    settings.cache_clear()
    with pytest.raises(BadValue, match="TTC_PATIENCE must be a number of seconds above 0"):
        settings()
    monkeypatch.undo()
    settings.cache_clear()


# --- in a worker -----------------------------------------------------------------------------------------------------


@pytest.fixture
def url(database_url):
    runs.ensure_database(db=database_url)
    yield database_url
    database(database_url).close()


def add(url, run_id, **fields):
    repository.add(database(url), run_id, asked(**fields))


def test_a_worker_goes_on_and_what_was_there_is_kept(url):
    add(url, "hung")
    add(url, "beside", model="other")
    hanging = backend(good=20)
    with Driver(database(url), role="worker", backend=hanging) as driver:
        driver.work(lambda: False, forever=False)
        hung = runs.get("hung", db=url)
        assert hung.status == "failed" and "has answered nothing for" in hung.error and "deadline" in hung.hint
        assert len(runs.nodes("hung", db=url).nodes) == hung.nodes >= 16 and hung.answer is None
        assert runs.get("beside", db=url).status == "done"
        hanging._engines["scripted-policy"].good = 10**6  # its server was started again
        repository.reopen(database(url), "hung")
        add(url, "after")
        driver.work(lambda: False, forever=False)
    calm, again = (runs.get(name, db=url) for name in ("after", "hung"))
    assert again.status == calm.status == "done" and again.answer == calm.answer and again.nodes == calm.nodes


def test_a_stop_is_noticed_while_an_engine_is_silent(url, monkeypatch):
    monkeypatch.setattr(runs_driver, "ASK_SECONDS", 0.0)
    add(url, "hung")
    with Driver(database(url), role="worker", backend=backend(good=20, deadline=1e9)) as driver:
        for _ in range(50):
            driver.turn()
        assert runs.get("hung", db=url).status == "running"
        runs.stop("hung", db=url)
        driver.turn()
        found = runs.get("hung", db=url)
        assert found.status == "stopped" and found.nodes >= 16
        assert not driver.turn()


@pytest.fixture
def worker(url, tmp_path, monkeypatch):
    """Starts a worker whose policy does not come back from its 21st look; returns it when that has happened."""
    monkeypatch.setattr(runs_driver, "BEAT_SECONDS", 0.05)
    blocked, started = tmp_path / "blocked", []

    class Blocks(Hangs):
        def poll(self, timeout=0.0):
            if self.good <= 0:
                blocked.touch()
                time.sleep(300.0)
            return super().poll(timeout)

    def inside(deadline):
        blocking = ScriptedBackend()
        blocking._engines["scripted-policy"] = Blocks("scripted-policy", capacity=8, good=20, deadline=deadline)
        blocking._engines["other"] = Hangs("other", deadline=1e9)  # has something under way all the time
        with Driver(database(url), role="worker", backend=blocking) as driver:
            driver.work(lambda: False, forever=False)

    def start(deadline):
        database(url).close()
        process = multiprocessing.get_context("fork").Process(target=inside, args=(deadline,))
        process.start()
        started.append(process)
        while not blocked.exists():
            assert process.is_alive()
            time.sleep(0.01)
        return process

    yield start
    for process in started:
        process.kill()
        process.join()


def test_a_worker_whose_engine_does_not_come_back_ends_and_only_what_waits_for_it_fails(url, worker):
    add(url, "hung")
    add(url, "beside", model="other", verifier="other-prm")
    process = worker(0.4)
    process.join()
    assert process.exitcode == HUNG
    hung, beside = runs.get("hung", db=url), runs.get("beside", db=url)
    assert hung.status == "failed" and "scripted-policy did not come back" in hung.error and hung.nodes > 0
    assert beside.status == "pending" and not beside.error
    with Driver(database(url), role="worker", backend=ScriptedBackend()) as driver:
        driver.work(lambda: False, forever=False)
    assert runs.get("beside", db=url).status == "done"


def test_a_stop_is_noticed_while_an_engine_does_not_come_back(url, worker):
    for name in ("hung", "stopped"):
        add(url, name)
    process = worker(1e9)
    before = runs.get("stopped", db=url)
    assert before.status == "running"
    runs.stop("stopped", db=url)
    while runs.get("stopped", db=url).status == "running":
        assert process.is_alive()
        time.sleep(0.01)
    after = runs.get("stopped", db=url)
    assert after.status == "stopped" and after.nodes == before.nodes and after.finished is not None
    assert runs.get("hung", db=url).status == "running"


def test_answers_that_take_the_grader_long_are_no_hang(url, monkeypatch):
    """Sixteen come in one turn, which takes four times as long as an engine may be silent; each is a sign of life."""
    read = grading.read

    def slowly(*asked, **more):
        time.sleep(0.25)
        return read(*asked, **more)

    monkeypatch.setattr(grading, "read", slowly)
    monkeypatch.setattr(runs_driver, "BEAT_SECONDS", 0.05)
    monkeypatch.setenv("TTC_PATIENCE", "1.0")
    settings.cache_clear()
    slow = replace(asked(strategy="best_of_n", verifier=""), params={"select": "majority"})
    repository.add(database(url), "slow", slow)
    database(url).close()

    def inside():
        same = ScriptedBackend(options={"sigma": 0.0, "depth": 1})
        with Driver(database(url), role="worker", backend=same) as driver:
            driver.work(lambda: False, forever=False)

    process = multiprocessing.get_context("fork").Process(target=inside)
    process.start()
    process.join()
    assert process.exitcode == 0 and runs.get("slow", db=url).status == "done"
