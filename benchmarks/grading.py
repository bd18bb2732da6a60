"""Grading: gold answers against themselves, and what hostile answers cost. No answer of a model may execute anything.

Usage: python -m benchmarks.grading [--data FOLDER with math500.jsonl, gsm8k_test.jsonl, aime24.jsonl]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from ttc_core import grading
from ttc_core.datasets.benchmarks import BENCHMARKS
from ttc_core.datasets.reading import record, rows
from ttc_core.grading.pool import pool

FILES = {"math500": "math500.jsonl", "gsm8k": "gsm8k_test.jsonl", "aime24": "aime24.jsonl"}


def hostile(mark: Path) -> dict[str, str]:
    """Inputs by a short name; `mark` is a file that one of them would make."""
    return {
        "9**9**9**9": "9**9**9**9",
        "9^{9^{9^9}}": "9^{9^{9^9}}",
        "__import__('os')...": f"__import__('os').system('touch {mark}')",
        "\\text{__import__...}": f"\\text{{__import__('os').system('touch {mark}')}}",
        "10^5 nested braces": "{" * 100_000 + "1" + "}" * 100_000,
        "450 nested braces": "{" * 450 + "1" + "}" * 450,
        "160 nested fractions": "\\frac{" * 80 + "1" + "}{2}" * 80,
        "450 nested parentheses": "(" * 450 + "1" + ")" * 450,
        "1 MB line": "x" * 1_000_000,
        "\\frac{1}{0}": "\\frac{1}{0}",
        "100000!": "100000!",
        "(10^9)!": "(10^9)!",
        "9!!!!!!!!": "9!!!!!!!!",
        "\\binom{10^6}{5 10^5}": "\\binom{1000000}{500000}",
        "(x+1)^{9999}": "(x+1)^{9999}",
        "(x+y+z+w)^{300}": "(x+y+z+w)^{300}",
        "2^{10^9}": "2^{10^9}",
        "10^{-10^9}": "10^{-10^{9}}",
        "\\sum n^n to 10^8": "\\sum_{n=1}^{10^8} n^n",
        "\\int e^{-x^2} \\sin x^x": "\\int_0^1 e^{-x^2} \\sin(x^x) dx",
        "\\lim \\sin(x^x)/x!": "\\lim_{x\\to 0} \\frac{\\sin x^x}{x!}",
        "400 columns": "\\begin{pmatrix}" + "1&" * 399 + "1\\end{pmatrix}",
        "set of 230": ",".join(map(str, range(230))),
        "NUL and half a pair": "\0\ud800",
        "900 dollars": "$" * 900 + "x",
    }


def golds(folder: Path) -> None:
    """Every gold answer of a known file against itself, as written and as a search would have read it."""
    for name, file in FILES.items():
        if not (folder / file).exists():
            print(f"{name:10} is not in {folder}")
            continue
        known = BENCHMARKS[name]
        converted = [(where, known.convert(row)) for where, row in rows(folder / file)]
        answers = [record(where, row, {}, where)["answer"] for where, row in converted if row is not None]
        began = time.perf_counter()
        right = sum(grading.grade(answer, answer, known.grader) is True for answer in answers)
        spelled = [grading.canonical(answer, known.grader) for answer in answers]
        voted = sum(grading.grade(s, a, known.grader) is True for s, a in zip(spelled, answers, strict=True))
        same = sum(s is not None and grading.canonical(s, known.grader) == s for s in spelled)
        took = time.perf_counter() - began
        print(
            f"{name:10} {grading.version(known.grader):30} right against itself {right}/{len(answers)}, "
            f"its canonical form {voted}/{len(answers)}, canonical twice {same}/{len(answers)}, {took:.1f} s"
        )


def main() -> None:
    """Print both tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=Path(os.environ.get("TTC_SHARED_DATA", "../shared/data")))
    chosen = options.parse_args()
    golds(chosen.data)
    print(f"\n{'input':24} {'canonical':26} {'equals 5':9} {'wall s':>7} {'processor s':>12}  failed")
    with tempfile.TemporaryDirectory() as folder:
        mark = Path(folder) / "executed"
        for name, answer in hostile(mark).items():
            began, spent = time.perf_counter(), pool().seconds
            before = pool().counts.copy()
            spelled, verdict = grading.canonical(answer, "math"), grading.grade(answer, "5", "math")
            failed = ", ".join(f"{n} x {what}" for what, n in (pool().counts - before).items()) or "-"
            shown = "none" if spelled is None else ascii(spelled)[:24]
            took, used = time.perf_counter() - began, pool().seconds - spent
            print(f"{name:24} {shown:26} {verdict!s:9} {took:7.2f} {used:12.2f}  {failed}")
        print(f"\nexecuted anything: {'YES' if mark.exists() else 'no'}")


if __name__ == "__main__":
    main()
