"""Answers that are words: the same text is the same answer, up to blanks and the marks around it."""

from __future__ import annotations

import unicodedata


def version() -> str:
    """What a stored grade means: change it with the rules."""
    return "text-2"


def canonical(answer: str) -> str | None:
    """The text with single blanks, composed accents, and no markdown around or full stop behind it; None if empty."""
    text = " ".join(unicodedata.normalize("NFC", answer).split()).strip(" *_`").rstrip(" *_`.")
    return text or None


def grade(answer: str | None, gold: str | None) -> bool | None:
    """Whether the text is the right one, capitals included; None without a gold answer. No answer is wrong."""
    wanted = None if gold is None else canonical(gold)
    if wanted is None:
        return None
    return answer is not None and canonical(answer) == wanted
