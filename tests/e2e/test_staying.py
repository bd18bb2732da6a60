"""What was typed, ticked, focused or gone to stays so while searches end, lists change and trees are left."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from ttc_core import runs
from ttc_core.types import RunSpec

pytestmark = pytest.mark.e2e
TREE = "window.__ttc && window.__ttc.nodes > 0"
FOCUSED = "document.activeElement?.shadowRoot?.activeElement"
QUICK = RunSpec("", "best_of_n", 2, dataset="mini-test", problem_id="mini-test-0003")


def asked(page):
    return parse_qs(urlsplit(page.url).query)


def test_what_is_typed_into_the_form_stays_while_another_search_ends(served, open_page, database):
    page = open_page(f"{served}/solve")
    page.wait_for_function(TREE)
    page.get_by_text("My own", exact=True).click()
    question = page.locator("textarea[aria-label=Question]")
    question.fill("How many are 3 and 4?")
    question.blur()
    other = runs.start(QUICK, db=database)
    page.wait_for_timeout(500)
    deadline = 60
    while runs.get(other, db=database).status != "done" and (deadline := deadline - 1):
        page.wait_for_timeout(500)
    page.locator("input[aria-label^='Known answer']").fill("7")
    page.locator("input[aria-label^='Known answer']").blur()
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**run=**")
    [run_id] = asked(page)["run"]
    assert runs.get(run_id, db=database).spec.question == "How many are 3 and 4?"


def test_one_step_back_from_a_search_that_was_started_is_what_was_there(served, open_page, database):
    first = next(run.id for run in runs.listing(correct=False, alone=True, db=database).rows)
    page = open_page(f"{served}/solve?run={first}")
    page.wait_for_function(f"{TREE} && window.__ttc.run === {first!r}")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url(lambda url: "run=" in url and first not in url)
    page.wait_for_function(f"{TREE} && window.__ttc.run !== {first!r}")
    page.go_back()
    page.wait_for_function(f"{TREE} && window.__ttc.run === {first!r}")
    assert asked(page)["run"] == [first]


def test_ticks_that_are_no_longer_there_are_not_offered_for_deletion(served, open_page, database):
    page = open_page(f"{served}/trees")
    boxes = page.locator(".list tbody input[type=checkbox]")
    boxes.nth(0).click()
    boxes.nth(1).click()
    page.get_by_role("button", name="Delete 2").wait_for()
    page.get_by_label("Search", exact=True).fill("no search has this text")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Delete 2").wait_for(state="detached")
    page.get_by_label("Search", exact=True).fill("")
    page.keyboard.press("Enter")
    boxes.nth(0).wait_for()
    assert page.get_by_role("button", name="Delete").count() == 0
    assert not boxes.nth(0).is_checked()


def test_keys_in_the_list_are_of_what_has_the_focus(served, open_page):
    page = open_page(f"{served}/trees")
    page.wait_for_function("window.__ttcRuns?.ids.length > 2")
    ids = page.evaluate("window.__ttcRuns.ids")
    boxes, links = page.locator(".list tbody input"), page.locator(".list tbody a")
    boxes.nth(1).focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Delete 1").wait_for()
    assert page.evaluate(f"{FOCUSED}?.localName") == "input" and boxes.nth(1).is_checked()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Delete 1").wait_for(state="detached")
    page.locator(".list table").focus()
    page.keyboard.press("j")
    links.nth(2).focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**run={ids[2]}**")


def test_the_place_of_the_keys_in_the_list_outlasts_a_drawing(served, open_page):
    page = open_page(f"{served}/trees")
    page.wait_for_function("window.__ttcRuns?.ids.length > 4")
    ids, at = page.evaluate("window.__ttcRuns.ids"), page.locator(".list tr.at")
    page.locator(".list table").focus()
    for key in ("j", "j", "x"):
        page.keyboard.press(key)
    page.get_by_role("button", name="Delete 1").wait_for()
    page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget]')")
    page.keyboard.press("j")
    assert at.get_attribute("data-id") == ids[2]
    page.keyboard.press("x")
    page.get_by_role("button", name="Delete 2").wait_for()
    ticked = page.locator(".list tbody tr:has(input:checked)")
    assert [row.get_attribute("data-id") for row in ticked.all()] == ids[1:3]


def test_trees_that_were_left_are_held_by_nobody(served, open_page):
    page = open_page(f"{served}/trees")
    page.wait_for_function("window.__ttcRuns?.ids.length > 2")
    for run_id in page.evaluate("window.__ttcRuns.ids.slice(0, 3)"):
        page.locator(f".list tr[data-id='{run_id}'] a").click()
        page.wait_for_function(f"{TREE} && window.__ttc.run === {run_id!r}")
        assert page.evaluate("Object.keys(window.__ttcs)") == [run_id]
        page.go_back()
        page.locator(".list tbody tr").first.wait_for()
        page.wait_for_function("!window.__ttc && Object.keys(window.__ttcs).length === 0")


def test_the_keys_of_a_tree_stay_in_its_panel_and_the_replay_ends_where_it_is_ended(served, open_page, database):
    run_id = next(run.id for run in runs.listing(correct=False, alone=True, db=database).rows)
    page = open_page(f"{served}/trees?run={run_id}&node=r.0")
    page.wait_for_function(f"{TREE} && window.__ttc.selected === 'r.0'")
    page.get_by_role("tab", name="Depths").focus()
    page.keyboard.press("Enter")
    page.locator(".depth").first.wait_for()
    assert page.evaluate(f"{FOCUSED}?.textContent") == "Depths"
    page.locator(".ttc canvas").focus()
    page.keyboard.press("Space")
    page.wait_for_function("window.__ttc.frame !== null")
    page.keyboard.press("Escape")
    page.wait_for_function("window.__ttc.frame === null")
    page.wait_for_timeout(1500)  # two of its steps
    assert page.evaluate("window.__ttc.frame") is None


def test_the_outline_of_a_moment_shows_that_moment(served, open_page, database):
    run_id = next(run.id for run in runs.listing(correct=False, alone=True, db=database).rows)
    page = open_page(f"{served}/trees?run={run_id}&view=outline&frame=1")
    page.wait_for_function(f"{TREE} && window.__ttc.frame === 1 && window.__ttc.view === 'outline'")
    rows = page.locator(".orow")
    rows.nth(1).wait_for()
    assert rows.count() > 1 and page.locator(".orow .oscore").all_inner_texts() == [""] * rows.count()
    assert page.locator(".orow .mark, .orow .owhy").count() == 0


def test_the_slider_of_the_larger_model_is_walked_by_keys(served, open_page):
    page = open_page(f"{served}/exchange?study=sample&m=14&r=1")
    page.wait_for_function("window.__ttcExchange && window.__ttcExchange.budget > 0")
    slider = page.locator(".M input[type=range]")
    for key, way in (("ArrowLeft", -1), ("ArrowRight", 1)):
        begin = int(slider.input_value())
        slider.focus()
        for _ in range(30):
            page.keyboard.press(key)
        assert int(slider.input_value()) == begin + 30 * way
