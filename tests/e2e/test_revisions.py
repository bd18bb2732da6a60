"""A chain of revisions on the canvas: every attempt on a row of its own, below the one it revises."""

from __future__ import annotations

import itertools
import json

import pytest

from ttc_core import runs
from ttc_core.settings import DATA
from ttc_core.types import RunSpec

pytestmark = pytest.mark.e2e
TREE = "window.__ttc && window.__ttc.nodes > 0"
SAMPLES = DATA / "examples" / "3-mini-test-0007-best_of_n.json"


@pytest.fixture(scope="module")
def chains(served, database):
    """Id of a stored run of two chains of eight attempts, made from sixteen independent samples."""
    document = json.loads(SAMPLES.read_text("utf-8"))
    place = {f"r.{i}": f"r.{i // 8}" + ".0" * (i % 8) for i in range(16)}
    for node in document["nodes"]:
        node["id"] = place[node["id"]]
        node["parent"] = node["id"].rsplit(".", 1)[0]
    for candidate in document["outcome"]["candidates"]:
        candidate["node"] = place[candidate["node"]]
    document["outcome"]["chosen"] = place[document["outcome"]["chosen"]]
    document["id"] = "twochains1"
    return runs.import_run(document, db=database)


def test_attempts_stand_on_rows_below_one_another(served, open_page, chains):
    page = open_page(f"{served}/solve?run={chains}")
    page.wait_for_function(f"{TREE} && window.__ttc.run === {chains!r}", timeout=90_000)
    page.wait_for_timeout(400)  # rows glide to their places
    first = [[page.evaluate(f"window.__ttc.position('r.{c}{'.0' * k}#1')") for k in range(8)] for c in range(2)]
    for chain in first:
        for above, below in itertools.pairwise(chain):
            assert below["y"] > above["y"] + 8 and 4 < below["x"] - above["x"] < 40
    assert first[1][0]["y"] > first[0][7]["y"] and first[1][0]["x"] == first[0][0]["x"]
    last = page.evaluate("window.__ttc.position('r.0')")
    assert last["y"] == first[0][0]["y"] and last["x"] > first[0][7]["x"]


def test_the_way_to_an_attempt_names_the_attempts_before_it(served, open_page, chains):
    page = open_page(f"{served}/solve?run={chains}&node=r.0.0.0")
    page.locator(".side .note", has_text="attempt 3").wait_for(timeout=90_000)
    assert page.locator(".side .note", has_text="attempt").all_inner_texts() == ["attempt 1", "attempt 2", "attempt 3"]
    page.locator(".side h4", has_text="Revised in").wait_for()


def test_the_page_sets_chains_side_by_side(served, open_page, chains):
    page = open_page(f"{served}/revisions?run={chains}")
    page.locator(".chain").first.wait_for(timeout=90_000)
    page.get_by_role("link", name="Trees").wait_for()  # this app's navigation, whichever page is opened first
    assert page.locator(".chain").count() == 2 and page.locator(".attempt").count() == 16
    assert page.locator(".attempt.chosen").count() == 1 and page.locator(".attempt ins").count() > 0
    page.locator(".chains").focus()
    for key in ("ArrowDown", "j", "ArrowRight"):
        page.keyboard.press(key)
    assert page.locator(".attempt.at").get_attribute("data-id") == "r.1.0"
    page.wait_for_url("**node=r.1.0")
    second = open_page(page.url)
    second.locator(".attempt.at").wait_for(timeout=90_000)
    assert second.locator(".attempt.at").get_attribute("data-id") == "r.1.0"


def test_one_chain_alone_is_read_in_rows(served, open_page, database):
    asked = RunSpec("", "revisions", 4, params={"chains": 1}, dataset="mini-test", problem_id="mini-test-0011",
                    model="mini-reviser")  # fmt: skip
    run_id = runs.start(asked, db=database)
    runs.execute([run_id], db=database)
    page = open_page(f"{served}/revisions?run={run_id}")
    page.locator(".attempt").nth(3).wait_for(timeout=90_000)
    first, second = (page.locator(".attempt").nth(at).bounding_box() for at in (0, 1))
    assert second["y"] == first["y"] and second["x"] > first["x"] + first["width"]
    page.locator(".chains").focus()
    for key in ("j", "ArrowRight"):
        page.keyboard.press(key)
    assert page.locator(".attempt.at").get_attribute("data-id") == "r.0.0"


def test_an_attempt_that_is_selected_stays_where_it_was_scrolled_to(served, open_page, chains):
    page = open_page(f"{served}/revisions?run={chains}")
    page.locator(".attempt").nth(3).wait_for(timeout=90_000)
    text = page.locator(".attempt .text").nth(1)
    text.evaluate("text => { text.style.height = '40px'; text.scrollTop = 25; }")
    page.locator(".attempt header").nth(1).click()
    page.locator(".attempt.at").wait_for()
    page.wait_for_url("**node=**")
    page.wait_for_timeout(500)
    assert text.evaluate("text => text.scrollTop") == 25
