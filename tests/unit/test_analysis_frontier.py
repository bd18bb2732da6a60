"""Frontiers against loops written out, known truths, and pure noise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.unit import analysis_worlds as worlds
from ttc_core.analysis.difficulty import quantile_bins
from ttc_core.analysis.frontier import followed, frontier
from ttc_core.analysis.measured import cost, measured
from ttc_core.analysis.pipeline import Binning, Pipeline, crossing
from ttc_core.errors import BadValue


def written_out(accuracy, copies, bin_of, fold_of):
    """The compute-optimal accuracy at each budget by loops: problems in lists, of equal methods the one of the budget
    before, else the first, less spent where that is better by two standard errors."""
    taken = {
        (k, fold): taken_by_loops(accuracy, copies, bin_of, fold_of, k, fold) for k in set(bin_of) for fold in (0, 1)
    }
    found = []
    for b in range(accuracy.shape[2]):
        right, number = 0.0, 0.0
        for (k, fold), choices in taken.items():
            test = [p for p in copies if bin_of[p] == k and fold_of[p] == fold]
            known = [a for a in (accuracy[p][choices[b]] for p in test) if not math.isnan(a)]
            right, number = right + sum(known), number + len(known)
        found.append(right / number if number else math.nan)
    return found


def taken_by_loops(accuracy, copies, bin_of, fold_of, k, fold):
    """The (method, budget) that is taken at each budget in bin k, from the problems outside the fold."""
    train = [p for p in copies if bin_of[p] == k and fold_of[p] != fold]
    choices, before = [], None
    for b in range(accuracy.shape[2]):
        options = []
        for m in range(accuracy.shape[1]):
            run = [at for at in range(b + 1) if not np.isnan(accuracy[:, m, at]).all()]
            spent = run[-1] if run else b
            known = [a for a in accuracy[train, m, spent] if not math.isnan(a)]
            mean = sum(known) / len(known) if known else -math.inf
            options.append((mean, mean * (1 - mean) / len(known) if known else 0.0, (m, spent)))
        best = max(options, key=lambda option: option[0])
        if before and options[before[2][0]][0] == best[0]:
            best = options[before[2][0]]
        if before and before[0] - best[0] > 2 * math.sqrt(before[1] + best[1]):
            best = before
        choices.append(best[2])
        before = best
    return choices


@pytest.mark.parametrize("holes", [False, True])
def test_the_optimal_curve_is_what_loops_give(holes):
    rng = np.random.default_rng(4)
    correct = rng.random((23, 3, 4)) < 0.5
    found = measured(worlds.outcomes(correct, [1, 2, 4, 8]))
    if holes:
        found.accuracy[rng.random(found.accuracy.shape) < 0.2] = np.nan
        found.accuracy[:, 1, 2] = np.nan  # a method that was not run with this budget
    values = np.round(rng.random(23), 1)
    pipeline = Pipeline(found, Binning(values, 3), 4, 0, 0.0, True)
    bin_of = quantile_bins(values, found.problems, 3).of
    expected = np.mean([written_out(found.accuracy, range(23), bin_of, fold) for fold in pipeline.folds], axis=0)
    np.testing.assert_allclose(pipeline.run(np.ones((1, 23)))["optimal"][0], expected, atol=1e-12)
    np.testing.assert_allclose(frontier(found, Binning(values, 3), 0, 4).optimal.mean, expected, atol=1e-12)
    if not holes:
        np.testing.assert_allclose(followed(found, Binning(values, 3), 4).mean(axis=0), expected, atol=1e-12)
    counts = rng.multinomial(23, np.full(23, 1 / 23), 5).astype(float)
    for row, result in zip(counts, pipeline.run(counts)["optimal"], strict=True):
        copies = np.repeat(np.arange(23), row.astype(int))
        placed = pipeline.placed(row[None])[0]
        expected = np.mean([written_out(found.accuracy, copies, placed, fold) for fold in pipeline.folds], axis=0)
        np.testing.assert_allclose(result, expected, atol=1e-12)


def test_without_resampling_bins_are_those_of_the_difficulty_and_resamples_fill_them_equally():
    values = np.random.default_rng(0).random(103)
    found = measured(worlds.outcomes(np.ones((103, 1, 1)), [1]))
    pipeline = Pipeline(found, Binning(values), 1, 0, 0.0, True)
    assert (pipeline.placed(np.ones((1, 103)))[0] == quantile_bins(values, found.problems).of).all()
    counts = np.random.default_rng(1).multinomial(103, np.full(103, 1 / 103), 50)
    placed = pipeline.placed(counts.astype(float))
    for row, of in zip(counts, placed, strict=True):
        sizes = np.bincount(of, row, 5)
        assert sizes.sum() == 103 and np.abs(sizes - 103 / 5).max() <= 4  # copies of a problem are in one bin


def test_folds_halve_every_bin():
    found = measured(worlds.outcomes(np.ones((100, 1, 1)), [1]))
    values = np.random.default_rng(0).random(100)
    for fold in Pipeline(found, Binning(values), 5, 0, 0.0, True).folds:
        of = quantile_bins(values, found.problems).of
        assert [fold[of == k].sum() for k in range(5)] == [10] * 5


def test_crossing_is_interpolated_in_the_logarithm_of_the_budget():
    budgets = np.array([1.0, 4.0, 16.0])
    curve = np.array([[0.2, 0.4, 0.6]])
    for target, expected in [(0.1, 1.0), (0.2, 1.0), (0.3, 2.0), (0.4, 4.0), (0.5, 8.0), (0.6, 16.0), (0.7, math.inf)]:
        assert crossing(budgets, curve, np.array([target])) == pytest.approx(expected)
    falling = np.array([[0.2, 0.6, 0.4]])
    assert crossing(budgets, falling, np.array([0.5])) == pytest.approx(4 ** (0.3 / 0.4))  # the first time counts
    assert crossing(budgets, np.array([[np.nan, 0.4, 0.6]]), np.array([0.3])) == pytest.approx(4.0)


@pytest.mark.parametrize("problems", range(10, 60, 7))
def test_where_more_brings_nothing_the_multiple_is_the_budget_whatever_sums_are_rounded_to(problems):
    correct = np.zeros((problems, 1, 4), bool)
    correct[: 7 * problems // 10] = True
    found = frontier(measured(worlds.outcomes(correct, [1, 2, 4, 8])), Binning(np.arange(problems), 2), resamples=0)
    np.testing.assert_allclose(found.efficiency.mean, [1, 2, 4, 8], rtol=1e-9)
    assert found.bounded == ["", "at least", "at least", "at least"]
    nearly = np.array([[0.2, 0.4, 0.6]])
    for target in (0.6 + 1e-12, 0.6 - 1e-12):
        assert crossing(np.array([1.0, 4.0, 16.0]), nearly, np.array([target])) == pytest.approx(16.0)


def test_choosing_by_difficulty_beats_every_single_method_where_they_cross():
    correct, easiness, budgets = worlds.crossover()
    found = frontier(measured(worlds.outcomes(correct, budgets)), Binning(easiness), resamples=300)
    assert (found.optimal.mean[1:] > found.methods.mean[:, 1:].max(axis=0)).all()
    assert (found.policy[:, 3:] == 2).mean() > 0.9 and (found.policy[:, :2] != 2).mean() > 0.9
    assert found.gain.low[3:].min() > 0 and (found.efficiency.low[3:6] > 1.2).all()
    assert (found.regret > 0).all() and found.sizes.tolist() == [200] * 5
    inside = (found.optimal.low <= found.optimal.mean) & (found.optimal.mean <= found.optimal.high)
    assert inside.all()
    assert found.bounded[1] == "at least"  # with one sample already better than best of two


def test_on_pure_noise_only_choosing_without_cross_validation_seems_to_help():
    correct, easiness, budgets = worlds.noise()
    found = measured(worlds.outcomes(correct, budgets))
    honest = frontier(found, Binning(easiness), resamples=400)
    naive = frontier(found, Binning(easiness), resamples=400, crossed=False)
    middle = slice(1, 6)
    assert ((honest.efficiency.low <= 1) & (honest.efficiency.high >= 1))[middle].all()
    assert ((honest.gain.low <= 0) & (honest.gain.high >= 0))[middle].all()
    assert (naive.efficiency.mean > 1)[middle].all() and (naive.efficiency.low > 1)[middle].any()
    assert (naive.gain.low > 0)[middle].all()


def test_a_policy_spends_less_where_more_is_clearly_worse_and_its_curve_does_not_fall():
    rng = np.random.default_rng(3)
    chance = np.array([[0.3, 0.5, 0.8, 0.3], [0.3, 0.45, 0.5, 0.55]])  # the first one over-optimises its verifier
    correct = rng.random((2000, 2, 4)) < chance
    found = frontier(measured(worlds.outcomes(correct, [1, 2, 4, 8])), Binning(rng.random(2000)), resamples=50)
    assert (found.policy[2:] == 0).all() and (found.spent[2:] == 2).all() and found.spent[:3, 0].tolist() == [0, 1, 2]
    assert found.optimal.mean[3] == pytest.approx(found.optimal.mean[2], abs=1e-9)
    assert found.optimal.mean[3] > found.methods.mean[:, 3].max() + 0.1


def test_regret_by_bin_is_what_the_best_of_each_problem_would_add():
    correct, easiness, budgets = worlds.crossover()
    found = measured(worlds.outcomes(correct, budgets))
    made = frontier(found, Binning(easiness), resamples=0)
    of = quantile_bins(easiness, found.problems).of
    followed_ = followed(found, Binning(easiness))
    for k in range(5):
        best = found.accuracy[of == k].max(axis=1).mean(axis=0)
        np.testing.assert_allclose(made.regret_by_bin[k], best - followed_[of == k].mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(made.regret_by_bin.mean(axis=0), made.regret, atol=1e-12)


def test_the_gap_between_oracle_and_a_useless_prediction():
    correct, easiness, budgets = worlds.crossover()
    found = measured(worlds.outcomes(correct, budgets))
    useless = np.random.default_rng(9).random(len(easiness))
    lost = frontier(found, Binning(useless), resamples=200, other=Binning(easiness)).gap
    assert (lost.mean[3:] > 0.02).all() and (lost.low[4:] > 0).all()
    assert (frontier(found, Binning(easiness), resamples=20, other=Binning(easiness)).gap.mean == 0).all()
    assert frontier(found, Binning(easiness), resamples=0).gap is None


def test_charging_for_difficulty_costs_efficiency():
    correct, easiness, budgets = worlds.crossover()
    found = measured(worlds.outcomes(correct, budgets))
    free, charged = (frontier(found, Binning(easiness), 0, charge=c) for c in (0.0, 8.0))
    assert (charged.efficiency.mean[1:6] < free.efficiency.mean[1:6]).all()
    assert (charged.optimal.mean == free.optimal.mean).all()


def test_fixed_edges_make_fixed_bins():
    correct, easiness, budgets = worlds.crossover()
    found = frontier(measured(worlds.outcomes(correct, budgets)), Binning(easiness, edges=(0.5, 0.1)), resamples=20)
    assert found.sizes.tolist() == [
        int((easiness >= 0.5).sum()),
        int(((easiness < 0.5) & (easiness >= 0.1)).sum()),
        int((easiness < 0.1).sum()),
    ]


def test_costs_and_limits():
    frame = worlds.outcomes(np.ones((2, 3, 3)), [1, 2, 4])
    tokens = cost(frame, "tokens")
    assert tokens[frame.method == "best_of_n"].tolist()[:3] == [
        110,
        210,
        410,
    ]  # 10 computed of the prompt, policy, verifier
    assert cost(frame, "tokens", verifier=False)[0] == 60
    assert cost(frame, "flops")[0] == 150e6 and cost(frame, "seconds")[2] == 2
    found = measured(frame, "tokens")
    assert found.budgets == [110, 210, 410]
    assert np.isnan(found.costs[2, 0]) and found.costs[2, 1:].tolist() == [160, 310]  # the beam's scores cost twice
    with pytest.raises(BadValue, match="cost axis must be one of"):
        measured(frame, "money")


def test_what_cannot_be_measured_is_said():
    frame = worlds.outcomes(np.ones((6, 3, 2)), [1, 2])
    with pytest.raises(BadValue, match="several models"):
        measured(frame.assign(model=["a", "b"] * 18))
    with pytest.raises(BadValue, match="no graded outcome"):
        measured(frame.assign(correct=None))
    with pytest.raises(BadValue, match="no method 'mcts'"):
        measured(frame, baseline="mcts")
    with pytest.raises(BadValue, match="do not fill 7 bins"):
        frontier(measured(frame), Binning(np.ones(6), 7))
    with pytest.raises(BadValue, match="5 have a difficulty"):
        frontier(measured(frame), Binning(np.ones(5)))


def test_ungraded_outcomes_count_in_nothing_and_are_counted():
    frame = worlds.outcomes(np.ones((4, 1, 1, 2)), [1])
    frame.loc[[0, 1], "correct"] = None
    frame.loc[2, "correct"] = False
    found = measured(frame)
    assert found.dropped == 2 and found.problems == ["p0001", "p0002", "p0003"]
    np.testing.assert_allclose(found.accuracy[:, 0, 0], [0.5, 1, 1])
