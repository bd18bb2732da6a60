"""Fitting a policy from a study: what is chosen, where bins part, and that the program can follow the file."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.unit import analysis_worlds as worlds
from tests.unit.test_analysis_estimators import pool
from ttc_core import policies
from ttc_core.analysis import fitting
from ttc_core.errors import BadValue


def test_fitting_takes_the_best_in_each_bin_and_the_earlier_of_equals():
    placed = [0, 0, 1, 1, 3]
    one = [[1, 0, 1, 1, 0], [1, 1, 0, 1, 0], [0, 0, 1, 1, 1]]
    two = [[0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [1, 0, 0, 1, 0]]
    best = fitting.chosen(np.array([one, two], float), placed, 4)
    assert best == [[1, 0, 0, 2], [2, 2, 0, 0]]


def test_bins_have_about_equal_sizes_and_equal_scores_make_one_threshold():
    assert fitting.quantiles([i / 10 for i in range(11)], 5) == [0.2, 0.4, 0.6, 0.8]
    assert fitting.quantiles([0.3] * 9, 5) == [0.3] and fitting.quantiles([], 5) == []


def test_a_method_that_was_not_run_at_a_budget_is_not_chosen_there():
    rows = np.array([[[np.nan, np.nan, np.nan], [0.0, 0.0, np.nan], [0.0, 1.0, 1.0]]])
    assert fitting.chosen(rows, [0, 1, 2], 4) == [[1, 2, 2, 1]]


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
    samples.scores[:] = math.nan
    assert fitting.fit(outcomes, samples, probe=4)["thresholds"] == []
    samples.scores[:] = 3 * np.arange(8)
    with pytest.raises(BadValue, match="thresholds must be numbers"):
        fitting.fit(outcomes, samples, probe=4)
