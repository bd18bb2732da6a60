"""Verifier quality and revisions: against definitions written out and known truths."""

from __future__ import annotations

import json
import math
from itertools import combinations

import numpy as np
import pytest

from tests.unit import analysis_worlds as worlds
from tests.unit.test_analysis_estimators import pool, random_pool
from ttc_core.analysis import quality, revisions
from ttc_core.errors import BadValue


def test_auc_is_the_share_of_pairs_in_order():
    rng = np.random.default_rng(0)
    scores, right = np.round(rng.random(60), 1), rng.random(60) < 0.4
    pairs = [(a > b) + (a == b) / 2 for a in scores[right] for b in scores[~right]]
    assert quality.auc(scores, right) == pytest.approx(np.mean(pairs))
    assert math.isnan(quality.auc(scores, np.ones(60, bool)))


def test_calibration_by_hand():
    scores, right = np.array([0.1, 0.15, 0.95, 1.0]), np.array([False, True, True, True])
    first, last = (quality.reliability(scores, right)[i] for i in (1, 9))
    assert (first.count, first.right) == (2, 0.5) and first.score == pytest.approx(0.125)
    assert (last.count, last.right) == (2, 1.0) and math.isnan(quality.reliability(scores, right)[5].score)
    assert quality.expected_calibration_error(scores, right) == pytest.approx((0.375 + 0.025) / 2)
    assert quality.brier(scores, right) == pytest.approx((0.1**2 + 0.85**2 + 0.05**2) / 4)
    with pytest.raises(BadValue, match="between 0 and 1"):
        quality.brier(np.array([1.5]), np.array([True]))
    with pytest.raises(BadValue, match="there are none"):
        quality.brier(np.array([]), np.array([], bool))


def test_calibrated_scores_are_found_calibrated():
    rng = np.random.default_rng(1)
    scores = rng.random(50_000)
    right = rng.random(50_000) < scores
    assert quality.expected_calibration_error(scores, right) < 0.01
    assert quality.brier(scores, right) == pytest.approx(1 / 6, abs=0.005)


def test_inside_problems_the_score_may_know_nothing_though_it_knows_the_problems():
    rng = np.random.default_rng(2)
    easiness = rng.random((200, 1))
    p = pool(rng.random((200, 32)) < easiness, scores=np.clip(easiness + rng.normal(0, 0.05, (200, 32)), 0, 1))
    assert quality.auc(*quality.scored(p)) > 0.75 and quality.within_problems(p) == pytest.approx(0.5, abs=0.03)


def test_later_steps_know_more():
    rng = np.random.default_rng(3)
    correct = rng.random((60, 4)) < 0.5
    noise = [2.0, 1.0, 0.2]
    steps = [[[float(c + rng.normal(0, s)) for s in noise[: 2 + i % 2]] for i, c in enumerate(row)] for row in correct]
    found = quality.by_position(pool(correct, steps=steps))
    assert [f["samples"] for f in found] == [240, 240, 120]
    assert found[0]["auc"] < found[1]["auc"] < found[2]["auc"] == pytest.approx(1, abs=0.01)
    assert len(quality.by_position(pool(correct, steps=steps), fewest=121)) == 2
    with pytest.raises(BadValue, match="no sample of this pool"):
        quality.by_position(pool(correct))


def test_over_optimisation_shows_and_is_the_mean_over_all_subsets():
    p = pool([[1, 1, 1, 0, 1, 0]], answers=[[0, 0, 0, 1, 0, -1]], scores=[[0.1, 0.5, 0.6, 0.9, 0.3, 0.99]])
    rows = quality.over_optimised(p, [1, 2, 5])
    for row in rows:
        subsets = list(combinations(range(5 + 1), int(row["n"])))
        best = [max(p.scores[0, i] for i in s if i != 5) for s in subsets if set(s) - {5}]
        assert row["score"] == pytest.approx(np.mean(best))  # the last sample has no answer to be chosen for
    assert rows[0]["score"] < rows[1]["score"] < rows[2]["score"] and rows[1]["accuracy"] > rows[2]["accuracy"]


def test_what_a_study_chose():
    frame = worlds.outcomes(np.array([[[1, 0]], [[0, 0]]]), [1, 2]).assign(score=[0.9, 0.8, 0.1, 0.6])
    table = quality.chosen(frame).set_index("budget")
    assert table.loc[1, "accuracy"] == 0.5 and table.loc[1, "auc"] == 1.0 and table.loc[2, "score"] == 0.7


def test_aggregations_are_compared():
    rng = np.random.default_rng(4)
    base = random_pool(5, 40, 8)
    steps = [[[float(rng.random()), float(0.9 * c + 0.1 * rng.random())] for c in row] for row in base.correct]
    found = quality.aggregations(pool(base.correct, base.answers, base.scores, steps=steps), [1, 8])
    assert list(found) == ["last", "min", "prod", "mean"]
    assert found["last"]["auc"] == 1.0 > found["min"]["auc"] and found["last"]["best"][1] >= found["min"]["best"][1]


def test_positions_and_turns_by_hand():
    correct = np.array([[0, 1, 1, 0], [1, 0, 0, 0], [1, 1, 0, 0]], bool)
    valid = np.array([[1, 1, 1, 1], [1, 0, 1, 0], [1, 1, 0, 0]], bool)
    found = revisions.positions(correct, valid, ["a", "b", "b"])
    assert [(f.position, f.attempts) for f in found] == [(1, 3), (2, 2), (3, 2), (4, 1)]
    assert [f.right for f in found] == [2 / 3, 1.0, 0.5, 0.0]
    assert found[1].kept == 1.0 and found[1].mended == 1.0
    assert found[2].kept == 0.5  # the second chain's third attempt follows its first: the second one failed
    turned = revisions.turned(correct, valid)
    assert turned == {"right_to_wrong": 0.5, "wrong_to_right": 1.0, "pairs": 5.0}
    with pytest.raises(BadValue, match="no attempt"):
        revisions.positions(correct, np.zeros_like(valid), ["a", "b", "b"])


def test_ratios_of_sequential_to_parallel():
    frame = worlds.outcomes(np.ones((4, 3, 1)), [16])
    chains = {"best_of_n": ("sequential_revisions", {}), "beam_search width=4": ("revisions", {"chains": 8})}
    other = ("revisions", {"chains": 2, "select": "majority"})
    made = [chains.get(name, other) for name in frame["method"]]
    frame = frame.assign(strategy=[s for s, _ in made], params=[json.dumps(p) for _, p in made])
    frame.loc[frame["problem"] == "p0000", "correct"] = False
    table = revisions.ratios(frame, {f"p000{i}": i // 2 for i in range(4)}).set_index(["chains", "bin"])
    assert table.loc[(1, -1), "ratio"] == 16 and table.loc[(2, -1), "ratio"] == 4 and table.loc[(8, 0), "ratio"] == 0.25
    assert table.loc[(1, 0), "accuracy"] == 0.5 and table.loc[(1, -1), "accuracy"] == 0.75
    assert set(revisions.ratios(frame, {"p0001": 0}, "majority")["chains"]) == {2}
    with pytest.raises(BadValue, match="no outcomes of revisions"):
        revisions.ratios(frame[:0], {})
