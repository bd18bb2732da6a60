"""Going on from a step, two strategies side by side, two readers of one search, and a worker that dies meanwhile."""

from __future__ import annotations

import os
import signal
from urllib.parse import parse_qs, urlsplit

import pytest

from ttc_core import runs
from ttc_core.types import RunSpec

pytestmark = pytest.mark.e2e
TREE = "window.__ttc && window.__ttc.nodes > 0"


@pytest.fixture(scope="module")
def wrong(served, database):
    """Id of a shipped search that came to a wrong answer; other tests may have asked questions of their own since."""
    return runs.listing(dataset="mini-test", correct=False, alone=True, db=database).rows[-1].id


def opened(open_page, served, run_id, **query):
    more = "".join(f"&{key}={value}" for key, value in query.items())
    page = open_page(f"{served}/trees?run={run_id}{more}")
    page.wait_for_function(f"{TREE} && window.__ttc.run === {run_id!r}", timeout=90_000)
    return page


def test_a_step_is_edited_and_the_search_goes_on_from_it(served, open_page, wrong, database):
    page = opened(open_page, served, wrong, node="r.0")
    page.locator(".side .onward").click()
    dialog = page.locator("[data-testid=stDialog]")
    dialog.locator("textarea").fill("Answer: 3")
    dialog.get_by_role("button", name="Start").click()
    dialog.get_by_text("give an answer already").wait_for()
    dialog.locator("textarea").fill("3 * 5 = 15")
    dialog.get_by_role("button", name="Start").click()
    page.wait_for_url(lambda url: "run=" in url and wrong not in url)
    page.wait_for_function("window.__ttc.chosen && window.__ttc.state('r#1') === 'given'")
    [run_id] = parse_qs(urlsplit(page.url).query)["run"]
    view = runs.get(run_id, db=database)
    assert (view.parent, view.parent_node, view.spec.prefix) == (wrong, "r.0", ("3 * 5 = 15\n",))
    page.get_by_role("button", name=f"goes on from step r.0 of {wrong}").click()
    page.wait_for_url(f"**run={wrong}&node=r.0")
    page.get_by_role("button", name="from r.0: ").wait_for()


def test_the_page_says_why_an_answer_is_wrong_and_shows_scores_by_depth(served, open_page, wrong):
    page = opened(open_page, served, wrong)
    page.locator(".why-wrong", has_text="goes wrong at step").wait_for()
    [slip] = page.locator(".why-wrong .row", has_text="chosen").all()
    slip.click()
    page.wait_for_function("window.__ttc.wrong.includes(window.__ttc.selected)")
    page.get_by_role("tab", name="Depths").click()
    depth = page.evaluate("Math.max(...window.__ttc.ids.map((id) => id.split('.').length - 1))")
    assert page.locator(".depth").count() == depth


def test_a_key_goes_to_the_next_search_of_the_list(served, open_page, wrong):
    page = opened(open_page, served, wrong)
    page.locator("canvas").first.focus()
    page.keyboard.press("j")
    page.wait_for_url(lambda url: wrong not in url)


def test_two_strategies_run_side_by_side_and_their_address_shows_both(served, open_page):
    page = open_page(f"{served}/solve")
    page.locator("[data-testid=stSidebar]").get_by_text("Beside another strategy").click()
    page.get_by_role("button", name="Run both").click()
    page.wait_for_url("**beside=**")
    query = parse_qs(urlsplit(page.url).query)
    ids = [query["run"][0], query["beside"][0]]
    done = " && ".join(f"window.__ttcs?.[{run_id!r}]?.chosen" for run_id in ids)
    page.wait_for_function(done)
    page.get_by_text("generations.").first.wait_for()
    page.evaluate(f"window.__ttcs[{ids[1]!r}].select('r.0')")
    page.wait_for_url("**beside_node=r.0**")
    second = open_page(page.url)
    second.wait_for_function(f"{done} && window.__ttcs[{ids[1]!r}].selected === 'r.0'", timeout=90_000)
    assert second.evaluate(f"window.__ttcs[{ids[0]!r}].selected") is None


def test_two_readers_see_the_same_search_grow_while_its_worker_is_killed(served, open_page, database):
    """The app starts another worker, which goes on from the last recorded step."""
    spec = RunSpec("", "beam_search", 256, dataset="mini-test", problem_id="mini-test-0007")
    run_id = runs.start(spec, db=database)
    pages = [opened(open_page, served, run_id) for _ in range(2)]
    worker = runs.worker_state(db=database).pid
    os.kill(worker, signal.SIGKILL)
    for page in pages:
        page.wait_for_function("window.__ttc.chosen", timeout=120_000)
    assert runs.get(run_id, db=database).status == "done"
    assert len({page.evaluate("window.__ttc.nodes") for page in pages}) == 1
