"""Where bars stand: beside each other or upon each other. The same in every rendering."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ttc_core.drawing.info import Series

GROUP = 0.84  # of the distance between categories that their bars fill


@dataclass(frozen=True)
class Bars:
    """The bars of one series. x: middles; bottom, height: of each; width: of all."""

    series: Series
    x: list[float]
    bottom: list[float]
    height: list[float]
    width: float


def placed(series: Sequence[Series]) -> Iterator[Bars]:
    """Bars of the series of the kinds "bar" and "stack", in their order; a value of None has none."""
    beside = [s for s in series if s.kind == "bar"]
    width = GROUP / max(1, len(beside))
    for i, s in enumerate(beside):
        shift = (i - (len(beside) - 1) / 2) * width
        known = [(x, y) for x, y in zip(s.x, s.y, strict=True) if y is not None]
        yield Bars(s, [x + shift for x, _ in known], [0.0] * len(known), [y for _, y in known], width)
    upon: dict[float, float] = {}
    for s in series:
        if s.kind == "stack":
            known = [(x, y) for x, y in zip(s.x, s.y, strict=True) if y is not None]
            yield Bars(s, [x for x, _ in known], [upon.get(x, 0.0) for x, _ in known], [y for _, y in known], 0.6)
            for x, y in known:
                upon[x] = upon.get(x, 0.0) + y
