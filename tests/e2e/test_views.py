"""The ways to look at one search: outline by keys, table, replay, and addresses that hold them."""

from __future__ import annotations

import pytest

from ttc_core import runs

pytestmark = pytest.mark.e2e
FOCUSED = "document.activeElement.shadowRoot?.activeElement?.className"


@pytest.fixture(scope="module")
def stored(served, database):
    """Id of a shipped search that came to a wrong answer."""
    return next(run.id for run in runs.listing(correct=False, alone=True, db=database).rows)


def opened(open_page, address):
    page = open_page(address)
    page.wait_for_function("window.__ttc && window.__ttc.nodes > 0")
    return page


def test_the_outline_is_walked_by_keys(served, open_page, stored):
    page = opened(open_page, f"{served}/trees?run={stored}")
    page.locator("canvas").focus()
    page.keyboard.press("o")
    outline, chosen = page.get_by_role("tree"), page.locator(".orow.on")
    outline.wait_for()
    assert page.evaluate(FOCUSED) == "outline"  # the canvas, now hidden, had it
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    second = page.locator(".orow").nth(2).get_attribute("id")
    assert chosen.get_attribute("id") == outline.get_attribute("aria-activedescendant") == second
    assert chosen.get_attribute("aria-selected") == "true" and chosen.get_attribute("role") == "treeitem"
    page.keyboard.press("ArrowUp")
    assert chosen.get_attribute("id") == page.locator(".orow").nth(1).get_attribute("id")
    page.keyboard.press("Home")
    page.keyboard.press("Enter")  # folds all
    assert chosen.get_attribute("aria-expanded") == "false" and page.locator(".orow").count() == 1
    page.keyboard.press("End")  # unfolds
    assert page.evaluate("window.__ttc.selected === window.__ttc.chosen")
    assert outline.evaluate("""tree => {
      const box = tree.querySelector(".orow.on").getBoundingClientRect(), around = tree.getBoundingClientRect();
      return box.top >= around.top && box.bottom <= around.bottom;
    }""")
    page.keyboard.press("o")
    assert page.evaluate("document.activeElement.shadowRoot.activeElement.tagName") == "CANVAS"


def test_table_and_moment_of_the_replay_are_in_the_address(served, open_page, stored):
    page = opened(open_page, f"{served}/trees?run={stored}&node=r.0")
    page.get_by_role("button", name="Outline").click()
    page.wait_for_url("**&view=outline")
    page.locator(".replay input").focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    page.wait_for_function("window.__ttc.frame > 0")
    frame = page.evaluate("window.__ttc.frame")
    page.wait_for_url(f"**/trees?run={stored}&node=r.0&view=outline&frame={frame}")

    second = opened(open_page, page.url)
    second.wait_for_function(f"window.__ttc.frame === {frame} && window.__ttc.view === 'outline'")
    assert second.locator(".orow").all_inner_texts() == page.locator(".orow").all_inner_texts()
    assert second.locator(".orow.on").get_attribute("id") == "step-r.0"

    page.get_by_role("button", name="Table").click()
    page.wait_for_url("**view=table**")
    page.locator(".st-key-steps [data-testid=stDataFrame] canvas").first.wait_for()
    assert page.locator(".ttc .stage").is_hidden() and page.locator(".replay").is_hidden()
    page.go_back()
    page.wait_for_function("window.__ttc.view === 'outline'")
    page.locator(".st-key-steps").wait_for(state="detached")


def test_a_step_ticked_in_the_table_is_selected_in_the_tree(served, open_page, stored):
    page = opened(open_page, f"{served}/trees?run={stored}&view=table")
    grid = page.locator(".st-key-steps [data-testid=stDataFrame] canvas").first
    grid.wait_for()
    box = grid.bounding_box()
    page.mouse.click(box["x"] + 15, box["y"] + 35 * 1.5)  # the box before the first line, below the head
    page.wait_for_function("window.__ttc.selected === window.__ttc.ids[1]")
    page.wait_for_url("**node=**")
    page.get_by_role("button", name="Tree", exact=True).click()
    page.locator(".side .node-head").wait_for()


def test_a_menu_leaves_no_drag_behind(served, open_page, stored):
    page = opened(open_page, f"{served}/trees?run={stored}")
    box = page.locator("canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    page.mouse.down(button="right")
    page.mouse.move(box["x"] + 60, box["y"] + 80, steps=4)
    assert page.locator("canvas.dragging").count() == 0
    page.mouse.up(button="right")
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 120, steps=4)
    assert page.locator("canvas.dragging").count() == 1
    page.mouse.up()
    assert page.locator("canvas.dragging").count() == 0


def test_nothing_stays_dim_once_an_answer_has_been_opened(served, open_page, stored):
    page = opened(open_page, f"{served}/trees?run={stored}")
    assert page.locator(".side details.answer:not([open]) .row").count() == 0  # made when it is opened
    page.locator(".side details.answer").last.evaluate("block => { block.open = true; }")
    rows = page.locator(".side details.answer").last.locator(".row")
    rows.first.hover()
    votes = page.locator(".side details.answer .votes").last.inner_text()
    assert rows.count() == int(votes.split()[0])
    page.wait_for_function("window.__ttc.of.dim !== null")
    rows.first.click()
    page.locator(".side .tabs .on", has_text="Step").wait_for()
    assert page.evaluate("window.__ttc.of.dim") is None
