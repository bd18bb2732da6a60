"""The first wrong step of each solution in a tree, for problems whose steps can be checked."""

from __future__ import annotations

from ttc_core.runs_steps import first_wrong
from ttc_core.types import ROOT, Node

# 2 + 3 = 5, then 5 * 4 = 20
PROBLEM = {"answer": "20", "graph": {"values": [2, 3, 4, 5, 20], "equations": [["+", 0, 1, 3], ["*", 3, 2, 4]]}}
RIGHT = "2 + 3 = 5\n5 * 4 = 20\nAnswer: 20\n"


def step(id_, text, finish="step", steps=1):
    return Node(id_, id_.rpartition(".")[0], text, finish, steps=steps)


def test_a_right_solution_has_no_wrong_step():
    assert first_wrong(PROBLEM, [step("r.0", RIGHT, "end", 3)]) == []


def test_only_the_first_wrong_step_of_a_way_is_named_in_whatever_order_nodes_come():
    nodes = [
        step("r.0", "2 + 3 = 5\n"),
        step("r.1", "2 + 3 = 6\n"),
        step("r.0.0", "5 * 4 = 21\n"),
        step("r.0.1", "5 * 4 = 20\n"),
        step("r.0.0.0", "Answer: 21\n", "end"),
        step("r.0.1.0", "Answer: 20\n", "end"),
        step("r.1.0", "6 * 4 = 24\n"),
    ]
    assert sorted(first_wrong(PROBLEM, nodes[::-1])) == ["r.0.0", "r.1"]


def test_a_step_inside_a_whole_solution_is_named_by_its_number():
    wrong = RIGHT.replace("= 20", "= 24")
    assert first_wrong(PROBLEM, [step("r.0", wrong, "end", 3)]) == ["r.0#2"]
    assert first_wrong(PROBLEM, [step("r.0", RIGHT.replace("Answer: 20", "Answer: 7"), "end", 3)]) == ["r.0"]


def test_a_revision_is_judged_apart_from_what_it_revises():
    nodes = [step("r.0", "Answer: 1\n", "end"), step("r.0.0", RIGHT, "end", 3), step("r.0.0.0", "x\n", "end")]
    assert first_wrong(PROBLEM, nodes) == ["r.0", "r.0.0.0"]


def test_given_steps_count_and_what_hangs_below_a_wrong_one_does_not():
    given = ("2 + 3 = 5\n", "5 * 4 = 9\n")
    nodes = [Node(ROOT, "", "".join(given), "step", steps=2), step("r.0", "Answer: 20\n", "end")]
    assert first_wrong(PROBLEM, nodes, given) == ["r#2"]
    assert first_wrong(PROBLEM, [Node(ROOT, "", given[0], "step"), step("r.0", "5 * 4 = 20\n")], given[:1]) == []
