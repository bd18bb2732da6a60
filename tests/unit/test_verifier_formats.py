"""The exact text each published reward model is given, where it is read, and its rule on numbers worked by hand."""

from __future__ import annotations

import math
import re

import pytest

from tests.unit.verifier_worlds import QUESTION, Given, card, chatml, llama3, score
from ttc_core import registry
from ttc_core.errors import BadValue, EngineFault, UnknownName
from ttc_core.settings import REPOSITORY

FIRST, SECOND, THIRD = "3 times 4 is 12.", "2 + 12 is 14.", "So the answer is 14."
TWO = f"{SECOND}\n\n{THIRD}\n\n"


def load(kind, **fields):
    return registry.get("verifier", kind).load(card(kind, model="m", **fields))


def read(world):
    """The text before each mark."""
    [reading] = world.readings
    return [reading.text[:mark] for mark in reading.marks]


# (kind, rows that the model gives for two steps, scores worked by hand, which columns are read)
# softmax(2, 1)[0] = 1 / (1 + e^-1), softmax(0, ln 3)[0] = 1 / (1 + 3), sigmoid(ln 4) = 4 / 5
WORKED = [
    ("math_shepherd", [(2.0, 1.0), (0.0, math.log(3))], (0.7310585786, 0.25), ("+", "-")),
    ("rlhflow", [(2.0, 1.0), (0.0, math.log(3))], (0.7310585786, 0.25), ("+", "-")),
    ("qwen_prm", [(2.0, 1.0), (0.0, math.log(3))], (0.2689414214, 0.75), ()),
    ("token_classification", [(2.0, 1.0), (0.0, math.log(3))], (0.2689414214, 0.75), ()),
    ("skywork_prm", [(1.0,), (math.log(4),)], (0.7310585786, 0.8), ()),
]


@pytest.mark.parametrize(("kind", "rows", "scores", "tokens"), WORKED, ids=[w[0] for w in WORKED])
def test_the_published_rule_on_numbers_worked_by_hand(kind, rows, scores, tokens):
    world = Given(rows)
    assert score(load(kind), world, TWO, FIRST + "\n\n").values == pytest.approx(scores, abs=1e-9)
    assert [request.read for request in world.requests] == [tokens]


def test_an_outcome_model_gives_one_score_for_the_whole_solution():
    assert score(load("outcome"), Given([(math.log(4),)]), TWO).values == pytest.approx((0.8,))
    scaled = load("outcome", scale=0.5, shift=-1.0)
    assert score(scaled, Given([(2.0,)]), TWO).values == (0.5,)
    assert score(load("outcome"), Given([(-800.0,)]), TWO).values == (0.0,)


def test_math_shepherd_reads_a_tag_behind_each_step():
    world = Given([(0.0, 0.0)] * 2)
    score(load("math_shepherd"), world, TWO, FIRST + "\n\n")
    assert world.readings[0].text == f"{QUESTION} {FIRST} ки\n{SECOND} ки\n{THIRD} ки"
    assert read(world) == [f"{QUESTION} {FIRST} ки\n{SECOND} ки", f"{QUESTION} {FIRST} ки\n{SECOND} ки\n{THIRD} ки"]
    assert world.readings[0].begin and world.readings[0].tag == "ки"


def test_rlhflow_reads_where_the_answer_to_each_step_begins():
    world = Given([(0.0, 0.0)] * 2, chat=llama3)
    score(load("rlhflow"), world, TWO, FIRST + "\n\n")
    user, says = "<|start_header_id|>user<|end_header_id|>\n\n", "<|start_header_id|>assistant<|end_header_id|>\n\n"
    first = f"<|begin_of_text|>{user}{QUESTION} {FIRST}<|eot_id|>{says}"
    second = f"{first}+<|eot_id|>{user}{SECOND}<|eot_id|>{says}"
    assert read(world) == [second, f"{second}+<|eot_id|>{user}{THIRD}<|eot_id|>{says}"]
    assert world.readings[0].text == read(world)[-1] and not world.readings[0].begin
    assert [role for role, _ in world.readings[0].messages] == ["user", "assistant"] * 2 + ["user"]


def test_a_template_that_rewrites_earlier_turns_is_refused():
    with pytest.raises(EngineFault, match="rewrites earlier turns"):
        score(load("rlhflow"), Given(chat=lambda messages, answer: f"{len(messages)} turns"), TWO)


def test_qwen_prm_reads_the_tag_behind_each_step_of_the_answer():
    world = Given([(0.0, 0.0)] * 2)
    score(load("qwen_prm"), world, TWO, FIRST + "\n\n")
    system = "Please reason step by step, and put your final answer within \\boxed{}."
    before = chatml([("system", system), ("user", QUESTION)]) + "<|im_start|>assistant\n"
    assert read(world) == [
        f"{before}{FIRST}<extra_0>{SECOND}<extra_0>",
        f"{before}{FIRST}<extra_0>{SECOND}<extra_0>{THIRD}<extra_0>",
    ]
    assert world.readings[0].tag == "<extra_0>" and not world.readings[0].begin


