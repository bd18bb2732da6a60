"""Numbers in model text: what is found, what is the same, and that nothing breaks or stalls it."""

from __future__ import annotations

import signal
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttc_core import grading, registry
from ttc_core.grading import MAX_ANSWER, canonical, extract, grade
from ttc_core.grading.extraction import TAIL
from ttc_core.grading.numeric import MAX_LENGTH


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("84", "84"),
        ("084", "84"),
        ("84.0", "84"),
        ("84.", "84"),
        (" 84\n", "84"),
        ("+84", "84"),
        ("-5", "-5"),
        ("\u22125", "-5"),  # minus sign
        ("-0", "0"),
        (".5", "0.5"),
        ("2.50", "2.5"),
        ("1,234", "1234"),
        ("1,234,567.25", "1234567.25"),
        ("1{,}234", "1234"),
        ("3/4", "0.75"),
        ("6/8", "0.75"),
        ("1/3", "1/3"),
        ("-2/6", "-1/3"),
        ("1 3/4", "1.75"),
        (r"\frac{3}{4}", "0.75"),
        (r"-\frac{1}{3}", "-1/3"),
        (r"1\frac{1}{2}", "1.5"),
        (r"\dfrac{10}{5}", "2"),
        ("$12", "12"),
        ("-$12.50", "-12.5"),
        ("$-12", "-12"),
        (r"\$12", "12"),
        ("12 €", "12"),
        ("$84$", "84"),
        (r"\(84\)", "84"),
        ("**84**", "84"),
        ("12%", "12"),
        (r"12\%", "12"),
        ("1e3", "1000"),
        ("1.5E-2", "0.015"),
        ("\uff11\uff12", "12"),  # full-width digits
        ("\u0663", "3"),  # Arabic-Indic digit
        ("12345678901234567890123", "12345678901234567890123"),
        ("0." + "0" * 20 + "1", "1/1" + "0" * 21),
    ],
)
def test_one_spelling_per_number(written, number):
    assert canonical(written) == number
    assert canonical(number) == number


@pytest.mark.parametrize(
    "written",
    [
        "", " ", ".", "-", "/", "%", "$", "e5", "nan", "inf", "Infinity", "0x10", "1_000", "1j", "True",
        "1,23", "1,2345", "12,34,567", "1 234", "--5", "-$-5", "1.2.3", "3/0", "3/4/5", "1/2 3", "84 apples",
        "5 million", "12 or 13", "x = 5", "1e999999999", "1e31", "10\u00b2", "\u2167", "\u00bd", "(84)",
        "9" * (MAX_LENGTH + 1), "0." + "1" * (MAX_LENGTH - 2), "__import__('os')", "2**9", "2^9", "\ud800", "84\x00",
    ],
)  # fmt: skip
def test_what_is_no_number(written):
    assert canonical(written) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("6 * 7 = 42\nAnswer: 42\n", "42"),
        ("Answer:42", "42"),
        ("answer : 42", "42"),
        ("**Answer:** 42", "42"),
        ("**Final answer: 42**", "42"),
        ("Answer: 1\nno, wait\nAnswer: 2\n", "2"),
        ("Answer: 1\nAnswer:\n", "1"),
        ("Answer: 42 \r\n", "42"),
        ("#### 42", "42"),
        ("#### Answer: 42", "42"),
        (r"so it is $\boxed{42}$.", "42"),
        (r"\boxed{1} or \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"Answer: $\boxed{42}$.", "42"),
        ("Answer: 1\n#### 2\n", "2"),
        ("\\boxed{1}\nAnswer: 2", "2"),
        ("Answer: nobody knows", "nobody knows"),
        ("x" * (2 * TAIL) + "\nAnswer: 42", "42"),
        ("The answer is 42", "42"),
        ("So the answer is: 42. I hope it is correct.", "42"),
        ("Final Answer: The final answer is $42$. I hope it is correct.", "$42$"),
        ("# Answer\n\n42", "42"),
        ("#### Final Answer\n\n84", "84"),
        ("\\boxed{12}.\n\n#### Check\n3 * 4 = 12", "12"),
        ("#### Step 1\n3 * 4\n#### 2. Sum\nSo the answer is 12", "12"),
        ("3 * 4 = 12\n#### 12 eggs\n\nQuestion: What now?", "12 eggs"),
        ("#### Check\nby hand\n#### east\n", "east"),
        ("\\boxed{12}\n\n##### Check\n3 * 4 = 12", "12"),
        ("\\boxed{3}\n#### (Optional) Check\nok", "3"),
        ("#### yes\n\nQuestion: next", "yes"),
        ("#### **Final Answer**\n\n12", "12"),
        ("#### Answer: \n\n12", "12"),
        ("Answer: 42\nThe answer is right.", "42"),
    ],
)
def test_the_last_answer_of_a_text(text, found):
    assert extract(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "#### Step 1\n3 * 4 = 12\n#### Conclusion\nThe total is 12.",
        "",
        "42",
        "Answer:",
        "Answer: \n",
        "The answer is",
        r"\boxed{42",
        "### 42",
        "my answer: 42",
    ],
)
def test_a_text_without_an_answer(text):
    assert extract(text) is None


