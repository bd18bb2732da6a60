"""Estimators against brute force over all subsets, and against the program's own way to choose."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttc_core.analysis import counting, random_subsets, votes
from ttc_core.analysis.estimators import METRICS, best_at, estimate, pass_at
from ttc_core.analysis.pool import Pool
from ttc_core.errors import BadValue
from ttc_core.selection import choose
from ttc_core.types import Candidate


def pool(correct, answers=None, scores=None, valid=None, steps=()):
    correct = np.asarray(correct, bool)
    valid = np.ones_like(correct) if valid is None else np.asarray(valid, bool)
    answers = np.where(correct, 0, 1) if answers is None else np.asarray(answers)
    scores = np.full(correct.shape, 0.5) if scores is None else np.asarray(scores, float)
    names = [f"p{i}" for i in range(len(correct))]
    return Pool(names, correct, answers, scores, np.ones(correct.shape, int), valid, list(steps))


@st.composite
def pools(draw, most=7):
    """A few problems of different sizes; few distinct scores, so that there are ties; answers and scores missing."""
    n = draw(st.integers(1, most))
    rows = []
    for _ in range(draw(st.integers(1, 3))):
        holes = draw(st.booleans())
        right = draw(st.sampled_from([{0}, {1}, {0, 2}]))
        row = draw(
            st.lists(
                st.tuples(st.integers(-1, 3), st.sampled_from([-0.4, 0.0, 0.1, 0.2, 0.3, 0.7, 0.9, math.nan])),
                min_size=n,
                max_size=n,
            )
        )
        size = draw(st.integers(1, n))
        rows.append([(a, s, a in right, i >= n - size if holes else i < size) for i, (a, s) in enumerate(row)])
    answers, scores, correct, valid = (np.array([[x[c] for x in row] for row in rows]) for c in range(4))
    return pool(correct, answers.astype(int), scores, valid)


def candidates(p: Pool, row: int):
    return [
        Candidate(str(i), None if a < 0 else str(a), None if math.isnan(s) else float(s))
        for i, (a, s, v) in enumerate(zip(p.answers[row], p.scores[row], p.valid[row], strict=True))
        if v
    ]


def is_right(p: Pool, row: int, metric: str, found) -> bool:
    if metric == "pass":
        return any(p.correct[row, int(c.node)] for c in found)
    answer = choose(found, metric).answer
    return any(c.answer == answer and p.correct[row, int(c.node)] for c in found if answer is not None)


def brute(p: Pool, metric: str, k: int):
    """The definition: the mean over all subsets, by the program's own `choose`."""
    rows = range(len(p.problems))
    return [np.mean([is_right(p, r, metric, s) for s in combinations(candidates(p, r), k)]) for r in rows]


@pytest.mark.parametrize("metric", METRICS)
@given(p=pools())
def test_every_estimator_is_the_mean_over_all_subsets(metric, p):
    if metric in ("best", "weighted") and not np.isfinite(p.scores[p.valid]).any():
        with pytest.raises(BadValue, match="needs scores"):
            estimate(p, metric, [1])
        return
    ks = list(range(1, int(p.sizes.min()) + 1))
    found = estimate(p, metric, ks)
    assert (found.errors == 0).all()
    np.testing.assert_allclose(found.values.T, [brute(p, metric, k) for k in ks], atol=1e-9)


def test_counting_and_enumerating_majorities_agree(monkeypatch):
    p, ks = random_pool(6, 40, 13), list(range(1, 14))
    counted = estimate(p, "majority", ks)
    monkeypatch.setattr(counting, "LARGEST", 0)
    enumerated = estimate(p, "majority", ks)
    assert (counted.errors == 0).all() and (enumerated.errors == 0).all()
    np.testing.assert_allclose(counted.values, enumerated.values, atol=1e-12)


def test_majorities_are_counted_a_few_problems_at_a_time(monkeypatch):
    p = random_pool(3, 40, 20)
    whole = estimate(p, "majority", [2, 9])
    monkeypatch.setattr(counting, "CELLS", 1)
    assert (estimate(p, "majority", [2, 9]).values == whole.values).all() and (whole.errors == 0).all()


def random_pool(seed, problems, n, groups=6, ties=False):
    rng = np.random.default_rng(seed)
    correct_share = rng.beta(0.7, 1.0, problems)[:, None]
    answers = np.where(rng.random((problems, n)) < correct_share, 0, rng.integers(-1, groups, (problems, n)))
    scores = np.round(rng.random((problems, n)), 1 if ties else 12)
    return pool(answers == 0, answers, scores)


