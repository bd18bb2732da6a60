"""What is written on a page: nothing is cut off and nothing lies upon another, of every figure at every preset."""

from __future__ import annotations

import contextlib
import itertools
import warnings

import pytest
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Affine2D

from benchmarks.figures import STUDIES
from ttc_core import registry, runs
from ttc_core.drawing import presets, printing
from ttc_core.drawing.info import COLOURS, Axis, Info, Panel, Series, Style, categories
from ttc_core.errors import UserError
from ttc_core.export import tables, writing
from ttc_core.settings import settings

SIZES = {preset: name for name, preset in reversed(presets.PRESETS.items())}  # iclr is as neurips
LONG = "a word and another one " * 6
HUGE = "x" * 200


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """Every registered figure that the studies of a fresh clone have data for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TTC_EXAMPLES", "1")
        settings.cache_clear()  # as other tests left them
        db = f"sqlite:///{tmp_path_factory.mktemp('sample') / 'x.db'}"
        runs.ensure_database(db=db)
        made = {}
        for study in STUDIES:
            found = tables.of_study(study, resamples=10, db=db)
            for name in registry.names("figure"):
                with contextlib.suppress(UserError):
                    made.setdefault(name, writing.info(name, found))
    settings.cache_clear()  # databases of further tests begin empty again
    assert {*registry.names("figure")} == made.keys()
    return list(made.values())


def written(figure, monkeypatch):
    """The texts that are drawn, each once."""
    found = {}
    draw = Text.draw

    def noted(self, renderer, *rest):
        if self.get_visible() and self.get_text().strip():
            found[id(self)] = self
        draw(self, renderer, *rest)

    monkeypatch.setattr(Text, "draw", noted)
    figure.draw_without_rendering()
    monkeypatch.undo()
    return list(found.values())


def outline(text):
    """The rectangle, turned as the text is, that its letters fill."""
    around, angle = text.get_window_extent(), text.get_rotation()
    text.set_rotation(0)
    flat = text.get_window_extent()
    text.set_rotation(angle)
    x, y = (around.x0 + around.x1) / 2, (around.y0 + around.y1) / 2
    corners = [(sx * flat.width / 2, sy * flat.height * 0.45) for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    return Affine2D().rotate_deg(angle).translate(x, y).transform_path(Path([*corners, corners[0]], closed=True))


def check(info, preset, monkeypatch):
    """Draw it and look."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = printing.printed(info, preset)
    assert figure.get_size_inches()[0] == preset.width
    texts = written(figure, monkeypatch)
    assert len(texts) >= len(info.panels)
    for text in texts:
        box = text.get_window_extent()
        inside = box.x0 > -1 and box.y0 > -1 and box.x1 < figure.bbox.width + 1 and box.y1 < figure.bbox.height + 1
        assert inside, (info.name, "leaves the page", text.get_text(), box.bounds, figure.bbox.bounds)
    outlines = [(text.get_text(), outline(text)) for text in texts]
    pairs = itertools.combinations(outlines, 2)
    upon = [(first, second) for (first, a), (second, b) in pairs if a.intersects_path(b, filled=True)]
    assert not upon, (info.name, upon)
    for axes in figure.axes:
        box = axes.get_window_extent()
        assert box.height > 0.4 * preset.size / 9 * figure.dpi and box.width > 0.4 * figure.dpi, info.name
        for other in [*figure.legends, *([figure._suptitle] if figure._suptitle else [])]:
            assert not other.get_window_extent().overlaps(box), (info.name, "a legend or title upon data")
    return figure


@pytest.mark.parametrize("name", SIZES.values())
def test_no_text_is_cut_off_or_lies_upon_another(name, sample, monkeypatch):
    for info in sample:
        check(info, presets.preset(name), monkeypatch)


@pytest.mark.parametrize("words", [LONG, HUGE, "short"])
@pytest.mark.parametrize("columns", [1, 2])
def test_long_words_and_many_series_leave_room_for_the_panel(words, columns, monkeypatch):
    bars = [Series(f"{words} {i}", [0, 1, 2], [0.2, 0.5, 0.9], Style(COLOURS[i % 7]), kind="bar") for i in range(30)]
    across = categories(f"{words} x", [f"{words} a", f"{words} b", f"{words} c"])
    panels = [Panel(words, across, Axis(f"{words} y"), bars), Panel(f"{words} 2", across, Axis("other"), bars)]
    info = Info("long", panels[:columns], "", columns=2, title=words)
    for name in ("acl", "slide"):
        check(info, presets.preset(name), monkeypatch)


def test_one_long_name_at_a_tick_is_cut(monkeypatch):
    bar = Series("bar", [0], [1.0], Style(COLOURS[0]), kind="bar")
    info = Info("one", [Panel("", categories("", [HUGE]), Axis("y"), [bar])], "")
    figure = check(info, presets.preset("acl"), monkeypatch)
    [label] = figure.axes[0].get_xticklabels()
    assert label.get_text().endswith("…") and label.get_text()[:5] == "xxxxx"
