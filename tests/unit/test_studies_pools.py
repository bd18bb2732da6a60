"""Pools: what is packed into columns comes back, one by one and as arrays for analysis."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ttc_core.studies_pools import Solution, columns, gathered, unpacked

shares = st.floats(0, 1)
solutions = st.builds(
    Solution,
    answer=st.sampled_from([None, "7", "1/2", "x"]),
    correct=st.sampled_from([True, False, None]),
    score=st.none() | shares,
    steps=st.lists(shares, max_size=3).map(tuple),
    tokens=st.integers(0, 70_000),
    valid=st.booleans(),
)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.lists(solutions, min_size=1, max_size=4)), max_size=5))
def test_a_pool_is_its_solutions_seed_after_seed(stored):
    rows = [{"dataset": "d", "problem_id": problem, **columns(found)} for problem, found in stored]
    assert [unpacked(row) for row in rows] == [found for _, found in stored]
    pool = gathered(rows)
    assert pool.problems == list(dict.fromkeys(problem for problem, _ in stored))
    for p, problem in enumerate(pool.problems):
        own = [one for of, found in stored if of == problem for one in found]
        answers = list(dict.fromkeys(one.answer for one in own if one.answer is not None))
        graded = np.ones(pool.valid.shape, bool) if pool.graded is None else pool.graded
        for i, one in enumerate(own):
            assert (pool.correct[p, i], pool.valid[p, i]) == (one.correct is True, one.valid)
            assert graded[p, i] == (one.correct is not None or not one.valid)
            assert pool.tokens[p, i] == one.tokens
            assert pool.answers[p, i] == (-1 if one.answer is None else answers.index(one.answer))
            assert math.isnan(pool.scores[p, i]) if one.score is None else pool.scores[p, i] == one.score
            assert not pool.steps or pool.steps[p][i] == list(one.steps)
        assert not pool.valid[p, len(own) :].any()
    assert bool(pool.steps) == any(one.steps for _, found in stored for one in found)