@pytest.mark.parametrize(
    ("metric", "world"), [("majority", "plain"), ("weighted", "plain"), ("weighted", "ties"), ("weighted", "signed")]
)
def test_drawn_votes_are_within_their_standard_error_of_enumerated_ones(metric, world, monkeypatch):
    p = random_pool(0, 300, 14, ties=world != "plain")
    if world == "signed":
        p.scores[:] = p.scores - 0.5
    ks = [7, 2, 3, 13]
    monkeypatch.setattr(votes, "WORK", -1)
    monkeypatch.setattr(counting, "FEW", 0)
    exact = estimate(p, metric, ks)
    monkeypatch.setattr(votes, "SUBSETS", 0)
    drawn = estimate(p, metric, ks, draws=400)
    assert (exact.errors == 0).all() and (drawn.errors > 0).any()
    rough = drawn.error > 0  # weighted pairs are exact all the same
    assert rough[[0, 2, 3]].all()
    z = ((drawn.mean - exact.mean) / np.where(rough, drawn.error, 1))[rough]
    assert (np.abs(z) < 4).all(), z
    open_ = (drawn.errors > 0) & (exact.values > 0.05) & (exact.values < 0.95)  # where Laplace's rule adds little
    z = ((drawn.values - exact.values)[open_]) / drawn.errors[open_]
    assert open_.sum() > 300 and 0.85 < z.std() < 1.15, z.std()
    again = estimate(p, metric, ks, draws=400)
    assert (again.values == drawn.values).all()


def test_of_equally_scored_samples_the_first_wins_be_its_answer_seen_before_or_not():
    # "a" is seen first, by a sample of a lower score; the first sample scored 0.9 says "b"
    lower_first = pool([[True, False, True]], answers=[[0, 1, 0]], scores=[[0.1, 0.9, 0.9]])
    assert estimate(lower_first, "best", [3]).values == [[0.0]]
    assert choose(candidates(lower_first, 0), "best").answer == "1"
    p = random_pool(4, 40, 64, ties=True)
    for k in (1, 4, 16, 64):  # the sample with r before it is the best of C(63 - r, k - 1) subsets
        ranks = [
            sorted(range(64), key=lambda i, row=row: (-row[i], i)) for row in np.where(p.answers < 0, -1, p.scores)
        ]
        share = [math.comb(63 - r, k - 1) / math.comb(64, k) for r in range(64)]
        right = p.correct & (p.answers >= 0)
        expected = [sum(s for s, i in zip(share, order, strict=True) if right[q, i]) for q, order in enumerate(ranks)]
        np.testing.assert_allclose(estimate(p, "best", [k]).values[:, 0], expected, atol=1e-9)


def test_where_samples_of_one_answer_are_graded_differently_one_stands_for_it():
    p = pool(
        [[False, True, True, False]], answers=[[0, 0, 1, 1]], scores=[[0.9, 0.3, 0.1, 0.95]]
    )  # wrong ones are scored highest in both answers
    assert estimate(p, "pass", [1, 4]).values[0] == pytest.approx([0.5, 1.0])
    assert estimate(p, "best", [1, 4]).values[0] == pytest.approx([0.5, 0.0])
    for metric in ("majority", "weighted"):
        assert (estimate(p, metric, [1, 2, 3, 4]).values == 0).all()
    p.scores[:] = [[0.3, 0.9, 0.1, 0.1]]  # a right one stands for each: the second for 0, of equals the first for 1
    for metric in ("majority", "weighted"):
        assert (estimate(p, metric, [1, 2, 3, 4]).values == 1).all()
    assert estimate(p, "best", [1]).values[0, 0] == pytest.approx(0.5)


def test_majorities_of_a_few_of_many_and_weighted_pairs_are_exact(monkeypatch):
    p = random_pool(7, 30, 60, groups=4, ties=True)
    p.correct[:15] |= p.answers[:15] == 2  # two right answers
    few, pairs = (estimate(p, metric, [2]) for metric in ("majority", "weighted"))
    assert (few.errors == 0).all() and (pairs.errors == 0).all()
    np.testing.assert_allclose(few.values[::6, 0], brute(p.of(range(0, 30, 6)), "majority", 2), atol=1e-12)
    np.testing.assert_allclose(pairs.values[::6, 0], brute(p.of(range(0, 30, 6)), "weighted", 2), atol=1e-12)
    short = estimate(p, "majority", [4, 2, 3])
    monkeypatch.setattr(counting, "FEW", 0)
    counted = estimate(p, "majority", [4, 2, 3])
    assert (counted.errors == 0).all()
    np.testing.assert_allclose(short.values, counted.values, atol=1e-12)


def test_majorities_of_four_of_ten_thousand_are_exact_and_scores_far_from_one_are_no_matter():
    rng = np.random.default_rng(3)
    answers = rng.integers(-1, 5, (2, 10_000))
    p = pool(answers == 0, answers, rng.random((2, 10_000)))
    found = estimate(p, "majority", [2, 4])
    assert (found.errors == 0).all()
    # the first of two with an answer wins, and a large pool is as if samples were put back
    np.testing.assert_allclose(found.values[:, 0], (1 - 1 / 36) / 5, atol=0.01)
    drawn = estimate(p, "weighted", [8, 3000])
    scaled = estimate(replace(p, scores=p.scores * 2.0**900), "weighted", [8, 3000])
    np.testing.assert_array_equal(drawn.values, scaled.values)


