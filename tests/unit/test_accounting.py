"""Generations: the paper's unit, by hand for each kind of search and by law for any."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttc_core.accounting import Generations, flops


def counted(*samples: tuple[int, int, str, int]) -> int:
    generations = Generations()
    for depth, n, until, steps in samples:
        generations.add(depth, n, until, steps)
    return generations.total


def test_nothing_costs_nothing():
    assert counted() == 0


def test_best_of_n_costs_n():
    assert counted((0, 16, "end", 1)) == 16
    assert counted(*[(0, 1, "end", 1)] * 16) == 16


@pytest.mark.parametrize("rounds", [1, 2, 40])
def test_beam_search_costs_its_beams_however_deep(rounds):
    assert counted(*[(depth, 16, "step", 1) for depth in range(rounds)]) == 16


@pytest.mark.parametrize("k", [0, 1, 3])
def test_lookahead_costs_n_times_k_plus_one(k):
    n, samples = 8, []
    for depth in range(30):
        samples.append((depth, n, "step", 1))
        samples += [(depth + 1, n, "step", k)] if k else []
    assert counted(*samples) == n * (k + 1)


def test_a_shrinking_beam_costs_its_widest_step():
    assert counted((0, 8, "step", 1), (1, 6, "step", 1), (2, 3, "step", 1)) == 8


def test_a_solution_finished_from_below_costs_its_part():
    assert counted((0, 4, "step", 1), (1, 3, "end", 1)) == 4
    assert counted((0, 4, "step", 1), (1, 6, "end", 1)) == 6
    assert counted((0, 4, "end", 1), (3, 2, "end", 1)) == 6


def test_flops_are_two_per_parameter_and_token():
    assert flops(1_000, 10) == 20_000.0
    assert flops(7_000_000_000, 10**12) == pytest.approx(1.4e22)


samples = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 9), st.sampled_from(["step", "end"]), st.integers(1, 4)), max_size=12
)


def by_depth(found: list[tuple[int, int, str, int]]) -> int:
    """The definition, written out: the largest number of samples that cover one depth."""
    return max(
        (sum(n for at, n, until, k in found if at <= d and (until == "end" or d < at + k)) for d in range(12)),
        default=0,
    )


@given(samples)
def test_the_definition(found):
    assert counted(*found) == by_depth(found)


@given(samples, st.randoms())
def test_order_does_not_matter_and_more_never_costs_less(found, random):
    shuffled = random.sample(found, len(found))
    assert counted(*shuffled) == counted(*found)
    assert counted(*found[:-1]) <= counted(*found) <= sum(n for _, n, _, _ in found)
