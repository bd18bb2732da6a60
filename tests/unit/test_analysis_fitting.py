"""Fitting a policy from a study: what is chosen, where bins part, and that the program can follow the file."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.unit import analysis_worlds as worlds
from tests.unit.test_analysis_estimators import pool
from ttc_core import policies
from ttc_core.analysis import fitting
from ttc_core.analysis.measured import Measured
from ttc_core.errors import BadValue


def table(rows, budgets=(1, 2)):
    """A study of methods by budget by problem, NaN where one was not run."""
    accuracy = np.array(rows, float).transpose(2, 0, 1)
    names = [f"m{i}" for i in range(len(rows))]
    problems = [f"p{i:03}" for i in range(len(accuracy))]
    return Measured(problems, names, [float(b) for b in budgets], accuracy, np.ones(accuracy.shape[1:]), 0, names)


def test_fitting_takes_the_best_in_each_bin_of_equals_what_it_took_before_and_in_an_empty_bin_what_suits_all():
    placed = [0, 0, 1, 1, 3]
    methods = [
        [[1, 0, 1, 1, 0], [0, 0, 0, 0, 0]],
        [[1, 1, 0, 1, 0], [1, 0, 0, 0, 0]],
        [[0, 0, 1, 1, 1], [1, 0, 0, 1, 0]],
    ]
    found = table(methods)
    assert (fitting.best(found, placed, 4) // 2).tolist() == [[1, 1], [0, 2], [0, 0], [2, 2]]
    whole = fitting.best(found, [0] * 5, 1)[0]
    assert (fitting.best(found, placed, 4, whole)[2] // 2).tolist() == (whole // 2).tolist() == [0, 2]


def test_bins_have_about_equal_sizes_and_equal_scores_make_one_threshold():
    assert fitting.quantiles([i / 10 for i in range(11)], 5) == [0.2, 0.4, 0.6, 0.8]
    assert fitting.quantiles([0.3] * 9, 5) == [0.3] and fitting.quantiles([], 5) == []


def test_a_method_that_was_not_run_at_a_budget_is_taken_at_one_below():
    nan = math.nan
    rows = [[[0.0, 0.0, 0.0], [nan, nan, nan]], [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]]
    assert fitting.best(table(rows), [0, 1, 2], 3).tolist() == [[0, 0], [0, 3], [2, 2]]  # 2 x method + budget
    rows = [[[1.0] * 3, [nan] * 3], [[0.0] * 3, [0.0] * 3]]
    assert fitting.best(table(rows), [0, 0, 0], 1).tolist() == [[0, 0]]


def fitted(chances, predictable=True, probe=1, budgets=(1, 2, 4, 8), problems=400):
    """The policy of a study with these chances of each method on easy and on difficult problems, by budget."""
    rng = np.random.default_rng(0)
    easy = np.arange(problems) % 2 == 0
    chance = np.where(easy[:, None, None], *np.asarray(chances, float))
    rows = (rng.random(chance.shape) < chance).transpose(1, 2, 0).astype(float)
    scores = np.where(easy, 0.8, 0.2) if predictable else rng.random(problems)
    made_for = {"model": "m", "verifier": "v", "probe": probe, "aggregate": "last"}
    candidates = [("best_of_n", {"select": "weighted"}), ("beam_search", {"width": 2})][: len(rows)]
    document = fitting.document(table(rows, budgets), scores.tolist(), candidates, made_for, bins=2)
    return policies.parse("fitted", document)


def test_a_policy_predicts_where_that_helps_and_not_where_one_method_suits_all():
    falls, rises = [0.9, 0.9, 0.9, 0.9], [0.1, 0.1, 0.1, 0.1]
    helps = fitted([[falls, rises], [rises, falls]])
    assert [choice is None for choice in helps.at_once] == [False, True, True, True]
    assert [helps.choice(8, bin_).strategy for bin_ in (0, 1)] == ["beam_search", "best_of_n"]
    one = fitted([[[0.2, 0.4, 0.6, 0.9], rises]] * 2, probe=4)
    assert all(choice is not None and choice.strategy == "best_of_n" for choice in one.at_once)


def test_a_policy_leaves_unspent_what_makes_its_answers_worse():
    made = fitted([[[0.3, 0.5, 0.9, 0.4], [0.2, 0.3, 0.3, 0.3]]] * 2)
    for choice in (made.choice(8, 0), made.choice(8, 1)):
        assert choice == policies.Choice("best_of_n", {"select": "weighted"}, 4)
    assert made.choice(4, 0).generations is None
    alone = fitted([[[0.5, math.nan, math.nan, math.nan]]] * 2)
    assert [made.generations if made else 0 for made in alone.at_once] == [None, 1, 1, 1]


def study():
    """Outcomes in which beam search is best on difficult problems, and the pool that predicts which those are."""
    correct, easiness, budgets = worlds.crossover()
    rng = np.random.default_rng(1)
    scores = np.clip(easiness[:, None] + rng.normal(0, 0.1, (len(easiness), 8)), 0, 1)
    samples = pool(rng.random(scores.shape) < easiness[:, None], scores=scores)
    samples.problems[:] = [f"p{i:04}" for i in range(len(easiness))]
    return worlds.outcomes(correct, budgets), samples


def test_a_study_gives_a_policy_that_the_program_follows():
    outcomes, samples = study()
    made = fitting.fit(outcomes, samples, probe=4, study="made-up")
    policy = policies.parse("fitted", made)
    assert (policy.model, policy.verifier, policy.probe, len(policy.thresholds)) == ("m", "v", 4, 4)
    for budget in (4, 16, 64):
        assert policy.choice(budget, policy.bin(0.1)) == policies.Choice("beam_search", {"width": 4})
        assert policy.choice(budget, policy.bin(0.95)).strategy == "best_of_n"
    assert policy.thresholds == pytest.approx((0.2, 0.4, 0.6, 0.8), abs=0.05)
    table = made["fitted"]["accuracy"]
    assert table["best_of_n"]["64"] == sorted(table["best_of_n"]["64"]) and made["fitted"]["problems"] == 1000


def test_the_choice_is_the_best_of_the_table():
    outcomes, samples = study()
    made = fitting.fit(outcomes, samples, probe=8)
    names = {("beam_search", '{"width": 4}'): "beam_search width=4"}
    table = made["fitted"]["accuracy"]
    for b, budget in enumerate(made["budgets"]):
        for k, choice in enumerate(made["choices"][b]):
            best = max(table, key=lambda name: table[name][str(budget)][k])
            assert (choice["strategy"] == "beam_search") == (best == names["beam_search", '{"width": 4}'])


def test_what_no_policy_can_be_fitted_from():
    outcomes, samples = study()
    with pytest.raises(BadValue, match="cannot take 9"):
        fitting.fit(outcomes, samples, probe=9)
    with pytest.raises(BadValue, match="with one verifier, not none"):
        fitting.fit(outcomes.assign(verifier=""), samples, probe=4)
    with pytest.raises(BadValue, match="no sample has a score by this verifier"):
        fitting.fit(outcomes, samples.unscored(), probe=4)
    samples.scores[:] = 3 * np.arange(8)
    with pytest.raises(BadValue, match="thresholds must be numbers"):
        fitting.fit(outcomes, samples, probe=4)
