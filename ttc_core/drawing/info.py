"""What a figure shows, apart from how it is drawn: panels with axes and series of numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

Value = float | None  # None: nothing to draw there

# Okabe and Ito's colours, told apart by people of any colour vision; yellow comes last, it is faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#B8A900")
BLACK, GREY = "#000000", "#8A8A8A"
DASHES = ("solid", "dash", "dot", "dashdot")
MARKERS = ("circle", "square", "triangle", "diamond", "down", "cross")
VIRIDIS = ("#440154", "#3B528B", "#21918C", "#5EC962", "#C9B50B")  # by rising difficulty; the yellow darkened for paper
GREYS = ("#1A1A1A", "#8C8C8C", "#4D4D4D", "#B0B0B0", "#333333", "#A0A0A0", "#6B6B6B")  # neighbours differ
GREYSCALE = ("#000000", "#444444", "#707070", "#9A9A9A", "#BDBDBD")  # in place of viridis
PLACES = ("below", "above", "right", "none")  # of the legend: never upon data
INTERVALS = ("bands", "bars", "none")
OPTIMAL = "compute_optimal"
_NAMES = {
    "single": "one answer", "best of n": "best-of-N", "dvts": "DVTS", "mcts": "MCTS", "ab mcts": "AB-MCTS",
    "rebase": "REBASE",
}  # fmt: skip


@dataclass(frozen=True)
class Style:
    """Colour, dash and marker of a series. They differ together, so that the colour is never needed to tell."""

    colour: str
    dash: str = "solid"
    marker: str = "circle"


@dataclass(frozen=True)
class Series:
    """Marks that belong together. Series with the same entry, in one panel or several, are in the legend once.

    Arguments:
        name: whose numbers these are.
        x, y: of each mark; in a panel of bars x is the number of the category.
        low, high: ends of the interval around each y; empty for none.
        kind: "line" with markers and a band, "points" without a line, "bar" beside the others, "stack" upon them, or
            "guide": a thin line to read by that the legend leaves out, broken where a y is missing.
        entry: of the legend, where several series share one; "": the name.
    """

    name: str
    x: Sequence[float]
    y: Sequence[Value]
    style: Style
    low: Sequence[Value] = ()
    high: Sequence[Value] = ()
    kind: str = "line"
    entry: str = ""


@dataclass(frozen=True)
class Axis:
    """One axis.

    Arguments:
        label: with the unit.
        log: whether it is logarithmic, with powers of two as plain numbers.
        ticks: where; () leaves that to the drawing. labels: what is written there instead of numbers.
        limits: ends of the axis; None leaves that, or one of them, to the drawing.
    """

    label: str
    log: bool = False
    ticks: Sequence[float] = ()
    labels: Sequence[str] = ()
    limits: tuple[Value, Value] | None = None

    def holds(self, value: float) -> bool:
        """Whether it lies between the ends."""
        low, high = self.limits or (None, None)
        return (low is None or value >= low) and (high is None or value <= high)


@dataclass(frozen=True)
class Note:
    """Words from (x, y) to the right end of their panel, broken into lines there, their middle at y."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Panel:
    """One pair of axes with its series.

    Arguments:
        bare: a drawing instead of a diagram: a frame without numbers, as high as its notes need in units of y. Its axes
            have limits.
        notes: words in it; of a bare panel only.
    """

    title: str
    x: Axis
    y: Axis
    series: Sequence[Series]
    bare: bool = False
    notes: Sequence[Note] = ()

    def right_of(self, note: Note) -> float:
        """The share of the width of a bare panel that a note has."""
        low, high = (float(end or 0.0) for end in self.x.limits or (0.0, 1.0))
        return (high - note.x) / (high - low)

    @property
    def rows(self) -> float:
        """How high a bare panel is, in units of y."""
        low, high = (float(end or 0.0) for end in self.y.limits or (0.0, 0.0))
        return high - low if self.bare else 0.0

    def holds(self, series: Series) -> bool:
        """Whether all marks of a series lie between the ends of the axes."""
        return all(self.x.holds(x) and (y is None or self.y.holds(y)) for x, y in zip(series.x, series.y, strict=True))


