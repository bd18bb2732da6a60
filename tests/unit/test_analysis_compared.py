"""The table of methods with paired differences: for all problems and inside each bin, over every axis."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit import analysis_worlds as worlds
from tests.unit.test_analysis_estimators import pool
from ttc_core.analysis import compared, comparison, documents
from ttc_core.errors import BadValue


@pytest.fixture(scope="module")
def study():
    """Outcomes of 200 problems in which beam search is best on difficult ones, and the samples."""
    correct, easiness, budgets = worlds.crossover(problems=200)
    samples = pool(np.random.default_rng(0).random((200, 16)) < easiness[:, None])
    samples.problems[:] = [f"p{i:04}" for i in range(200)]
    return worlds.outcomes(correct, budgets), samples


def test_rows_say_what_the_frontier_draws(study):
    made, drawn = compared.table(*study, resamples=200), documents.curves(*study, resamples=0)
    for j in range(len(drawn["budgets"])):
        for name, row in made["all"][j].items():
            assert row["accuracy"][0] == pytest.approx(drawn["curves"][name]["mean"][j])
            for b, rows in enumerate(made["bins"]):
                assert rows[j][name]["accuracy"][0] == pytest.approx(drawn["by_bin"][b][name][j])
                assert rows[j][name]["problems"] == drawn["sizes"][b]


def test_differences_are_those_of_the_paired_comparison(study):
    made = compared.table(*study)["bins"][4][3]
    found, of = compared.placed(*study, "generations", "oracle")
    inside = {name: found.accuracy[of == 4, m, 3] for m, name in enumerate(found.methods)}
    expected = comparison.compare_all(inside, "best_of_n", compared.RESAMPLES)
    assert "difference" not in made["best_of_n"]
    for name, one in expected.items():
        assert made[name]["difference"] == pytest.approx([one.mean, one.low, one.high])
        assert (made[name]["won"], made[name]["lost"], made[name]["adjusted"]) == (one.won, one.lost, one.adjusted)
        assert made[name]["needed"] == comparison.needed(one.won / 40, one.lost / 40, most=compared.MOST)


def test_over_another_axis_rows_say_which_budget_they_are_of(study):
    outcomes, samples = study
    dear = outcomes["method"] != "best_of_n"
    outcomes = outcomes.assign(policy_tokens=outcomes["policy_tokens"] * np.where(dear, 2, 1))
    made = compared.table(outcomes, samples, "tokens", resamples=50)["all"]
    assert made[3]["best_of_n"]["generations"] == 8 and made[3]["beam_search width=4"]["generations"] == 4


def test_fewer_problems_than_bins_are_refused(study):
    outcomes, samples = study
    with pytest.raises(BadValue, match="3 problems do not fill 5 bins"):
        compared.table(outcomes, samples.of([0, 1, 2]))
