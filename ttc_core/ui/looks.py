"""The fields with which somebody edits a figure, and the look that they say.

What is typed lies in the session's state under keys of the figure's name, so that a button's callback reads what the
fields hold at that moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import streamlit as st

from ttc_core.drawing.info import INTERVALS, PLACES, Axis, Info
from ttc_core.drawing.looks import MOST_CAPTION, MOST_TEXT, Look
from ttc_core.drawing.presets import FAMILIES, PRESETS
from ttc_core.ui import form

NUMBER = 110  # pixels of a field for a number


def key(name: str, field: str) -> str:
    """Of a field of the figure on show under this name; another one after `again`."""
    return form.key(_of(name), field)


def again(name: str) -> None:
    """Forget what was typed: the fields begin anew."""
    form.begin(_of(name), {})


def _of(name: str) -> str:
    """The form of the figure on show under this name."""
    return f"look:{name}"


def asked(name: str, look: Look, info: Info) -> Look:
    """The look that the fields say; as `look` is where nothing was typed. info: the figure as it is made."""

    def typed(field: str, there: Any) -> Any:
        return st.session_state.get(key(name, field), there)

    words = {}
    for i, text in enumerate(_texts(info)):
        said = typed(f"word-{i}", look.words.get(text, text)).strip()
        if said != text:
            words[text] = said
    limits = {}
    for i, axis in enumerate(_axes(info)):
        low, high = look.limits.get(axis.label, (None, None))
        ends = (typed(f"low-{i}", low), typed(f"high-{i}", high))
        if ends != (None, None):
            limits[axis.label] = list(ends)
    entries = [entry for entry, _ in info.entries]
    series = typed("series", list(look.series) or entries)
    caption = typed("caption", look.caption or info.caption).strip()
    return replace(
        look,
        preset=typed("preset", look.preset),
        family=typed("family", look.family),
        title=typed("title", look.title).strip(),
        caption="" if caption == info.caption else caption,
        words=words,
        limits=limits,
        series=() if series == entries else tuple(series),
        legend=typed("legend", look.legend),
        intervals=typed("intervals", look.intervals),
        grey=typed("grey", look.grey),
    )


def fields(name: str, look: Look, info: Info, sizes: bool) -> None:
    """The fields, filled with what `look` says. sizes: preset and type too, which the page gives otherwise."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        choices = {"legend": ("Legend", PLACES, look.legend), "intervals": ("Intervals", INTERVALS, look.intervals)}
        if sizes:
            choices["preset"] = ("Size", tuple(PRESETS), look.preset)
            choices["family"] = ("Letters", tuple(FAMILIES), look.family or PRESETS[look.preset].family)
        for field, (label, options, now) in choices.items():
            form.choice(_of(name), field, label, options, wanted=now, width=140)
        st.toggle("Greyscale", look.grey, key=key(name, "grey"))
    st.text_input("Title", look.title, key=key(name, "title"), max_chars=MOST_TEXT)
    entries = [entry for entry, _ in info.entries]
    kept = [entry for entry in look.series if entry in entries] or entries
    st.multiselect("Series, in the order of the legend", entries, kept, key=key(name, "series"))
    texts = _texts(info)
    for i, axis in enumerate(_axes(info)):
        low, high = look.limits.get(axis.label, (None, None))
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            at = texts.index(axis.label)
            st.text_input(f"Axis “{axis.label}”", look.words.get(axis.label, axis.label), key=key(name, f"word-{at}"),
                          max_chars=MOST_TEXT)  # fmt: skip
            st.number_input("from", value=low, key=key(name, f"low-{i}"), width=NUMBER, placeholder="as it is")
            st.number_input("to", value=high, key=key(name, f"high-{i}"), width=NUMBER, placeholder="as it is")
    _others(name, look, info)
    st.text_area("Caption", look.caption or info.caption, key=key(name, "caption"), max_chars=MOST_CAPTION)


def _others(name: str, look: Look, info: Info) -> None:
    """Fields for all other words of the figure; what a word is now stands in its field, not in Markdown."""
    named = {axis.label for axis in _axes(info)}
    rest = [(i, text) for i, text in enumerate(_texts(info)) if text not in named]
    if not rest:
        return
    st.caption("Names in the legend, at ticks and of panels")
    with st.container(horizontal=True, gap="small"):
        for i, text in rest:
            st.text_input(f"Word {i + 1}", look.words.get(text, text), key=key(name, f"word-{i}"), width=230,
                          placeholder=text, label_visibility="collapsed", max_chars=MOST_TEXT)  # fmt: skip


def _axes(info: Info) -> list[Axis]:
    """The named axes, each name once."""
    found = {axis.label: axis for panel in info.panels for axis in (panel.x, panel.y) if axis.label}
    return list(found.values())


def _texts(info: Info) -> list[str]:
    """Everything that is written in the figure and can be written otherwise: names of axes first."""

    def all_() -> Iterator[str]:
        yield from (axis.label for axis in _axes(info))
        yield from (entry for entry, _ in info.entries)
        for panel in info.panels:
            yield panel.title
            if not panel.x.log:
                yield from (label for label in panel.x.labels if not label.isdigit())

    return [text for text in dict.fromkeys(all_()) if text and len(text) <= MOST_TEXT]
