"""The list of searches, by difficulty and on a page that the address says; the contrast of what the tree draws."""

from __future__ import annotations

import json
import re
import tomllib

import pytest

from tests.unit.test_ui_pages import component, finished, page, said, url  # noqa: F401
from ttc_core import runs
from ttc_core.settings import REPOSITORY
from ttc_core.store import repository
from ttc_core.store.database import database
from ttc_core.types import RunSpec
from ttc_core.ui import component as component_
from ttc_core.ui import difficult, session, view


def listed(at):
    return [row["id"] for row in component(at, "ttc_runs")["rows"]]


def test_searches_of_hard_problems_alone(url):  # noqa: F811
    difficult.measured.clear()
    measure = difficult.measured("mini-test")  # by their steps: no study is stored
    easy, hard = measure.inside(0)[0], measure.inside(4)[-1]
    finished(url, "easy", dataset="mini-test", problem_id=easy)
    finished(url, "hard", dataset="mini-test", problem_id=hard)
    finished(url, "own")
    finished(url, "elsewhere", dataset="mini-validation", problem_id=hard)
    assert [run.id for run in runs.listing(problems=[easy, hard], db=url).rows] == ["elsewhere", "hard", "easy"]
    at = page("trees", difficulty="bin 5 (hardest)")
    assert not at.exception and listed(at) == ["hard"]
    assert "Difficulty in mini-test: by the number of steps." in said(at)
    at.selectbox(key="difficulty").set_value("bin 1 (easiest)").run()
    assert listed(at) == ["easy"]
    at.selectbox(key="dataset").set_value("mini-validation").run()
    assert "Nothing fits these filters" in said(at)


@pytest.fixture
def many(url):  # noqa: F811
    """Ids of more searches than one page of the list has, the newest first."""
    for i in range(120):
        repository.add(database(url), f"run{i:03d}", RunSpec("?", "best_of_n" if i % 2 else "beam_search", 4))
    return [f"run{i:03d}" for i in reversed(range(120))]


def test_the_address_says_the_page_of_the_list(many):
    at = page("trees")
    assert listed(at) == many[:50] and "page" not in at.query_params
    at.button(key="older").click().run()
    assert at.query_params["page"] == "2" and listed(at) == many[50:100]
    assert listed(page("trees", page="3")) == many[100:] == listed(page("trees", page="99"))
    at.selectbox(key="strategy").set_value("best_of_n").run()
    assert "page" not in at.query_params and listed(at) == [run for run in many if int(run[3:]) % 2][:50]


def test_the_way_back_leads_to_the_page_of_the_list_that_was_left(many):
    at = page("trees", strategy="best_of_n", page="2")
    left = listed(at)
    at.query_params.clear()
    at.query_params["run"] = left[0]
    at.run()
    at.button(key="back").click().run()
    assert not at.exception and listed(at) == left and "run" not in at.query_params
    assert at.query_params["page"] == "2" and at.selectbox(key="strategy").value == "best_of_n"


def test_a_large_tree_is_looked_at_less_often_and_one_that_has_ended_not_at_all(url, monkeypatch):  # noqa: F811
    repository.add(database(url), "grows", RunSpec("?", "beam_search", 4))
    every, polled = [], session.polled
    monkeypatch.setattr(session, "polled", lambda look, pause, said: every.append(pause) or polled(look, pause, said))
    at = page("trees", run="grows")
    monkeypatch.setattr(view, "LARGE", 0)
    assert not at.run().exception and every == [view.TICK, view.TICK_LARGE] and view.TICK < view.TICK_LARGE
    runs.stop("grows", db=url)
    assert not page("trees", run="grows").exception and every[2:] == [None]


def luminance(colour):
    """Relative luminance of an (r, g, b) in [0, 255], as WCAG 2.1 defines it."""
    parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def channels(colour):
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_the_canvas_writes_and_draws_can_be_seen(theme):
    """WCAG 2.1 AA (4.5 for text, 3 for graphics) of the constants that the tree is drawn with, on the theme's page."""
    code = (component_.ASSETS / "tree" / "10_scale.js").read_text(encoding="utf-8")
    ink = json.loads(re.search(r"const INK = (\{.*?\n\});", code, re.S)[1])[theme]
    page_ = tomllib.loads((REPOSITORY / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"][theme]
    below, text = channels(page_["backgroundColor"]), channels(page_["textColor"])

    def mixed(share):
        return [share * t + (1 - share) * b for t, b in zip(text, below, strict=True)]

    assert contrast(text, below) >= 4.5
    for name in ("muted", "failed"):  # scores, labels of pruned and of failed steps
        colour = channels(ink[name]) if isinstance(ink[name], str) else mixed(ink[name])
        assert contrast(colour, below) >= 4.5, name
    for name in ("outline", "edge"):
        assert contrast(mixed(ink[name]), below) >= 3, name
    assert contrast(channels(ink["chosen"]), below) >= 3
    if theme == "dark":  # on a light page the outline parts pale scores from it
        for colour in re.search(r"const NIGHT = \[(.*?)\]", code)[1].split(", "):
            assert contrast(channels(colour.strip('"')), below) >= 3, colour
