"""The laws themselves: each is broken by a strategy file with a deliberate fault, and none by an honest one."""

from __future__ import annotations

import importlib
import random
import sys
from dataclasses import replace

import pytest

from tests.conformance import test_costs, test_repeat, test_replies, test_scores, test_together
from tests.conformance.cases import LAWS, STRATEGIES, Case, cases, strategies_named_by
from tests.conformance.harness import run
from tests.conformance.worlds import Watched, World, marked
from ttc_core import registry

MODULES = (test_costs, test_repeat, test_replies, test_scores, test_together)

HONEST = '''
import random
from dataclasses import dataclass
from ttc_core.registry import param, strategy
from ttc_core.selection import choose
from ttc_core.types import ROOT, Candidate, Parallel, Prune, Sample, Score

KEPT = []

@strategy("dropped")
@dataclass(frozen=True)
class Dropped:
    """Samples N solutions and chooses the best."""

    width: int = param(2, min=1, max=4, help="nothing")

    def run(self, problem, budget, rng):
        n = budget.generations
        [sampled] = yield [Sample(ROOT, n=n, until="end")]
        [scored] = yield [Score(tuple(node.id for node in sampled.nodes))]
        nodes = scored.nodes
        scores = [node.path_scores[-1] for node in nodes]
        found = [Candidate(node.id, node.answer, score) for node, score in zip(nodes, scores)]
        return choose(found, "best", sampled.failed + scored.failed)
'''

SAMPLING = '[sampled] = yield [Sample(ROOT, n=n, until="end")]'
SCORES = "scores = [node.path_scores[-1] for node in nodes]"
CHOICE = 'return choose(found, "best", sampled.failed + scored.failed)'

