"""Best-first search, MCTS and AB-MCTS against trees drawn by hand from their papers' rules, fed reply by reply."""

from __future__ import annotations

import math

import pytest

from tests.conformance.harness import PROBLEM, drive
from tests.unit.test_strategies_golden import World, search
from ttc_core import registry
from ttc_core.strategies.ab_mcts import Evidence, beta, gaussian
from ttc_core.types import ROOT, Budget, Prune, Sample


def continued(log):
    return [(r.node, r.n) for r in log if isinstance(r, Sample) and not r.branch]


def pruned(log):
    return {node: r.why for r in log if isinstance(r, Prune) for node in r.nodes}


# --- best-first ------------------------------------------------------------------------------------------------------

# N = 4. Queue after each round, best first: r.1 r.0 | r.1.1 r.0 r.1.0 | r.0 r.1.0 r.1.1.1 | r.0.1 r.1.0 r.1.1.1.
# The search goes two steps down, comes back up to r.0 when what it found is worse, and ends with four solutions.
QUEUE = {
    "r.0": ("A\n", None, 0.6),
    "r.1": ("B\n", None, 0.8),
    "r.1.0": ("C\n", None, 0.5),
    "r.1.1": ("D\n", None, 0.7),
    "r.1.1.0": ("Answer: 1\n", "1", 0.4),
    "r.1.1.1": ("E\n", None, 0.3),
    "r.1.1.1.0": ("Answer: 5\n", "5", 0.3),
    "r.1.1.1.1": ("Answer: 6\n", "6", 0.2),
    "r.0.0": ("Answer: 2\n", "2", 0.9),
    "r.0.1": ("F\n", None, 0.55),
    "r.0.1.0": ("Answer: 1\n", "1", 0.45),
    "r.0.1.1": ("Answer: 3\n", "3", 0.2),
}


def test_best_first_continues_the_best_step_of_the_whole_tree():
    outcome, log = search("best_first", QUEUE, 4, width=2, first=2)
    assert continued(log) == [(ROOT, 2), ("r.1", 2), ("r.1.1", 2), ("r.0", 2), ("r.0.1", 2)]
    assert pruned(log).keys() == {"r.1.0", "r.1.1.1"}
    assert [c.node for c in outcome.candidates] == ["r.1.1.0", "r.0.0", "r.0.1.0", "r.0.1.1"]
    assert outcome.answer == "2" and outcome.chosen == "r.0.0"  # .9 beats .4 + .45


def test_best_first_passes_over_a_step_whose_depth_is_used_up_and_so_completes_something():
    outcome, log = search("best_first", QUEUE, 2, width=2)
    assert continued(log) == [(ROOT, 2), ("r.1", 2), ("r.1.1", 2), ("r.1.1.1", 2)]  # r.0 and r.1.0 had no room
    assert outcome.answer == "1" and pruned(log).keys() == {"r.0", "r.1.0"}


@pytest.mark.parametrize("name", ["best_first", "mcts", "ab_mcts"])
def test_the_words_on_a_step_say_why_it_was_given_up(name):
    settings = {} if name == "ab_mcts" else {"width": 2, "first": 2}
    outcome, log = search(name, TREE, 2, rounds=1, **settings)
    assert outcome.answer is None
    assert pruned(log) == {"r.0": "not complete after 1 steps", "r.1": "not complete after 1 steps"}
    _, log = search("best_first", QUEUE, 4, width=2, first=2)
    assert set(pruned(log).values()) == {"not reached before 4 solutions were complete"}
    _, log = search("mcts", TREE, 4, width=2, first=2)
    assert "PUCT preferred took the 4 generations" in pruned(log)["r.0.1"]