@pytest.mark.parametrize("how", ["weighted", "majority"])
def test_sums_of_single_precision_decide_as_those_of_double_precision(how, monkeypatch):
    p = random_pool(8, 200, 120, groups=3, ties=True)
    monkeypatch.setattr(votes, "WORK", -1)
    quick = estimate(p, how, [9, 40, 100])
    monkeypatch.setattr(random_subsets, "SINGLE", 0)
    assert (quick.errors > 0).any()
    np.testing.assert_array_equal(quick.values, estimate(p, how, [9, 40, 100]).values)


def test_drawn_votes_are_those_of_the_program_subset_by_subset(monkeypatch):
    p = random_pool(9, 6, 30, groups=3, ties=True)
    monkeypatch.setattr(votes, "WORK", -1)
    monkeypatch.setattr(votes, "SUBSETS", 0)
    found = estimate(p, "weighted", [12], draws=1, seed=5)  # shares of one subset: 0 or 1
    open_ = np.flatnonzero(found.errors[:, 0])
    rng = np.random.default_rng([5, 30])
    order = rng.permuted(np.arange(30)[None], axis=1)[0, :12]
    for row in open_:
        own = rng.permuted(np.arange(30)[None], axis=1)[0]
        chosen = candidates(p, row)
        subset = [chosen[i] for i in sorted(own[order])]
        assert found.values[row, 0] == is_right(p, row, "weighted", subset)
    assert len(open_) == 5


def test_best_of_many_with_few_different_scores_stays_exact():
    p = random_pool(5, 3, 200, ties=True)
    found = estimate(p, "best", [1, 10, 100, 200])
    assert (found.errors == 0).all()
    whole = [is_right(p, row, "best", candidates(p, row)) for row in range(3)]
    np.testing.assert_allclose(found.values[:, 3], whole, atol=1e-9)
    np.testing.assert_allclose(found.values[:, 0], (p.correct & (p.answers >= 0)).mean(axis=1), atol=1e-9)


def test_counted_majorities_agree_with_drawn_ones_where_nobody_can_enumerate(monkeypatch):
    p = random_pool(1, 20, 60)
    counted = estimate(p, "majority", [8, 30])
    assert (counted.errors == 0).all()
    monkeypatch.setattr(votes, "WORK", -1)
    drawn = estimate(p, "majority", [8, 30], draws=4000)
    open_ = drawn.errors > 0
    assert open_.sum() > 10 and (np.abs(drawn.values - counted.values)[open_] < 4.5 * drawn.errors[open_]).all()


def test_pass_is_stable_for_ten_thousand_samples():
    n = 10_000
    right = [0, 1, 2, 77, 5000, 9999, n]
    p = pool(np.arange(n)[None] < np.array(right)[:, None])
    ks = [1, 2, 100, 4999, 5000, 9999, n]
    exact = [[float(1 - _ratio(n - c, k, n)) for k in ks] for c in right]
    np.testing.assert_allclose(pass_at(p, ks), exact, atol=1e-9)


def _ratio(a, k, n):
    from fractions import Fraction

    return Fraction(math.comb(a, k), math.comb(n, k))


def test_best_of_all_is_the_best_and_of_one_the_mean_for_ten_thousand_samples():
    rng = np.random.default_rng(2)
    scores = rng.random((2, 10_000))
    p = pool(rng.random((2, 10_000)) < 0.3, scores=scores)
    one, all_ = best_at(p, [1, 10_000]).T
    np.testing.assert_allclose(one, p.correct.mean(axis=1), atol=1e-9)
    np.testing.assert_allclose(all_, p.correct[[0, 1], scores.argmax(axis=1)], atol=1e-9)


def test_samples_that_are_right_but_have_no_answer():
    p = pool([[True, False, True]], answers=[[-1, 1, 0]])
    assert estimate(p, "majority", [3]).values == [[1.0]]  # two for the right answer
    bare = pool([[True, False]], answers=[[-1, -1]], scores=[[0.9, 0.1]])
    assert estimate(bare, "best", [2]).values == [[1.0]]
    with pytest.raises(BadValue, match="problem p0 has none"):
        estimate(bare, "majority", [1])


@pytest.mark.parametrize(("ks", "sentence"), [([0], "at least 1, not 0"), ([1, 3], "problem p1 has 2")])
def test_a_k_that_there_is_not(ks, sentence):
    p = pool([[True, False, True], [True, False, False]], valid=[[True, True, True], [True, True, False]])
    with pytest.raises(BadValue, match=sentence):
        estimate(p, "pass", ks)


def test_rescored_by_steps():
    p = pool([[True, False]], scores=[[0.5, 0.5]], steps=[[[0.5, 0.8], []]])
    assert [p.rescored(how).scores[0, 0] for how in ("last", "min", "prod", "mean")] == [0.8, 0.5, 0.4, 0.65]
    assert p.rescored("last").scores[0, 1] == 0.5
    with pytest.raises(BadValue, match="aggregate must be one of"):
        p.rescored("max")
    assert pool([[True]]).rescored("last").scores == [[0.5]]
    with pytest.raises(BadValue, match="no sample of this pool has scores of its steps"):
        pool([[True]]).rescored("min")
