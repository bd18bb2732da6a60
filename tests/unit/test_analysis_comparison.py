"""Comparisons, the exchange of FLOPs, Pareto fronts: against enumeration, published numbers and simulation."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.unit import analysis_worlds as worlds
from ttc_core.analysis import comparison, exchange, fronts, planning
from ttc_core.analysis.measured import measured
from ttc_core.errors import BadValue


@pytest.mark.parametrize(("won", "lost"), [(0, 0), (3, 0), (5, 1), (4, 4), (2, 9)])
def test_mcnemar_is_the_share_of_coin_flips_as_uneven(won, lost):
    flips = [abs(2 * sum(f) - won - lost) for f in product((0, 1), repeat=won + lost)]
    assert comparison.mcnemar(won, lost) == pytest.approx(np.mean([f >= abs(won - lost) for f in flips]))


def test_holm_by_hand():
    assert comparison.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert comparison.holm([0.6, 0.5]) == pytest.approx([1.0, 1.0]) and comparison.holm([]) == []


def test_a_difference_and_its_interval():
    rng = np.random.default_rng(0)
    one, other = (rng.random((2, 500)) < [[0.7], [0.5]]).astype(float)
    found = comparison.compare(one, other)
    error = (one - other).std() / math.sqrt(500)
    assert found.mean == pytest.approx((one - other).mean())
    assert (found.low, found.high) == pytest.approx((found.mean - 1.96 * error, found.mean + 1.96 * error), abs=0.006)
    assert (found.won, found.lost) == (((one == 1) & (other == 0)).sum(), ((one == 0) & (other == 1)).sum())
    one[0] = np.nan  # a problem that one method has not done counts for neither
    assert comparison.compare(one, other).mean == pytest.approx((one - other)[1:].mean())
    with pytest.raises(BadValue, match="no problem in common"):
        comparison.compare(np.array([np.nan]), np.array([1.0]))


def test_all_against_one_are_corrected_together():
    rng = np.random.default_rng(1)
    base = (rng.random(300) < 0.5).astype(float)
    better = np.where(rng.random(300) < 0.3, 1.0, base)
    found = comparison.compare_all({"base": base, "better": better, "same": base}, "base")
    assert list(found) == ["better", "same"]
    assert found["better"].adjusted == pytest.approx(2 * found["better"].p) and found["same"].adjusted == 1.0
    with pytest.raises(BadValue, match="no method 'x'"):
        comparison.compare_all({"base": base}, "x")


def test_power_is_how_often_a_simulated_test_finds_the_difference():
    rng = np.random.default_rng(2)
    draws = rng.multinomial(80, [0.25, 0.1, 0.65], 4000)
    simulated = np.mean([comparison.mcnemar(int(w), int(lost)) <= 0.05 for w, lost, _ in draws])
    assert comparison.power(0.25, 0.1, 80) == pytest.approx(simulated, abs=4 * math.sqrt(0.25 / 4000))
    assert comparison.power(0.1, 0.1, 200) <= 0.05 and comparison.power(0, 0, 10) == 0


@pytest.mark.parametrize(
    ("won", "lost", "problems"), [(0.25, 0.1, 40), (0.5, 0.5, 12), (0.03, 0, 60), (1, 0, 9), (0.2, 0.1, 5)]
)
def test_power_is_the_sum_over_all_that_may_come(won, lost, problems):
    found = 0.0
    for differing in range(problems + 1):
        telling = [k for k in range(differing + 1) if comparison.mcnemar(k, differing - k) <= 0.05]
        chance = stats.binom.pmf(telling, differing, won / (won + lost)).sum()
        found += stats.binom.pmf(differing, problems, won + lost) * chance
    assert comparison.power(won, lost, problems) == pytest.approx(found, abs=1e-9)


@pytest.mark.parametrize("number", [6, 1000, 1023, 1024, 2047, 20_000])
def test_the_edge_of_a_test_is_where_its_p_passes_the_level(number):
    for n, edge in zip((number, number + 1), comparison._critical(np.arange(number, number + 2), 0.05), strict=True):
        assert comparison.mcnemar(edge, n - edge) <= 0.05 < comparison.mcnemar(edge + 1, n - edge - 1)
    assert comparison._critical(np.arange(6), 0.05).tolist() == [-1] * 6  # five of five may be chance


def test_how_many_problems_are_needed():
    n = comparison.needed(0.10, 0.05)
    assert comparison.power(0.10, 0.05, n) >= 0.8 > comparison.power(0.10, 0.05, n - 1)
    # Connor's approximation (1987) for 80 % at 5 %: the exact test needs a little more.
    approximate = (1.96 * math.sqrt(0.15) + 0.84 * math.sqrt(0.15 - 0.05**2)) ** 2 / 0.05**2
    assert approximate < n < 1.1 * approximate
    assert comparison.needed(0.1, 0.1) is None
    with pytest.raises(BadValue, match="shares of problems"):
        comparison.needed(0.9, 0.3)


@pytest.mark.parametrize(("ratio", "published"), [(0.16, 257.8), (0.79, 63.4), (22, 15.8)])
def test_the_multipliers_of_the_paper(ratio, published):
    """The paper's three numbers come from one M and slightly rounded R: within 1 % for M = 14."""
    assert exchange.multiplier(14, ratio) == pytest.approx(published, rel=0.01)