def test_best_first_takes_the_earlier_of_equals_and_no_twin():
    table = {**QUEUE, "r.0": ("A\n", None, 0.8), "r.2": ("B\n", None, 0.9)}
    _, log = search("best_first", table, 4, width=2, first=3)
    assert continued(log)[1] == ("r.0", 2)
    assert pruned(log)["r.2"] == "same step as r.1"
    _, log = search("best_first", table | {"r.2.0": ("Answer: 7\n", "7", 0.1)}, 4, width=2, first=3, distinct=False)
    assert continued(log)[1] == ("r.2", 2)


def test_best_first_may_take_several_steps_at_once():
    _, log = search("best_first", QUEUE, 4, width=2, first=2, batch=2)
    assert continued(log)[:5] == [(ROOT, 2), ("r.1", 2), ("r.0", 2), ("r.1.1", 2), ("r.0.1", 2)]


# --- MCTS ------------------------------------------------------------------------------------------------------------

# N = 4, c = 1, means, P = 1/2. Bounds at the root before each descent, with Q and the number of visits:
#   r.0  .60 + sqrt2/4 (1)   r.1  .50 + sqrt2/4 (1)  -> r.0, whose continuations are bad
#   r.0  .30 + 1/4     (3)   r.1  .50 + 1/2     (1)  -> r.1
#   r.0  .30 + sqrt6/8 (3)   r.1  .57 + sqrt6/8 (3)  -> r.1, of which r.1.0 is complete: r.1.1
# Then nothing below r.1 is left; r.0.0 takes the last two places of its depth.
TREE = {
    "r.0": ("A\n", None, 0.6),
    "r.1": ("B\n", None, 0.5),
    "r.0.0": ("C\n", None, 0.2),
    "r.0.1": ("D\n", None, 0.1),
    "r.1.0": ("Answer: 1\n", "1", 0.8),
    "r.1.1": ("E\n", None, 0.4),
    "r.1.1.0": ("Answer: 2\n", "2", 0.3),
    "r.1.1.1": ("Answer: 1\n", "1", 0.35),
    "r.0.0.0": ("Answer: 3\n", "3", 0.1),
    "r.0.0.1": ("Answer: 3\n", "3", 0.05),
    "r.0.1.0": ("Answer: 4\n", "4", 0.1),
    "r.0.1.1": ("Answer: 4\n", "4", 0.05),
}


def test_mcts_descends_by_puct_and_backs_up_means():
    outcome, log = search("mcts", TREE, 4, width=2, first=2)
    assert continued(log) == [(ROOT, 2), ("r.0", 2), ("r.1", 2), ("r.1.1", 2), ("r.0.0", 2)]
    assert pruned(log).keys() == {"r.0.1"}
    assert outcome.answer == "1" and outcome.chosen == "r.1.0"
    assert [c.weight for c in outcome.candidates] == pytest.approx([1.15, 0.3, 1.15, 0.15, 0.15])


def test_mcts_with_maxima_and_no_exploration_stays_where_the_best_score_was():
    _, log = search("mcts", TREE, 4, width=2, first=2, backup="max", exploration=0)
    assert continued(log) == [(ROOT, 2), ("r.0", 2), ("r.0.0", 2), ("r.0.1", 2), ("r.1", 2)]
    _, log = search("mcts", TREE, 4, width=2, first=2, exploration=0)  # the mean of r.0 falls from .6 to .3
    assert continued(log)[:3] == [(ROOT, 2), ("r.0", 2), ("r.1", 2)]


def test_mcts_priors_from_scores_hold_the_search_with_the_better_step():
    # After r.0: c = 4, four visits. Q is .37 and .1; bounds 1.37 and 2.1 with equal priors, 1.75 and 1.34 with softmax.
    table = TREE | {"r.0": ("A\n", None, 0.9), "r.1": ("B\n", None, 0.1), "r.0.0": ("C\n", None, 0.1)}
    second = {
        prior: continued(search("mcts", table, 4, width=2, first=2, exploration=4, prior=prior)[1])[2]
        for prior in ("uniform", "scores")
    }
    assert second == {"uniform": ("r.1", 2), "scores": ("r.0.0", 2)}


