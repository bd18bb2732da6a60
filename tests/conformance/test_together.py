"""Laws of company: searches side by side never mix, wait their turn, and leave nothing behind when cancelled."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import pytest

from tests.conformance.cases import STRATEGIES, Case, law
from tests.conformance.harness import PROBLEM, Result, read_answer, run, take
from tests.conformance.worlds import World, marked
from ttc_core import registry
from ttc_core.scheduler import Finished, Scheduler
from ttc_core.types import Problem


def canaries(count):
    return [Problem(f"p{i}", f"canary-{i:02}", None) for i in range(count)]


def keeps_apart(world, problems, results):
    """Each node and each context holds its own problem's canary and no other."""
    for problem, result in zip(problems, results, strict=True):
        for node in result.nodes.values():
            lines = node.text.splitlines()
            assert lines and all(line.startswith(f"{problem.question}| ") for line in lines), node
            assert node.text.count("canary") == len(lines)
    for engine in (world.policy, world.verifier_model):
        for job in engine.jobs.values():
            text = "".join(segment.text for segment in job.context)
            assert text.count(text[:9]) == text.count("canary"), "a context of two problems"


@law(examples=3)
def test_thirty_problems_in_shuffled_batches_are_never_mixed_up(case):
    problems = canaries(30 if not case.params else 6)
    case = replace(case, budget=min(case.budget, 6))
    world = World(7, rewrite=marked, order=case.seed)
    together = run([case.spec() for _ in problems], world, problems=problems)
    keeps_apart(world, problems, together)
    for problem, result in [*zip(problems, together, strict=True)][::5]:
        alone = case.run(World(rewrite=marked), problem)
        assert alone.tree() == result.tree() and alone.outcome == result.outcome


def test_all_strategies_side_by_side_do_what_they_do_alone():
    mixed = [Case(name, budget=8, seed=seed) for seed in (0, 1) for name in STRATEGIES]
    problems = canaries(len(mixed))
    world = World(5, rewrite=marked, order=3)
    together = run([case.spec() for case in mixed], world, problems=problems, max_active=9)
    keeps_apart(world, problems, together)
    for case, problem, result in zip(mixed, problems, together, strict=True):
        alone = case.run(World(rewrite=marked), problem)
        assert alone.tree() == result.tree() and alone.outcome == result.outcome, case


def queue(scheduler, cases, priorities=None):
    """Add the cases under their index; nothing here keeps the strategies alive."""
    for i, case in enumerate(cases):
        strategy = registry.build("strategy", case.name, case.params)
        scheduler.add(str(i), case.spec(), PROBLEM, strategy, priority=(priorities or {}).get(i, 0))


def to_the_end(scheduler, count):
    """What came of the searches, and the order in which they finished."""
    results, finished = [Result() for _ in range(count)], []
    for _ in range(100_000):
        if scheduler.idle:
            break
        for event in scheduler.step():
            take(results[int(event.search_id)], event)
            finished += [int(event.search_id)] if isinstance(event, Finished) else []
    return results, finished


@law(examples=2)
def test_a_cancelled_search_leaves_nothing_behind(case):
    schedulers, gone = [], []
    for turns in (0, 1, 3, 7):
        world = World(3, order=turns)
        scheduler = Scheduler(world, read_answer=read_answer)
        schedulers.append(scheduler)
        strategy = registry.build("strategy", case.name, case.params)
        scheduler.add("gone", case.spec(), PROBLEM, strategy)
        gone.append(weakref.ref(strategy))
        del strategy
        for _ in range(turns):
            scheduler.step()
        scheduler.cancel("gone")
        asked = len(world.policy.jobs) + len(world.verifier_model.jobs)
        assert not world.policy.under_way and not world.verifier_model.under_way
        assert scheduler.idle
        assert scheduler.step() == []
        assert len(world.policy.jobs) + len(world.verifier_model.jobs) == asked
    gc.collect()
    assert not any(ref() for ref in gone), f"one of {len(schedulers)} schedulers still holds its search"


@law(examples=2)
def test_cancelling_one_search_does_not_touch_another(case):
    for turns in (1, 4):
        world = World(3, order=turns)
        scheduler = Scheduler(world, read_answer=read_answer)
        queue(scheduler, [replace(case, seed=case.seed + 1), case])
        events = [event for _ in range(turns) for event in scheduler.step()]
        scheduler.cancel("0")
        result = Result()
        while not scheduler.idle:
            new = scheduler.step()
            assert all(event.search_id == "1" for event in new)
            events += new
        for event in events:
            if event.search_id == "1":
                take(result, event)
        alone = case.run()
        assert result.tree() == alone.tree() and result.outcome == alone.outcome


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_person_is_served_before_a_study(name):
    crowd = [Case(name, budget=8, seed=seed) for seed in range(7)]
    live = len(crowd) - 1  # the last to come
    scheduler = Scheduler(World(1), read_answer=read_answer)
    queue(scheduler, crowd, dict.fromkeys(range(live), 1))
    results, finished = to_the_end(scheduler, len(crowd))
    assert sorted(finished) == [*range(len(crowd))]
    for i in finished[: finished.index(live)]:  # what lanes were doing before it came may end, nothing longer
        assert len(results[i].nodes) < len(results[live].nodes), "a search of the study went before a person's"
    for case, result in zip(crowd, results, strict=True):
        assert result.tree() == case.run().tree()