def test_an_exchange_is_of_equal_flops():
    n, pre, ratio, larger = 3.0, 1000.0, 0.5, 14.0
    inference = ratio * pre
    small = 6 * n * pre + 2 * n * inference * exchange.multiplier(larger, ratio)
    assert small == pytest.approx(larger * (6 * n * pre + 2 * n * inference))
    assert exchange.priced(14, 0.5, 2.0, 28.0) == pytest.approx(exchange.multiplier(14, 0.5))
    for values in [(0.5, 1), (14, 0), (14, -1), (math.nan, 1)]:
        with pytest.raises(BadValue):
            exchange.multiplier(*values)


def test_stars_stand_where_the_formula_says():
    small = np.array([[0.0, 1.0, 1.0], [0.0, 0.0, 0.0]]).repeat(50, axis=0)
    large = np.array([0.5, 0.5]).repeat(50)
    easy, hard = [
        exchange.stars([1, 16, 256], small, large, [0] * 50 + [1] * 50, 4, [r])[i] for r, i in [(3, 0), (3, 1)]
    ]
    assert easy.budget == 7 and easy.small == pytest.approx(math.log(7) / math.log(16))
    assert easy.gain[0] == pytest.approx(easy.small - 0.5) and hard.gain == (-0.5, -0.5, -0.5)
    [far, _] = exchange.stars([1, 16, 256], small, large, [0] * 50 + [1] * 50, 14, [0.1])
    assert far.beyond and far.small == 1.0
    [dear, _] = exchange.stars([1, 16, 256], small, large, [0] * 50 + [1] * 50, 4, [3], answers=(2.0, 4.0))
    assert dear.budget == exchange.priced(4, 3, 2.0, 4.0) == 5.0  # its answers cost twice those of the large one


def test_the_pareto_front_and_the_sensitivity():
    correct = np.zeros((10, 2, 3))
    correct[:5, 0, 0], correct[:4, 0, 1], correct[:8, 0, 2] = 1, 1, 1
    correct[:6, 1, 0], correct[:3, 1, 1], correct[:8, 1, 2] = 1, 1, 1
    found = measured(worlds.outcomes(correct, [1, 2, 4]))
    front = [(p.method, p.budget, p.accuracy) for p in fronts.pareto(found)]
    assert front == [("best_of_n select=majority", 1, 0.6), ("best_of_n", 4, 0.8)]
    rows = fronts.sensitivity(found)["best_of_n"]
    assert [round(float(row["range"]), 9) for row in rows] == [0.1, 0.1, 0.0] and rows[1]["best"] == "best_of_n"


def test_a_plan_is_the_best_within_the_limits():
    correct = np.zeros((10, 3, 2))
    for m, shares in enumerate([(3, 6), (2, 6), (5, 9)]):
        for b, share in enumerate(shares):
            correct[:share, m, b] = 1
    small = worlds.outcomes(correct, [1, 4])
    large = worlds.outcomes(np.ones((10, 1, 1)), [1]).assign(model="large", verifier=None, policy_flops=1e12)
    partly = worlds.outcomes(np.ones((5, 1, 1)), [1]).assign(model="partly")
    every = pd.concat([small, large, partly], ignore_index=True)
    best = planning.plan(every, {})
    assert (best.loc[0, "model"], best.loc[0, "accuracy"]) == ("large", 1.0) and "partly" not in set(best["model"])
    cheap = planning.plan(every, {"flops": 1e11, "generations": 1})
    assert cheap["method"].tolist() == ["beam_search width=4", "best_of_n", "best_of_n select=majority"]
    assert ((cheap["low"] < cheap["accuracy"]) & (cheap["accuracy"] < cheap["high"])).all()
    fast = planning.plan(every, {"seconds": 2, "memory": 100}, {"m": 60, "v": 30, "large": 200})
    assert fast.loc[0, ["method", "budget", "memory"]].tolist() == ["beam_search width=4", 4, 90]
    tie = planning.plan(small[small["method"] != "beam_search width=4"], {})
    assert tie.loc[0, "method"] == "best_of_n"
    for limits, sentence in [({"money": 1}, "a limit is of"), ({"seconds": 0.1}, "keeps these limits")]:
        with pytest.raises(BadValue, match=sentence):
            planning.plan(every, limits)
