"""Laws of scores: equal, extreme, missing and impossible ones; methods that rank look at nothing but the rank."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.cases import STRATEGIES, Case, cases, declared, law
from tests.conformance.harness import ScriptedVerifier
from tests.conformance.test_costs import is_sound
from tests.conformance.worlds import World
from ttc_core.errors import EngineBusy, EngineFault
from ttc_core.jobs import EvaluateJob, StepScores


def half_of_them(text):
    return sum(map(ord, text)) % 2


def leaves_out_what_failed(result):
    """Failed nodes carry their reason, are counted once each and take no part in the choice."""
    is_sound(result)
    failed = {n.id for n in result.nodes.values() if n.state == "failed" and n.finish != "length"}
    assert result.usage.failed_samples + result.usage.failed_scores == len(failed)
    assert not failed & {c.node for c in result.outcome.candidates if c.weight > 0}
    assert result.outcome.chosen not in failed
    assert result.outcome.excluded <= len(failed)
    assert bool(result.outcome.excluded) == bool(failed), "failures are counted, nothing else is"
    return failed


@law()
def test_all_scores_equal(case):
    for value in (0.5, 0.0, 1.0):
        result = case.run(World(twist=lambda score, _, value=value: value))
        is_sound(result)
        assert result.usage.failed_scores == 0
        if not case.params:
            assert result.outcome.answer is not None


@law()
def test_only_the_extreme_scores(case):
    result = case.run(World(twist=lambda score, _: round(score)))
    is_sound(result)
    assert result.usage.failed_scores == 0


@law()
def test_scores_that_are_no_probabilities_count_as_failed(case):
    for value in (math.nan, math.inf, -math.inf, -0.1, 1.5):
        result = case.run(World(twist=lambda score, _, value=value: value if score > 0.6 else score))
        leaves_out_what_failed(result)
        assert all(0.0 <= s <= 1.0 for n in result.nodes.values() for s in n.scores)
        bad = [n for n in result.nodes.values() if n.why.startswith("not scored")]
        assert len(bad) == result.usage.failed_scores


@law()
def test_no_score_is_a_probability(case):
    result = case.run(World(twist=lambda score, _: math.nan))
    leaves_out_what_failed(result)
    if result.usage.failed_scores:
        assert not any(n.scores for n in result.nodes.values())


@dataclass(frozen=True)
class Silent(ScriptedVerifier):
    """Returns no score at all."""

    def score(self, problem, node, carry):
        yield from super().score(problem, node, carry)
        return StepScores(())


class SilentWorld(World):
    def verifier(self, name: str) -> Any:
        return Silent(name)


@law(examples=2)
def test_a_verifier_that_returns_nothing(case):
    result = case.run(SilentWorld())
    leaves_out_what_failed(result)
    assert not any(n.scores for n in result.nodes.values())


@law()
def test_some_scores_failed(case):
    def fault(job):
        return EngineBusy("overloaded") if isinstance(job, EvaluateJob) and half_of_them(job.target.text) else None

    result = case.run(World(fault=fault))
    leaves_out_what_failed(result)
    assert bool(result.usage.failed_scores) <= bool(result.usage.verifier_tokens or result.outcome.answer is None)


@law()
def test_all_scores_failed(case):
    def fault(job):
        return EngineFault("broken") if isinstance(job, EvaluateJob) else None

    result = case.run(World(fault=fault))
    leaves_out_what_failed(result)
    if result.usage.failed_scores and len([n for n in result.nodes.values() if n.state == "failed"]) == len(
        result.nodes
    ):
        assert result.outcome.answer is None and result.outcome.chosen is None


# --- rank ------------------------------------------------------------------------------------------------------------

# Pairs of verifiers that order all steps alike: one adds a constant, one bends. An aggregate may keep only the first.
SHIFT = (lambda score, _: score / 2, lambda score, _: score / 2 + 0.4)
BEND = (lambda score, _: score / 2, lambda score, _: (score / 2) ** 3)


def grown(result):
    """What the search did, without the figures in its words."""
    return [(n.id, n.text, n.state) for n in result.tree()]


def same_choices(case, twists):
    one, other = (case.run(World(twist=twist)) for twist in twists)
    sums = case.param("select") == "weighted"  # the final vote, by whatever method, adds scores up
    return grown(one) == grown(other) and (sums or one.outcome.answer == other.outcome.answer)


@law(examples=8)
def test_methods_that_rank_look_at_nothing_but_the_rank(case):
    if not declared(case.name, "rank_based", True):
        return
    how = case.param("aggregate")
    ranks = replace(case, params={**case.params, "aggregate": "last"}) if how == "prod" else case  # no sum, no order
    assert same_choices(ranks, SHIFT), "adding a constant to every score changed a choice"
    assert how == "mean" or same_choices(ranks, BEND), "a change that keeps the order of scores changed a choice"


# All scores close together, on each rung a constant higher: whatever part of [0, 1] a method asks about, one is there.
LADDER = [lambda score, _, rung=rung: score / 20 + rung / 10 for rung in range(10)]


@pytest.mark.parametrize("name", [name for name in STRATEGIES if not declared(name, "rank_based", True)])
def test_a_method_that_says_it_uses_more_than_the_rank_really_does(name):
    seen = []

    @settings(max_examples=12)
    @given(cases(name, st.integers(8, 40)))
    def look(case):
        if all(seen):  # once is enough
            ladder = all(same_choices(case, pair) for pair in pairwise(LADDER))
            seen.append(ladder and same_choices(case, BEND))

    look()
    assert not all(seen)


def test_all_these_verifiers_order_steps_alike_and_stay_within_limits():
    scores = [i / 500 for i in range(1, 500)]
    for pair in (SHIFT, BEND, LADDER):
        for twist in pair:
            twisted = [twist(score, "") for score in scores]
            assert twisted == sorted(twisted) and len(set(twisted)) == len(scores)
            assert all(0 <= value <= 1 for value in twisted)


def test_some_method_ranks_and_some_does_not():
    assert {declared(name, "rank_based", True) for name in STRATEGIES} == {True, False}
    assert same_choices(Case("beam_search"), BEND)
