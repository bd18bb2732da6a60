"""What verifiers share: steps, marks, templates and probabilities, for any text and any numbers."""

from __future__ import annotations

import doctest
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttc_core import reading
from ttc_core.errors import EngineFault

TEXT = st.text(st.sampled_from("ab<>_0 \n{}"), max_size=30)
NUMBER = st.floats(-1e6, 1e6)


def test_the_examples_in_the_docstrings():
    found = doctest.testmod(reading)
    assert found.attempted >= 3 and found.failed == 0


@given(TEXT, st.sampled_from(["\n", "\n\n", ""]))
def test_steps_lose_nothing_but_white_space(text, delimiter):
    found = reading.steps(text, delimiter)
    assert found and "".join("".join(found).split()) == "".join(text.split())
    assert found == [""] or all(step == step.strip() != "" for step in found)
    assert reading.above(text, delimiter) == ([] if not text.strip() else found)


@given(TEXT, st.lists(TEXT, max_size=3), st.lists(TEXT, min_size=1, max_size=3), st.sampled_from(["", "\n"]))
def test_marks_are_where_pieces_end(lead, before, here, glue):
    text, marks = reading.marked(lead, before, here, glue)
    assert text == lead + glue.join([*before, *here])
    assert len(marks) == len(here) and marks[-1] == len(text)
    assert [text[:mark] for mark in marks] == [lead + glue.join([*before, *here[: i + 1]]) for i in range(len(here))]


@given(st.text(st.sampled_from("<a>b "), max_size=30))
def test_no_tag_is_left(text):
    assert "<a>" not in reading.without(text, "<a>")
    assert reading.without(text, "<a>") == text or "<a>" in text


@given(TEXT, TEXT)
def test_what_is_put_into_a_template_is_never_a_template(question, solution):
    template = "Q {question} S {solution} {other} {"
    expected = f"Q {question} S {solution} {{other}} {{"
    assert reading.filled(template, {"question": question, "solution": solution}) == expected


@given(st.lists(NUMBER, min_size=1, max_size=4), NUMBER)
def test_shares_are_a_softmax(row, constant):
    shares = [reading.share(row, i) for i in range(len(row))]
    assert math.fsum(shares) == pytest.approx(1) and all(0 <= value <= 1 for value in shares)
    assert [reading.share([v + constant for v in row], i) for i in range(len(row))] == pytest.approx(shares, abs=1e-6)
    places = range(len(row))
    assert all(shares[i] <= shares[j] for i in places for j in places if row[i] <= row[j])


@given(NUMBER)
def test_the_sigmoid_is_the_share_beside_zero(z):
    assert reading.squash(z) == pytest.approx(reading.share([z, 0.0], 0))
    assert reading.squash(z) + reading.squash(-z) == pytest.approx(1)


@pytest.mark.parametrize("z", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_no_probability(z):
    with pytest.raises(EngineFault):
        reading.squash(z)
    with pytest.raises(EngineFault):
        reading.share([z, z], 0)
