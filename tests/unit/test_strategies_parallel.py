"""Single, adaptive consistency and confidence voting against values worked out by hand, reply by reply."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conformance.harness import PROBLEM, ScriptedBackend, drive, rng, run, spec
from ttc_core import registry
from ttc_core.errors import BadValue, StrategyFault
from ttc_core.jobs import GenerateJob
from ttc_core.search import CONFIDENCE_TOP
from ttc_core.strategies.adaptive_consistency import ahead, ahead_of_all
from ttc_core.strategies.confidence_vote import MEASURES, trace_confidence
from ttc_core.types import ROOT, Budget, Node, Prune, Sample, Sampled


def search(name, solutions, budget, **params):
    """The strategy fed by hand: the sample number i is solutions[i], an (answer, confidences) pair or None (failed)."""
    log = []

    def world(request):
        if isinstance(request, Prune):
            return None
        assert isinstance(request, Sample) and request.node == ROOT and request.until == "end"
        asked = [(f"r.{i}", solutions[i]) for i in range(request.first, request.first + request.n)]
        came = [Node(key, ROOT, "text", "end", answer=s[0], confidences=s[1]) for key, s in asked if s is not None]
        return Sampled(tuple(came), request.n - len(came))

    strategy = registry.build("strategy", name, params)
    outcome, log = drive(strategy.run(PROBLEM, Budget(budget), rng()), world)
    return outcome, log


def answers(text):
    """ "7 8 - x": 7, then 8, then one without an answer, then a failure."""
    return [None if a == "x" else (None if a == "-" else a, ()) for a in text.split()]


def sizes(log):
    return [(request.first, request.n) for request in log if isinstance(request, Sample)]


# --- single ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("greedy", "temperature"), [(True, 0.0), (False, None)])
def test_single_takes_one_solution_and_leaves_the_rest_of_the_budget(greedy, temperature):
    outcome, log = search("single", answers("7 8 8"), 3, greedy=greedy)
    assert [(r.n, r.temperature) for r in log] == [(1, temperature)]
    assert (outcome.answer, outcome.chosen, len(outcome.candidates)) == ("7", "r.0", 1)


@pytest.mark.parametrize(("solution", "candidates", "excluded"), [("x", 0, 1), ("-", 1, 0)])
def test_single_without_an_answer(solution, candidates, excluded):
    outcome, _ = search("single", answers(solution), 1)
    assert (outcome.answer, outcome.chosen) == (None, None)
    assert (len(outcome.candidates), outcome.excluded) == (candidates, excluded)


def test_greedy_is_the_same_for_every_seed_and_sampled_is_not():
    for greedy, texts in ((True, 1), (False, 4)):
        found = run([spec("single", 16, seed, greedy=greedy) for seed in range(4)])
        assert len({result.nodes["r.0"].text for result in found}) == texts
        assert all(result.usage.generations == 1 for result in found)


# --- adaptive consistency --------------------------------------------------------------------------------------------

# P(p > 1/2) under Beta(a + 1, b + 1): at most a heads in a + b + 1 throws. Two for none: (1 + 3 + 3) / 8.
BETA = {
    (0, 0): "1/2",
    (1, 0): "3/4",
    (2, 0): "7/8",
    (3, 0): "15/16",
    (4, 0): "31/32",
    (1, 1): "1/2",
    (2, 1): "11/16",  # (1 + 4 + 6) / 16
    (5, 1): "15/16",  # (1 + 7 + 21 + 35 + 35 + 21) / 128
    (6, 1): "247/256",  # all of 2^8 but the last 8 + 1 ways
    (3, 5): "65/256",  # 1 - 191/256: the other side of (5, 3)
}


@pytest.mark.parametrize(("votes", "probability"), BETA.items())
def test_the_beta_rule_by_hand(votes, probability):
    assert ahead(*votes) == float(Fraction(probability))


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_beta_rule_is_the_integral(leader, other):
    """The density x^a (1 - x)^b over [1/2, 1], term by term in exact fractions."""

    def integral(low):
        terms = (
            Fraction((-1) ** k * math.comb(other, k), leader + k + 1) * (1 - Fraction(low) ** (leader + k + 1))
            for k in range(other + 1)
        )
        return sum(terms)

    assert ahead(leader, other) == pytest.approx(float(integral("1/2") / integral(0)), rel=1e-12)
    assert ahead(leader, other) + ahead(other, leader) == pytest.approx(1)


# Five votes to one and one: P(Gamma(2) < x) = 1 - (1 + x) e^-x, so that the integral of
# x^5 e^-x / 120 (1 - (1 + x) e^-x)^2 is 1 - 2 (1/2^6 + 6/2^7) + (1/3^6 + 2 * 6/3^7 + 42/3^8).
FIVE_ONE_ONE = 1 - 2 * (1 / 64 + 6 / 128) + (1 / 729 + 12 / 2187 + 42 / 6561)


def test_the_dirichlet_rule_by_hand():
    assert ahead_of_all(5, [1, 1]) == pytest.approx(FIVE_ONE_ONE, abs=1e-9)
    for m in range(2, 6):
        assert ahead_of_all(3, [3] * (m - 1)) == pytest.approx(1 / m, abs=1e-9)  # equal votes, equal chances


@given(st.integers(0, 40), st.lists(st.integers(1, 40), min_size=2, max_size=6))
def test_the_dirichlet_rule_lies_below_the_beta_rule_and_above_the_union_bound(leader, others):
    others.sort(reverse=True)
    chance = ahead_of_all(leader, others)
    assert 1 - sum(1 - ahead(leader, other) for other in others) - 1e-6 <= chance <= ahead(leader, others[0]) + 1e-6


@pytest.mark.parametrize(
    ("text", "params", "asked"),
    [
        ("7 7 7 7 8 8 8 8", {}, 4),  # 31/32 at four of a kind
        ("7 7 7 7 8 8 8 8", {"threshold": 0.9}, 3),  # 15/16
        ("7 7 7 7 8 8 8 8", {"threshold": 0.5}, 1),
        ("8 7 7 7 7 7 7 9", {}, 7),  # six to one: 247/256; five to one is 15/16
        ("7 - x 7 - 7 7 9", {}, 7),  # what gives no answer votes for nothing
        ("7 8 7 8 7 8 7 8", {}, 8),  # never safe: all of the budget
        ("7 8 9 7 7 7 7 7 7", {}, 8),  # six to one against the runner-up alone
        ("7 8 9 7 7 7 7 7 7 7", {"rule": "dirichlet"}, 9),  # six to one to one: less than 0.95, seven: more
        ("7 7 7 7", {"rule": "dirichlet"}, 4),  # with fewer than three answers both rules are one
    ],
)
def test_adaptive_consistency_stops_where_the_rule_says(text, params, asked):
    solutions = answers(text)
    outcome, log = search("adaptive_consistency", solutions, len(solutions), **params)
    assert sizes(log) == [(i, 1) for i in range(asked)]
    assert outcome.answer == "7"
    came = [s for s in solutions[:asked] if s is not None]
    assert len(outcome.candidates) == len(came) and outcome.excluded == asked - len(came)


def test_the_dirichlet_rule_asks_for_more_than_the_beta_rule_here():
    assert ahead(6, 1) >= 0.95 > ahead_of_all(6, [1, 1])
    assert ahead_of_all(7, [1, 1]) >= 0.95


def test_a_window_is_sampled_side_by_side_and_cut_at_the_budget():
    solutions = answers("7 8 7 8 7 8 7 8")
    assert sizes(search("adaptive_consistency", solutions, 8, window=3)[1]) == [(0, 3), (3, 3), (6, 2)]
    assert sizes(search("adaptive_consistency", answers("7 7 7 7 7 7"), 6, window=3)[1]) == [(0, 3), (3, 3)]
    assert sizes(search("adaptive_consistency", answers("7 7 7 7"), 3, window=100)[1]) == [(0, 3)]


def test_adaptive_consistency_ties_go_to_the_first_answer_seen():
    assert search("adaptive_consistency", answers("8 7 7 8"), 4)[0].answer == "8"


def test_adaptive_consistency_reports_what_it_saved():
    [result] = run([spec("adaptive_consistency", 64)], ScriptedBackend(options={"answers": 1}))
    assert result.usage.generations == len(result.nodes) == 4


def test_a_certainty_that_cannot_come_is_refused():
    with pytest.raises(BadValue, match="threshold"):
        registry.build("strategy", "adaptive_consistency", {"threshold": 1.0})


# --- confidence voting -----------------------------------------------------------------------------------------------

# Groups of two: 5, 3, 2, 4, 7. A tenth of five groups is one, the lowest.
TOKENS = (6.0, 4.0, 2.0, 2.0, 6.0, 8.0)


@pytest.mark.parametrize(
    ("measure", "group", "value"),
    [
        ("average", 2, 28 / 6),
        ("lowest", 2, 2.0),
        ("bottom", 2, 2.0),
        ("tail", 2, 7.0),
        ("tail", 3, 16 / 3),
        ("lowest", 3, 8 / 3),  # 2, 2, 4 -> 4, 8/3, 10/3, 16/3
        ("lowest", 1, 2.0),
        *((measure, 99, 28 / 6) for measure in ("average", "lowest", "bottom", "tail")),  # shorter than a group
    ],
)
def test_a_trace_by_hand(measure, group, value):
    assert trace_confidence(TOKENS, measure, group) == pytest.approx(value, rel=1e-12)


def test_the_bottom_tenth_is_the_mean_of_the_lowest_groups():
    """Of 39 groups of one token the three lowest: 0.5, 1 and 1.5."""
    tokens = [20.0 - i / 2 for i in range(39)]
    assert trace_confidence(tokens, "bottom", 1) == pytest.approx(sum(sorted(tokens)[:3]) / 3)
    assert trace_confidence(tokens, "lowest", 1) == 1.0


@given(st.lists(st.floats(0, 40), min_size=1, max_size=80), st.integers(1, 90), st.sampled_from(MEASURES))
def test_any_trace(tokens, group, measure):
    """Sliding sums are the means of the windows, written out."""
    size = min(group, len(tokens))
    groups = sorted(sum(tokens[i : i + size]) / size for i in range(len(tokens) - size + 1))
    lowest = groups[: max(1, len(groups) // 10)]
    expected = {
        "average": sum(tokens) / len(tokens),
        "tail": sum(tokens[-size:]) / size,
        "lowest": groups[0],
        "bottom": sum(lowest) / len(lowest),
    }
    assert trace_confidence(tokens, measure, group) == pytest.approx(expected[measure], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("tokens", "measure"), [((), "average"), ((1.0,), "loudest")])
def test_no_trace_and_no_such_measure(tokens, measure):
    with pytest.raises(ValueError, match="confidence"):
        trace_confidence(tokens, measure, 2)


# Three solutions say 7 with little confidence, two say 8 with much: 3 * 2 < 4 + 5.
SURE = [("7", (2.0,)), ("8", (4.0,)), ("7", (2.0,)), ("8", (5.0,)), ("7", (2.0,))]


def test_votes_weigh_by_confidence():
    outcome, log = search("confidence_vote", SURE, 5, keep=100)
    assert [(r.n, r.confidence) for r in log if isinstance(r, Sample)] == [(5, True)]
    assert (outcome.answer, outcome.chosen, outcome.excluded) == ("8", "r.3", 0)
    assert [c.score for c in outcome.candidates] == pytest.approx([0.4, 0.8, 0.4, 1.0, 0.4])  # of the surest one's 5
    assert [c.weight for c in outcome.candidates] == pytest.approx([1.2, 1.8, 1.2, 1.8, 1.2])


@pytest.mark.parametrize(
    ("keep", "voters", "answer"),
    [(90, ["r.0", "r.1", "r.2", "r.3"], "8"), (40, ["r.1", "r.3"], "8"), (20, ["r.3"], "8"), (1, ["r.3"], "8")],
)
def test_only_the_most_confident_vote(keep, voters, answer):
    """90 % of five is four: of the equals the last one goes. At least one stays."""
    outcome, log = search("confidence_vote", SURE, 5, keep=keep)
    assert [c.node for c in outcome.candidates] == voters and outcome.answer == answer
    pruned = {node: r.why for r in log if isinstance(r, Prune) for node in r.nodes}
    assert pruned.keys() == {f"r.{i}" for i in range(5)} - set(voters)
    assert all(f"top {keep} %" in why for why in pruned.values())


def test_solutions_without_answer_hold_no_place_among_the_kept():
    """Half of the three with an answer is one."""
    solutions = [(None, (9.0,)), ("7", (2.0,)), ("8", (3.0,)), ("7", (2.0,)), None]
    outcome, _ = search("confidence_vote", solutions, 5, keep=50)
    assert [c.node for c in outcome.candidates] == ["r.0", "r.2"]
    assert (outcome.answer, outcome.excluded) == ("8", 1)


@pytest.mark.parametrize("bad", [(), (1.0, math.nan), (math.inf,)])
def test_solutions_without_a_confidence_are_left_out_and_counted(bad):
    outcome, log = search("confidence_vote", [("7", bad), ("8", (1.0,)), ("7", bad)], 3)
    assert (outcome.answer, outcome.excluded) == ("8", 2)
    assert any(r.nodes == ("r.0", "r.2") for r in log if isinstance(r, Prune))
    outcome, _ = search("confidence_vote", [("7", bad)], 1)
    assert (outcome.answer, outcome.candidates, outcome.excluded) == (None, (), 1)


def test_no_confidence_at_all_is_a_vote_by_order():
    outcome, _ = search("confidence_vote", [("7", (0.0,)), ("8", (0.0,)), ("8", (0.0,))], 3)
    assert outcome.answer == "7"


# --- the way of a confidence from the engine to the tree -------------------------------------------------------------


def test_confidences_are_asked_for_kept_and_replayed():
    backend = ScriptedBackend()
    [result] = run([spec("confidence_vote", 4)], backend)
    jobs = backend.engine("scripted-policy").jobs_seen
    assert {job.confidence for job in jobs if isinstance(job, GenerateJob)} == {CONFIDENCE_TOP}
    nodes = result.nodes.values()
    assert all(len(node.confidences) == round(-10 * node.logprob) for node in nodes)  # the engine has no token ids
    assert len({node.confidences for node in nodes}) == 4
    idle = ScriptedBackend()
    [again] = run([spec("confidence_vote", 4)], idle, recorded=nodes)
    assert again.outcome == result.outcome and not idle.engine("scripted-policy").jobs_seen


def test_nothing_is_kept_where_nothing_is_asked():
    [result] = run([spec("best_of_n", 4, select="majority")])
    assert all(node.confidences == () for node in result.nodes.values())


def test_a_node_without_confidences_does_not_answer_a_request_for_them():
    """Otherwise it would silently have no vote."""
    [plain] = run([spec("best_of_n", 2, select="majority")])
    [result] = run([spec("confidence_vote", 2)], recorded=plain.nodes.values())
    assert isinstance(result.error, StrategyFault)
