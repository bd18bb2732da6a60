"""Figures that somebody edited: what a look changes, what it refuses, and saved ones."""

from __future__ import annotations

import csv
import io
import json
import re
from xml.etree import ElementTree

import pytest

from tests.hostile.payloads import SHORT
from tests.unit.figure_worlds import drawn, line, tables
from tests.unit.test_cli import ttc, url  # noqa: F401 (fixtures)
from tests.unit.test_cli_analysis import imported, samples  # noqa: F401 (fixtures)
from ttc_core import saved_figures
from ttc_core.drawing import looks, presets, printing
from ttc_core.drawing.info import (
    PLACES,
)
from ttc_core.drawing.interactive import plotly
from ttc_core.errors import UnknownName, UserError
from ttc_core.export import writing

LOOK = {"figure": "frontier", "preset": "acl", "title": "A title " * 12, "grey": True, "series": ["compute-optimal",
        "best-of-N"], "words": {"accuracy": "right", "best-of-N": "Best of N", "generations": ""}}  # fmt: skip


@pytest.fixture(scope="module")
def study():
    return tables()


def test_a_look_changes_what_it_says_and_nothing_else(study):
    info = drawn("frontier", study)
    assert looks.Look("frontier").applied(info) == info
    look = looks.Look.parse(LOOK | {"limits": {"accuracy": [0.2, None]}, "caption": "mine"})
    assert looks.Look.parse(json.loads(json.dumps(look.document()))) == look
    made = look.applied(info, "named")
    [panel] = made.panels
    assert (made.name, made.caption) == ("named", "mine") and made.title == ("A title " * 12).strip()
    assert [s.name for s in panel.series] == ["compute-optimal", "Best of N"]
    assert (panel.x.label, panel.y.label, panel.y.limits) == ("", "right", (0.2, None))
    assert list(panel.series[1].y) == list(line(info, "best-of-N").y)
    assert "Bands: 95" in info.caption and "Bars: 95" in looks.Look("x", intervals="bars").applied(info).caption
    assert looks.Look("x", intervals="none").applied(info).caption.endswith("30 problems, 1 seed.")
    assert all(len({s.style.colour[i : i + 2] for i in (1, 3, 5)}) == 1 for s in panel.series)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("preset", ["acl", "icml-wide"])
def test_title_and_legend_are_outside_the_panels_and_on_the_page(place, preset, study):
    look = looks.Look.parse(LOOK | {"legend": place, "intervals": "bars"})
    figure = printing.printed(look.applied(drawn("frontier", study)), presets.preset(preset))
    panels = [axes.get_tightbbox() for axes in figure.axes]
    words = [one.get_window_extent() for one in figure.legends]
    words += [figure._suptitle.get_window_extent()] if figure._suptitle else []
    assert len(words) == {"none": 1, "above": 1}.get(place, 2)
    for box in words:
        assert not any(box.overlaps(panel) for panel in panels)
        assert box.x0 > -1 and box.y0 > -1 and box.x1 < figure.bbox.width + 1 and box.y1 < figure.bbox.height + 1
    assert not any(a.overlaps(b) for i, a in enumerate(words) for b in words[:i])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"title": 3}, "'title' of a look"),
        ({"title": "x" * 201}, "'title' of a look"),
        ({"words": {"a": 1}}, "'words' of a look"),
        ({"limits": {"accuracy": [0, float("nan")]}}, "'limits' of a look"),
        ({"limits": {"accuracy": [1]}}, "'limits' of a look"),
        ({"legend": "on top"}, "legend is one of below, above, right, none"),
        ({"preset": "nature"}, "no preset is called 'nature'"),
        ({"family": "comic"}, "the type is serif or sans"),
        ({"colour": "red"}, "a look of a figure has 'figure'"),
        ({"limits": {"accuracy": [0.9, 0.1]}}, "cannot go from 0.9 to 0.1"),
        ({"limits": {"generations": [0, 8]}}, "is logarithmic"),
        ({"series": ["none of them"]}, "has none of the series"),
    ],
)
def test_a_wrong_look_is_one_sentence(change, sentence, study):
    with pytest.raises(UserError, match=re.escape(sentence)):
        looks.Look.parse({"figure": "frontier", **change}).applied(drawn("frontier", study))


def test_only_keeps_entries_of_the_legend(study):
    info = drawn("frontier", study).only(["best-of-N"])
    assert [name for name, _ in info.entries] == ["best-of-N"] and len(info.panels) == 1


