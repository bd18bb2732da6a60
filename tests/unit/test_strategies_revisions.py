"""Chains of revisions against trees drawn by hand from the paper's rules, and what a revision is shown and costs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conformance.harness import PROBLEM, ScriptedBackend, drive, rng, run, spec
from ttc_core import registry
from ttc_core.chains import Chain, choose_among, lengths
from ttc_core.jobs import GenerateJob
from ttc_core.types import ROOT, Budget, Node, Sample, Sampled, Score, Scored, child_id


class World:
    """Answers from a table: node id -> (text, answer, score). Missing: an error; answer "cut": cut off."""

    def __init__(self, table):
        self.table = table
        self.nodes = {}

    def __call__(self, request):
        if isinstance(request, Sample):
            ids = [child_id(request.node, request.first + i) for i in range(request.n)]
            came = [self.sampled(i, request) for i in ids if i in self.table]
            return Sampled(tuple(came), request.n - len(came))
        assert isinstance(request, Score)
        came = [self.nodes[i] for i in request.nodes if self.table[i][2] is not None]
        came = [replace(n, scores=(self.table[n.id][2],), path_scores=(self.table[n.id][2],)) for n in came]
        return Scored(tuple(came), len(request.nodes) - len(came))

    def sampled(self, node_id, request):
        text, answer, _ = self.table[node_id]
        finish = "length" if answer == "cut" else "end"
        node = Node(node_id, request.node, text, finish, answer=None if answer == "cut" else answer)
        self.nodes[node_id] = node
        return node


def search(name, table, budget, **params):
    strategy = registry.build("strategy", name, params)
    return drive(strategy.run(PROBLEM, Budget(budget), rng()), World(table))


def asked(log):
    return [(r.node, r.first, r.attempts) for r in log if isinstance(r, Sample)]


# --- one chain -------------------------------------------------------------------------------------------------------

CHAIN = {
    "r.0": ("a", "7", 0.3),
    "r.0.0": ("b", "8", 0.5),
    "r.0.0.0": ("c", "7", 0.4),
    "r.0.0.0.0": ("d", "9", 0.6),
}


@pytest.mark.parametrize(
    ("params", "answer", "chosen"),
    [
        ({}, "7", "r.0.0.0"),  # 0.3 + 0.4 beat 0.6 and 0.5
        ({"select": "best"}, "9", "r.0.0.0.0"),
        ({"select": "majority"}, "7", "r.0"),
    ],
)
def test_one_chain_revises_its_latest_attempt_and_chooses_among_all(params, answer, chosen):
    outcome, log = search("sequential_revisions", CHAIN, 4, **params)
    assert asked(log) == [(ROOT, 0, 0), ("r.0", 0, 4), ("r.0.0", 0, 4), ("r.0.0.0", 0, 4)]
    assert all(r.until == "end" and r.n == 1 for r in log if isinstance(r, Sample))
    assert (outcome.answer, outcome.chosen) == (answer, chosen)
    assert [c.node for c in outcome.candidates] == list(CHAIN)


def test_an_attempt_is_scored_beside_the_next_one_being_written():
    _, log = search("sequential_revisions", CHAIN, 3)
    assert [(type(r).__name__, getattr(r, "nodes", ())) for r in log] == [
        ("Sample", ()),
        ("Sample", ()), ("Score", ("r.0",)),
        ("Sample", ()), ("Score", ("r.0.0",)),
        ("Score", ("r.0.0.0",)),
    ]  # fmt: skip
    _, log = search("sequential_revisions", CHAIN, 3, select="majority")
    assert not any(isinstance(r, Score) for r in log)


def test_what_failed_or_was_cut_off_is_not_revised():
    table = {"r.1": ("a", "7", 0.3), "r.1.0": ("b", "cut", 0.9), "r.1.1": ("c", "8", None), "r.1.1.0": ("d", "9", 0.2)}
    outcome, log = search("sequential_revisions", table, 5)
    assert asked(log) == [(ROOT, 0, 0), (ROOT, 1, 0), ("r.1", 0, 4), ("r.1", 1, 4), ("r.1.1", 0, 4)]
    assert [c.node for c in outcome.candidates] == ["r.1", "r.1.1.0"]
    assert outcome.excluded == 3 and outcome.answer == "7"  # no reply, cut off, not scored


def test_nothing_came():
    outcome, log = search("sequential_revisions", {}, 3)
    assert asked(log) == [(ROOT, 0, 0), (ROOT, 1, 0), (ROOT, 2, 0)]
    assert (outcome.answer, outcome.chosen, outcome.candidates, outcome.excluded) == (None, None, (), 3)


# --- chains side by side ---------------------------------------------------------------------------------------------

TWO = {
    "r.0": ("a", "7", 0.5),
    "r.0.0": ("b", "8", 0.3),
    "r.0.0.0": ("c", "8", 0.3),  # chain 0: 8 with 0.6 beats 7 with 0.5; its best candidate has 0.3
    "r.1": ("d", "9", 0.4),
    "r.1.0": ("e", "7", 0.35),
    "r.1.0.0": ("f", None, 0.9),  # chain 1: 9 with 0.4; an attempt without an answer is nothing
}


@pytest.mark.parametrize(
    ("select", "answer", "chosen", "weights"),
    [
        ("hierarchical", "9", "r.1", [0, 0.3, 0.3, 0.4, 0, 0]),
        ("weighted", "7", "r.0", [0.85, 0.6, 0.6, 0.4, 0.85, 0]),
        ("best", "7", "r.0", [0.5, 0.3, 0.3, 0.4, 0.5, 0]),
        ("majority", "7", "r.0", [2, 2, 2, 1, 2, 0]),
    ],
)
def test_the_choice_is_made_inside_each_chain_and_then_across_or_flat(select, answer, chosen, weights):
    outcome, log = search("revisions", TWO, 6, chains=2, select=select)
    assert asked(log) == [(ROOT, 0, 0), ("r.0", 0, 4), ("r.0.0", 0, 4), (ROOT, 1, 0), ("r.1", 0, 4), ("r.1.0", 0, 4)]
    assert (outcome.answer, outcome.chosen) == (answer, chosen)
    assert [c.weight for c in outcome.candidates] == pytest.approx(weights)


def test_a_chain_whose_first_attempt_fails_tries_again_at_a_place_of_its_own():
    table = {k: v for k, v in TWO.items() if not k.startswith("r.0")} | {"r.2": ("g", "6", 0.1)}
    outcome, log = search("revisions", table, 6, chains=2)
    assert asked(log)[:3] == [(ROOT, 0, 0), (ROOT, 2, 0), ("r.2", 0, 4)]
    assert outcome.answer == "9" and outcome.excluded == 2


@pytest.mark.parametrize(
    ("budget", "chains", "expected"),
    [(16, 1, [16]), (16, 4, [4] * 4), (16, 16, [1] * 16), (3, 8, [1] * 3), (11, 4, [3, 3, 3, 2]), (1, 1, [1])],
)
def test_attempts_are_shared_among_chains_the_first_having_more(budget, chains, expected):
    assert lengths(budget, chains) == expected


def test_every_ratio_of_a_power_of_two_can_be_had():
    for chains in (1, 2, 4, 8, 16, 32):
        assert lengths(32, chains) == [32 // chains] * chains


def test_choosing_among_no_chains_or_chains_without_answers():
    for select in ("hierarchical", "majority"):
        outcome = choose_among([], select, "last")
        assert (outcome.answer, outcome.chosen, outcome.candidates) == (None, None, ())
        unanswered = Chain((Node("r.0", ROOT, "a", "end", path_scores=(0.9,)),), 2)
        outcome = choose_among([unanswered], select, "last")
        assert (outcome.answer, outcome.chosen, outcome.excluded) == (None, None, 2)
        assert [c.node for c in outcome.candidates] == ["r.0"]


# --- critique and rewrite --------------------------------------------------------------------------------------------

REFINE = {
    "r.0": ("first", "7", 0.9),
    "r.0.0": ("The second line is wrong.", None, None),
    "r.0.0.0": ("second", "8", 0.2),
    "r.0.0.0.0": ("It still is.", None, None),
    "r.0.0.0.0.0": ("third", "9", 0.4),
    "r.0.0.0.0.0.0": ("There is No Mistake.", None, None),
}


def refined(log):
    return [(r.node, r.attempts, r.ask) for r in log if isinstance(r, Sample)]


def test_self_refine_solves_criticises_and_rewrites_until_nothing_is_wrong():
    outcome, log = search("self_refine", REFINE, 9)
    assert refined(log) == [
        (ROOT, 0, ""),
        ("r.0", 1, "critique"), ("r.0.0", 8, "rewrite"),
        ("r.0.0.0", 1, "critique"), ("r.0.0.0.0", 8, "rewrite"),
        ("r.0.0.0.0.0", 1, "critique"),
    ]  # fmt: skip
    assert (outcome.answer, outcome.chosen) == ("9", "r.0.0.0.0.0")
    assert not any(isinstance(r, Score) for r in log)


@pytest.mark.parametrize(
    ("params", "answer"), [({"select": "best"}, "7"), ({"select": "majority"}, "7"), ({"stop": "wrong"}, "7")]
)
def test_self_refine_may_choose_among_all_solutions_or_stop_at_other_words(params, answer):
    outcome, log = search("self_refine", REFINE, 5, **params)
    assert outcome.answer == answer
    scored = [r.nodes for r in log if isinstance(r, Score)]
    assert scored == ([("r.0", "r.0.0.0", "r.0.0.0.0.0")] if params.get("select") == "best" else [])


@pytest.mark.parametrize(("budget", "texts"), [(1, 1), (2, 1), (3, 3), (4, 3), (5, 5)])
def test_self_refine_spends_nothing_on_a_critique_that_no_rewrite_follows(budget, texts):
    _, log = search("self_refine", REFINE, budget, stop="")
    assert len(refined(log)) == texts


def test_self_refine_asks_again_for_what_failed():
    table = {k: v for k, v in REFINE.items() if k != "r.0.0"} | {
        "r.0.1": ("wrong", None, None),
        "r.0.1.0": ("cut", "cut", None),
        "r.0.1.1": ("second", None, None),
    }
    outcome, log = search("self_refine", table, 5)
    assert refined(log)[1:] == [("r.0", 1, "critique")] * 2 + [("r.0.1", 8, "rewrite")] * 2
    assert (outcome.answer, outcome.excluded) == ("7", 2)  # the latest solution that has an answer


# --- on the scripted engine: prompts, costs, records -----------------------------------------------------------------


def contexts(backend):
    jobs = [job for job in backend.engine("scripted-policy").jobs_seen if isinstance(job, GenerateJob)]
    return [[segment.text for segment in job.context] for job in jobs]


def test_a_revision_sees_the_question_and_the_latest_attempts_only():
    backend = ScriptedBackend()
    result = run([spec("sequential_revisions", 7, context=3)], backend)[0]
    chain = [result.nodes["r" + ".0" * depth].text for depth in range(1, 8)]
    for number, [prompt] in enumerate(contexts(backend)):
        shown = chain[max(0, number - 3) : number]
        assert prompt == "\n".join([PROBLEM.question, *shown]) + "\n"


@pytest.mark.parametrize("budget", [1, 2, 3, 7, 16])
@pytest.mark.parametrize("name", ["sequential_revisions", "revisions"])
def test_n_attempts_cost_n_generations(name, budget):
    for chains in [1, 2, 3, 16] if name == "revisions" else [None]:
        result = run([spec(name, budget, **({"chains": chains} if chains else {}))])[0]
        assert result.usage.generations == len(result.nodes) == budget
        assert len(result.outcome.candidates) == budget


def test_as_many_chains_as_attempts_are_best_of_n():
    chains = run([spec("revisions", 8, chains=8, select="weighted")])[0]
    independent = run([spec("best_of_n", 8)])[0]
    assert chains.outcome == independent.outcome and chains.nodes == independent.nodes


def test_one_of_the_chains_is_sequential():
    one = run([spec("revisions", 6, chains=1, select="weighted")])[0]
    assert one.nodes == run([spec("sequential_revisions", 6)])[0].nodes


def test_chains_do_not_wait_for_each_other():
    result = run([spec("revisions", 16, chains=4)], ScriptedBackend(options={"sigma": 1.5}))[0]
    lengths_then = [
        sorted(sum(i == f"r.{c}" or i.startswith(f"r.{c}.") for i in nodes) for c in range(4))
        for nodes, _ in result.moments
    ]
    assert any(found[-1] - found[0] >= 2 for found in lengths_then)


def test_a_critique_is_a_text_without_an_answer_and_costs_a_generation():
    backend = ScriptedBackend()
    result = run([spec("self_refine", 5, stop="")], backend)[0]
    first, critique, second = (result.nodes[i] for i in ("r.0", "r.0.0", "r.0.0.0"))
    assert "Answer: " in critique.text and critique.answer is None and critique.state == "kept"
    assert first.answer is not None and second.answer is not None
    assert [c.node for c in result.outcome.candidates] == ["r.0.0.0.0.0"]
    assert result.usage.generations == len(result.nodes) == 5
    shown = [prompt for [prompt] in contexts(backend)]
    assert shown[1] == f"{PROBLEM.question}\n{first.text}\ncritique\n"
    assert shown[2] == f"{PROBLEM.question}\n{first.text}\n{critique.text}\nrewrite\n"
    assert shown[3] == f"{PROBLEM.question}\n{second.text}\ncritique\n"
