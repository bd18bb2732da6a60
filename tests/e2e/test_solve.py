"""A search from the page: it grows, is clicked, linked, gone back from, continued, and found again on Trees."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from ttc_core import runs
from ttc_core.types import RunSpec

pytestmark = pytest.mark.e2e
TREE = "window.__ttc && window.__ttc.nodes > 0"
DEEP = RunSpec("", "beam_search", 16, seed=733, dataset="mini-test", problem_id="mini-test-0071")  # eleven steps


def run_search(page):
    """Press Run and wait until the search has ended; returns its id and the seconds to first nodes and to the end."""
    before = page.url
    start = time.monotonic()
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url(lambda url: "run=" in url and url != before)
    [run_id] = parse_qs(urlsplit(page.url).query)["run"]
    page.wait_for_function(f"{TREE} && window.__ttc.run === {run_id!r}")
    first = time.monotonic() - start
    page.wait_for_function("window.__ttc.chosen", timeout=90_000)
    return run_id, first, time.monotonic() - start


# Where a node is, once it has stayed there for a while: rows glide to their places, and the page may still grow.
SETTLED = """node => {
  const spot = window.__ttc.position(node), sign = JSON.stringify(spot);
  if (sign !== window.__spot) Object.assign(window, {__spot: sign, __since: performance.now()});
  return performance.now() - window.__since > 400 && spot;
}"""


def click(page, node):
    spot = page.wait_for_function(SETTLED, arg=node).json_value()
    box = page.locator("canvas").bounding_box()
    assert 0 < spot["x"] - box["x"] < box["width"] and 0 < spot["y"] - box["y"] < box["height"], "out of sight"
    page.mouse.click(spot["x"], spot["y"])
    page.wait_for_function(f"window.__ttc.selected === {node!r}")


@pytest.fixture
def searched(served, open_page, database):
    """A page on which a search has just ended, always the same one."""
    page = open_page(f"{served}/solve?run={runs.start(DEEP, db=database)}")
    page.get_by_role("button", name="Run", exact=True).wait_for(timeout=90_000)
    run_id, *_ = run_search(page)
    page.get_by_role("button", name="Continue to").first.wait_for()  # the page has noticed the end
    return page, run_id


def test_a_search_grows_on_screen_and_ends(searched, record_property):
    """How long it takes is recorded for the reader of the report; a busy machine is no failure."""
    page, earlier = searched  # models are loaded now
    run_id, first, done = run_search(page)
    record_property("seconds_to_first_nodes", first)
    record_property("seconds_to_the_end", done)
    assert run_id != earlier and page.evaluate("window.__ttc.nodes") > 16


def test_clicking_a_step_shows_it_and_the_address_is_its_permalink(served, open_page, searched):
    page, run_id = searched
    chosen = page.evaluate("window.__ttc.chosen")
    click(page, chosen)
    page.locator(".side .step-text", has_text="Answer: ").wait_for()
    page.locator(".side .node-head .mark.chosen").wait_for()
    page.wait_for_url(f"**node={chosen}**")
    other = open_page(page.url)
    other.wait_for_function(f"{TREE} && window.__ttc.selected === {chosen!r}", timeout=90_000)
    assert other.evaluate("window.__ttc.run") == run_id
    assert other.locator(".side .step-text").inner_text() == page.locator(".side .step-text").inner_text()


def test_arrow_keys_walk_the_tree_and_back_returns(searched):
    page, _ = searched
    chosen = page.evaluate("window.__ttc.chosen")
    click(page, chosen)
    page.wait_for_url(f"**node={chosen}**")
    parent = chosen.rsplit(".", 1)[0]
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(f"**node={parent}")
    assert page.evaluate("window.__ttc.selected") == parent
    page.wait_for_timeout(1100)
    page.go_back()
    page.wait_for_function(f"window.__ttc.selected === {chosen!r}")
    page.go_back()
    page.wait_for_function("window.__ttc.selected === null")


def test_replay_goes_from_the_question_to_the_answer(searched):
    page, _ = searched
    everything = page.evaluate("window.__ttc.visible")
    page.locator("canvas").first.focus()
    page.keyboard.press("[")
    for _ in range(40):
        page.keyboard.press("[")
    page.wait_for_function("window.__ttc.visible === 0 && window.__ttc.frame === 0")
    page.keyboard.press("]")
    page.wait_for_function("window.__ttc.visible === 16")
    page.keyboard.press("Escape")
    page.wait_for_function(f"window.__ttc.visible === {everything}")


def test_a_finished_search_is_continued_to_a_larger_budget(searched):
    page, run_id = searched
    before = page.evaluate("window.__ttc.nodes")
    button = page.get_by_role("button", name="Continue to")
    target = int(button.inner_text().split()[-1])
    button.click()
    page.get_by_role("button", name=f"Continue to {2 * target}").wait_for(timeout=90_000)
    page.wait_for_function(f"window.__ttc.nodes > {before} && window.__ttc.chosen")
    assert page.evaluate("window.__ttc.run") == run_id


@contextmanager
def suspended(run_id, database):
    """The worker stands still in the middle of a search, at a moment when it does not hold the database."""
    worker, path = runs.worker_state(db=database).pid, database.removeprefix("sqlite:///")
    while True:
        view = runs.get(run_id, db=database)
        assert not view.ended, "the search was over before it could be suspended"
        if view.status == "running":
            os.kill(worker, signal.SIGSTOP)
            with closing(sqlite3.connect(path, timeout=0.2, isolation_level=None)) as probe:
                with suppress(sqlite3.OperationalError):
                    probe.execute("BEGIN IMMEDIATE")
                    probe.execute("ROLLBACK")
                    break
            os.kill(worker, signal.SIGCONT)
        time.sleep(0.002)
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


def test_the_budget_of_a_search_under_way_is_raised_and_it_ends_as_the_larger_search(served, open_page, database):
    long = replace(DEEP, strategy="best_of_n", budget=128)
    run_id = runs.start(long, db=database)
    with suspended(run_id, database):
        page = open_page(f"{served}/solve?run={run_id}")
        page.get_by_role("button", name="Raise to 256").click()
        page.locator(".meters > div").get_by_text("/ 256").wait_for()
    page.get_by_role("button", name="Continue to 512").first.wait_for(timeout=180_000)
    at_once = runs.start(replace(long, budget=256), db=database)
    runs.execute([at_once], db=database)
    raised, asked = runs.get(run_id, db=database), runs.get(at_once, db=database)
    assert raised.status == "done" and raised.usage.generations == 256
    assert raised.outcome == asked.outcome
    assert runs.nodes(run_id, db=database).nodes == runs.nodes(at_once, db=database).nodes


def test_trees_finds_the_run_and_opens_it(served, open_page, searched):
    _, run_id = searched
    page = open_page(f"{served}/trees")
    page.wait_for_function(f"window.__ttcRuns && window.__ttcRuns.ids.includes({run_id!r})", timeout=90_000)
    page.locator(f'tr[data-id="{run_id}"] a').click()
    page.wait_for_function(f"{TREE} && window.__ttc.run === {run_id!r}")
    page.wait_for_url(f"**/trees?run={run_id}")
    page.go_back()
    page.locator(f'tr[data-id="{run_id}"]').wait_for()


def test_the_page_works_in_the_dark_at_900_pixels(served, open_page, searched):
    _, run_id = searched
    page = open_page(f"{served}/solve?run={run_id}", color_scheme="dark")
    page.set_viewport_size({"width": 900, "height": 900})
    page.wait_for_function(TREE, timeout=90_000)
    page.locator(".ttc.dark").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 900
