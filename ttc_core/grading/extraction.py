"""The final answer in a solution's text, as models write it: on an answer line, in a box, after four hashes.

Model text is hostile input: nothing here evaluates it, every step is bounded, and no input makes it raise.
"""

from __future__ import annotations

import re

TAIL = 20_000  # characters of a text that are searched: a final answer stands at the end
_ANSWER_LINE = re.compile(
    r"^[ \t>*_#]*(?:final[ \t]+)?answer[ \t*_]*[:\uff1a][ \t*_]*(?=\S)([^\n]*)", re.IGNORECASE | re.MULTILINE
)
_HASH_LINE = re.compile(r"^####(?!#)[ \t]*(?=\S)([^\n]*)", re.MULTILINE)
_HEADING = re.compile(
    r"^#{1,6}[ \t]*[*_]*(?:final[ \t]+)?answer[ \t:*_]*\n\s*(?=\S)([^\n]*)", re.IGNORECASE | re.MULTILINE
)
_TITLE = re.compile(r"(?:[0-9]+[.):][ \t]+)?[*_(]*[^\W\d_]{2}")  # of Markdown, which four hashes make too
_NEXT = re.compile(r"(?:question|problem|q)\b[ \t]*[0-9]*[ \t]*:", re.IGNORECASE)  # who is not stopped writes on
_SAID = re.compile(r"\banswer is[ \t]*:?[ \t]*(?=\S)([^\n]*)", re.IGNORECASE)
_HOPE = re.compile(r"\.?[ \t]*I hope it is correct.{0,3}$", re.IGNORECASE)
_BOX = "\\boxed{"


def extract(text: str) -> str | None:
    """The final answer as written, None without one.

    It is the last of these: "Answer: 84", "#### 84", a heading "# Answer" above it, \\boxed{84}; where there is none,
    what follows the last "the answer is".
    """
    tail = text[-TAIL:]
    found = [match.span(1) for pattern in (_ANSWER_LINE, _HEADING) for match in pattern.finditer(tail)]
    found += [match.span(1) for match in _HASH_LINE.finditer(tail) if _final(match)]
    boxed = _last_box(tail)
    if boxed is not None:
        found.append(boxed)
    if not found:
        found = [match.span(1) for match in _SAID.finditer(tail)]
    if not found:
        return None
    start, end = max(found)  # of "Answer: \boxed{84}" the innermost
    written = tail[start:end].strip(" \t\r*_`")
    said = [match.span(1) for match in _SAID.finditer(written)]  # Answer: The final answer is 84. I hope it is correct.
    if said:
        written = written[said[-1][0] :]
    return _HOPE.sub("", written).strip(" \t\r*_`") or None


def _final(line: re.Match[str]) -> bool:
    """Whether what stands behind four hashes is an answer: it has no words, or only a new question comes after."""
    after = line.string[line.end() :].strip()
    return not _TITLE.match(line[1]) or not after or _NEXT.match(after) is not None


def _last_box(text: str) -> tuple[int, int] | None:
    """Span of what the last \\boxed{...} holds, None without a closed one."""
    begin = text.rfind(_BOX)
    if begin < 0:
        return None
    start = begin + len(_BOX)
    depth = 1
    for position in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return start, position
    return None
