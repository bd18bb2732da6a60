"""The frontier in a real browser: the slider changes what is said, and the address is a permalink."""

from __future__ import annotations

import json
import random

import pytest

from ttc_core import importing, runs

pytestmark = pytest.mark.e2e
WORDS = ".js-plotly-plot .annotation-text"


@pytest.fixture(scope="module")
def study(served, database, tmp_path_factory):
    """Name of a study of twenty problems with eight samples each."""
    rng = random.Random(0)
    path = tmp_path_factory.mktemp("study") / "slider.jsonl"
    lines = [
        {
            "id": f"q{p}",
            "question": "?",
            "answer": "2",
            "samples": [{"answer": str(rng.randint(2, 4)), "score": rng.random()} for _ in range(8)],
        }
        for p in range(20)
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    runs.ensure_database(db=database)
    return importing.add("samples", path, "made-up", db=database)


def test_the_slider_is_drawn_by_the_browser(served, open_page, study):
    page = open_page(f"{served}/frontier?study={study}&by=predicted")
    page.locator(WORDS, has_text="At 8 generations efficiency is").wait_for()
    assert page.locator(WORDS).count() == 6  # the multiple, and what is chosen in each of five bins
    rail = page.locator(".slider-rail-touch-rect").bounding_box()
    drawn = page.locator(".js-plotly-plot").element_handle()
    page.mouse.click(rail["x"] + 2, rail["y"] + rail["height"] / 2)
    page.locator(WORDS, has_text="At 1 generations efficiency is").wait_for(timeout=5000)
    assert drawn.is_visible()  # the same figure: the server was not asked for another
    assert page.url.endswith(f"study={study}&by=predicted")
    assert page.locator("[data-testid=stException]").count() == 0
