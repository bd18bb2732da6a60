"""Pages on which two things are alike, or one of them has gone: nothing is mixed up, and what is left is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conformance.harness import spec
from tests.unit.test_ui_pages import component, components, finished, page, said, url  # noqa: F401 (a fixture)
from ttc_core import runs, runs_checks
from ttc_core.store import repository
from ttc_core.store.database import database
from ttc_core.types import Node
from ttc_core.ui import beside, chains, exchange
from ttc_core.ui.tree import Feed


def test_searches_of_one_question_are_told_apart_in_the_list(url):  # noqa: F811
    for name in ("first", "second"):
        finished(url, name, strategy="revisions")
    at = page("revisions", run="second")
    labels = at.selectbox(key="revisions_run").options
    assert len(set(labels)) == len(labels) == 2
    at.run()
    assert at.selectbox(key="revisions_run").value == "second" and "second" in at.query_params["run"]


def test_two_searches_may_fail_for_the_same_reason_beside_each_other(url):  # noqa: F811
    for name in ("left1", "right1"):
        repository.add(database(url), name, replace(spec("best_of_n", 2), model="nobody"))
    at = page("solve", run="left1", beside="right1")  # nobody works on either
    assert not at.exception
    assert said(at).count("Nobody is working on this search") == 2 and components(at).count("ttc_tree") == 2


@pytest.mark.parametrize("gone", ["left1", "right1"])
def test_what_is_left_of_two_is_shown_when_the_other_is_deleted(url, gone):  # noqa: F811
    for name in ("left1", "right1"):
        finished(url, name)
    at = page("solve", run="left1", beside="right1")
    at.button(key="act_delete" if gone == "left1" else "act_delete-beside").click().run()
    assert gone in said(at)
    at.button(key="delete_yes").click().run()
    [left] = {"left1", "right1"} - {gone}
    assert [run.id for run in runs.listing(db=url).rows] == [left]
    assert not at.exception and component(at, "ttc_tree")["run"] == left


def test_a_link_whose_second_search_was_deleted_shows_the_first(url):  # noqa: F811
    finished(url, "left1")
    at = page("solve", run="left1", beside="gone")
    assert component(at, "ttc_tree")["run"] == "left1" and "No run is called 'gone'" in said(at)


def test_a_question_closes_when_the_page_shows_something_else(url):  # noqa: F811
    for name in ("one", "two"):
        finished(url, name)
    at = page("trees", run="one")
    at.button(key="act_delete").click().run()
    at.query_params["run"] = "two"  # one step back in the browser
    at.run()
    assert "delete_yes" not in {button.key for button in at.button} and component(at, "ttc_tree")["run"] == "two"


def test_a_known_answer_in_another_spelling_is_recognised(url):  # noqa: F811
    view = runs.get(finished(url, strategy="best_of_n", answer="1,234"), db=url)
    assert [chains.right(view, answer) for answer in ("1234", "1,234", "12", None)] == [True, True, False, False]
    feed, nodes = (
        Feed("r"),
        [Node(f"r.{i}", "r", "", "end", answer=answer) for i, answer in enumerate(["1234", "7", None])],
    )
    assert feed.rights(nodes, view.spec) == ["1234"] and feed.rights([], view.spec) == ["1234"]


def test_a_seed_beyond_what_a_browser_can_say_does_not_break_the_form(url):  # noqa: F811
    finished(url, seed=runs_checks.MAX_SEED + 2)  # one of another time
    at = page("solve", run="done1")
    assert not at.exception and component(at, "ttc_tree")["run"] == "done1"


def test_large_ratios_are_numbers(url):  # noqa: F811
    view = runs.get(finished(url), db=url)
    used = [replace(view.usage, generations=n, generated_tokens=n * 60) for n in (131, 1)]
    told = beside.compared(replace(view, usage=used[0]), replace(view, usage=used[1], answer=None, correct=False))
    assert "took 131 times the policy tokens" in told and "gives no answer (wrong)" in told


def test_a_slider_stands_where_the_address_would_say_it_stands():
    assert exchange.place(None, 3006720 / 213376, exchange.M_RANGE) == 14.0912
