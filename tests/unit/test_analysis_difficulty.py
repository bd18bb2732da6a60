"""Difficulty: values, bins, ties, agreement, and how many samples predicting needs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_analysis_estimators import pool
from ttc_core.analysis import difficulty
from ttc_core.errors import BadValue


def test_easiness_is_the_share_of_right_samples_or_the_mean_score():
    p = pool(
        [[1, 0, 1], [0, 0, 1]],
        scores=[[0.2, math.nan, 0.6], [math.nan, math.nan, 0.9]],
        valid=[[1, 1, 1], [1, 1, 0]],
    )
    np.testing.assert_allclose(difficulty.easiness(p, "oracle"), [2 / 3, 0.0])
    np.testing.assert_allclose(difficulty.easiness(p, "predicted"), [0.4, math.nan])  # the third place is no sample


@pytest.mark.parametrize("by", ["oracle", "predicted"])
def test_a_problem_whose_samples_all_failed_is_the_most_difficult_and_stops_nobody(by):
    p = pool([[1, 0], [0, 0], [0, 0]], scores=[[0.5, 0.4], [0.1, 0.1], [0.9, 0.9]], valid=[[1, 1], [1, 1], [0, 0]])
    values = difficulty.easiness(p, by)
    assert math.isnan(values[2]) and np.isfinite(values[:2]).all()
    assert difficulty.quantile_bins(values, p.problems, 3).of.tolist() == [0, 1, 2]


def test_difficulty_that_cannot_be_told():
    with pytest.raises(BadValue, match="no problem has samples"):
        difficulty.easiness(pool([[1], [1]], valid=[[0], [0]]), "oracle")
    with pytest.raises(BadValue, match="no sample has a score"):
        difficulty.easiness(pool([[1]], scores=[[math.nan]]), "predicted")
    with pytest.raises(BadValue, match="oracle or predicted"):
        difficulty.easiness(pool([[1]]), "luck")
    with pytest.raises(BadValue, match="2 problems do not fill 3 bins"):
        difficulty.quantile_bins(np.array([0.1, 0.2]), ["a", "b"], 3)


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, math.nan]), min_size=1, max_size=23), st.integers(1, 5))
def test_quantile_bins_are_of_equal_size_rise_in_difficulty_and_break_ties_by_problem_id(values, bins):
    if len(values) < bins:
        return
    problems = [f"p{i * 7 % 100:02}" for i in range(len(values))]
    found = difficulty.quantile_bins(np.array(values), problems, bins)
    sizes = np.bincount(found.of, minlength=bins)
    assert sizes.max() - sizes.min() <= 1 and found.count == bins
    expected = sorted(range(len(values)), key=lambda i: (1.0 if math.isnan(values[i]) else -values[i], problems[i]))
    assert [found.of[i] for i in expected] == sorted(found.of)


def test_edges_part_the_bins():
    values = np.array([0.1, 0.9, 0.5, 0.3])
    found = difficulty.quantile_bins(values, list("abcd"), 2)
    assert found.of.tolist() == [1, 0, 0, 1] and found.edges == [0.4]


def test_absolute_bins_include_their_lower_edge():
    values = np.array([1.0, 0.5, 0.4999, 0.1, 0.0999, 0.0, math.nan])
    assert difficulty.absolute_bins(values).of.tolist() == [0, 0, 1, 1, 2, 2, 2]


def test_agreement_of_equal_opposite_and_constant_difficulties():
    values, names = np.arange(10) / 10, [f"p{i}" for i in range(10)]
    same = difficulty.agreement(values, values**2, names)
    assert (same.same, same.spearman, same.kendall) == (1.0, pytest.approx(1.0), pytest.approx(1.0))
    assert same.confusion == np.diag([2] * 5).tolist()
    opposite = difficulty.agreement(values, 1 - values, names)
    assert opposite.same == 0.2 and opposite.spearman == pytest.approx(-1.0)
    assert math.isnan(difficulty.agreement(values, np.full(10, 0.5), names).spearman)


def test_more_samples_predict_better():
    rng = np.random.default_rng(0)
    truth = rng.random((200, 1))
    correct = rng.random((200, 64)) < truth
    p = pool(correct, scores=np.clip(truth + rng.normal(0, 0.4, (200, 64)), 0, 1))
    curve = difficulty.needed(p, [1, 4, 16, 64])
    correlations = [point["spearman"] for point in curve]
    assert correlations == sorted(correlations) and correlations[0] < 0.7 < 0.9 < correlations[-1]
    with pytest.raises(BadValue, match="from 1 to 64"):
        difficulty.needed(p, [65])
