"""The bundled problem sets, and what is said about broken ones."""

from __future__ import annotations

import json

import pytest

from ttc_core import registry
from ttc_core.datasets.mini import BrokenProblems, read
from ttc_core.errors import TTCError

NAMES = ("mini-test", "mini-validation", "mini-hard")
GOOD = {"id": "a-1", "question": "1 + 1?", "answer": "2", "steps": 1}


@pytest.mark.parametrize("name", NAMES)
def test_five_hundred_problems_with_stable_ids(name):
    problems = registry.get("dataset", name)()
    assert [p.id for p in problems] == [f"{name}-{i:04d}" for i in range(1, 501)]
    assert all(p.dataset == name and p.question.strip() and p.answer for p in problems)
    assert all({"solution", "steps", "template"} <= p.metadata.keys() for p in problems)


def test_no_question_is_in_two_sets():
    questions = [p.question for name in NAMES for p in registry.get("dataset", name)()]
    assert len(questions) == len(set(questions)) == 1500


def test_reading_again_costs_nothing():
    loader = registry.get("dataset", "mini-test")
    assert loader() is loader()


def test_unknown_fields_become_metadata(tmp_path):
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps(GOOD) + "\n\n" + json.dumps({**GOOD, "id": "a-2"}) + "\n", "utf-8")
    problems = read(file)
    assert [p.id for p in problems] == ["a-1", "a-2"]
    assert problems[0].dataset == "mine"
    assert dict(problems[0].metadata) == {"steps": 1}


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ("[" * 100_000, "not JSON"),
        (json.dumps({**GOOD, "id": 7}), "'id' must be text"),
        (json.dumps({**GOOD, "question": " "}), "'question' must be text"),
        (json.dumps({"id": "a-2", "question": "?"}), "'answer' must be text"),
        (json.dumps(GOOD), "'a-1' was used before"),
    ],
)
def test_a_broken_line_is_named(tmp_path, line, complaint):
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps(GOOD) + "\n" + line + "\n", "utf-8")
    with pytest.raises(BrokenProblems, match="mine.jsonl, line 2") as raised:
        read(file)
    assert complaint in str(raised.value)
    assert isinstance(raised.value, TTCError)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BrokenProblems, match=r"gone\.jsonl"):
        read(tmp_path / "gone.jsonl")


def test_a_file_that_is_no_text_is_named(tmp_path):
    file = tmp_path / "mine.jsonl"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BrokenProblems, match=r"mine\.jsonl"):
        read(file)
