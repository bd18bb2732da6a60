"""Sizes and type of the places where figures are printed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ttc_core.errors import BadValue, UnknownName

POINTS = 72.0  # an inch
FAMILIES = {"serif": "STIXGeneral", "sans": "DejaVu Sans"}  # both come with matplotlib: the same on every machine
FALLBACKS = (  # for letters that those lack, where the machine has one
    "DejaVu Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Serif CJK JP", "Source Han Sans", "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei", "IPAGothic", "Droid Sans Fallback", "Hiragino Sans", "Microsoft YaHei", "Arial Unicode MS",
)  # fmt: skip


@dataclass(frozen=True)
class Preset:
    """How a figure is set.

    Arguments:
        width: of the page, in inches, exactly.
        size: of the type, in points; ticks and legend are one point smaller.
        line, marker: width of lines and size of markers, in points.
        narrowest: width that a panel needs, in inches; fewer stand beside each other if there is not enough.
        family: serif or sans.
    """

    width: float
    size: float
    line: float
    marker: float
    narrowest: float
    family: str = "serif"


_PAPER = Preset(5.5, 9.0, 1.0, 3.5, 1.6)
PRESETS = {
    "neurips": _PAPER,
    "iclr": _PAPER,
    "icml": replace(_PAPER, width=3.25, size=8.0, narrowest=1.5),
    "icml-wide": replace(_PAPER, width=6.75, size=8.0),
    "acl": replace(_PAPER, width=3.03, size=8.0, narrowest=1.5),
    "acl-wide": replace(_PAPER, width=6.30),
    "slide": Preset(10.0, 18.0, 2.2, 8.0, 3.0, "sans"),
    "poster": Preset(12.0, 24.0, 3.0, 10.0, 3.6, "sans"),
}


def preset(name: str, family: str | None = None) -> Preset:
    """A preset by name, with another type family if one is given.

    Raises:
        UnknownName: there is no such preset; BadValue: no such family.
    """
    if name not in PRESETS:
        raise UnknownName(f"no preset is called {name!r}", hint=f"there is: {', '.join(PRESETS)}")
    if family is not None and family not in FAMILIES:
        raise BadValue(f"the type is {' or '.join(FAMILIES)}, not {family!r}")
    return PRESETS[name] if family is None else replace(PRESETS[name], family=family)
