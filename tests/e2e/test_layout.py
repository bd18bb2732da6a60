"""What stands where in the window: the tree's legend in sight, the key help upon nothing, the list as it was left."""

from __future__ import annotations

import pytest

from ttc_core import runs

pytestmark = pytest.mark.e2e
HELP = "document.querySelector('.st-key-keys-help').getBoundingClientRect()"


@pytest.mark.parametrize("width", [1440, 900])
def test_the_legend_is_in_sight_and_the_key_help_covers_nothing(served, open_page, database, width):
    run = next(run.id for run in runs.listing(correct=False, alone=True, db=database).rows)
    page = open_page(f"{served}/trees?run={run}")
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_function("window.__ttc && window.__ttc.nodes > 0")
    foot = page.locator(".ttc .foot")
    page.wait_for_function("innerHeight - document.querySelector('[data-testid=stMain]').scrollHeight < 60")
    box = foot.bounding_box()
    assert 800 < box["y"] + box["height"] <= 900
    help_, head = page.evaluate(f"({HELP}).toJSON()"), page.locator("[data-testid=stHeader]").bounding_box()
    assert help_["bottom"] <= head["y"] + head["height"] and help_["right"] <= width
    ends = page.locator("[data-testid=stHeader] a").evaluate_all(
        "links => links.map(a => a.getBoundingClientRect().right)"
    )
    assert max(ends) <= help_["left"]


def test_the_way_back_keeps_filters_and_page(served, open_page, database):
    assert runs.listing(dataset="mini-test", db=database).total > 50, "more than one page of the list"
    page = open_page(f"{served}/trees?dataset=mini-test&page=2")
    page.locator("tr[data-id]").first.wait_for()
    listed = page.evaluate("window.__ttcRuns.ids")
    page.locator("tr[data-id]").first.click()
    page.wait_for_function("window.__ttc && window.__ttc.nodes > 0")
    page.get_by_role("button", name="All searches").click()
    page.locator("tr[data-id]").first.wait_for()
    page.wait_for_url("**page=2**")
    assert page.locator(".st-key-dataset input").input_value() == "mini-test"
    page.wait_for_function("ids => JSON.stringify(window.__ttcRuns.ids) === JSON.stringify(ids)", arg=listed)
