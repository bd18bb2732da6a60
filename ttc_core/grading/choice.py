"""Answers that are one of the letters A to E, as in questions with choices."""

from __future__ import annotations

import re

_LETTER = re.compile(
    r"(?:\s|\\(?:text|textbf|mathrm|mathbf)\s*\{)*(?:(?:option|choice)\s*)?"  # no blank fits in two places
    r"(?:\(\s*([A-E])\s*\)|([A-E])(?=\s*[).:]|[\s}.,]*$))",
    re.IGNORECASE,
)


def version() -> str:
    """What a stored grade means: change it with the rules."""
    return "choice-1"


def canonical(answer: str) -> str | None:
    """The letter of "B", "(b)", "B) 5 apples", "Option B." or "\\text{(B)}"; None for anything else."""
    match = _LETTER.match(answer.strip(" \t\r\n*_`$"))
    return (match[1] or match[2]).upper() if match else None


def grade(answer: str | None, gold: str | None) -> bool | None:
    """Whether the letter is right; None without a gold letter. No letter is wrong."""
    wanted = None if gold is None else canonical(gold)
    if wanted is None:
        return None
    return answer is not None and canonical(answer) == wanted