@dataclass(frozen=True)
class Info:
    """A figure.

    Arguments:
        name: it is registered under.
        panels: in reading order.
        caption: what is shown, of how many problems, and what the intervals are; plain text.
        columns: panels beside each other at most.
        title: above all panels; "" for none, as papers have it.
        legend: one of PLACES. intervals: one of INTERVALS; how those of lines are drawn.
    """

    name: str
    panels: Sequence[Panel]
    caption: str
    columns: int = 1
    title: str = ""
    legend: str = "below"
    intervals: str = "bands"
    entries: Sequence[tuple[str, Series]] = field(default=(), init=False)

    def __post_init__(self) -> None:
        seen: dict[str, Series] = {}
        for panel in self.panels:
            for series in panel.series:
                if series.kind != "guide":
                    seen.setdefault(series.entry or series.name, series)
        object.__setattr__(self, "entries", tuple(seen.items()))

    def grid(self, room: float, narrowest: float) -> tuple[int, int]:
        """Rows and columns of its panels where there are so many inches for them; rows are filled evenly."""
        most = max(1, min(self.columns, len(self.panels), int(room / narrowest)))
        rows = -(-len(self.panels) // most)
        return rows, max(1, -(-len(self.panels) // max(1, rows)))

    def only(self, names: Iterable[str]) -> Info:
        """The same with these entries of the legend alone, in this order."""
        place = {name: i for i, name in enumerate(names)}
        panels = []
        for panel in self.panels:
            guides = [s for s in panel.series if s.kind == "guide"]
            kept = [s for s in panel.series if s.kind != "guide" and (s.entry or s.name) in place]
            panels.append(replace(panel, series=[*guides, *sorted(kept, key=lambda s: place[s.entry or s.name])]))
        return replace(self, panels=panels)

    def restyled(self, change: Callable[[Style], Style]) -> Info:
        """The same with every series in another style."""
        panels = [replace(p, series=[replace(s, style=change(s.style)) for s in p.series]) for p in self.panels]
        return replace(self, panels=panels)

    def reworded(self, change: Callable[[str], str]) -> Info:
        """The same with every text in it, but for the caption, changed."""

        def axis(of: Axis) -> Axis:
            return replace(of, label=change(of.label), labels=[change(text) for text in of.labels] or ())

        panels = [
            replace(
                panel,
                title=change(panel.title),
                x=axis(panel.x),
                y=axis(panel.y),
                series=[replace(s, name=change(s.name), entry=change(s.entry)) for s in panel.series],
                notes=[replace(note, text=change(note.text)) for note in panel.notes] or (),
            )
            for panel in self.panels
        ]
        return replace(self, panels=panels, title=change(self.title))


def labelled(method: str) -> str:
    """A method's label for people: "beam_search width=4" is "beam search (width 4)"."""
    if method == OPTIMAL:
        return "compute-optimal"
    name, *params = method.split(" ")
    words = name.replace("_", " ")
    if name == "single" and params in (["greedy=true"], ["greedy=false"]):
        return f"one {'greedy' if params == ['greedy=true'] else 'sampled'} answer"
    shown = [_param(text) for text in params]
    return _NAMES.get(words, words) + (f" ({', '.join(shown)})" if shown else "")


def _param(text: str) -> str:
    key, _, value = text.partition("=")
    if not value:
        return text
    if text == "width=0":
        return "width √N"  # what 0 stands for in a search over beams
    return f"{key.replace('_', ' ')} {value}" if key != "select" else value


def styles(methods: Sequence[str]) -> dict[str, Style]:
    """The style of every method of a study: the same in all of its figures. The optimal policy is black, a star."""
    found = {
        name: Style(COLOURS[i % len(COLOURS)], DASHES[i % len(DASHES)], MARKERS[i % len(MARKERS)])
        for i, name in enumerate(methods)
    }
    return found | {OPTIMAL: Style(BLACK, marker="star")}


def by_bin(b: int, bins: int) -> Style:
    """The style of a bin of difficulty; 0 is the easiest."""
    place = round(b * (len(VIRIDIS) - 1) / max(1, bins - 1))
    return Style(VIRIDIS[place], DASHES[b % len(DASHES)], MARKERS[b % len(MARKERS)])


def greyscale(style: Style) -> Style:
    """The style without colour: equal colours become equal greys, and dash and marker stay to tell series apart."""
    known = dict(zip(COLOURS, GREYS, strict=True)) | dict(zip(VIRIDIS, GREYSCALE, strict=True))
    red, green, blue = (int(style.colour[i : i + 2], 16) for i in (1, 3, 5))
    level = round(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    return replace(style, colour=known.get(style.colour, f"#{level:02X}{level:02X}{level:02X}"))


def bin_name(b: int, bins: int) -> str:
    """What a bin is called."""
    end = " (easiest)" if b == 0 else " (hardest)" if b == bins - 1 else ""
    return f"bin {b + 1}{end}"


def plain(value: float) -> str:
    """A tick's number: 4, 0.79, 12k, 3.1e9 as 3.1G."""
    value = 0.0 if abs(value) < 1e-9 else value
    for size, unit in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == 'k' else size):.3g}{unit}"
    return f"{value:.4g}" if value < 100 else f"{value:.0f}"


def budgets(values: Sequence[float], label: str = "generations") -> Axis:
    """The axis of budgets: logarithmic, each budget a tick."""
    return Axis(label, log=True, ticks=list(values))


def categories(label: str, names: Sequence[str]) -> Axis:
    """The axis of bars: category i stands at i."""
    return Axis(label, ticks=list(range(len(names))), labels=list(names), limits=(-0.6, len(names) - 0.4))


def shares(label: str, top: float | None = None) -> Axis:
    """An axis of shares; `top` None leaves the ends to the drawing."""
    return Axis(label, limits=None if top is None else (0.0, top))
