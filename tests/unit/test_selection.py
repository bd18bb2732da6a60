"""From candidates to one answer: by hand on small examples, by law on any."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttc_core.selection import AGGREGATES, SELECTS, aggregate, candidates, choose
from ttc_core.types import ROOT, Candidate, Node

# answer, score: 7 is given most often, 5 has the best single score, 6 the largest sum.
FOUND = [
    Candidate("r.0", "7", 0.2),
    Candidate("r.1", "6", 0.6),
    Candidate("r.2", "7", 0.3),
    Candidate("r.3", "5", 0.9),
    Candidate("r.4", "6", 0.5),
    Candidate("r.5", "7", 0.1),
    Candidate("r.6", None, 0.99),
]


@pytest.mark.parametrize(
    ("how", "answer", "chosen", "weights"),
    [
        ("majority", "7", "r.2", {"7": 3.0, "6": 2.0, "5": 1.0}),
        ("best", "5", "r.3", {"7": 0.3, "6": 0.6, "5": 0.9}),
        ("weighted", "6", "r.1", {"7": 0.6, "6": 1.1, "5": 0.9}),
    ],
)
def test_by_hand(how, answer, chosen, weights):
    outcome = choose(FOUND, how, excluded=2)
    assert (outcome.answer, outcome.chosen, outcome.excluded) == (answer, chosen, 2)
    assert [c.node for c in outcome.candidates] == [c.node for c in FOUND]
    for c in outcome.candidates:
        assert c.weight == pytest.approx(weights.get(c.answer, 0.0))


@pytest.mark.parametrize("how", SELECTS)
def test_of_equals_the_first_seen_wins(how):
    tied = [Candidate("a", "2", 0.5), Candidate("b", "1", 0.5), Candidate("c", "1", 0.5), Candidate("d", "2", 0.5)]
    assert choose(tied, how).answer == "2"
    assert choose(tied, how).chosen == "a"
    assert choose(tied[::-1], how).chosen == "d"
    if how == "best":  # candidates are compared: who said the same before, for a lower score, is no matter
        found = [Candidate("a", "2", 0.1), Candidate("b", "1", 0.5), Candidate("c", "2", 0.5)]
        assert (choose(found, how).answer, choose(found, how).chosen) == ("1", "b")
    assert choose(tied[1:3] + tied[:1] + tied[3:], how).answer == "1"


@pytest.mark.parametrize("how", SELECTS)
@pytest.mark.parametrize("found", [[], [Candidate("a", None, 0.9)]])
def test_no_answer_no_choice(how, found):
    outcome = choose(found, how)
    assert outcome.answer is None
    assert outcome.chosen is None
    assert all(c.weight == 0.0 for c in outcome.candidates)


def test_without_a_score_a_candidate_only_has_its_vote():
    found = [Candidate("a", "1", None), Candidate("b", "1", None), Candidate("c", "2", 0.01)]
    assert choose(found, "majority").answer == "1"
    assert choose(found, "majority").chosen == "a"
    assert choose(found, "best").answer == "2"
    assert choose(found, "weighted").answer == "2"


def test_a_score_of_zero_is_a_score():
    assert choose([Candidate("a", "1", 0.0)], "best").answer == "1"
    assert choose([Candidate("a", "1", 0.0)], "weighted").answer == "1"


def test_sums_do_not_depend_on_order():
    tenths = [Candidate(f"a{i}", "1", 0.1) for i in range(10)] + [Candidate("b", "2", 1.0)]
    assert choose(tenths, "weighted").answer == "1"  # exactly 1.0 each, so the first: a float loop gives 0.999...
    assert choose(tenths[::-1], "weighted").answer == "2"


@pytest.mark.parametrize(("how", "value"), [("last", 0.5), ("min", 0.2), ("prod", 0.8 * 0.2 * 0.5), ("mean", 0.5)])
def test_steps_to_one_score(how, value):
    assert aggregate([0.8, 0.2, 0.5], how) == pytest.approx(value)


def test_what_cannot_be_aggregated_or_chosen():
    with pytest.raises(ValueError):
        aggregate([], "last")
    with pytest.raises(ValueError):
        aggregate([0.5], "median")
    with pytest.raises(ValueError):
        choose(FOUND, "random")


def test_complete_nodes_become_candidates():
    scored = Node("r.0", ROOT, "x", "end", answer="1", scores=(0.5,), path_scores=(0.8, 0.5))
    unscored = Node("r.1", ROOT, "x", "end", answer="2")
    assert candidates([scored, unscored], "min") == (Candidate("r.0", "1", 0.5), Candidate("r.1", "2", None))
    assert candidates([scored, unscored], "mean")[0].score == pytest.approx(0.65)
    assert [c.score for c in candidates([scored, unscored], None)] == [None, None]


scores = st.floats(0, 1)
found = st.lists(
    st.builds(Candidate, st.just("n"), st.none() | st.sampled_from("1234"), st.none() | scores), max_size=12
).map(lambda cs: [Candidate(f"r.{i}", c.answer, c.score) for i, c in enumerate(cs)])


@given(found, st.sampled_from(SELECTS))
def test_the_choice_is_one_of_the_candidates(cs, how):
    outcome = choose(cs, how)
    by_node = {c.node: c for c in cs}
    assert [(c.node, c.answer, c.score) for c in outcome.candidates] == [(c.node, c.answer, c.score) for c in cs]
    takes_part = [c for c in cs if c.answer is not None and (how == "majority" or c.score is not None)]
    if not takes_part:
        assert outcome.answer is outcome.chosen is None
        return
    assert by_node[outcome.chosen].answer == outcome.answer
    chosen = next(c for c in outcome.candidates if c.node == outcome.chosen)
    assert chosen.weight == max(c.weight for c in outcome.candidates if c.answer is not None)
    peers = [c.score for c in cs if c.answer == outcome.answer and c.score is not None]
    assert not peers or by_node[outcome.chosen].score == max(peers)


@given(found, st.sampled_from(SELECTS), st.permutations(range(4)))
def test_what_answers_are_called_does_not_matter(cs, how, order):
    renamed = [Candidate(c.node, None if c.answer is None else "abcd"[order[int(c.answer) - 1]], c.score) for c in cs]
    assert choose(renamed, how).chosen == choose(cs, how).chosen


@given(found)
def test_equal_scores_make_weighted_a_majority(cs):
    even = [Candidate(c.node, c.answer, 0.5) for c in cs]
    assert choose(even, "weighted").answer == choose(even, "majority").answer


@given(st.lists(scores, min_size=1, max_size=8), st.sampled_from(AGGREGATES))
def test_an_aggregate_of_probabilities_is_one(steps, how):
    value = aggregate(steps, how)
    assert 0.0 <= value <= 1.0
    assert aggregate(steps, "prod") <= aggregate(steps, "min") <= aggregate(steps, "mean") + math.ulp(1.0)


@given(found, st.sampled_from(SELECTS), st.randoms())
def test_the_order_of_candidates_decides_between_equals_only(cs, how, random):
    shuffled = random.sample(cs, len(cs))
    one, other = choose(cs, how), choose(shuffled, how)
    weights = {c.node: c.weight for c in one.candidates}
    assert weights == {c.node: c.weight for c in other.candidates}  # exactly: sums do not depend on the order
    if one.answer != other.answer:
        assert weights[one.chosen] == weights[other.chosen]
    elif one.chosen != other.chosen:
        scores = {c.node: c.score for c in cs}
        assert scores[one.chosen] == scores[other.chosen]


@given(found, st.sampled_from(SELECTS))
def test_of_equal_answers_the_first_seen_wins(cs, how):
    outcome = choose(cs, how)
    totals = {c.answer: c.weight for c in outcome.candidates if c.answer is not None}
    takes_part = [c.answer for c in cs if c.answer is not None and (how == "majority" or c.score is not None)]
    if takes_part:
        most = max(totals[answer] for answer in takes_part)
        scored = [c.answer for c in cs if c.answer is not None and c.score == most] if how == "best" else takes_part
        assert outcome.answer == next(answer for answer in scored if totals[answer] == most)


@given(found, st.sampled_from(SELECTS), st.integers(0, 9))
def test_what_cannot_win_changes_nothing(cs, how, excluded):
    more = [*cs, Candidate("unanswered", None, 1.0)]
    assert choose(more, how, excluded).answer == choose(cs, how).answer
    assert choose(more, how, excluded).excluded == excluded
