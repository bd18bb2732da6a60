"""Lookahead search, DVTS, REBASE and the particle filter against trees drawn by hand from their papers' rules."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_strategies_golden import BEAM, search
from ttc_core.stepwise import Beam, best
from ttc_core.strategies import particle_filter
from ttc_core.strategies.particle_filter import systematic
from ttc_core.strategies.rebase import proportional
from ttc_core.types import ROOT, Node, Prune, Sample


def samples(log):
    return [(r.node, r.n, r.first) for r in log if isinstance(r, Sample) and not r.branch]


# Budget 4 with k = 1: two beams. r.1 has the better score, but its rollout ends badly and r.0's ends well.
AHEAD = {
    "r.0": ("A\n", None, 0.4),
    "r.1": ("B\n", None, 0.9),
    "r.0.~1~0": ("a\n", None, 0.8),
    "r.1.~1~0": ("b\n", None, 0.1),
    "r.0.0": ("Answer: 1\n", "1", 0.7),
    "r.0.1": ("Answer: 2\n", "2", 0.6),
}


def test_lookahead_ranks_a_step_by_its_rollouts_end():
    outcome, log = search("lookahead_search", AHEAD, 4, k=1, width=2)
    rollouts = [r for r in log if isinstance(r, Sample) and r.branch]
    assert [(r.node, r.steps, r.temperature) for r in rollouts] == [("r.0", 1, 0.0), ("r.1", 1, 0.0)]
    assert samples(log) == [(ROOT, 2, 0), ("r.0", 2, 0)]
    assert outcome.answer == "1" and [c.node for c in outcome.candidates] == ["r.0.0", "r.0.1"]


def test_lookahead_without_steps_ahead_is_beam_search():
    ahead, ahead_log = search("lookahead_search", BEAM, 4, k=0, width=2)
    beam, beam_log = search("beam_search", BEAM, 4, width=2)
    assert ahead == beam and samples(ahead_log) == samples(beam_log)


def test_lookahead_drops_a_step_whose_rollout_failed():
    table = {key: value for key, value in AHEAD.items() if key != "r.0.~1~0"}
    outcome, log = search("lookahead_search", table, 4, k=1, width=2)
    assert samples(log)[1][0] == "r.1" and outcome.excluded >= 1


def test_dvts_keeps_the_best_of_each_tree_even_when_another_tree_is_better():
    table = {
        "r.0": ("A\n", None, 0.3),
        "r.1": ("B\n", None, 0.2),
        "r.2": ("C\n", None, 0.9),
        "r.3": ("D\n", None, 0.8),
        "r.0.0": ("Answer: 1\n", "1", 0.4),
        "r.0.1": ("Answer: 1\n", "1", 0.3),
        "r.2.0": ("Answer: 2\n", "2", 0.5),
        "r.2.1": ("Answer: 3\n", "3", 0.1),
    }
    outcome, log = search("dvts", table, 4, width=2)
    assert sorted(samples(log)) == [(ROOT, 2, 0), (ROOT, 2, 2), ("r.0", 2, 0), ("r.2", 2, 0)]
    assert {node: r.why for r in log if isinstance(r, Prune) for node in r.nodes}.keys() >= {"r.1", "r.3"}
    assert outcome.answer == "1"  # .4 + .3 beats .5


def test_rebase_shares_continuations_by_the_softmax_of_scores():
    table = {
        "r.0": ("A\n", None, 0.9),
        "r.1": ("B\n", None, 0.7),  # exp(-1) of r.0's weight at T = 0.2
        "r.2": ("Answer: 5\n", "5", 0.9),  # leaves and takes its place along
        "r.3": ("C\n", None, 0.1),
        **{f"r.0.{i}": ("Answer: 4\n", "4", 0.6) for i in range(3)},
        "r.1.0": ("Answer: 6\n", "6", 0.6),
    }
    outcome, log = search("rebase", table, 4)
    assert samples(log) == [(ROOT, 4, 0), ("r.0", 2, 0), ("r.1", 1, 0)]
    assert [r.nodes for r in log if isinstance(r, Prune)] == [("r.3",)]
    assert outcome.answer == "4" and len(outcome.candidates) == 4


@given(st.lists(st.floats(0, 1e6), max_size=30), st.integers(0, 500))
def test_proportional_divides_everything_and_within_one_of_the_exact_share(weights, total):
    parts = proportional(weights, total)
    assert len(parts) == len(weights) and all(p >= 0 for p in parts)
    if weights:
        assert sum(parts) == total
        mass = sum(weights)
        if mass > 1e-9:
            assert all(abs(p - total * w / mass) < 1 + 1e-6 for p, w in zip(parts, weights, strict=True))


@pytest.mark.parametrize(
    ("weights", "n", "offset", "counts"),
    [([0.0, 0.0], 4, 0.5, [2, 2]), ([0.0, -50.0], 4, 0.5, [4, 0]), ([0.0, 1.0986122886681098], 4, 0.5, [1, 3])],
)
def test_systematic_resampling_by_hand(weights, n, offset, counts):
    assert systematic(weights, n, offset) == counts  # the last: weights 1 and 3, pointers at 1/8, 3/8, 5/8, 7/8


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=40), st.integers(1, 300), st.floats(0, 0.999))
def test_systematic_resampling_keeps_n_and_stays_within_one(weights, n, offset):
    counts = systematic(weights, n, offset)
    assert sum(counts) == n and all(c >= 0 for c in counts)
    assert all(abs(c - n * w) < 1 + 1e-6 for c, w in zip(counts, softmax(weights), strict=True))


def softmax(weights):
    odds = [math.exp(w - max(weights)) for w in weights]
    return [odd / sum(odds) for odd in odds]


@given(st.lists(st.floats(-4, 4), min_size=1, max_size=6), st.integers(1, 20))
def test_systematic_resampling_is_unbiased(weights, n):
    offsets = [(i + 0.5) / 200 for i in range(200)]
    totals = [sum(column) for column in zip(*(systematic(weights, n, offset) for offset in offsets), strict=True)]
    for total, w in zip(totals, softmax(weights), strict=True):
        assert abs(total / 200 - n * w) < 0.02  # a count steps at most twice as the offset moves: 2 / 200 and rounding


def test_a_complete_particle_stays_as_often_as_it_was_drawn(monkeypatch):
    """Drawn three times of eight, it is three particles of the next population, beside five others of equal odds."""
    seen = []

    def watched(weights, n, offset):
        seen.append([math.exp(w - min(weights)) for w in weights])
        return systematic(weights, n, 0.5)

    monkeypatch.setattr(particle_filter, "systematic", watched)
    table = {"r.0": ("Answer: 4\n", "4", 0.8), **{f"r.{i}": (f"{i}\n", None, 0.5) for i in range(1, 8)}}
    table |= {f"r.{i}.0": ("Answer: 5\n", "5", 0.8) for i in range(1, 8)}
    search("particle_filter", table, 8)
    first, second = seen
    assert first == pytest.approx([4.0] + [1.0] * 7)  # odds of .8 against those of .5
    assert len(second) == 6 and second == pytest.approx([3.0, 1, 1, 1, 1, 1])


def test_no_particles_no_draws():
    assert systematic([], 4, 0.5) == [] and proportional([], 4) == [] and proportional([1.0], 0) == [0]


# --- sharing out -----------------------------------------------------------------------------------------------------

beams = st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abcde"), st.integers(0, 20)), max_size=14).map(
    lambda found: [
        Beam(Node(f"r.{parent}.{i}", f"r.{parent}", text, "step"), value / 20)
        for i, (parent, text, value) in enumerate(found)
    ]
)


@given(beams, st.integers(1, 8), st.integers(0, 40), st.booleans())
def test_best_keeps_the_best_and_shares_out_everything(beams, places, continuations, distinct):
    shares = best(beams, places, continuations, distinct)
    kept = [beam for beam, _ in shares.kept]
    gone = [node_id for prune in shares.pruned for node_id in prune.nodes]
    assert sorted([*(beam.node.id for beam in kept), *gone]) == sorted(beam.node.id for beam in beams)
    assert all(prune.why for prune in shares.pruned)
    unlike = len({(b.node.parent, b.node.text) for b in beams}) if distinct else len(beams)
    assert len(kept) == min(places, unlike)
    assert kept == sorted(kept, key=lambda beam: (-beam.value, beams.index(beam))), "ties go to the earlier beam"
    numbers = [number for _, number in shares.kept]
    assert sum(numbers) == (continuations if kept else 0)
    assert numbers == sorted(numbers, reverse=True) and max(numbers, default=0) - min(numbers, default=0) <= 1
    worst = min((beam.value for beam in kept), default=0.0)
    for beam in beams:
        twins = [k for k in kept if (k.node.parent, k.node.text) == (beam.node.parent, beam.node.text)]
        if beam not in kept:
            assert beam.value <= worst or (distinct and twins and twins[0].value >= beam.value)
    if distinct:
        assert len({(b.node.parent, b.node.text) for b in kept}) == len(kept)


@given(beams, st.integers(1, 8), st.integers(0, 40), st.booleans(), st.randoms())
def test_the_order_of_beams_decides_between_equals_only(beams, places, continuations, distinct, random):
    spread = [Beam(beam.node, beam.value + i / 1000) for i, beam in enumerate(beams)]
    shuffled = random.sample(spread, len(spread))
    if len({beam.value for beam in spread}) == len(spread):
        assert (
            best(shuffled, places, continuations, distinct).kept == best(spread, places, continuations, distinct).kept
        )