def test_mcts_expands_several_steps_told_apart_by_virtual_losses():
    _, log = search("mcts", TREE, 4, width=2, first=2, batch=2)
    assert continued(log)[:3] == [(ROOT, 2), ("r.0", 2), ("r.1", 2)]  # r.1 now without knowing r.0's continuations
    scored_first = [type(r).__name__ for r in log][:6]
    assert scored_first == ["Sample", "Score", "Sample", "Sample", "Score", "Sample"]


# N = 4 with rollouts: r.0 has the better score, but its rollout ends badly. Two places are left at depth 1: r.1's.
ROLLED = {
    "r.0": ("A\n", None, 0.6),
    "r.1": ("B\n", None, 0.5),
    "r.0.~0": ("Answer: 1\n", "1", 0.2),
    "r.1.~0": ("Answer: 2\n", "2", 0.9),
    "r.1.0": ("Answer: 1\n", "1", 0.6),
    "r.1.1": ("C\n", None, 0.7),
    "r.1.1.~0": ("Answer: 1\n", "1", 0.5),
}


def test_mcts_with_rollouts_follows_their_ends_and_lets_them_vote():
    outcome, log = search("mcts", ROLLED, 4, width=2, leaf="rollout")
    assert continued(log)[:2] == [(ROOT, 2), ("r.1", 2)]
    rollouts = [(r.node, r.n, r.until) for r in log if isinstance(r, Sample) and r.branch]
    assert rollouts == [("r.0", 1, "end"), ("r.1", 1, "end"), ("r.1.1", 1, "end")]  # r.1.0 has ended itself
    assert [c.node for c in outcome.candidates] == ["r.0.~0", "r.1.~0", "r.1.0", "r.1.1.~0"]
    assert outcome.answer == "1"  # .2 + .6 + .5 beats .9


@pytest.mark.parametrize("name", ["best_first", "mcts", "ab_mcts"])
def test_a_step_that_failed_is_counted_and_never_continued(name):
    table = {key: value for key, value in TREE.items() if key != "r.1"} | {"r.0": ("A\n", None, None)}
    outcome, log = search(name, table, 1)
    assert continued(log) == [(ROOT, 1)] and outcome.answer is None and outcome.excluded == 1
    assert search(name, {}, 2)[0].excluded == 2


# --- AB-MCTS-A -------------------------------------------------------------------------------------------------------


class Dealt:
    """Random numbers dealt by hand: each draw from a Beta posterior is recorded and answered from the list."""

    def __init__(self, *dealt):
        self.dealt = [*dealt]
        self.asked = []

    def betavariate(self, a, b):
        self.asked.append((round(a, 6), round(b, 6)))
        return self.dealt.pop(0)


def answers(table, budget, dealt, **params):
    strategy = registry.build("strategy", "ab_mcts", {"posterior": "beta", **params})
    random = Dealt(*dealt)
    outcome, log = drive(strategy.run(PROBLEM, Budget(budget), random), World(table))
    assert not random.dealt, "more was dealt than drawn"
    return outcome, [(r.node, r.first, r.until, r.attempts) for r in log if isinstance(r, Sample)], random.asked


ANSWERS = {
    "r.0": ("Answer: 1\n", "1", 0.8),
    "r.0.0": ("Answer: 2\n", "2", 0.4),
    "r.1": ("Answer: 2\n", "2", 0.5),
    "r.0.1": ("Answer: 1\n", "1", 0.6),
}


