"""Strategies that look first and decide then: the compute-optimal policy and escalation, fed by hand and scripted."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import numpy as np
import pytest

from tests.conformance.harness import PROBLEM, ScriptedBackend, drive, rng, run, spec
from tests.unit.test_cli import but, ttc  # noqa: F401 (a fixture)
from tests.unit.test_runs import url  # noqa: F401 (a fixture)
from tests.unit.test_strategies_golden import World, search
from ttc_core import policies, registry, solutions
from ttc_core.analysis import pipeline
from ttc_core.errors import BadValue, UnknownName
from ttc_core.jobs import GenerateJob
from ttc_core.lab import policy_fitting
from ttc_core.policies import Choice, Policy
from ttc_core.settings import REPOSITORY, settings
from ttc_core.types import ROOT, Budget, Candidate, Node, Outcome, Prune, Sample

BEAM = {"strategy": "beam_search", "params": {"width": 2}}
WEIGHTED = {"strategy": "best_of_n", "params": {"select": "weighted"}}
DOCUMENT = {
    "version": 1,
    "model": "mini-s",
    "verifier": "mini-implicit",
    "probe": 2,
    "aggregate": "last",
    "thresholds": [0.5],
    "budgets": [2],
    "choices": [[BEAM, WEIGHTED]],
}


@pytest.fixture
def policy(tmp_path, monkeypatch):
    """Writes a policy file named `test`: DOCUMENT with changes."""
    (tmp_path / "policies").mkdir()
    monkeypatch.setenv("TTC_DATA_DIR", str(tmp_path))
    settings.cache_clear()

    def write(**changes):
        (tmp_path / "policies" / "test.json").write_text(json.dumps({**DOCUMENT, **changes}))

    write()
    yield write
    monkeypatch.undo()
    settings.cache_clear()


def samples(log):
    """(node, first, n, until, branch) of every sample asked for."""
    return [(r.node, r.first, r.n, r.until, r.branch) for r in log if isinstance(r, Sample)]


def told(log):
    return {node: r.why for r in log if isinstance(r, Prune) for node in r.nodes}


# --- the compute-optimal policy --------------------------------------------------------------------------------------

EASY = {
    "r.0": ("a", "7", (0.9, 0.8)),
    "r.1": ("b", "8", (0.2, 0.6)),
    "r.2": ("c", "8", (0.8, 0.3)),
    "r.3": ("d", "9", (0.1, 0.1)),
}
MARK = solutions._mark("beam_search", {"width": 2}, None)
HARD = {
    "r.0": ("a", "7", (0.9, 0.3)),
    "r.1": ("b", "8", (0.2, 0.2)),
    f"r.{MARK}0": ("A\n", None, 0.6),
    f"r.{MARK}1": ("B\n", None, 0.1),
    f"r.{MARK}0.0": ("Answer: 8\n", "8", 0.4),
    f"r.{MARK}0.1": ("Answer: 9\n", "9", 0.5),
}


def test_an_easy_question_goes_on_with_the_solutions_that_predicted(policy):
    outcome, log = search("compute_optimal", EASY, 4, policy="test")
    assert samples(log) == [(ROOT, i, 1, "end", "") for i in (0, 1, 0, 1, 2, 3)]  # the first two are recalled
    assert outcome.answer == "8" and [c.node for c in outcome.candidates] == ["r.0", "r.1", "r.2", "r.3"]
    assert [c.weight for c in outcome.candidates] == pytest.approx([0.8, 0.9, 0.9, 0.1])
    assert told(log)["r.0"] == told(log)["r.1"]
    assert "mean score 0.700, bin 2 of 2" in told(log)["r.0"] and "runs best_of_n" in told(log)["r.0"]
    assert "fitted for mini-s with mini-implicit" in told(log)["r.0"]


def test_a_hard_question_is_searched_with_what_is_left_and_all_solutions_vote(policy):
    outcome, log = search("compute_optimal", HARD, 4, policy="test")
    assert samples(log) == [
        (ROOT, 0, 1, "end", ""),
        (ROOT, 1, 1, "end", ""),
        (ROOT, 0, 2, "step", MARK),  # two generations are left; ids of its own
        (f"r.{MARK}0", 0, 2, "step", ""),
    ]
    assert [c.node for c in outcome.candidates] == ["r.0", "r.1", f"r.{MARK}0.0", f"r.{MARK}0.1"]
    assert outcome.answer == "8" and [c.weight for c in outcome.candidates] == pytest.approx([0.3, 0.6, 0.6, 0.5])
    assert "mean score 0.250, bin 1 of 2" in told(log)["r.0"] and "runs beam_search" in told(log)["r.1"]


def test_when_predicting_takes_the_whole_budget_its_solutions_are_chosen_among(policy):
    for budget, probe, answer in ((2, 0, "7"), (1, 0, "7"), (3, 9, "8")):
        outcome, log = search("compute_optimal", EASY, budget, policy="test", probe=probe)
        assert samples(log) == [(ROOT, i, 1, "end", "") for i in range(budget)]
        assert outcome.answer == answer and len(outcome.candidates) == budget and not told(log)


def test_a_question_whose_solutions_have_no_score_counts_as_hard_and_what_failed_is_counted(policy):
    table = {**HARD, "r.0": ("a", "7", None)}
    del table["r.1"]
    outcome, _ = search("compute_optimal", table, 4, policy="test")
    assert [c.node for c in outcome.candidates] == [f"r.{MARK}0.0", f"r.{MARK}0.1"]
    assert outcome.answer == "9" and outcome.excluded == 2


def test_a_failed_prediction_is_counted_once_where_its_sample_is_asked_for_again(policy):
    outcome, _ = search("compute_optimal", {k: v for k, v in EASY.items() if k != "r.1"}, 4, policy="test")
    assert outcome.excluded == 1 and len(outcome.candidates) == 3


def test_one_who_votes_by_majority_lets_those_who_predicted_vote(policy):
    policy(choices=[[{"strategy": "beam_search", "params": {"width": 2, "select": "majority"}}, WEIGHTED]])
    mark = solutions._mark("beam_search", {"width": 2, "select": "majority"}, None)
    outcome, _ = search("compute_optimal", {k.replace(MARK, mark): v for k, v in HARD.items()}, 4, policy="test")
    assert [c.weight for c in outcome.candidates] == [1, 2, 2, 1] and outcome.answer == "8"


@pytest.mark.parametrize("name", [n for n in registry.names("strategy") if n != "compute_optimal"])
@pytest.mark.parametrize("budget", [2, 3, 4, 7, 8])
def test_whatever_is_chosen_the_whole_stays_within_the_budget_and_can_be_extended(policy, name, budget):
    policy(choices=[[{"strategy": name, "params": {}}] * 2], probe=3)
    small = run([spec("compute_optimal", budget, policy="test")])[0]
    assert small.error is None and small.outcome.answer is not None
    assert min(budget, 3) <= small.usage.generations <= budget
    larger = spec("compute_optimal", 2 * budget + 1, policy="test")
    extended, at_once = run([larger], recorded=small.nodes.values())[0], run([larger])[0]
    assert extended.error is None and extended.outcome == at_once.outcome


@pytest.mark.parametrize(("choice", "sampled"), [(WEIGHTED, 8), (BEAM, None)])
def test_the_budget_is_spent_to_the_last_generation_and_no_solution_twice(policy, choice, sampled):
    policy(choices=[[choice, choice]], probe=3)
    backend = ScriptedBackend()
    result = run([spec("compute_optimal", 8, policy="test")], backend)[0]
    assert result.usage.generations == 8
    jobs = [job for job in backend.engine("scripted-policy").jobs_seen if isinstance(job, GenerateJob)]
    assert len(jobs) == len({job.seed for job in jobs}) == len(result.nodes)
    assert sampled is None or len(jobs) == sampled
    first = [n for n in result.nodes.values() if n.parent == ROOT]
    assert len(first) == 8  # three that predict and five first steps, or eight solutions


def test_the_choice_of_another_budget_meets_no_node_of_the_first(policy):
    """Rollouts of another length below the same step would be refused if both shared their ids."""
    look = [{"strategy": "lookahead_search", "params": {"k": k, "width": 2}} for k in (1, 2)]
    policy(budgets=[2, 8], choices=[[look[0]] * 2, [look[1]] * 2])
    small = run([spec("compute_optimal", 8, policy="test")])[0]
    larger = spec("compute_optimal", 16, policy="test")
    extended, at_once = run([larger], recorded=small.nodes.values())[0], run([larger])[0]
    assert extended.error is None and extended.outcome == at_once.outcome
    assert len({n.id.split(".")[1].rpartition("-")[0] for n in {**small.nodes, **extended.nodes}.values()}) == 3


def test_revisions_of_another_kind_below_the_same_attempt_are_kept_apart():
    def asks(attempts):
        [reply] = yield [Sample("r.0", attempts=attempts, until="end")]
        return reply

    ids = []
    for mark in ("a-", "b-"):
        apart = solutions._apart(asks(1), mark)
        [request] = next(apart)
        ids.append((request.node, request.branch))
        with pytest.raises(StopIteration):
            apart.send(["reply"])
    assert ids == [("r.0", "a-"), ("r.0", "b-")]


def test_where_predicting_does_not_pay_one_choice_is_run_at_once(policy):
    policy(at_once=[{"strategy": "single", "params": {}}])
    greedy = {f"r.{solutions._mark('single', {}, 4)}0": ("a", "7", None)}
    outcome, log = search("compute_optimal", greedy, 4, policy="test")
    assert len(samples(log)) == 1 and log[0].temperature == 0.0
    assert outcome.answer == "7" and not told(log)
    outcome, log = search("compute_optimal", HARD, 4, policy="test", probe=2)  # who asks for predicting gets it
    assert outcome.answer == "8" and "mean score 0.250" in told(log)["r.0"]


@pytest.mark.parametrize(("choice", "spent"), [({**BEAM, "generations": 4}, 7), ({**WEIGHTED, "generations": 6}, 6)])
def test_a_choice_that_is_better_with_less_leaves_the_rest_unspent(policy, choice, spent):
    policy(choices=[[choice, choice]], probe=3)
    [result] = run([spec("compute_optimal", 16, policy="test")])
    assert result.usage.generations == spent and result.outcome.answer is not None
    prunes = {node.why for node in result.nodes.values() if "with" in node.why and "at most" in node.why}
    assert [why.rpartition(", ")[2] for why in prunes] == [f"with {choice['generations']} generations at most"]
    policy(at_once=[choice], probe=3)
    [result] = run([spec("compute_optimal", 16, policy="test")])
    assert result.usage.generations == choice["generations"]


def test_fewer_generations_than_predicted_with_are_chosen_among_the_first(policy):
    policy(choices=[[{**WEIGHTED, "generations": 1}] * 2])
    outcome, _ = search("compute_optimal", EASY, 4, policy="test")
    assert [c.node for c in outcome.candidates] == ["r.0"] and outcome.answer == "7"


# --- policy files ----------------------------------------------------------------------------------------------------


def test_a_policy_is_looked_up_by_bin_and_budget():
    row = [[Choice(f"{budget}-{bin_}", {}) for bin_ in range(3)] for budget in (4, 16)]
    made = Policy("x", "m", "v", 4, "last", (0.25, 0.5), (4, 16), tuple(map(tuple, row)))
    assert [made.bin(score) for score in (None, 0.0, 0.2499, 0.25, 0.4999, 0.5, 1.0)] == [0, 0, 0, 1, 1, 2, 2]
    assert [made.choice(n, 1).strategy for n in (1, 4, 15, 16, 1000)] == ["4-1", "4-1", "4-1", "16-1", "16-1"]


def test_difficulty_is_predicted_from_what_was_scored():
    found = [Candidate("r.0", "1", 0.25), Candidate("r.1", None, 0.75), Candidate("r.2", "3", None)]
    assert policies.predicted(found) == 0.5 and policies.predicted(found[2:]) is None


def changed(*path, to):
    """DOCUMENT with one place changed, or left out."""
    document = copy.deepcopy(DOCUMENT)
    at = document
    for key in path[:-1]:
        at = at[key]
    if to is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = to
    return document


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ([], "it must be one JSON object"),
        (changed("probe", to=...), "it lacks 'probe'"),
        (changed("tresholds", to=[]), "it has the unknown key 'tresholds'"),
        (changed("version", to=2), "it has version 2, this program reads version 1"),
        (changed("model", to=7), "model must be text, not 7"),
        (changed("verifier", to=None), "verifier must be text, not None"),
        (changed("probe", to=0), "probe must be whole numbers from 1, not 0"),
        (changed("probe", to=True), "probe must be whole numbers from 1, not True"),
        (changed("aggregate", to="median"), "aggregate must be one of last, min, prod, mean, not 'median'"),
        (changed("thresholds", to=0.5), "thresholds must be a list"),
        (changed("thresholds", to=["0.5"]), "thresholds must be numbers from 0 to 1, not '0.5'"),
        (changed("thresholds", to=[float("nan")]), "thresholds must be numbers from 0 to 1, not nan"),
        (changed("thresholds", to=[0.5, 0.5]), "thresholds must rise, not [0.5, 0.5]"),
        (changed("thresholds", to=[0.6, 0.5]), "thresholds must rise, not [0.6, 0.5]"),
        (changed("thresholds", to=[]), "choices[0] must be a list of 1 choices, one for each bin"),
        (changed("budgets", to=[]), "budgets must hold at least one budget"),
        (changed("budgets", to=[2.5]), "budgets must be whole numbers from 1, not 2.5"),
        (changed("budgets", to=[2, 4]), "choices must be a list of 2 rows, one for each budget"),
        (changed("choices", 0, to=[BEAM]), "choices[0] must be a list of 2 choices, one for each bin"),
        (changed("choices", 0, 1, to="best_of_n"), 'choices[0][1] must be {"strategy": NAME, "params": {...}}'),
        (changed("choices", 0, 1, "params", to=[]), 'choices[0][1] must be {"strategy": NAME, "params": {...}}'),
        (changed("choices", 0, 0, "strategy", to="bean"), "choices[0][0]: no strategy is called 'bean'"),
        (changed("choices", 0, 0, "strategy", to=["bean"]), "choices[0][0].strategy must be text, not ['bean']"),
        (changed("choices", 0, 0, "params", to={"m": 1}), "choices[0][0]: strategy 'beam_search' has no parameter 'm'"),
        (changed("choices", 0, 0, "params", to={"width": -1}), "choices[0][0]: width must be at least 0, not -1"),
        (
            changed("choices", 0, 0, "generations", to=0),
            "choices[0][0].generations must be whole numbers from 1, not 0",
        ),
        (changed("at_once", to=BEAM), "at_once must be a list of 1 choices or nulls, one for each budget"),
        (changed("at_once", to=[None, None]), "at_once must be a list of 1 choices or nulls, one for each budget"),
        (changed("at_once", to=[{}]), 'at_once[0] must be {"strategy": NAME, "params": {...}}'),
        (
            changed("choices", 0, 0, to={"strategy": "compute_optimal", "params": {}}),
            "choices[0][0]: compute_optimal follows a policy itself",
        ),
    ],
)
def test_a_wrong_policy_file_is_refused_with_its_first_wrong_place(document, sentence):
    with pytest.raises(BadValue) as caught:
        policies.parse("mine", document)
    assert str(caught.value) == f"the policy file mine.json: {sentence}"


def test_a_policy_file_may_say_how_it_was_made():
    assert policies.parse("mine", {**DOCUMENT, "fitted": {"seed": 0}}) == policies.parse("mine", DOCUMENT)


def test_policies_that_are_not_there_or_no_json(policy, tmp_path):
    for name in ("nope", "../policies/test", "", "test.json"):
        with pytest.raises(UnknownName) as unknown:
            registry.build("strategy", "compute_optimal", {"policy": name})
        assert f"no policy is called {name!r}" in str(unknown.value) and unknown.value.hint == "there is: test"
    (tmp_path / "policies" / "test.json").write_bytes(b'{"version": 1,\xff')
    with pytest.raises(BadValue, match=r"the policy file test\.json cannot be read"):
        registry.build("strategy", "compute_optimal", {"policy": "test"})


def test_the_command_line_refuses_names_that_are_not_there(ttc):  # noqa: F811
    for command, sentence in (
        (
            [*but("--strategy", "compute_optimal"), "--set", "policy=nope"],
            "no policy is called 'nope' (there is: none)",
        ),
        ([*but("--strategy", "escalate"), "--set", "last=nope"], "no strategy is called 'nope' (there is: "),
    ):
        code, out, err = ttc(*command)
        assert (code, out, err.count("\n")) == (2, "", 1) and err.startswith(f"ttc: {sentence}")


def test_the_shipped_policy_names_the_best_of_what_was_measured():
    document = json.loads((REPOSITORY / "data/policies/mini.json").read_text("utf-8"))
    made, noted = policies.load("mini"), document["fitted"]
    assert made == policies.parse("mini", document) and (made.model, made.probe) == ("mini-s", policy_fitting.PROBE)
    labels = [policy_fitting.label(*candidate) for candidate in policy_fitting.CANDIDATES]
    assert labels == list(noted["accuracy"]) and len(noted["sizes"]) == len(made.thresholds) + 1
    means = np.full((len(noted["sizes"]), len(labels), len(made.budgets)), -np.inf)
    for m, rows in enumerate(noted["accuracy"].values()):
        for budget, row in rows.items():
            means[:, m, made.budgets.index(int(budget))] = row
    numbers = np.broadcast_to(np.array(noted["sizes"])[:, None, None], means.shape)
    run = np.isfinite(means[0])
    source = np.maximum.accumulate(np.where(run, np.arange(run.shape[1]), -1), axis=1)
    taken = pipeline.chosen(means, numbers, np.where(source < 0, np.arange(run.shape[1]), source))
    for j, row in enumerate(made.choices):
        for bin_, choice in enumerate(row):
            method, spent = divmod(int(taken[bin_, j]), len(made.budgets))
            less = None if spent == j else made.budgets[spent]
            assert choice == Choice(*policy_fitting.CANDIDATES[method], less), (j, bin_)


# --- escalation ------------------------------------------------------------------------------------------------------


def escalated(scores, budget, **params):
    """Outcome and how many solutions were sampled; scores: (answer, score) by sample number."""
    table = {f"r.{i}": (f"s{i}", answer, score) for i, (answer, score) in enumerate(scores)}
    outcome, log = search("escalate", table, budget, **params)
    return outcome, [first for _, first, *_ in samples(log)], told(log)


def test_escalation_stops_at_once_when_the_verifier_is_sure():
    outcome, sampled, why = escalated([("7", 0.95)], 16)
    assert outcome.answer == "7" and sampled == [0]
    assert why == {"r.0": "sure enough (0.950) after 1 of 16 generations"}


def test_escalation_doubles_while_the_best_score_or_the_share_is_too_low():
    scores = [("7", 0.8), ("8", 0.95), ("7", 0.99), ("7", 0.97)]  # shares: 1, .54, .74
    outcome, sampled, why = escalated(scores, 4)
    assert sampled == [0, 1, 2, 3] and outcome.answer == "7" and not why  # the budget ended it
    outcome, sampled, why = escalated([*scores, *[("7", 0.9)] * 12], 16)
    assert sampled == [*range(16)] and outcome.answer == "7"  # at 8 the share is .88
    outcome, sampled, _ = escalated([*scores, *[("7", 0.9)] * 12], 16, threshold=0.7)
    assert sampled == [0]
    outcome, sampled, _ = escalated([*scores, *[("7", 0.9)] * 12], 16, threshold=0.85)
    assert sampled == [*range(8)]


@pytest.mark.parametrize(("start", "rounds"), [(1, [1, 1, 2, 4, 3]), (3, [3, 3, 5]), (11, [11]), (50, [11])])
def test_every_round_doubles_and_the_last_one_takes_what_the_budget_leaves(start, rounds):
    under_way = registry.build("strategy", "escalate", {"start": start}).run(PROBLEM, Budget(11), rng())
    [first] = next(under_way)
    sizes = [len(first.searches)]
    while sum(sizes) < 11:
        [round_] = under_way.send([(None,) * sizes[-1]])  # all failed: nothing to be sure of
        sizes.append(len(round_.searches))
    assert sizes == rounds


def test_without_scores_or_solutions_escalation_goes_on_to_the_end():
    outcome, sampled, _ = escalated([("7", None), ("8", None), ("9", 0.95)], 4)
    assert sampled == [0, 1, 2, 3] and outcome.answer == "9" and outcome.excluded == 3
    assert escalated([], 4)[0] == Outcome(None, None, (), 4)


def test_another_strategy_takes_over_for_the_last_round():
    mark = solutions._mark("beam_search", {}, None)
    table = {
        "r.0": ("a", "7", 0.3),
        "r.1": ("b", "8", 0.2),
        f"r.{mark}0": ("Answer: 8\n", "8", 0.6),
        f"r.{mark}1": ("Answer: 9\n", "9", 0.7),
    }
    outcome, log = search("escalate", table, 4, last="beam_search")
    assert samples(log)[2:] == [(ROOT, 0, 2, "step", mark)]
    assert outcome.answer == "8" and [c.weight for c in outcome.candidates] == pytest.approx([0.3, 0.8, 0.8, 0.7])
    assert samples(search("escalate", {**table, "r.1": ("b", "7", 0.95)}, 4, last="beam_search")[1])[2:] == []


class Anything(dict):
    """A table in which everything else is a bad wrong answer."""

    def __contains__(self, key):
        return True

    def __missing__(self, key):
        return "a", "8", 0.1


@pytest.mark.parametrize(("name", "params"), [("revisions", {"chains": 2}), ("sequential_revisions", {})])
def test_what_asks_for_some_solutions_again_lets_the_others_vote(name, params):
    given = {"r.2": ("a", "7", 0.9), "r.3": ("a", "7", 0.9)}
    probed = [("8", 0.1), ("8", 0.1), ("7", 0.9), ("7", 0.9)]
    found = [
        Node(f"r.{i}", ROOT, "a", "end", answer=a, path_scores=(p,), scores=(p,)) for i, (a, p) in enumerate(probed)
    ]
    search = solutions.after(found, name, {**params, "select": "weighted"}, PROBLEM, Budget(8), rng())
    outcome, _ = drive(search, World(Anything(given)))
    assert outcome.answer == "7" and {"r.2", "r.3"} <= {candidate.node for candidate in outcome.candidates}
    search = solutions.after([None, *found[1:]], name, {**params, "select": "weighted"}, PROBLEM, Budget(8), rng())
    voted = [candidate.node for candidate in drive(search, World(Anything(given)))[0].candidates]
    assert {"r.1", "r.2", "r.3"} <= set(voted) and len(set(voted)) == len(voted), "nobody votes twice"


@pytest.mark.parametrize("budget", [1, 2, 3, 5, 8, 13])
def test_an_escalation_reports_exactly_what_it_sampled(budget):
    used = []
    for seed in range(8):
        result = run([spec("escalate", budget, seed)])[0]
        assert result.usage.generations == len(result.nodes) <= budget
        assert len(result.nodes) in {min(budget, 1 << i) for i in range(5)}
        used.append(result.usage.generations)
    assert budget == 1 or min(used) < budget
    longer = replace(spec("escalate", 2 * budget, 1), params={"threshold": 1.0})
    assert run([longer])[0].usage.generations == 2 * budget


def test_what_samples_some_at_a_time_goes_on_to_the_whole_budget():
    """Votes that stay even are never safe: adaptive consistency behind an escalation samples all that is left."""
    even = {f"r.{i}": ("a", str(i % 2), 0.1) for i in range(16)}
    params = {"last": "adaptive_consistency", "threshold": 1.0}
    outcome, log = search("escalate", even, 16, **params)
    asked = {(r.first + i) for r in log if isinstance(r, Sample) for i in range(r.n)}
    assert asked == set(range(16)) and len(outcome.candidates) == 16
