"""From model text to answers, and from answers to right or wrong, in one of several ways.

A grader is a module with `canonical(answer)`, `grade(answer, gold)` and `version()`. Each data set names its own, each
run keeps the name, and each result the version. Without a name answers are numbers, as in the bundled problems.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from ttc_core.errors import UnknownName
from ttc_core.grading import choice, mathematics, numeric, verbatim
from ttc_core.grading.extraction import extract

__all__ = ["GRADERS", "canonical", "extract", "grade", "read", "version"]

DEFAULT = "numeric"
MAX_ANSWER = 1000  # characters; what is longer is no final answer. The longest of MATH-500 has 53
GRADERS: Mapping[str, ModuleType] = {
    "numeric": numeric,  # one number, compared exactly
    "math": mathematics,  # any mathematical answer, compared by math-verify
    "choice": choice,  # a letter from A to E
    "text": verbatim,  # the same words
}


def canonical(answer: str, grader: str = DEFAULT) -> str | None:
    """One spelling for equal answers, itself canonical; None when this grader sees no answer in it."""
    found: str | None = _of(grader).canonical(answer) if len(answer) <= MAX_ANSWER else None
    return found


def grade(answer: str | None, gold: str | None, grader: str = DEFAULT) -> bool | None:
    """Whether an answer is right; None when nobody can say. No answer is wrong."""
    if gold is not None and len(gold) > MAX_ANSWER:
        return None
    found: bool | None = _of(grader).grade(answer if answer is None or len(answer) <= MAX_ANSWER else "", gold)
    return found


def read(text: str, grader: str = DEFAULT) -> str | None:
    """The canonical final answer of a solution's text, None when it gives none."""
    found = extract(text)
    return None if found is None else canonical(found, grader)


def version(grader: str = DEFAULT) -> str:
    """What a stored grade means: changes whenever the grader might say something else."""
    found: str = _of(grader).version()
    return found


def _of(grader: str) -> ModuleType:
    if grader not in GRADERS:
        raise UnknownName(f"no grader is called {grader!r}", hint=f"there is: {', '.join(GRADERS)}")
    return GRADERS[grader]
