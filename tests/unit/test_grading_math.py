"""Graders beside numbers: mathematics in its limited process, letters, words; what is hostile stays bounded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ttc_core import grading
from ttc_core.datasets.benchmarks import BENCHMARKS
from ttc_core.datasets.reading import record, rows
from ttc_core.errors import UnknownName
from ttc_core.grading import mathematics
from ttc_core.grading import pool as pools
from ttc_core.settings import REPOSITORY

SHARED = Path(os.environ.get("TTC_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))


def spell(answer):
    return grading.canonical(answer, "math")


# --- mathematics -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "equal",
    [
        ("84", "84.0", r"\frac{168}{2}", "$84$", r"\(84\)", "84.", r"2^2 \cdot 21", r"\sqrt{7056}", "x = 84"),
        (r"\frac{\sqrt2}{2}", r"\frac{1}{\sqrt 2}", r"\sqrt{1/2}", r"\sqrt{0.5}"),
        ("6-5i", "-5i+6", "6 - 5 i"),
        (r"(3,\frac{\pi}2)", r"(3, \pi/2)", r"\left(3,\tfrac{\pi}{2}\right)"),
        ("1,-2", r"\{-2,1\}", "-2 , 1"),
        (r"1 \pm \sqrt{19}", r"1+\sqrt{19},1-\sqrt{19}"),
        (r"\text{Evelyn}", "Evelyn", r"\textbf{evelyn}"),
        (r"\begin{pmatrix} 1/5 \\ -18/5 \end{pmatrix}", r"\begin{bmatrix} 0.2 \\ -3.6 \end{bmatrix}"),
        ("5x-7y+11z+4=0", "-5x+7y-11z-4=0", "5x-7y=-4-11z"),
        (r"(-\infty,2)\cup(3,\infty)", r"(3,\infty)\cup(-\infty,2)"),
        (r"\frac{1}{1+\sqrt2}", r"\sqrt2-1"),
        ("x>3", "3<x"),
        ("(a+5)(b+2)", "(b+2)(a+5)"),
        ("10!", "3628800"),
        ("x^2+2x+1", "(x+1)^2", "(1+x)(x+1)"),
        ("(x+3)(x^2-3x+9)", "x^3+27"),
        (r"\frac{n(n+1)}{2}", r"\frac{n^2+n}{2}", r"\frac12 n^2+\frac n2"),
        (r"\frac{x+1}{x-1}", r"1+\frac{2}{x-1}"),
        (r"1.2\times10^5", "120000", "120,000"),
        (r"2.5\times 10", "25"),
    ],
    ids=lambda equal: equal[0],
)
def test_equal_answers_vote_together_and_are_right(equal):
    [spelled] = {spell(answer) for answer in equal}
    assert spell(spelled) == spelled
    for answer in (*equal, spelled):
        assert grading.grade(answer, equal[0], "math") is True


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("83", "84"), (r"\frac{1}{3}", r"\frac{1}{4}"), ("(3,4)", "(4,3)"), ("[3,4]", "(3,4)"), ("x+1", "x-1"),
        ("y=2x", "y=3x"), (r"\{1,2\}", r"\{1,2,3\}"), (r"\text{east}", r"\text{west}"), (r"\frac{1}{0}", "5"),
        ("9**9**9**9", "5"), ("9^{9^{9^9}}", "5"), (None, "84"), ("", "84"), ("no idea", "84"),
        ("x^2-1", "x^2+1"), ("(x+1)^2", "x^2+1"),
    ],
)  # fmt: skip
def test_other_answers_are_wrong(answer, gold):
    assert grading.grade(answer, gold, "math") is False
    assert answer is None or spell(answer) != spell(gold)


@pytest.mark.parametrize(
    ("answer", "gold"),
    [(r"\sin^2 x", r"1-\cos^2 x"), (r"\log_2 8", "3"), (r"\cos\frac{\pi}{3}", r"\frac12"), (r"2^{x+1}", r"2\cdot2^x")],
)
def test_equal_answers_that_are_spelled_apart_are_right(answer, gold):
    assert grading.grade(answer, gold, "math") is True and grading.grade(gold, answer, "math") is True
    assert grading.grade("[-2,7]", r"-2\le x\le 7", "math") is True


def test_without_a_right_answer_nobody_knows():
    assert grading.grade("84", None, "math") is None
    assert grading.grade("84", " ", "math") is None
    assert grading.grade("84", "8" * 2000, "math") is None


def test_numbers_are_spelled_as_numbers_and_need_no_process(monkeypatch):
    monkeypatch.setattr(mathematics, "_asked", None)
    assert [spell(text) for text in ("1,234", r"\frac{3}{4}", r"$12.50", "7.", "1/3")] == [
        "1234", "0.75", "12.5", "7", "1/3",
    ]  # fmt: skip
    assert grading.grade("0.75", r"\frac{3}{4}", "math") is True


def test_every_spelling_is_asked_for_once(monkeypatch):
    asked = []
    monkeypatch.setattr(pools.Pool, "ask", lambda self, **request: asked.append(request) or {"spelling": "seen"})
    assert [spell("q^{19}+11"), spell("q^{19}+11"), spell(" q^{19}+11. ")] == ["seen"] * 3
    assert asked == [{"spell": "q^{19}+11"}]


# --- the limited process ---------------------------------------------------------------------------------------------

HOSTILE = {
    "a power tower": "9^{9^{9^9}}",
    "a power in Python": "9**9**9**9",
    "an import": "__import__('os').system('touch {mark}')",
    "an import as text": r"\text{{__import__('os').system('touch {mark}')}}",
    "braces": "{" * 100_000 + "}" * 100_000,
    "a megabyte": "x" * 1_000_000,
    "nested fractions": r"\frac{" * 80 + "1" + "}{2}" * 80,
    "no number": r"\frac{1}{0}",
    "a factorial": "(10^9)!",
    "factorials of factorials": "9!!!!!!!!",
    "a binomial": r"\binom{1000000}{500000}",
    "a tiny power": "10^{-10^{9}}",
    "unstorable characters": "\0\ud800",
    "dollars": "$" * 900 + "x",
    "fractions of fractions": r"\frac{" * 28 + "1" + "}{2}" * 28,
    "a set": r"\{" + ",".join(map(str, range(240))) + r"\}",
    "unions": r"\cup".join(f"({i},{i + 1})" for i in range(100)),
    "a power of a matrix": r"\begin{pmatrix}1&1\\1&0\end{pmatrix}^{999999999}",
    "a power of a sum": "(a+b+c+d+e+f+g)^{60}",
    "a complex power": r"(\frac{1}{3}+\frac{1}{7}i)^{9999}",
    "equations": "x=y=" * 240,
    "text in text": r"\text{" * 28 + "x" + "}" * 28,
    "subclasses": "().__class__.__bases__[0].__subclasses__()",
    "an operator": r"\operatorname{eval}(x)",
    "digits of other scripts": "1٣" * 400,
    "blanks": "\x1c" * 900 + "x",
    "full stops": "." * 900,
    "full stops apart": ". " * 400,
    "letters": "A" * 900,
    "options": "option " * 140,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_answers_are_answers_like_others(name, tmp_path):
    mark = tmp_path / "executed"
    answer = HOSTILE[name].format(mark=mark) if "mark" in HOSTILE[name] else HOSTILE[name]
    before = pools.pool().seconds
    found = spell(answer)
    assert found is None or (len(found) <= grading.MAX_ANSWER and spell(found) == found)
    assert grading.grade(answer, "5", "math") is not True
    assert pools.pool().seconds - before < 3 * 2.5  # three requests, each within its 2 s
    assert not mark.exists()


def test_time_and_memory_are_limited_and_the_next_answer_is_graded():
    """450 braces keep the parser busy for longer than its time, whatever the machine."""
    asked = pools.pool()
    before = asked.counts.copy()
    assert asked.ask(spell="{" * 450 + "1" + "}" * 450).get("failed") == "time"
    assert (asked.counts - before) == {"time": 1}
    assert asked.ask(spell=r"\sqrt{8}")["spelling"] == r"2 \sqrt{2}"


def limits(pid):
    return Path(f"/proc/{pid}/limits").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_process_has_its_limits_and_nothing_of_our_environment(monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "secret")
    child = pools.Child()
    try:
        assert child.ask({"spell": "x+1"})["spelling"] == "x + 1"
        found = {line[:25].strip(): line[25:].split()[0] for line in limits(child.pid).splitlines()}
        assert found["Max address space"] == str(256 << 20)
        assert found["Max file size"] == found["Max core file size"] == "0"
        assert b"secret" not in Path(f"/proc/{child.pid}/environ").read_bytes()
    finally:
        child.kill()


def test_a_killed_process_is_counted_and_asked_again():
    pool = pools.Pool()
    try:
        assert pool.ask(spell="x+1")["spelling"] == "x + 1"
        os.kill(pool.processes[0], signal.SIGKILL)
        assert pool.ask(spell="x+2")["spelling"] == "x + 2"
        assert pool.counts == {"killed": 1}
        for pid in pool.processes:
            os.kill(pid, signal.SIGKILL)
        assert pool.ask(spell="x+3") == {"failed": "killed"}
        assert pool.counts == {"killed": 3, "given up": 1}
    finally:
        pool.close()


def test_a_grade_that_cannot_be_had_is_none_and_the_answer_stays(monkeypatch):
    monkeypatch.setattr(mathematics, "_asked", lambda **request: {"failed": "killed"})
    assert grading.grade("q^{20}+1", "q^{20}+2", "math") is None
    assert spell(" q^{20}+3 ") == "q^{20}+3"


def test_a_reply_that_was_lost_is_asked_for_again(monkeypatch):
    said = [{"failed": "killed"}, {"right": True}, {"failed": "memory"}]
    monkeypatch.setattr(pools.Pool, "ask", lambda self, **request: said.pop(0))
    assert [grading.grade("q^{22}", "q^{11} q^{11}", "math") for _ in range(3)] == [None, True, True]
    assert [grading.grade("q^{23}", "q^{24}", "math") for _ in range(2)] == [None, None]  # it would be again


def test_without_math_verify_searches_go_on(monkeypatch, caplog):
    def broken(**request):
        raise pools.NoGrader("mathematical answers cannot be graded: No module named 'math_verify'")

    monkeypatch.setattr(pools.Pool, "ask", lambda self, **request: broken())
    mathematics._say.cache_clear()
    assert grading.grade("q^{21}+1", "q^{21}+2", "math") is None
    assert spell("q^{21}+3") == "q^{21}+3"
    assert caplog.text.count("cannot be graded") == 1


EVALUATE = """
import sys; sys.path.insert(0, "ttc_core/grading")
import mathematics_child as child
m = child.Mathematics()
m.spelling("x+1")
child.watch()
{statement}
print("still here")
"""


@pytest.mark.parametrize(
    "statement",
    [
        "eval('1+1')",
        "exec('x = 1')",
        "import os; os.system('true')",
        "import subprocess; subprocess.run(['true'])",
        "import socket; socket.socket().connect(('127.0.0.1', 9))",
        "open('written', 'w')",
        "m.sympy.sympify('1+1')",
        "m.sympy.parsing.sympy_parser.parse_expr('1+1')",
    ],
)
def test_text_never_becomes_a_program(statement):
    done = subprocess.run(
        [sys.executable, "-c", EVALUATE.format(statement=statement)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode != 0 and "still here" not in done.stdout


def test_the_library_stays_out_of_this_process():
    code = (
        "import sys; from ttc_core import grading; "
        "print(grading.grade('\\\\sqrt{8}', '2\\\\sqrt{2}', 'math'), {'sympy', 'math_verify'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout.split() == ["True", "set()"]


# --- letters and words -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "letter"),
    [
        ("B", "B"), ("(B)", "B"), ("b", "B"), ("B.", "B"), ("B) 5 apples", "B"), ("(c) none of them", "C"),
        (r"\text{(B)}", "B"), (r"\text{B}", "B"), (r"\textbf{(E) }", "E"), ("**D**", "D"), ("Option A", "A"),
        ("Choice (D)", "D"), ("$A$", "A"), ("F", None), ("A boat", None), ("Because", None), ("", None), ("84", None),
        ("AB", None), ("(F)", None),
    ],
)  # fmt: skip
def test_letters(written, letter):
    assert grading.canonical(written, "choice") == letter
    assert grading.grade(written, "B", "choice") is (letter == "B")


def test_a_gold_answer_that_is_no_letter_grades_nothing():
    assert grading.grade("B", "84", "choice") is None


@pytest.mark.parametrize(
    ("answer", "gold", "right"),
    [
        ("New  York", "New York.", True), ("**Paris**", "Paris", True), ("caf\u00e9", "cafe\u0301", True),
        ("paris", "Paris", False), ("", "Paris", False), (None, "Paris", False), ("Paris", None, None),
        ("Paris", " ", None),
    ],
)  # fmt: skip
def test_words(answer, gold, right):
    assert grading.grade(answer, gold, "text") is right


def test_graders_have_names_and_versions():
    assert {name: grading.version(name).partition("-")[0] for name in grading.GRADERS} == {
        name: name for name in grading.GRADERS
    }
    assert "math-verify-0.9" in grading.version("math")
    with pytest.raises(UnknownName, match="no grader is called 'judge'"):
        grading.version("judge")


def test_an_answer_is_read_as_its_grader_reads():
    text = "So it is half.\nAnswer: \\boxed{\\frac{\\sqrt{4}}{4}}"
    assert grading.read(text, "math") == "0.5"
    assert grading.read(text) is None
    assert grading.read("The answer is (B).", "choice") == "B"
    assert grading.read("no answer", "math") is None


# --- the benchmarks against themselves -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "file", "number"),
    [("math500", "math500", 500), ("gsm8k", "gsm8k_test", 1319), ("aime24", "aime24", 30)],
)
def test_gold_answers_are_right(name, file, number):
    path = SHARED / f"{file}.jsonl"
    if not path.exists():
        pytest.skip(f"{path.name} is not in the folder TTC_SHARED_DATA")
    known = BENCHMARKS[name]
    answers = [record(where, known.convert(row), {}, where)["answer"] for where, row in rows(path)]
    assert len(answers) == number
    wrong = [a for a in answers if grading.grade(a, a, known.grader) is not True]
    lost = [a for a in answers if grading.grade(grading.canonical(a, known.grader), a, known.grader) is not True]
    unstable = [a for a in answers if (s := grading.canonical(a, known.grader)) != grading.canonical(s, known.grader)]
    assert (wrong, lost, unstable) == ([], [], [])


def test_requests_are_lines_of_json():
    """What an answer holds can never end its line: a newline in it would be another request."""
    child = pools.Child()
    try:
        assert child.ask({"spell": 'x+1\n{"spell": "y"}'}) is not None
        assert child.ask({"spell": "z+1"})["spelling"] == "z + 1"
    finally:
        child.kill()
    assert "\n" not in json.dumps({"spell": "a\nb"})
