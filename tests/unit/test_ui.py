"""What the canvas tree is sent, the form made from parameters, and numbers as words."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from streamlit.testing.v1 import AppTest

from ttc_core import registry
from ttc_core.drawing.info import labelled
from ttc_core.registry import Param
from ttc_core.types import Candidate, Node, Outcome, Problem, RunSpec
from ttc_core.ui import component, form, setup, steps, words
from ttc_core.ui.tree import Feed, explode, outcome_json, rows, steps_of

SOLUTION = Node(
    "r.3", "r", "2 + 3 = 5\n5 * 4 = 20\nAnswer: 20\n", "end",
    tokens=(1, 2, 3), steps=3, answer="20", logprob=-1.5, scores=(0.5, 0.7, 0.9), state="final",
)  # fmt: skip
STEP = Node("r.0", "r", "2 + 3 = 5\n", "step", scores=(0.4,), state="pruned", why="rank 3 of 4")


def test_a_single_step_is_one_row_with_its_own_id():
    [row] = explode(STEP)
    assert row[:6] == ("r.0", "r", "2 + 3 = 5\n", 0.4, "pruned", "rank 3 of 4")


def test_a_whole_solution_becomes_a_chain_that_ends_in_the_nodes_own_id():
    chain = explode(SOLUTION)
    assert [row[:2] for row in chain] == [("r.3#1", "r"), ("r.3#2", "r.3#1"), ("r.3", "r.3#2")]
    assert [row[2] for row in chain] == ["2 + 3 = 5\n", "5 * 4 = 20\n", "Answer: 20\n"]
    assert [row[3] for row in chain] == [0.5, 0.7, 0.9]
    assert [row[4] for row in chain] == ["kept", "kept", "final"]
    assert [row[6] for row in chain] == [None, None, "20"]


def test_display_ids_do_not_change_when_scores_and_states_arrive():
    unscored = replace(SOLUTION, scores=(), state="open")
    assert [row[0] for row in explode(unscored)] == [row[0] for row in explode(SOLUTION)]
    assert [row[3] for row in explode(unscored)] == [None, None, None]


def test_paragraphs_are_steps_where_lines_are_not():
    node = replace(SOLUTION, text="First\nmore\n\nSecond\nmore\n\n", steps=2, scores=(0.1, 0.2))
    assert steps_of(node) == ["First\nmore\n\n", "Second\nmore\n\n"]


def test_text_that_cannot_be_told_apart_stays_one_row_with_the_last_score():
    node = replace(SOLUTION, text="a\nb\n", steps=5)
    assert [(row[0], row[2], row[3]) for row in explode(node)] == [("r.3", "a\nb\n", 0.9)]


def test_a_failed_sample_is_shown():
    [row] = explode(Node("r.1", "r", "", "error", steps=0, state="failed", why="no reply"))
    assert row[4] == "failed" and row[5] == "no reply"


def test_numbers_that_json_cannot_carry_become_none():
    node = replace(STEP, scores=(math.nan,), logprob=-math.inf)
    assert "NaN" not in json.dumps(explode(node)) and "Infinity" not in json.dumps(explode(node))


def test_parents_come_before_their_children_whatever_the_order():
    nodes = [Node("r.0.1.2", "r.0.1", "c", "step"), Node("r.0.1", "r.0", "b", "step"), STEP, SOLUTION]
    seen = {"r"}
    for row in rows(nodes):
        assert row[1] in seen
        seen.add(row[0])


def test_a_chain_of_attempts_hangs_each_below_the_end_of_the_one_before():
    texts = ["1 + 1 = 2\nAnswer: 2\n", "It is wrong.\nLook again.\n", "1 + 2 = 3\nAnswer: 3\n"]
    states = ["final", "kept", "final"]
    nodes = [
        Node("r" + ".0" * n, "r" + ".0" * (n - 1), text, "end", steps=2, state=state)
        for n, (text, state) in enumerate(zip(texts, states, strict=True), 1)
    ]
    drawn = rows(reversed(nodes))
    assert [(row[0], row[1]) for row in drawn] == [
        ("r.0#1", "r"), ("r.0", "r.0#1"),
        ("r.0.0#1", "r.0"), ("r.0.0", "r.0.0#1"),
        ("r.0.0.0#1", "r.0.0"), ("r.0.0.0", "r.0.0.0#1"),
    ]  # fmt: skip
    assert [row[9] for row in drawn] == ["step", "end"] * 3  # by this the canvas knows where a text ends
    assert [row[4] for row in drawn] == ["kept", "final", "kept", "kept", "kept", "final"]


@pytest.mark.parametrize("name", registry.names("strategy"))
def test_every_way_of_choosing_is_explained(name):
    for param in registry.params(registry.get("strategy", name)):
        if param.name == "select":
            told = {words.rule(RunSpec("q", name, 4, params={"select": choice})) for choice in param.choices}
            assert len(told) == len(param.choices) and words.rule(RunSpec("q", name, 4)) not in told


def test_the_table_has_a_line_for_each_step_and_its_text_is_plain():
    given = Node("r", "", "given\n", "step", state="kept")
    found = steps.frame([given, SOLUTION, replace(STEP, text="a\n<b>\u202eb\n")], ["given\n"])
    assert found["id"].tolist() == ["r#1", "r.0", "r.3#1", "r.3#2", "r.3"]
    assert found["depth"].tolist() == [1, 2, 2, 3, 4]
    assert found["state"].tolist() == ["given", "pruned", "kept", "kept", "final"]
    assert found["answer"].iloc[-1] == "20" and found["score"].iloc[1] == 0.4
    assert found["text"].iloc[1] == words.shown("a <b>\u202eb") and found["why"].iloc[1] == "rank 3 of 4"


def test_payloads_overlap_by_one_and_end_empty():
    feed, read = Feed("x"), []
    for revision in (5, 9, 12, 12, 12):
        since = feed.since()
        payload = feed.payload([STEP] if since < revision else [], revision, {"live": True})
        read.append((payload["base"], payload["rev"], len(payload["rows"])))
    assert read == [(0, 5, 1), (0, 9, 1), (5, 12, 1), (9, 12, 1), (12, 12, 0)]


def test_a_resync_starts_from_nothing():
    feed = Feed("x")
    for revision in (1, 2, 3):
        feed.payload([], revision, {})
    feed.reset()
    assert feed.since() == 0


def test_the_outcome_for_the_page_is_json():
    outcome = Outcome("20", "r.3", (Candidate("r.3", "20", 0.9, 1.4), Candidate("r.4", None, math.nan, 0.0)), 2)
    found = outcome_json(outcome)
    assert json.loads(json.dumps(found, allow_nan=False))["candidates"] == [
        ["r.3", "20", 0.9, 1.4],
        ["r.4", None, None, 0.0],
    ]
    assert outcome_json(None) is None


@pytest.mark.parametrize("name", registry.names("strategy"))
def test_every_parameter_of_every_strategy_has_a_field(name):
    for param in registry.params(registry.get("strategy", name)):
        asked = form.field(param)
        assert asked.help and asked.label
        assert asked.kind == {bool: "switch", str: "choice" if param.choices else "text"}.get(param.type, "number")
        assert param.parse(asked.default) == param.default


def test_number_fields_carry_the_limits_in_their_type():
    asked = form.field(Param("width", int, 4, "beams", min=1, max=9))
    assert (asked.min, asked.max, asked.step) == (1, 9, 1) and isinstance(asked.min, int)
    asked = form.field(Param("alpha", float, 0.5, "mix", min=0))
    assert isinstance(asked.min, float) and asked.max is None and asked.step == 0.1


def test_the_budget_slider_takes_the_largest_power_of_two_below():
    assert [form.nearest_budget(b) for b in (1, 3, 16, 255, 1024)] == [1, 2, 16, 128, 256]


def test_the_same_search_ignores_budget_and_known_answer_only():
    spec = RunSpec("q ", "beam_search", 16, params={"width": 4}, answer="1")
    assert setup.same_search(replace(spec, budget=64, answer=None), spec)
    for other in (replace(spec, seed=1), replace(spec, params={"width": 2}), replace(spec, question="p")):
        assert not setup.same_search(other, spec)


def test_problems_are_labelled_with_id_steps_and_question():
    assert setup.label(Problem("p-1", "How many?", metadata={"steps": 5})) == "p-1 · 5 steps · How many?"
    assert setup.label(Problem("p-1", "How many?")) == "p-1 · How many?"
    assert setup.label(Problem("mini-test-0007", "How many?"), "mini-test") == "0007 · How many?"


def test_numbers_in_words():
    assert [words.short(v) for v in (0, 950, 12_345, 1.239e9, 5e13)] == ["0", "950", "12.3 k", "1.24 G", "50.0 T"]
    assert [words.seconds(v) for v in (None, 0.421, 12.34, 185, 7800)] == [
        "–",
        "0.42 s",
        "12.3 s",
        "3 min 05 s",
        "2 h 10 min",
    ]
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert [words.ago(now - timedelta(seconds=s), now) for s in (1, 30, 120, 7200, 90000)] == [
        "just now", "30 s ago", "2 min ago", "2 h ago", "1 d ago",
    ]  # fmt: skip


def test_a_strategy_in_words_names_what_differs_from_the_default():
    spec = RunSpec("q", "beam_search", 16, params={"width": 8, "rounds": 40})
    assert words.strategy(spec, {"width": 4, "rounds": 40}) == "beam search, width 8"
    greedy = RunSpec("q", "single", 1, params={"greedy": True})
    assert words.strategy(greedy, {}) == "one answer, greedy"
    assert [labelled(f"single greedy={value}") for value in ("true", "false")] == [
        "one greedy answer",
        "one sampled answer",
    ]


@pytest.mark.parametrize(
    ("name", "written"),
    [("dvts", "DVTS"), ("best_of_n", "best-of-N"), ("ab_mcts", "AB-MCTS"), ("beam_search", "beam search")],
)
def test_strategies_are_named_as_the_field_writes_them(name, written):
    assert words.method(name) == written and words.strategy(RunSpec("?", name, 4), {}) == written
    assert words.sentence(written)[1:] == written[1:] and words.sentence(written)[0].isupper()


def test_the_components_ask_for_nothing_outside_and_write_no_html():
    for folder in ("tree", "runs"):
        code = component.script(folder)
        assert "innerHTML" not in code and "insertAdjacentHTML" not in code and "eval(" not in code
        assert [word for word in code.split() if "http" in word and "www.w3.org" not in word] == []
    for sheet in component.ASSETS.glob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert "url(" not in text and "@import" not in text


def _polls(said):
    import streamlit as st
    from streamlit.runtime.scriptrunner_utils.script_run_context import ThreadState

    from ttc_core.ui import session

    session.polled(lambda: st.text(str(ThreadState.get().fragment_id)), None, said)()


def test_what_a_page_has_drawn_besides_makes_another_fragment_of_a_look():
    """A look asked for beside what was drawn before is none of the page's, so that no drawing is cut short for it."""
    names = [
        AppTest.from_function(_polls, args=(said,)).run().text[0].value
        for said in (("running", 4), ("running", 4), ("done", 4))
    ]
    assert names[0] == names[1] != names[2] and "None" not in names