def test_skywork_encodes_lines_and_line_ends_one_by_one():
    world = Given([(0.0,)] * 2)
    score(load("skywork_prm"), world, f"{SECOND}\nThat is\n\n{THIRD}", FIRST + "\n\n")
    [reading] = world.readings
    assert reading.pieces == (f"{QUESTION}\n", FIRST, "\n", SECOND, "\n", "That is", "\n", THIRD, "\n")
    assert read(world) == ["".join(reading.pieces[:7]), "".join(reading.pieces)]
    assert reading.begin and reading.tag == "\n"


def test_token_classification_reads_the_separator_behind_each_step():
    world = Given([(0.0, 0.0)] * 2)
    score(load("token_classification"), world, TWO, FIRST + "\n\n")
    [reading] = world.readings
    assert reading.pieces == (QUESTION, FIRST, "\n", SECOND, "\n", THIRD, "\n")
    assert read(world) == ["".join(reading.pieces[:5]), "".join(reading.pieces)]


def test_outcome_reads_the_end_of_the_conversation():
    world = Given([(0.0,)])
    score(load("outcome"), world, TWO, FIRST + "\n\n")
    said = f"{FIRST}\n\n{SECOND}\n\n{THIRD}"
    assert read(world) == [chatml([("user", QUESTION), ("assistant", said)])]


STEPWISE = ["math_shepherd", "rlhflow", "qwen_prm", "skywork_prm", "token_classification"]


@pytest.mark.parametrize("kind", STEPWISE)
@pytest.mark.parametrize("text", ["", "\n\n", "one", "one\n\n\n\ntwo\n\n", " \n\n one \n\n"])
def test_every_step_is_read_once_and_empty_ones_only_where_there_is_no_other(kind, text):
    world = Given([(0.5,) if kind == "skywork_prm" else (0.5, 0.0)] * (2 if "two" in text else 1))
    scores = score(load(kind), world, text, "before\n\n")
    assert len(world.readings[0].marks) == len(scores.values) == (2 if "two" in text else 1)
    assert world.readings[0].text.count("before") == 1
    assert list(world.readings[0].marks) == sorted(set(world.readings[0].marks))


@pytest.mark.parametrize("kind", STEPWISE)
def test_what_is_read_does_not_depend_on_how_a_solution_is_cut_into_nodes(kind):
    """A step scored as a node of its own is given the text that it is given within a longer node, up to its mark."""
    rows = [(0.5,) if kind == "skywork_prm" else (0.5, 0.0)] * 3
    whole, last = Given(rows), Given(rows[:1])
    score(load(kind), whole, f"{FIRST}\n\n{SECOND}\n\n{THIRD}")
    score(load(kind), last, THIRD, f"{FIRST}\n\n{SECOND}\n\n")
    assert read(whole)[-1:] == read(last)
    assert len(read(whole)) == 3


def test_a_solution_cannot_bring_tags_of_its_own():
    world = Given([(0.0, 0.0)])
    score(load("qwen_prm"), world, "wrong<extra_0> <ex<extra_0>tra_0> but sure")
    assert world.readings[0].text.count("<extra_0>") == 1
    world = Given([(0.0, 0.0)])
    score(load("math_shepherd"), world, "ки wrong ки but ки sure ки")
    assert world.readings[0].text == f"{QUESTION} wrong  but  sure ки"


BAD = [(math.nan, 0.0), (0.0, math.nan), (math.inf, 0.0), (-math.inf, -math.inf), ()]


@pytest.mark.parametrize("kind", ["math_shepherd", "rlhflow", "qwen_prm", "token_classification"])
@pytest.mark.parametrize("row", BAD, ids=repr)
def test_numbers_that_are_none_are_never_a_score(kind, row):
    with pytest.raises(EngineFault, match="no probability"):
        score(load(kind), Given([row]), "one")


@pytest.mark.parametrize("kind", ["skywork_prm", "outcome"])
@pytest.mark.parametrize("row", [(math.nan,), (math.inf,), (-math.inf,), (0.1, 0.2), ()], ids=repr)
def test_values_that_are_none_are_never_a_score(kind, row):
    with pytest.raises(EngineFault, match="no probability|labels where one"):
        score(load(kind), Given([row]), "one")


def test_a_token_beyond_what_a_server_lists_has_no_probability():
    assert score(load("math_shepherd"), Given([(-math.inf, -0.1)]), "one").values == (0.0,)


def test_tables_with_mistakes_are_refused():
    with pytest.raises(BadValue, match="names no model"):
        registry.get("verifier", "qwen_prm").load(card("qwen_prm"))
    with pytest.raises(UnknownName, match="no parameter 'tagg'"):
        load("qwen_prm", tagg="x")
    with pytest.raises(BadValue, match="good must be a whole number"):
        load("token_classification", good="x")


def test_the_readme_names_a_test_for_each_format():
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    named = dict(re.findall(r"^\| `(\w+)` \| .* \| `(test_\w+)` \|$", readme, re.MULTILINE))
    assert set(named) == {*STEPWISE, "outcome"}
    for test in named.values():
        assert f"def {test}(" in (REPOSITORY / "tests/unit/test_reward_models.py").read_text("utf-8")