# What is put in the place of what, and the laws that this breaks.
FAULTS = {
    "exceeds its budget": (
        ("n = budget.generations", "n = budget.generations + (budget.generations > 8)"),
        ("the_budget_is_never_exceeded_and_generations_are_exact", "a_model_that_never_ends"),
    ),
    "draws from global random numbers": (
        ("n = budget.generations", "n = random.randint(1, budget.generations)"),
        (
            "global_random_numbers_are_neither_used_nor_moved",
            "same_seed_same_tree_whatever_the_batch_size_and_the_order_of_replies",
            "replay_from_recorded_replies_asks_no_engine_and_gives_the_same_outcome",
            "after_a_crash_anywhere_the_search_goes_on_to_the_same_tree",
            "cancelling_one_search_does_not_touch_another",
        ),
    ),
    "hands scores out in the wrong order": (
        (SCORES, SCORES + "[::-1]"),
        ("the_outcome_speaks_of_the_recorded_nodes",),
    ),
    "looks at the ground truth": (
        (CHOICE, "found = [c for c in found if c.answer == problem.answer] or found\n        " + CHOICE),
        ("the_ground_truth_is_not_looked_at",),
    ),
    "collects in order of completion": (
        (
            SAMPLING,
            "came = []\n"
            "        def one(i):\n"
            '            [s] = yield [Sample(ROOT, first=i, until="end")]\n'
            "            came.extend(s.nodes)\n"
            "        yield [Parallel(tuple(one(i) for i in range(n)))]\n"
            "        from ttc_core.types import Sampled\n"
            "        sampled = Sampled(tuple(came), n - len(came))",
        ),
        (
            "same_seed_same_tree_whatever_the_batch_size_and_the_order_of_replies",
            "thirty_problems_in_shuffled_batches_are_never_mixed_up",
        ),
    ),
    "remembers earlier searches": (
        ("n = budget.generations", "KEPT.append(problem)\n        n = max(1, budget.generations - len(KEPT) % 2)"),
        ("one_instance_runs_many_searches_side_by_side", "the_ground_truth_is_not_looked_at"),
    ),
    "holds on to its searches": (
        ("n = budget.generations", "KEPT.append(self)\n        n = budget.generations"),
        ("a_cancelled_search_leaves_nothing_behind",),
    ),
    "takes a failed score for zero": (
        (
            SCORES,
            "nodes = sampled.nodes\n"
            "        known = {node.id: node.path_scores[-1] for node in scored.nodes}\n"
            "        scores = [known.get(node.id, 0.0) for node in nodes]",
        ),
        (
            "some_scores_failed",
            "all_scores_failed",
            "no_score_is_a_probability",
            "scores_that_are_no_probabilities_count_as_failed",
            "a_verifier_that_returns_nothing",
        ),
    ),
    "counts no failures": (
        (CHOICE, 'return choose(found, "best")'),
        ("some_samples_failed", "all_samples_failed", "some_scores_failed"),
    ),
    "counts a candidate twice": (
        (CHOICE, "found = found + found[:1]\n        " + CHOICE),
        ("the_outcome_speaks_of_the_recorded_nodes", "one_generation", "every_sample_is_identical"),
    ),
    "takes the best of nothing": (
        (CHOICE, "max(scores)\n        " + CHOICE),
        ("all_samples_failed", "all_scores_failed"),
    ),
    "divides by the spread of the scores": (
        (SCORES, SCORES + "\n        1 / (max(scores) - min(scores))"),
        ("all_scores_equal", "one_generation"),
    ),
    "takes the odds of any score": (
        (SCORES, SCORES + "\n        [1 / (1 - score) for score in scores]"),
        ("only_the_extreme_scores", "all_scores_equal"),
    ),
    "continues what was cut off": (
        (SAMPLING, "[first] = yield [Sample(ROOT, n=n)]\n        [sampled] = yield [Sample(first.nodes[0].id, n=n)]"),
        ("every_reply_is_cut_off_after_one_token", "every_other_reply_is_over_long", "not_a_single_token"),
    ),
    "samples until it has an answer": (
        (
            CHOICE,
            "while not any(c.answer for c in found):\n"
            '            yield [Sample(ROOT, n=1, first=n, until="end")]\n'
            "        " + CHOICE,
        ),
        ("solutions_without_an_answer", "all_samples_failed"),
    ),
    "mistakes an empty step for the end": (
        (SAMPLING, SAMPLING + "\n        [node.text.split('\\n')[0][0] for node in sampled.nodes]"),
        ("empty_steps", "not_a_single_token"),
    ),
    "samples an id in another way at another budget": (
        ('until="end")]', 'until="end", temperature=1 / n)]'),
        ("extending_equals_running_the_larger_budget_at_once", "failures_are_remembered_and_not_tried_again"),
    ),
    "numbers its samples by the budget": (
        ("Sample(ROOT, n=n,", "Sample(ROOT, n=n, first=n,"),
        ("extending_equals_running_the_larger_budget_at_once",),
    ),
    "has a threshold and says that it only ranks": (
        (CHOICE, "found = [c for c in found if c.score > 0.45]\n        " + CHOICE),
        ("methods_that_rank_look_at_nothing_but_the_rank",),
    ),
    "leaves a step undecided": (
        (SAMPLING, "[sampled] = yield [Sample(ROOT, n=n)]"),
        ("every_decision_is_recorded", "the_outcome_speaks_of_the_recorded_nodes"),
    ),
}


@pytest.fixture
def drop(tmp_path, monkeypatch):
    """Drops a strategy file into the package, as it were; it is forgotten afterwards."""
    package = importlib.import_module(registry.PACKAGES["strategy"])
    monkeypatch.setattr(registry, "_registered", {kind: dict(known) for kind, known in registry._registered.items()})
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    name = f"{package.__name__}.dropped_with_a_fault"

    def drop(text):
        (tmp_path / "dropped_with_a_fault.py").write_text(text, "utf-8")
        importlib.invalidate_caches()
        sys.modules.pop(name, None)
        monkeypatch.setattr(registry, "_scanned", registry._scanned - {"strategy"})
        return Case("dropped") if "dropped" in registry.names("strategy") else None

    yield drop
    sys.modules.pop(name, None)


