"""Lines of tables that are chosen, a model that is examined, and the planner, each with its address."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.e2e
KEPT = "+document.querySelector('.st-key-planned-best').innerText.match(/ at (\\d+) generations/)[1] <= 8"


def tick(page, row=0):
    """Choose a line of the first table, which is a canvas."""
    canvas = page.get_by_test_id("stDataFrame").first.locator("canvas").first
    canvas.wait_for()
    page.wait_for_timeout(500)
    box = canvas.bounding_box()  # what scrolls lies over it and takes the click
    page.mouse.click(box["x"] + 16, box["y"] + 35 * (row + 1) + 17)


def test_a_model_is_examined_from_the_page(served, open_page):
    page = open_page(f"{served}/models")
    tick(page)
    page.wait_for_url("**model=*")
    linked = open_page(f"{served}/models?model=mini-s&verifier=mini-prm")
    linked.get_by_text("mini-s: ready").wait_for()
    linked.get_by_text("mini-prm: ready").wait_for()
    linked.get_by_role("button", name="Examine").first.click()
    linked.get_by_text("✓").first.wait_for()
    assert linked.get_by_text("It cannot be examined").count() == 0
    linked.set_viewport_size({"width": 900, "height": 900})
    assert linked.evaluate("document.documentElement.scrollWidth") <= 900


def test_a_data_set_is_chosen_and_the_address_says_which(served, open_page):
    page = open_page(f"{served}/datasets")
    page.get_by_role("heading", name="mini-test").wait_for()
    tick(page)
    page.wait_for_url("**dataset=*")
    other = open_page(page.url)
    [name] = {text for text in page.get_by_role("heading").all_inner_texts() if text}
    other.get_by_role("heading", name=name).wait_for()


def test_the_planner_keeps_limits_and_a_second_browser_shows_the_same(served, open_page):
    page = open_page(f"{served}/exchange?study=sample")
    best = page.locator(".st-key-planned-best")
    best.get_by_text("at 64 generations").wait_for()
    limit = page.get_by_label("Generations", exact=True)
    limit.fill("8")
    limit.press("Enter")
    page.wait_for_url("**generations=8*")
    page.wait_for_function(KEPT)
    told = best.get_by_text(" generations, ").inner_text()
    other = open_page(page.url)
    other.locator(".st-key-planned-best").get_by_text(told, exact=True).wait_for()
    limit.fill("0.5")
    limit.press("Enter")
    page.get_by_text("Nothing can be planned").wait_for()
