"""Chains of attempts as the page draws them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_runs import url  # noqa: F401 (a fixture)
from ttc_core import runs
from ttc_core.chains import Chain, choose_among
from ttc_core.types import Candidate, Node, Outcome, RunSpec
from ttc_core.ui import chains, chosen


@pytest.fixture
def view(url):  # noqa: F811
    """A run whose known answer is 18."""
    run = runs.start(RunSpec(question="2 + 16?", answer="18", strategy="best_of_n", budget=4), db=url)
    return runs.get(run, db=url)


def node(place: str, text: str, answer: str | None) -> Node:
    return Node(id=place, parent=place.rsplit(".", 1)[0], text=text, finish="end", answer=answer)


def test_a_chain_is_the_way_to_an_attempt_that_nobody_revised():
    nodes = [node(place, "", None) for place in ("r.10", "r.0", "r.0.0", "r.0.0.0", "r.2", "r.2.0", "r.2.1")]
    ways = [[n.id for n in way] for way in chains.paths(reversed(nodes))]
    assert ways == [["r.0", "r.0.0", "r.0.0.0"], ["r.2", "r.2.0"], ["r.2", "r.2.1"], ["r.10"]]


def test_difference_marks_words():
    assert chains.difference("5 + 3 = 9", "5 + 4 = 9.") == [
        ("same", "5 + "), ("removed", "3"), ("added", "4"), ("same", " = 9"), ("added", "."),
    ]  # fmt: skip
    assert chains.difference("", "x") == [("added", "x")] and chains.difference("x", "") == [("removed", "x")]


@given(st.text(), st.text())
def test_difference_loses_nothing(before, after):
    found = chains.difference(before, after)
    assert "".join(text for kind, text in found if kind != "removed") == after
    assert "".join(text for kind, text in found if kind != "added") == before


def test_very_long_attempts_are_compared_by_lines():
    before = "\n".join(f"line {i} of a long attempt" for i in range(3000))
    found = chains.difference(before, before.replace("line 7 ", "line seven "))
    assert ("added", "line seven of a long attempt\n") in found and len(found) == 4


def test_columns_tell_what_became_of_the_answer(view):
    nodes = [node("r.0", "a", "17"), node("r.0.0", "b", "18"), node("r.0.0.0", "c", None), node("r.0.0.1", "d", "18")]
    candidates = (Candidate("r.0.0.1", "18", 0.9, 1.8),)
    ended = replace(view, correct=True, outcome=Outcome("18", "r.0.0.1", candidates, 0))
    first, fork = chains.columns(ended, nodes)
    assert [a["turn"] for a in first["attempts"]] == ["", "wrong → right", "right → wrong"]
    assert [a["right"] for a in first["attempts"]] == [False, True, False]
    assert fork["origin"] == "goes on from attempt 2 of chain 1"
    [last] = fork["attempts"]
    assert (last["number"], last["turn"], last["chosen"], last["weight"]) == (3, "right → right", True, 1.8)
    assert last["text"] == [("removed", "b"), ("added", "d")]
    assert chains.counts(ended, nodes) == {
        "wrong → right": 1, "right → wrong": 1, "right → right": 1, "wrong → wrong": 0,
    }  # fmt: skip


def test_without_a_known_answer_nothing_is_called_right_or_wrong(view):
    own = replace(view, spec=replace(view.spec, answer=None))
    nodes = [node("r.0", "a", "17"), node("r.0.0", "b", "18")]
    [column] = chains.columns(own, nodes)
    assert [(a["right"], a["turn"]) for a in column["attempts"]] == [(None, ""), (None, "")]
    assert sum(chains.counts(own, nodes).values()) == 0


def test_a_run_without_attempts_has_no_chains(view):
    step = replace(node("r.0", "a", None), finish="step")
    assert chains.columns(view, [step, node("r.0.0", "b", "18")]) == []
    assert chains.columns(view, []) == [] and sum(chains.counts(view, []).values()) == 0


def two_chains():
    """The first chain says 17 twice with low scores, the second 18 once with a high one; the third's attempt failed."""
    nodes = [node(place, "", answer) for place, answer in
             (("r.0", "17"), ("r.0.0", "17"), ("r.1", "18"), ("r.1.0", "19"), ("r.2", None))]  # fmt: skip
    scores = {"r.0": 0.6, "r.0.0": 0.7, "r.1": 0.9, "r.1.0": 0.1}
    attempts = tuple(replace(n, scores=(scores[n.id],), path_scores=(scores[n.id],)) for n in nodes if n.id in scores)
    return nodes, [Chain(attempts[:2], 0), Chain(attempts[2:], 0)]


def test_a_choice_inside_and_across_chains_is_told_in_numbers(view):
    nodes, made = two_chains()
    view = replace(view, spec=replace(view.spec, params={"select": "hierarchical"}))
    ended = replace(view, outcome=choose_among(made, "hierarchical", "last"))
    told, rows = chosen.selection(ended, nodes)
    assert "Chain 2 gives the answer" in told and "(0.900 here)" in told
    assert "scores highest: 0.900, against at most 0.700 for another answer" in told
    assert [(row["chain"], row["its answer"], row["attempts with it"], row["chosen"]) for row in rows] == [
        (2, "18", "1 of 2", "★"), (1, "17", "2 of 2", ""),
    ]  # fmt: skip
    assert rows[1]["weight"] == pytest.approx(1.3) and rows[1]["best score"] == 0.7
    assert [one["chosen"] for one in chains.columns(ended, nodes)] == [False, True, False]


@pytest.mark.parametrize(("select", "weight", "word"), [("majority", 2, "number"), ("weighted", 1.3, "sum")])
def test_a_choice_among_all_attempts_alike_is_told_by_answers(view, select, weight, word):
    nodes, made = two_chains()
    view = replace(view, spec=replace(view.spec, params={"select": select}))
    told, rows = chosen.selection(replace(view, outcome=choose_among(made, select, "last")), nodes)
    assert f"An answer weighs the {word}" in told
    assert rows[0]["answer"] == "17" and rows[0]["weight"] == pytest.approx(weight) and rows[0]["chosen"] == "★"
    assert chosen.selection(view, nodes) == ("", [])


def test_the_chosen_chain_is_drawn_however_late_it_is(view):
    nodes = [node(f"r.{i}", "", "18") for i in range(chains.SHOWN + 9)]
    last = nodes[-1].id
    ended = replace(view, outcome=Outcome("18", last, (Candidate(last, "18", 0.9, 1.8),), 0))
    found = chains.columns(ended, nodes)
    assert len(found) == chains.SHOWN and found[-1]["title"] == f"Chain {len(nodes)}" and found[-1]["chosen"]