def test_an_honest_strategy_keeps_every_law(drop):
    case = drop(HONEST)
    for check in LAWS.values():
        check(case)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_caught(fault, drop):
    (old, new), broken = FAULTS[fault]
    assert HONEST.count(old) == 1
    case = drop(HONEST.replace(old, new))
    for name in broken:
        random.seed(1)  # else the one that draws from global random numbers draws the same twice now and then
        with pytest.raises(AssertionError):
            LAWS[name](case)


def test_every_law_can_be_broken():
    broken = {name for _, laws in FAULTS.values() for name in laws}
    assert broken == LAWS.keys() - {"tokens_and_flops_are_counted_exactly"}  # no strategy can: see the next test


def test_a_lost_token_is_noticed(monkeypatch):
    class Miscounts(Watched):
        def poll(self, timeout=0.0):
            delivered = super().poll(timeout)
            return [
                replace(reply, generated=reply.generated + 1) if hasattr(reply, "generated") else reply
                for reply in delivered
            ]

    class MiscountingWorld(World):
        def engine(self, name):
            if name not in self._engines:
                self._engines[name] = Miscounts(super(World, self).engine(name), None, None)
            return self._engines[name]

    monkeypatch.setattr(test_costs, "World", lambda *args, **kw: MiscountingWorld())
    with pytest.raises(AssertionError):
        LAWS["tokens_and_flops_are_counted_exactly"](Case("best_of_n"))


NESTED = [
    Case(name, {p.name: other}, budget=7, seed=3)
    for name in STRATEGIES
    for p in registry.params(registry.get("strategy", name))
    for other in strategies_named_by(name, p)
]


@pytest.mark.parametrize("case", NESTED, ids=str)
def test_a_strategy_that_runs_another_keeps_the_laws_with_any_other(case):
    for name in (
        "the_budget_is_never_exceeded_and_generations_are_exact",
        "extending_equals_running_the_larger_budget_at_once",
        "failures_are_remembered_and_not_tried_again",
        "all_scores_failed",
        "some_scores_failed",
        "some_samples_failed",
        "all_samples_failed",
    ):
        LAWS[name](case)


class Crossed(Watched):
    """An engine that hands two replies of a batch to each other's jobs."""

    def poll(self, timeout=0.0):
        delivered = super().poll(timeout)
        if len(delivered) >= 2:
            a, b, *rest = delivered
            delivered = [replace(a, ticket=b.ticket), replace(b, ticket=a.ticket), *rest]
        return delivered


class CrossedWorld(World):
    def engine(self, name):
        if name not in self._engines:
            crossed = name == "scripted-policy"
            engine = super(World, self).engine(name)
            self._engines[name] = (Crossed if crossed else Watched)(engine, self.rewrite, self.order)
        return self._engines[name]


def test_crossed_replies_are_noticed():
    problems = test_together.canaries(6)
    world = CrossedWorld(7, rewrite=marked, order=1)
    results = run([Case("best_of_n", budget=4).spec() for _ in problems], world, problems=problems)
    with pytest.raises(AssertionError):
        test_together.keeps_apart(world, problems, results)


def test_every_law_is_tried_on_every_strategy():
    assert len(STRATEGIES) >= 6 and len(LAWS) >= 25
    for module in MODULES:
        for name, test in vars(module).items():
            if name.startswith("test_") and name.removeprefix("test_") in LAWS:
                [mark] = test.pytestmark
                assert mark.args[1] is STRATEGIES


@pytest.mark.parametrize("name", STRATEGIES)
def test_drawn_settings_differ_and_are_within_limits(name):
    from hypothesis import given, settings

    seen = []

    @settings(max_examples=20)
    @given(cases(name))
    def draw(case):
        for p in registry.params(registry.get("strategy", name)):
            if p.name in case.params:
                assert p.parse(case.params[p.name]) == case.params[p.name]
        seen.append(str(case))

    draw()
    assert len(set(seen)) >= 10