def test_the_command_draws_saved_figures(ttc, imported, url, tmp_path):  # noqa: F811
    look = looks.Look("difficulty", "s", "acl", words={"share of right samples": "=1+1"}, caption="mine")
    assert saved_figures.save("main", look, db=url) == "main"
    ask = ("figures", "--study", "s", "--out", str(tmp_path), "--resamples", "10", "--json")
    code, out, err = ttc(*ask, "--saved", "main", "--format", "csv,svg")
    assert code == 0, err
    assert json.loads(out)["figures"] == [{"name": "main", "files": ["main.svg", "main.csv"], "caption": "mine"}]
    assert "'=1+1" in (tmp_path / "main.csv").read_text() and 'width="218.16pt"' in (tmp_path / "main.svg").read_text()
    code, _, err = ttc(*ask, "--saved", "main", "--only", "difficulty", "--format", "svg", "--preset", "neurips")
    assert code == 0 and 'width="396pt"' in (tmp_path / "main.svg").read_text(), err
    for name in ("nope", "difficulty"):
        code, out, err = ttc(*ask, "--saved", name)
        assert (code, out) == (2, "") and f"no figure is saved as '{name}'" in err and err.count("\n") == 1
    for name, sentence in [("main", "is saved as 'main' already"), ("difficulty", "is that of another"),
                           ("a/b", "must be letters"), ("main-table", "is that of another")]:  # fmt: skip
        with pytest.raises(UserError, match=sentence):
            saved_figures.save(name, look, db=url)
    saved_figures.change("main", looks.Look("costs"), db=url)
    assert saved_figures.get("main", db=url) == looks.Look("costs") and saved_figures.listing("s", db=url) == {}
    saved_figures.save("b", look, db=url)
    assert json.loads(ttc("figures", "--list-saved", "--json")[1]) == {
        "b": look.document(), "main": looks.Look("costs").document()
    }  # fmt: skip
    assert re.search(r"(?m)^b +difficulty +s +acl *$", ttc("figures", "--list-saved")[1])
    code, out, err = ttc("figures", "--forget", "main,nope")
    assert (code, out) == (2, "") and "no figure is saved as 'nope'" in err and len(saved_figures.listing(db=url)) == 2
    assert ttc("figures", "--forget", "main")[:2] == (0, "1 deleted\n") and list(saved_figures.listing(db=url)) == ["b"]
    assert json.loads(ttc("figures", "--forget", "b", "--json")[1]) == {"deleted": 1}
    assert ttc("figures", "--list-saved")[1] == "none\n"
    with pytest.raises(UnknownName):
        saved_figures.delete("main", db=url)
    code, out, err = ttc("figures", "--study", "s")
    assert (code, out) == (2, "") and "--out" in err and err.count("\n") == 1
    with pytest.raises(UnknownName, match="no figure is called 'pie'"):
        saved_figures.save("new", looks.Look("pie"), db=url)


@pytest.mark.parametrize("name", ["end tags", "formula", "tex", "terminal", "right to left", "lines"])
def test_edited_text_stays_text(name, study):
    """What somebody writes into a figure is no TeX, no markup and no formula, and every format can be written."""
    hostile = SHORT[name][:200]
    words = {"accuracy": hostile, "best-of-N": hostile, "generations": hostile}
    look = looks.Look("frontier", preset="acl", title=hostile, caption=hostile, words=words)
    info = looks.Look.parse(look.document()).applied(drawn("frontier", study))
    made = {form: writing.files(info, form, look.size()) for form in ("svg", "tex", "csv", "md")}
    root = ElementTree.fromstring(made["svg"]["frontier.svg"])
    assert {one.tag.rpartition("}")[2] for one in root.iter()} <= {
        "svg", "metadata", "RDF", "Work", "type", "format", "creator", "Agent", "title", "defs", "style", "g", "path",
        "use", "clipPath", "rect",
    }  # fmt: skip
    assert not re.search(r"\\(input|write|catcode)|\^\^", made["tex"]["frontier.tex"].decode())
    cells = [cell for row in csv.reader(io.StringIO(made["csv"]["frontier.csv"].decode())) for cell in row]
    assert not [cell for cell in cells if cell.lstrip()[:1] in tuple("=@") or cell.startswith(("+", "\t"))]
    assert not re.search(r"(?<!\\)<", made["md"]["frontier.md"].decode())
    assert "<script" not in plotly(info).to_json()