def test_ab_mcts_goes_wider_or_deeper_as_the_posteriors_are_drawn():
    draws = [
        *(0.3, 0.6, 0.5),  # GEN .3 < CONT .6: deeper, into the only child, a leaf, which can only generate
        *(0.9, 0.1),  # GEN: wider
        *(0.2, 0.7, 0.5, 0.4, 0.8, 0.1),  # CONT, r.0 before r.1, and there GEN
    ]
    outcome, asked, posteriors = answers(ANSWERS, 4, draws, level="answer")
    assert asked == [(ROOT, 0, "end", 0), ("r.0", 0, "end", 1), (ROOT, 1, "end", 0), ("r.0", 1, "end", 1)]
    assert posteriors == [
        *((1.3, 0.7), (0.5, 0.5), (1.3, 0.7)),  # GEN has seen .8, CONT nothing, r.0 its own .8
        *((1.3, 0.7), (0.9, 1.1)),  # r.0.0's .4 is evidence for CONT, not for GEN
        *((1.8, 1.2), (0.9, 1.1), (1.7, 1.3), (1.0, 1.0)),  # GEN .8 .5; r.0 .8 .4; r.1 .5
        *((0.9, 1.1), (0.5, 0.5)),  # at r.0: GEN .4
    ]
    assert outcome.answer == "1" and [c.weight for c in outcome.candidates] == pytest.approx([1.4, 0.9, 0.9, 1.4])


def test_ab_mcts_shows_a_revision_as_many_attempts_as_told():
    _, asked, _ = answers(ANSWERS, 2, [0.1, 0.9, 0.5], level="answer", attempts=3)
    assert asked[1] == ("r.0", 0, "end", 3)


def test_ab_mcts_over_steps_never_descends_into_what_is_complete_or_used_up():
    table = {
        "r.0": ("A\n", None, 0.8),
        "r.1": ("Answer: 1\n", "1", 0.5),
        "r.0.0": ("Answer: 2\n", "2", 0.4),
        "r.0.1": ("B\n", None, 0.4),
        "r.0.1.0": ("Answer: 3\n", "3", 0.2),
        "r.0.1.1": ("Answer: 3\n", "3", 0.3),
    }
    # Wider at the root once: two first steps, which is all; one of them is complete. So down to r.0 without a draw; its
    # first continuation is complete: GEN without a draw again. The same one step lower, until each depth has two.
    outcome, asked, _ = answers(table, 2, [0.9, 0.1], level="step")
    assert [node for node, *_ in asked] == [ROOT, ROOT, "r.0", "r.0", "r.0.1", "r.0.1"]
    assert [c.node for c in outcome.candidates] == ["r.1", "r.0.0", "r.0.1.0", "r.0.1.1"]


def test_ab_mcts_draws_a_batch_from_the_same_posteriors():
    _, asked, posteriors = answers(ANSWERS | {"r.2": ("c", "7", 0.1)}, 3, [0.9, 0.1], level="answer", batch=2)
    assert asked == [(ROOT, 0, "end", 0), (ROOT, 1, "end", 0), (ROOT, 2, "end", 0)]
    assert posteriors == [(1.8, 1.2), (0.5, 0.5)]


class Normal:
    """Records the parameters of the two draws from a normal-inverse-gamma posterior."""

    def gammavariate(self, shape, scale):
        self.gamma = (shape, scale)
        return 2.0

    def gauss(self, mean, deviation):
        self.normal = (mean, deviation)
        return mean


def seen(*scores):
    evidence = Evidence()
    for score in scores:
        evidence.add(score)
    return evidence


def test_posteriors_by_hand():
    # Scores .2 and .8: kappa = nu = 3, mean 1/3, tau^2 = (.1 + .18 + 2 * 1 * .25 / 3) / 3 = .148889.
    random = Normal()
    gaussian(seen(0.2, 0.8), random)
    assert random.gamma == (1.5, 1.0)
    variance = 3 * (0.28 + 0.5 / 3) / 3 / 2 / 2.0
    assert random.normal == pytest.approx((1 / 3, math.sqrt(variance / 3)))
    gaussian(seen(), random)
    assert random.gamma == (0.5, 1.0) and random.normal == pytest.approx((0.0, math.sqrt(0.1 / 4)))
    dealt = Dealt(0.5, 0.5)
    assert beta(seen(), dealt) == beta(seen(1.0, 0.0, 0.25), dealt) == 0.5
    assert dealt.asked == [(0.5, 0.5), (1.75, 2.25)]
