"""The matrix fault x moment x component: an excluded and counted candidate or an error, never an answer."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.conformance.harness import ScriptedBackend, run, spec
from tests.conformance.test_scores import leaves_out_what_failed
from ttc_core import grading, runs
from ttc_core.engines.scripted import Scripted
from ttc_core.errors import EngineBusy, EngineFault
from ttc_core.grading import mathematics
from ttc_core.grading import pool as pools
from ttc_core.jobs import GenerateJob
from ttc_core.runs_driver import Driver
from ttc_core.store import repository
from ttc_core.store.database import database


def nan(reply):
    return replace(reply, logits=tuple((math.nan,) * len(row) for row in reply.logits))


ERRORS = {
    "refused": EngineBusy("connection refused"),
    "timeout": EngineBusy("too slow"),
    "garbage": EngineFault("nonsense"),
    "crash": EngineFault("the engine crashed"),
}
REPLIES = {  # of a verifier's model
    "NaN": nan,
    "no scores": lambda reply: replace(reply, logits=()),
    "rows without columns": lambda reply: replace(reply, logits=tuple(() for _ in reply.logits)),
}
MOMENTS = ("first", "middle", "last")
STRATEGIES = {"best_of_n": {"select": "weighted"}, "beam_search": {"width": 2}, "dvts": {"width": 2}}


@dataclass(eq=False)
class Faulty(Scripted):
    """Spoils the reply number `at` (from 0); None: none."""

    at: int | None = None
    spoil: Any = None
    count: int = field(default=0, init=False)

    def _reply(self, job):
        reply, tokens = super()._reply(job)
        self.count += 1
        if self.count - 1 == self.at:
            error = self.spoil if isinstance(self.spoil, Exception) else None
            reply = replace(reply, error=error) if error else self.spoil(reply)
        return reply, tokens


def backend(component, at=None, spoil=None):
    made = ScriptedBackend()
    for name in ("scripted-policy", "scripted-prm"):
        spoiled = component in name
        made._engines[name] = Faulty(name, at=at if spoiled else None, spoil=spoil)
    return made


def asked(strategy):
    return spec(strategy, 8, **STRATEGIES[strategy])


def at(component, strategy, moment):
    calm = backend(component)
    [result] = run([asked(strategy)], calm)
    assert result.error is None
    jobs = next(engine.count for name, engine in calm._engines.items() if component in name)
    return {"first": 0, "middle": jobs // 2, "last": jobs - 1}[moment]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("component", ["policy", "prm"])
@pytest.mark.parametrize("fault", [*ERRORS, *REPLIES])
def test_a_fault_of_an_engine(fault, component, moment, strategy):
    if component == "policy" and fault in REPLIES:
        return  # a policy gives no scores
    place = at(component, strategy, moment)
    [result] = run([asked(strategy)], backend(component, place, ERRORS.get(fault) or REPLIES[fault]))
    if result.error is not None:  # a reply that breaks the verifier ends this search, and no answer came
        assert fault == "rows without columns" and result.outcome is None
        return
    [failed] = leaves_out_what_failed(result)
    counted = (result.usage.failed_samples, result.usage.failed_scores)
    assert counted == ((1, 0) if component == "policy" else (0, 1))
    assert (result.nodes[failed].why and result.nodes[failed].answer is None) or component == "prm"
    assert result.nodes[failed].scores == ()


@pytest.mark.parametrize("fault", ERRORS)
@pytest.mark.parametrize("component", ["policy", "prm"])
def test_when_all_fails_there_is_no_answer(fault, component):
    for strategy in STRATEGIES:
        hit = lambda job: isinstance(job, GenerateJob) == (component == "policy")  # noqa: E731
        always = ScriptedBackend(fault=lambda job, hit=hit: ERRORS[fault] if hit(job) else None)
        [result] = run([asked(strategy)], always)
        assert result.outcome is None or result.outcome.answer is None


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_engine_that_raises_fails_its_runs_with_the_reason_and_the_worker_goes_on(database_url, moment):
    runs.ensure_database(db=database_url)
    place = at("policy", "best_of_n", moment)

    def burst(reply):
        raise RuntimeError("segmentation fault, so to speak")

    repository.add(database(database_url), "broken", asked("best_of_n"))
    with Driver(database(database_url), role="worker", backend=backend("policy", place, burst)) as driver:
        driver.work(lambda: False, forever=False)
        repository.add(database(database_url), "after", asked("best_of_n"))
        driver.work(lambda: False, forever=False)
    broken, after = runs.get("broken", db=database_url), runs.get("after", db=database_url)
    assert broken.status == "failed" and "so to speak" in broken.error and broken.answer is None
    assert after.status == "done" and after.answer is not None
    database(database_url).close()


# --- the grader ------------------------------------------------------------------------------------------------------

GRADER = {
    "killed": lambda request, number: {"failed": "killed"},
    "out of time": lambda request, number: {"failed": "time"},
    "out of memory": lambda request, number: {"failed": "memory"},
    "nonsense": lambda request, number: {"right": "perhaps", "spelling": 7},
    "empty": lambda request, number: {},
}


@pytest.mark.parametrize("fault", GRADER)
def test_a_fault_of_the_grader_is_no_verdict(monkeypatch, fault):
    """And the answer stays what was written, spelled as it was."""
    monkeypatch.setattr(mathematics, "_asked", lambda **request: GRADER[fault](request, 0))
    assert grading.grade(r"\sqrt{8}", r"2\sqrt{2}", "math") is None
    assert mathematics.canonical(r"\sqrt{8}") == r"\sqrt{8}"


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_grader_that_dies_is_asked_again_and_never_wrong(moment):
    """Its process is killed before one of five answers: all are graded, and the death is counted."""
    asked_pool = pools.Pool()
    try:
        before = asked_pool.counts["killed"]
        for number in range(5):
            if number == {"first": 0, "middle": 2, "last": 4}[moment]:
                asked_pool._children[0]._process.kill()
            assert asked_pool.ask(gold=r"\frac{1}{2}", answer=f"0.{5 + number}")["right"] is (number == 0)
        assert asked_pool.counts["killed"] - before == 1
    finally:
        asked_pool.close()
