"""Mathematical answers, compared by math-verify in a limited process (`pool`, `mathematics_child`).

Plain numbers are spelled here, as `numeric` does, and need no process; so do answers that were seen before.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from typing import Any

from ttc_core.grading import numeric

DEEPEST = 30  # brackets within brackets; answers of MATH-500 have 2
LONGEST_SPELLING = 1000  # characters
log = logging.getLogger("ttc.grading")
_AROUND = " \t\r\n*_`"


def version() -> str:
    """What a stored grade means: our rules and the library's version."""
    from importlib import metadata

    try:
        return f"math-3/math-verify-{metadata.version('math-verify')}"
    except metadata.PackageNotFoundError:
        return "math-3/none"


def canonical(answer: str) -> str | None:
    """One spelling for answers that are certainly equal: a number's, LaTeX in a simplified form, or the text itself.

    The result is its own canonical form; None for an empty answer.
    """
    text = _tidied(answer)
    return _spelled(text) if text else None


def grade(answer: str | None, gold: str | None) -> bool | None:
    """Whether an answer is right; None when nobody can say: no gold answer, or a grade that could not be had.

    No answer is wrong.
    """
    if gold is None or not _tidied(gold):
        return None
    return answer is not None and _graded(_tidied(answer), _tidied(gold))


def _spelled(text: str) -> str:
    number = numeric.canonical(text)
    if number is not None and "%" not in text:
        return number
    found = _asked(spell=text).get("spelling")
    if not isinstance(found, str) or len(found) > LONGEST_SPELLING:
        return text
    return numeric.canonical(found) or found


def _graded(answer: str, gold: str) -> bool | None:
    if not answer:
        return False
    if answer == gold:
        return True
    wanted = numeric.canonical(gold)
    if wanted is not None and "%" not in answer + gold and numeric.canonical(answer) == wanted:
        return True
    found = _asked(gold=gold, answer=answer).get("right")
    return found if isinstance(found, bool) else None


def _asked(**request: str) -> Mapping[str, Any]:
    if any(_depth(text) > DEEPEST for text in request.values()):
        return {}  # the parser would need all its time
    try:
        return _answered(**request)
    except _Lost:
        return {}


class _Lost(Exception):
    """No reply this time; there may be one the next."""


@functools.lru_cache(65_536)
def _answered(**request: str) -> Mapping[str, Any]:
    from ttc_core.grading.pool import NoGrader, pool  # not needed for most problems, and slow to load

    try:
        found = pool().ask(**request)
    except NoGrader as error:  # the search goes on: its answers are compared as they are written, and stay ungraded
        _say(str(error))
        raise _Lost from error
    if found.get("failed") == "killed":
        raise _Lost
    return found


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        depth += {"{": 1, "(": 1, "[": 1, "}": -1, ")": -1, "]": -1}.get(character, 0)
        deepest = max(deepest, depth)
    return deepest


def _tidied(answer: str) -> str:
    """The answer on one line, without markdown, dollars and the full stop around it."""
    text = answer.replace("\\[", " ").replace("\\]", " ").replace("\\(", " ").replace("\\)", " ")
    text = " ".join(text.split()).strip(_AROUND)
    if text.startswith("$") and text.endswith("$"):
        text = text.strip("$")
    while text.endswith(".") and not text.endswith(".."):  # an ellipsis belongs to the answer
        text = text[:-1].strip(_AROUND)
    return text


@functools.cache
def _say(what: str) -> None:
    log.error(what)
