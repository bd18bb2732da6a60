"""The scheduler: many searches over shared engines, faults kept apart, cancellation, priority, back-pressure."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.conformance.harness import PROBLEM, Result, ScriptedBackend, ScriptedVerifier, read_answer, run, spec, take
from ttc_core import registry
from ttc_core.engines.scripted import Clock, Scripted
from ttc_core.errors import BudgetExceeded, EngineFault, StrategyFault, UserError
from ttc_core.jobs import Evaluate, GenerateJob
from ttc_core.scheduler import Failed, Finished, Scheduler
from ttc_core.types import ROOT, Outcome, Parallel, Prune, RunSpec, Sample, Score

NOTHING = Outcome(None, None, ())


@dataclass(frozen=True)
class Asks:
    """A strategy that yields the given requests and gives up."""

    requests: tuple

    def run(self, problem, budget, rng):
        yield list(self.requests)
        return NOTHING


def asks(*requests, budget=4, **options):
    return run([spec("test", budget)], strategies=[Asks(requests)], **options)[0]


@pytest.mark.parametrize(
    ("requests", "error"),
    [
        ([Sample(ROOT, n=5)], BudgetExceeded),
        ([Sample(ROOT, n=3, until="end"), Sample(ROOT, n=2, first=3)], BudgetExceeded),
        ([Sample("r.9")], StrategyFault),
        ([Sample(ROOT, n=-1)], StrategyFault),
        ([Score(("r.0",))], StrategyFault),
        ([Prune(("r.0",), "no")], StrategyFault),
        (["sample"], StrategyFault),
    ],
)
def test_a_strategy_that_breaks_its_contract_fails_alone(requests, error):
    bad, good = run([spec("test", 4), spec("beam_search", 4)], strategies=[Asks(tuple(requests)), build("beam_search")])
    assert isinstance(bad.error, error) and bad.outcome is None
    assert good.error is None and good.outcome is not None


def build(name, **params):
    return registry.build("strategy", name, params)


def test_asking_twice_for_one_child_in_two_ways_is_a_fault():
    class Twice(Asks):
        def run(self, problem, budget, rng):
            yield [Sample(ROOT)]
            yield [Sample(ROOT, until="end")]
            return NOTHING

    result = run([spec("test", 4)], strategies=[Twice(())])[0]
    assert isinstance(result.error, StrategyFault) and "sampled as" in str(result.error)


def test_an_exception_in_a_strategy_ends_only_its_search():
    class Crashes(Asks):
        def run(self, problem, budget, rng):
            yield [Sample(ROOT)]
            raise ZeroDivisionError("oops")

    bad, good = run([spec("test", 4), spec("best_of_n", 4)], strategies=[Crashes(()), build("best_of_n")])
    assert isinstance(bad.error, ZeroDivisionError)
    assert good.outcome is not None


def test_an_exception_in_a_verifier_ends_only_its_search():
    def twist(score, text):
        raise ZeroDivisionError("oops")

    result = run([spec("beam_search", 4)], ScriptedBackend(twist=twist))[0]
    assert isinstance(result.error, ZeroDivisionError)


def test_a_solution_that_cannot_be_laid_out_for_the_verifiers_model_is_left_out_alone():
    """As one whose score failed: counted, no answer, and no end of the search."""

    def refused(question, before, text, chat):
        raise EngineFault("the template cut the step tag off")

    class Picky(ScriptedVerifier):
        def score(self, problem, node, carry):
            if node.id == "r.2":
                yield [Evaluate("scripted-prm", layout=refused)]
            return (yield from super().score(problem, node, carry))

    backend = ScriptedBackend()
    backend.verifier = Picky
    result = run([spec("best_of_n", 4)], backend)[0]
    assert result.error is None and result.outcome.excluded == 1 and result.usage.failed_scores == 1
    assert {c.node for c in result.outcome.candidates} == {"r.0", "r.1", "r.3"}
    assert result.nodes["r.2"].why == "not scored: the template cut the step tag off"


def test_scoring_without_a_verifier_is_the_users_mistake():
    no_verifier = RunSpec("q", "beam_search", 4, model="scripted-policy", verifier="")
    result = run([no_verifier])[0]
    assert isinstance(result.error, UserError) and "needs a verifier" in str(result.error)
    assert run([RunSpec("q", "best_of_n", 4, 0, {"select": "majority"}, model="scripted-policy", verifier="")])[
        0
    ].outcome


def test_a_model_that_cannot_be_loaded_fails_its_searches_only():
    class Backend(ScriptedBackend):
        def engine(self, name):
            if name == "broken":
                raise UserError("no model is called 'broken'")
            return super().engine(name)

    bad, good = run(
        [RunSpec("q", "best_of_n", 2, model="broken", verifier="scripted-prm"), spec("best_of_n", 2)], Backend()
    )
    assert isinstance(bad.error, UserError) and good.outcome is not None


def test_parallel_sub_searches_have_no_barrier():
    seen = []

    @dataclass(frozen=True)
    class Chains:
        def chain(self, i):
            [one] = yield [Sample(ROOT, first=i)]
            seen.append(("first", i))
            yield [Sample(one.nodes[0].id)]
            seen.append(("second", i))
            return i

        def run(self, problem, budget, rng):
            [values] = yield [Parallel(tuple(self.chain(i) for i in range(8)))]
            assert values == tuple(range(8))
            return NOTHING

    result = run([spec("test", 16)], ScriptedBackend(8, options={"depth": 9}), strategies=[Chains()])[0]
    assert result.outcome is NOTHING
    first_second = next(i for i, (what, _) in enumerate(seen) if what == "second")
    assert any(what == "first" for what, _ in seen[first_second:]), "a barrier: all firsts came before any second"


def test_generations_are_the_most_sampled_depth():
    result = asks(Sample(ROOT, n=2, until="end"), Sample(ROOT, n=1, first=2), budget=4)
    assert result.usage.generations == 3


def test_cancel_stops_within_a_step_and_frees_the_engine():
    backend = ScriptedBackend(4)
    scheduler = Scheduler(backend, read_answer=read_answer)
    scheduler.add("gone", spec("best_of_n", 64), PROBLEM, build("best_of_n"))
    scheduler.add("stays", spec("best_of_n", 4, seed=1), PROBLEM, build("best_of_n"))
    scheduler.step()
    scheduler.cancel("gone")
    scheduler.cancel("never was")
    asked = len(backend.engine("scripted-policy").jobs_seen)
    events = []
    while not scheduler.idle:
        events += scheduler.step()
    assert {event.search_id for event in events} == {"stays"}
    assert any(isinstance(event, Finished) for event in events)
    assert sum(isinstance(j, GenerateJob) for j in backend.engine("scripted-policy").jobs_seen) <= asked + 4


def test_a_live_search_overtakes_a_study():
    backend = ScriptedBackend(4)
    scheduler = Scheduler(backend, read_answer=read_answer)
    for i in range(20):
        scheduler.add(f"study {i}", spec("best_of_n", 16, seed=i), PROBLEM, build("best_of_n"), priority=1)
    for _ in range(3):
        scheduler.step()
    scheduler.add("live", spec("best_of_n", 4, seed=99), PROBLEM, build("best_of_n"), priority=0)
    finished = []
    while not scheduler.idle:
        finished += [event.search_id for event in scheduler.step() if isinstance(event, Finished)]
    assert finished.index("live") <= 2


def test_at_most_max_active_searches_run_and_all_finish():
    specs = [spec("beam_search", 4, seed=i) for i in range(30)]
    results = run(specs, ScriptedBackend(8), max_active=3)
    assert all(r.outcome is not None for r in results)
    assert [r.nodes for r in results] == [r.nodes for r in run(specs, ScriptedBackend(64))]


def test_an_id_under_way_is_refused():
    scheduler = Scheduler(ScriptedBackend(), read_answer=read_answer)
    scheduler.add("a", spec("best_of_n", 2), PROBLEM, build("best_of_n"))
    with pytest.raises(StrategyFault):
        scheduler.add("a", spec("best_of_n", 2), PROBLEM, build("best_of_n"))


def test_what_was_recorded_before_a_failure_stands():
    class Late(Asks):
        def run(self, problem, budget, rng):
            yield [Sample(ROOT, n=3)]
            yield [Sample("nowhere")]

    scheduler = Scheduler(ScriptedBackend(), read_answer=read_answer)
    scheduler.add("0", spec("test", 4), PROBLEM, Late(()))
    result = Result()
    while not scheduler.idle:
        for event in scheduler.step():
            take(result, event)
            assert not isinstance(event, Failed) or len(result.nodes) == 3
    assert isinstance(result.error, StrategyFault) and result.usage.generated_tokens > 0


def clocked(capacity=8, **options):
    """Both engines on one virtual clock, so that what runs beside what is as on real machines."""
    return ScriptedBackend(capacity, options={"clock": Clock(), **options})


def finished_at(scheduler, backend, search_id):
    """Virtual seconds until this search has ended."""
    for _ in range(100_000):
        events = scheduler.step()
        if any(isinstance(event, Finished) and event.search_id == search_id for event in events):
            return backend.engine("scripted-policy").now()
    raise AssertionError("it never ended")


def study(scheduler, n, budget=16):
    for i in range(n):
        scheduler.add(f"study {i}", spec("beam_search", budget, seed=i), PROBLEM, build("beam_search"), priority=1)


def test_a_live_search_beside_a_large_study_takes_little_longer_than_alone():
    times = []
    for company in (0, 200):
        backend = clocked(16)
        scheduler = Scheduler(backend, read_answer=read_answer, max_active=100)
        study(scheduler, company)
        for _ in range(50):
            scheduler.step()
        began = backend.engine("scripted-policy").now()
        scheduler.add("live", spec("beam_search", 16, seed=999), PROBLEM, build("beam_search"))
        times.append(finished_at(scheduler, backend, "live") - began)
    alone, beside = times
    assert beside < 2 * alone


def test_a_study_goes_on_beside_live_searches():
    backend = clocked(16)
    scheduler = Scheduler(backend, read_answer=read_answer, max_active=4)
    study(scheduler, 6)
    for i in range(6):
        scheduler.add(f"live {i}", spec("beam_search", 4, seed=100 + i), PROBLEM, build("beam_search"))
    ended = []
    while not scheduler.idle:
        ended += [event.search_id for event in scheduler.step() if isinstance(event, Finished)]
    assert len(ended) == 12 and ended.index("live 5") < ended.index("study 5")


@pytest.mark.parametrize("beams", [4, 16])
def test_lanes_are_never_idle_while_a_job_waits_and_the_makespan_is_near_the_least(beams):
    backend = clocked(16)
    scheduler = Scheduler(backend, read_answer=read_answer)
    idle = []

    def watch(seconds):
        for name in ("scripted-policy", "scripted-prm"):
            if scheduler.backlog(name) and backend.engine(name).free:
                idle.append(seconds)

    backend.engine("scripted-policy").clock.watch = watch
    for i in range(64):
        scheduler.add(str(i), spec("beam_search", beams, seed=i), PROBLEM, build("beam_search"))
    while not scheduler.idle:
        scheduler.step()
    policy = backend.engine("scripted-policy")
    assert idle == []
    assert policy.clock.now <= 1.15 * policy.busy_seconds / 16


def test_an_engine_holds_no_more_than_it_has_places_for():
    backend = clocked(4)
    scheduler = Scheduler(backend, read_answer=read_answer)
    for i in range(20):
        scheduler.add(str(i), spec("best_of_n", 16, seed=i), PROBLEM, build("best_of_n"))
    held = {"scripted-policy": 4, "scripted-prm": 8}
    while not scheduler.idle:
        scheduler.step()
        for name, most in held.items():
            engine = backend.engine(name)
            assert len(engine._queue) + engine.capacity - engine.free <= most
    assert sum(isinstance(job, GenerateJob) for job in backend.engine("scripted-policy").jobs_seen) == 20 * 16


def test_only_so_many_searches_have_a_tree_in_memory():
    alive = []

    @dataclass(frozen=True)
    class Counted:
        def run(self, problem, budget, rng):
            alive.append(1)
            yield [Sample(ROOT, n=2)]
            alive.pop()
            return NOTHING

    scheduler = Scheduler(clocked(8), read_answer=read_answer, max_active=10)
    for i in range(1000):
        scheduler.add(str(i), spec("test", 2, seed=i), PROBLEM, Counted())
    most = 0
    while not scheduler.idle:
        scheduler.step()
        most = max(most, len(alive))
    assert 0 < most <= 10


def test_cancelling_everything_leaves_nothing_behind():
    backend = clocked(4)
    scheduler = Scheduler(backend, read_answer=read_answer, max_active=50)
    study(scheduler, 100)
    scheduler.step()
    for i in range(100):
        scheduler.cancel(f"study {i}")
    asked = len(backend.engine("scripted-policy").jobs_seen)
    assert scheduler.idle and scheduler.step() == []
    assert len(backend.engine("scripted-policy").jobs_seen) == asked
    assert scheduler.backlog("scripted-policy") == 0 and backend.engine("scripted-policy").free == 4


def test_engines_on_one_clock_answer_in_the_order_of_time():
    clock = Clock()
    quick, slow = Scripted("quick", latency=0.001, clock=clock), Scripted("slow", latency=1.0, clock=clock)
    for engine in (slow, quick):
        engine.submit([GenerateJob(1, (engine.prompt(PROBLEM),), seed=1)])
    assert slow.poll() == []
    [first] = quick.poll()
    passed = clock.now
    [second] = slow.poll()
    assert (first.ticket, second.ticket) == (1, 1) and 0 < passed < 1 <= clock.now
