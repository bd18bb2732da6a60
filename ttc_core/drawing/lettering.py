"""Text in print: only letters that a font has, and no line longer than its room."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ttc_core.drawing.info import Info
from ttc_core.drawing.presets import FALLBACKS, FAMILIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNKNOWN = "□"  # in place of a letter that no font here has
LONGEST = 160  # letters of one text


@functools.cache
def families(family: str) -> tuple[str, ...]:
    """The fonts of a family: its own, then those for letters that it lacks which are installed."""
    from matplotlib.font_manager import fontManager

    there = {font.name for font in fontManager.ttflist}
    return tuple(dict.fromkeys([FAMILIES[family], *(name for name in FALLBACKS if name in there)]))


def needed(info: Info, family: str) -> tuple[str, ...]:
    """Of the fonts of a family its own alone where that has all letters: each font more makes every text slower."""
    letters = set("0123456789.−…")

    def noted(text: str) -> str:
        letters.update(text)
        return text

    info.reworded(noted)
    own, *_ = fonts = families(family)
    return (own,) if all(_has(own, letter) for letter in letters) else fonts


@functools.cache
def _has(font: str, letter: str) -> bool:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return bool(get_font(findfont(FontProperties(family=[font]))).get_char_index(ord(letter)))


def _known(letter: str, family: str) -> bool:
    """Whether one of the fonts has the letter."""
    return letter.isprintable() and any(_has(name, letter) for name in families(family))


def readable(info: Info, family: str) -> Info:
    """The figure with a visible sign for every letter that cannot be drawn; what is very long is cut."""

    def shown(text: str) -> str:
        text = " ".join(text[: LONGEST + 1].split())
        cut = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
        return "".join(letter if _known(letter, family) else UNKNOWN for letter in cut)

    return info.reworded(shown)


@contextmanager
def _measure(figure: Figure, size: float, room: float) -> Iterator[Callable[[str], bool]]:
    """Says whether a line of type of `size` points is no longer than `room` inches."""
    found = figure.text(0, 0, "", fontsize=size)

    def fits(line: str) -> bool:
        found.set_text(line)
        return bool(found.get_window_extent().width / figure.dpi <= room)

    try:
        yield fits
    finally:
        found.remove()


def wrapped(figure: Figure, text: str, size: float, room: float, most: int | None = None) -> str:
    """Text in lines that are no longer than `room`, in inches; size: in points. Words stay whole where they can.

    most: lines; the last one ends in "…" where that is not all.
    """
    with _measure(figure, size, room) as fits:
        if fits(text):
            return text
        lines = [""]
        for word in text.split(" "):
            for part in [word] if fits(word) else list(word):  # a word that is too long goes on in the next line
                space = " " if part is word and lines[-1] else ""
                if lines[-1] and not fits(lines[-1] + space + part):
                    lines.append(part)
                else:
                    lines[-1] += space + part
        if most is not None and len(lines) > most:
            lines[most - 1 :] = [_cut(f"{lines[most - 1]} {lines[most]}", fits)]
        return "\n".join(lines)


def cut(figure: Figure, text: str, size: float, room: float) -> str:
    """Text on one line no longer than `room`, in inches; what is longer ends in "…". size: in points."""
    with _measure(figure, size, room) as fits:
        return text if fits(text) else _cut(text, fits)


def _cut(text: str, fits: Callable[[str], bool]) -> str:
    while text and not fits(f"{text}…"):
        text = text[:-1].rstrip()
    return f"{text}…"
