"""Chains of attempts as the page draws them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_runs import url  # noqa: F401 (a fixture)
from ttc_core import runs
from ttc_core.types import Candidate, Node, Outcome, RunSpec
from ttc_core.ui import chains


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
