"""Answers that are one number: brought to one spelling, compared exactly.

Model text is hostile input: nothing here evaluates it, every step is bounded, and no input makes it raise. Numbers are
fractions, never floats, so 0.1 + 0.2 questions and 20-digit answers are compared exactly.

What counts as the same number, on purpose:

    1,234  =  1234  =  1234.0  =  1.234e3       thousands are commas in groups of three; "1,23" is no number
    3/4  =  0.75  =  \\frac{3}{4}                "1 3/4" is one and three quarters
    $12  =  12 €  =  12                          a currency is not compared
    12%  =  12\\%  =  12                         a percent sign is a unit, as in the MATH data set: 12% is not 0.12
    any script's decimal digits                  superscripts and numerals such as "²" or "Ⅻ" are no digits
"""

from __future__ import annotations

import functools
import re
import unicodedata
from fractions import Fraction

MAX_LENGTH = 100  # characters of an answer, read or written; longer ones are no answer to a word problem
MAX_EXPONENT = 30  # powers of ten in scientific notation
MAX_DECIMALS = 12  # beyond these a number is written as a fraction

_FRAC = re.compile(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}")
_SIGNS = str.maketrans({"\u2212": "-", "\u2010": "-", "\u2011": "-", "\u2013": "-", "\uff0d": "-", "\uff0b": "+"})
_MARKS = str.maketrans({"\uff0c": ",", "\uff0e": ".", "\uff0f": "/", "\uff05": "%", "\u00a0": " ", "\u202f": " "})
_CURRENCY = "$€£¥"
_WHOLE = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)"
_DECIMAL = rf"(?:{_WHOLE}(?:\.[0-9]+)?|\.[0-9]+)"
_NUMBER = re.compile(
    rf"(?P<sign>[+-]?) *[{_CURRENCY}]? *(?P<minus>-?)"
    rf"(?:(?P<decimal>{_DECIMAL})(?:[eE](?P<exponent>[+-]?[0-9]{{1,3}}))?"
    rf"|(?:(?P<whole>{_WHOLE}) +)?(?P<above>{_DECIMAL}) */ *(?P<below>{_DECIMAL}))"
)


def version() -> str:
    """What a stored grade means: change it with the rules above."""
    return "numeric-2"


@functools.lru_cache(16_384)  # many solutions give the same answer
def canonical(answer: str) -> str | None:
    """One spelling per number: "84", "-0.75", "1/3"; None when the answer is not one number.

    The result is its own canonical form, at most MAX_LENGTH characters long.
    """
    if len(answer) > MAX_LENGTH:
        return None
    match = _NUMBER.fullmatch(_cleaned(answer))
    if match is None or (match["sign"] and match["minus"]):
        return None
    value = _value(match)
    if value is None:
        return None
    written = _written(-value if "-" in (match["sign"], match["minus"]) else value)
    return written if len(written) <= MAX_LENGTH else None


def grade(answer: str | None, gold: str | None) -> bool | None:
    """Whether an answer is right; None when nobody can say: no gold answer, or one that is not a number.

    No answer, or one that is not a number, is wrong.
    """
    wanted = None if gold is None else canonical(gold)
    if wanted is None:
        return None
    return answer is not None and canonical(answer) == wanted


def _cleaned(answer: str) -> str:
    """The answer without notation around the number: LaTeX, markdown, a currency or percent sign, the full stop."""
    text = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in answer)
    text = text.translate(_SIGNS).translate(_MARKS)
    for noise in ("\\$", "\\!", "\\,", "\\(", "\\)"):
        text = text.replace(noise, "")
    text = _FRAC.sub(r" \1/\2", text.replace("{,}", ",").replace("\\%", "%"))
    text = text.strip(" \t\r\n*_`$").rstrip(".").rstrip(" *_`$")
    if text[-1:] in ("%", *_CURRENCY):
        text = text[:-1].rstrip()
    return text


def _value(match: re.Match[str]) -> Fraction | None:
    """The number without its sign; None for a zero denominator or a power of ten out of range."""
    if match["decimal"] is not None:
        exponent = int(match["exponent"] or 0)
        if abs(exponent) > MAX_EXPONENT:
            return None
        return _fraction(match["decimal"]) * Fraction(10) ** exponent
    below = _fraction(match["below"])
    if below == 0:
        return None
    return _fraction(match["whole"] or "0") + _fraction(match["above"]) / below


def _fraction(digits: str) -> Fraction:
    return Fraction("0" + digits.replace(",", ""))  # "0" before: ".5" is a number too


def _written(value: Fraction) -> str:
    """An integer, a decimal where it ends within MAX_DECIMALS places, else numerator/denominator in lowest terms."""
    scaled = value * 10**MAX_DECIMALS
    if scaled.denominator != 1:
        return f"{value.numerator}/{value.denominator}"
    digits = f"{abs(scaled.numerator):0{MAX_DECIMALS + 1}d}"
    whole, decimals = digits[:-MAX_DECIMALS], digits[-MAX_DECIMALS:].rstrip("0")
    return f"{'-' if value < 0 else ''}{whole}{'.' if decimals else ''}{decimals}"