def test_an_answer_far_from_the_end_is_not_searched():
    assert extract("Answer: 42\n" + "x" * TAIL) is None


@pytest.mark.parametrize(
    ("answer", "gold", "right"),
    [
        ("84", "84", True),
        ("84.0", "84", True),
        ("1,234", "1234", True),
        ("3/4", "0.75", True),
        ("83", "84", False),
        ("0.333333333333", "1/3", False),
        ("12%", "0.12", False),
        (None, "84", False),
        ("eighty-four", "84", False),
        ("84", None, None),
        (None, None, None),
        ("Paris", "Paris", None),
        ("84", "", None),
    ],
)
def test_right_wrong_or_nobody_knows(answer, gold, right):
    assert grade(answer, gold) is right


numbers = st.fractions(max_denominator=10**6).filter(lambda f: abs(f) < 10**40)


@given(numbers)
def test_a_canonical_number_has_its_value(number):
    found = canonical(f"{number.numerator}/{number.denominator}")
    assert found is not None
    assert Fraction(found) == number


@given(numbers, numbers)
def test_equal_spelling_means_equal_value(a, b):
    left, right = (canonical(f"{x.numerator}/{x.denominator}") for x in (a, b))
    assert (left == right) == (a == b)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**20), max_value=10**20))
def test_thousands_and_zeros_do_not_matter(number):
    assert canonical(f"{number:,f}") == canonical(f"{number:f}") == canonical(f"{number:f}00")


@given(st.text(st.sampled_from("0123456789.,/-+ $%eE\\{}()frac*_\u22129\uff11\u00b2\n"), max_size=40) | st.text())
def test_any_text_is_a_number_or_none(text):
    found = canonical(text)
    assert found is None or (len(found) <= MAX_LENGTH and canonical(found) == found)
    assert grade(text, "7") is (found == "7")


@given(
    st.lists(
        st.sampled_from(["Answer:", "####", "\\boxed{", "{", "}", "\n", " ", "\t", "*", "4", "final "]), max_size=60
    )
)
def test_any_text_has_an_answer_or_none(parts):
    found = extract("".join(parts))
    assert found is None or found.strip()


@pytest.mark.parametrize(
    "piece", ["\\boxed{", "Answer: ", "*", " ", "#### ", "{", "\n", "final ", "1,", "Answer:\t", "> _"]
)
def test_hostile_text_takes_no_time(piece):
    text = piece * (2_000_000 // len(piece))
    start = time.process_time()
    found = extract(text)
    canonical(text)
    canonical(text[:MAX_LENGTH])
    grade(found, "1")
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    "piece", [" ", "\x1c", "\n", "\\text{", "\\text ", "option ", "option", "(", "(a", "A", "\u00a0", "."]
)
@pytest.mark.parametrize("end", ["", "x", "x)", "A x"])
def test_no_answer_keeps_the_other_graders_busy(piece, end):
    """Two ways to read each blank were two to the power of a thousand; the time of a processor ends what comes back."""

    def expire(*_):
        raise TimeoutError("a grader tries ways without end")

    text = (piece * 1000)[: MAX_ANSWER - len(end)] + end
    before = signal.signal(signal.SIGPROF, expire)
    signal.setitimer(signal.ITIMER_PROF, 10.0)  # it takes a thousandth of that
    try:
        for grader in ("choice", "text", "numeric"):
            for said in (text, f"Answer: {text}"):
                found = grading.canonical(extract(said) or text, grader)
                assert found is None or grading.canonical(found, grader) == found
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


@pytest.mark.parametrize("name", ["mini-test", "mini-validation", "mini-hard"])
def test_every_bundled_gold_answer_can_be_graded(name):
    for problem in registry.get("dataset", name)():
        assert canonical(problem.answer) == problem.answer
        assert grade(extract(problem.metadata["solution"]), problem.answer) is True
