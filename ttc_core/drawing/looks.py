"""How somebody wants a figure drawn: other words, limits, series, legend, intervals, without colour, at a size."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from ttc_core.drawing.info import INTERVALS, PLACES, Axis, Info, Panel, Value, greyscale
from ttc_core.drawing.presets import Preset, preset
from ttc_core.errors import BadValue

MOST_TEXT, MOST_CAPTION, MOST_ENTRIES = 200, 4000, 200  # letters, letters, words and series


@dataclass(frozen=True)
class Look:
    """What is changed of a figure; the rest stays as it is made.

    Arguments:
        figure: which, by the name it is registered under.
        study: of which it was saved; it may be applied to others.
        preset, family: size and type, as in `ttc_core.drawing.presets`; family "" for the preset's own.
        title: above the panels. caption: in place of the one that is made from the study; "" for that one.
        words: titles of panels, labels of axes, names in the legend and at ticks -> what is written instead.
        limits: label of an axis, as it is made -> its ends; None leaves an end to the drawing.
        series: entries of the legend that are shown, in this order; () for all.
        legend, intervals: as in `Info`. grey: without colour.
    """

    figure: str
    study: str = ""
    preset: str = "neurips"
    family: str = ""
    title: str = ""
    caption: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, Sequence[Value]] = field(default_factory=dict)
    series: Sequence[str] = ()
    legend: str = "below"
    intervals: str = "bands"
    grey: bool = False

    @classmethod
    def parse(cls, document: Any) -> Look:
        """A look from JSON, of which nothing is believed.

        Raises:
            BadValue: one sentence on what is wrong with it.
        """
        known = {f.name for f in fields(cls)}
        if not isinstance(document, dict) or "figure" not in document or not set(document) <= known:
            raise BadValue(f"a look of a figure has 'figure' and may have {', '.join(sorted(known - {'figure'}))}")
        made = {name: _checked(name, value) for name, value in document.items()}
        look = cls(**made)
        for name, there in (("legend", PLACES), ("intervals", INTERVALS)):
            if getattr(look, name) not in there:
                raise BadValue(f"{name} is one of {', '.join(there)}, not {getattr(look, name)[:40]!r}")
        look.size()
        return look

    def document(self) -> dict[str, Any]:
        """It for JSON; `parse` reads it."""
        lists = {"series": list(self.series), "limits": {name: list(ends) for name, ends in self.limits.items()}}
        return asdict(self) | {"words": dict(self.words)} | lists

    def size(self) -> Preset:
        """Its preset.

        Raises:
            UnknownName: there is none; BadValue: no such family.
        """
        return preset(self.preset, self.family or None)

    def applied(self, info: Info, name: str = "") -> Info:
        """The figure drawn so. name: what it is called then, as files are; "" for its own.

        Raises:
            BadValue: an end of an axis cannot be where it is asked for, or no series is left.
        """
        made = info
        if self.series:
            made = made.only(self.series)
            if not made.entries:
                raise BadValue(f"the figure {info.name!r} has none of the series {', '.join(self.series)[:200]}")
        if self.grey:
            made = made.restyled(greyscale)
        made = replace(made, panels=[self._limited(panel) for panel in made.panels])
        made = made.reworded(lambda text: self.words.get(text) or text)
        labels = [replace(p, x=self._named(p.x, q.x), y=self._named(p.y, q.y))
                  for p, q in zip(made.panels, info.panels, strict=True)]  # fmt: skip
        caption = self.caption or self.told(info.caption)
        return replace(made, name=name or info.name, panels=labels, title=self.title, caption=caption,
                       legend=self.legend, intervals=self.intervals)  # fmt: skip

    def told(self, caption: str) -> str:
        """A caption that calls the intervals what they are here."""
        if self.intervals == "none":
            return re.sub(r" ?\bBands?: [^.]*\.", "", caption)
        return caption if self.intervals == "bands" else re.sub(r"\bBands?:", "Bars:", caption)

    def _named(self, axis: Axis, original: Axis) -> Axis:
        """Only the name of an axis may be taken away."""
        return replace(axis, label=self.words.get(original.label, axis.label))

    def _limited(self, panel: Panel) -> Panel:
        return replace(panel, x=self._ends(panel.x), y=self._ends(panel.y))

    def _ends(self, axis: Axis) -> Axis:
        asked = self.limits.get(axis.label)
        if not axis.label or asked is None or asked[0] is asked[1] is None:
            return axis
        ends = zip(asked, axis.limits or (None, None), strict=True)
        low, high = (old if new is None else new for new, old in ends)
        if axis.log and any(end is not None and end <= 0 for end in (low, high)):
            raise BadValue(f"the axis {axis.label!r} is logarithmic: its ends are above 0")
        if low is not None and high is not None and low >= high:
            raise BadValue(f"the axis {axis.label!r} cannot go from {low:g} to {high:g}")
        made = replace(axis, limits=(low, high))
        kept = [i for i, tick in enumerate(axis.ticks) if made.holds(tick)]
        return replace(made, ticks=[axis.ticks[i] for i in kept], labels=[axis.labels[i] for i in kept if axis.labels])


def _checked(name: str, value: Any) -> Any:
    """A value of the right type and size."""
    if name == "grey":
        right = isinstance(value, bool)
    elif name == "series":
        right = isinstance(value, list) and len(value) <= MOST_ENTRIES and all(map(_text, value))
    elif name == "words":
        right = _mapping(value) and all(map(_text, value.values()))
    elif name == "limits":
        right = _mapping(value) and all(map(_pair, value.values()))
    else:
        right = _text(value, MOST_CAPTION if name == "caption" else MOST_TEXT)
    if not right:
        raise BadValue(f"{name!r} of a look is too long or not what it has to be")
    if name == "series":
        return tuple(value)
    return " ".join(value.split()) if name in ("title", "caption") else value


def _text(value: Any, most: int = MOST_TEXT) -> bool:
    return isinstance(value, str) and len(value) <= most


def _mapping(value: Any) -> bool:
    return isinstance(value, dict) and len(value) <= MOST_ENTRIES and all(map(_text, value))


def _pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(v is None or _number(v) for v in value)


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and abs(value) < 1e30
