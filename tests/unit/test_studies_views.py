"""The accuracy of a study so far: its interval counts problems, not how often each of them was tried."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.test_studies import add, carry_out, url  # noqa: F401 (a fixture)
from ttc_core import studies
from ttc_core.store import studies as stored
from ttc_core.store.database import database
from ttc_core.studies_views import _interval


def sums(right, graded):
    """The sums of `store.studies` for so many right of so many graded outcomes of each problem."""
    right, graded = np.array(right), np.array(graded)
    products = (right * right, right * graded, graded * graded)
    names = ("right_right", "right_graded", "graded_graded")
    return {"graded": int(graded.sum()), "right": int(right.sum()), "graded_problems": int((graded > 0).sum()),
            **{name: int(of.sum()) for name, of in zip(names, products, strict=True)}}  # fmt: skip


def wilson(p, n):
    z = 1.959964
    spread = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return p, *((p + z * z / (2 * n) + sign * spread) / (1 + z * z / n) for sign in (-1, 1))


def test_the_store_adds_up_what_the_interval_needs(url):  # noqa: F811
    carry_out(url, add(url))
    by_problem = studies.outcomes("s", db=url).groupby("problem")["correct"]
    row = stored.state(database(url), "s")
    wanted = sums(by_problem.sum().astype(int), by_problem.count())
    assert {name: row[name] for name in wanted} == wanted and row["outcomes"] == 84
    assert studies.progress("s", db=url).accuracy == pytest.approx(_interval(wanted))


def test_trying_a_problem_again_and_again_narrows_nothing():
    verdicts = np.array([1, 0, 1, 1, 0, 1, 1, 0, 1, 1])
    once, often = _interval(sums(verdicts, np.ones(10, int))), _interval(sums(50 * verdicts, np.full(10, 50)))
    assert once == pytest.approx(often) and once == pytest.approx(wilson(0.7, 9))


def test_outcomes_that_have_nothing_to_do_with_each_other_count_each():
    rng, covered = np.random.default_rng(0), []
    for _ in range(400):
        _, low, high = _interval(sums(rng.binomial(4, 0.6, 200), np.full(200, 4)))
        covered.append(low < 0.6 < high)
    assert 0.92 < np.mean(covered) < 0.98
    assert high - low == pytest.approx(np.ptp(wilson(0.6, 800)[1:]), rel=0.15)


def test_it_covers_where_problems_differ():
    rng, covered = np.random.default_rng(1), []
    for _ in range(400):
        _, low, high = _interval(sums(rng.binomial(20, rng.beta(1, 1, 60)), np.full(60, 20)))
        covered.append(low < 0.5 < high)
    assert 0.92 < np.mean(covered) < 0.98


@pytest.mark.parametrize(("right", "graded", "like"), [([5, 5], [5, 5], wilson(1.0, 2)), ([3], [4], wilson(0.75, 1)),
                                                       ([0, 0, 0], [9, 0, 9], wilson(0.0, 2))])  # fmt: skip
def test_where_there_is_no_variance_to_see_it_is_that_of_so_many_problems(right, graded, like):
    assert _interval(sums(right, graded)) == pytest.approx(like)


def test_nothing_graded_has_none():
    assert _interval(sums([0], [0])) is None
