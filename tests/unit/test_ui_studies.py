"""The Studies page by AppTest: a study from the form, its text, what it would take, and its start."""

from __future__ import annotations

import pytest

from tests.unit.test_ui_frontier import imported  # noqa: F401 (a fixture)
from tests.unit.test_ui_pages import meters, page, said, url  # noqa: F401 (a fixture)
from ttc_core import studies, studies_file
from ttc_core.errors import BadValue
from ttc_core.studies_written import Asked, written

ASKED = Asked("mine", "mini-test", 4, ["mini-s"], ["mini-implicit"], {"beam_search": {}}, (4, 16), 1, 0, "none")


def text(at):
    [area] = at.text_area
    return area


def test_a_written_file_says_what_was_asked():
    strategies = {"beam_search": {"width": [4, 0], "distinct": [False]}, "best_of_n": {"select": ["best"]}}
    asked = {**vars(ASKED), "strategies": strategies, "seeds": 2, "pool": 8, "keep": "sample:2"}
    found = studies_file.parse(written(Asked(**asked)))
    assert (found.name, len(found.problems), found.seeds, found.pool, found.keep) == ("mine", 4, (0, 1), 8, 2)
    labels = ["beam_search distinct=false width=4", "beam_search distinct=false width=0", "best_of_n select=best"]
    assert [method.label for method in found.methods] == labels
    assert found.methods[0].budgets == (4, 8, 16)


def test_a_written_file_without_verifiers_has_none():
    """And one that goes by scores all the same is refused before anything is sampled."""
    asked = {**vars(ASKED), "strategies": {"best_of_n": {"select": ["majority"]}}, "verifiers": []}
    assert {method.verifier for method in studies_file.parse(written(Asked(**asked))).methods} == {""}
    with pytest.raises(BadValue, match="beam_search with these settings goes by scores"):
        studies_file.parse(written(Asked(**{**asked, "strategies": {"beam_search": {}}})))


@pytest.mark.parametrize("name", ['a"b\\c', "", "é\n"])
def test_a_text_is_no_more_than_a_text(name):
    with pytest.raises(Exception, match="line 1: the name"):
        studies_file.parse(written(Asked(**{**vars(ASKED), "name": name})))


def test_the_form_writes_the_file_and_starts_the_study(url):  # noqa: F811
    at = page("studies")
    assert not at.exception and 'models = ["mini-s"]\nverifiers = ["mini-implicit"]' in text(at).value
    assert 'grid = { select = ["majority", "weighted"] }' in text(at).value
    at.number_input(key="study_problems_mini-test").set_value(3)
    at.select_slider(key="study_budgets").set_value((2, 8))
    at.multiselect(key="study_strategies").set_value(["beam_search", "mcts"])
    at.run()
    at.text_input(key="study_beam_search_width").set_value("2, 4")
    at.multiselect(key="study_mcts_leaf").set_value(["rollout"])
    at.run()
    assert 'name = "beam_search"\ngrid = { width = [2, 4] }' in text(at).value
    assert 'name = "mcts"\nset = { leaf = "rollout" }' in text(at).value
    at.button(key="study_plan_start").click().run()
    assert meters(at)["problems"] == ("3", "")
    assert not studies.listing(db=url)
    at.button(key="study_start").click().run()
    [view] = studies.listing(db=url)
    assert not at.exception and (view.id, view.problems) == ("my-study", 3)
    methods = {method.label for method in studies_file.parse(studies.describe("my-study", db=url)["source"]).methods}
    assert {"beam_search width=2", "beam_search width=4", "mcts leaf=rollout"} <= methods
    at = page("studies")
    at.session_state["study-new"] = True
    assert 'name = "my-study-2"' in text(at.run()).value
    at.text_input(key="study_name").set_value("typed").run()
    at.session_state["study-new"] = False
    assert 'name = "typed"' in text(at.run()).value  # closed again it keeps what was typed


def test_a_study_is_extended_by_changing_its_text(url):  # noqa: F811
    studies.start(written(Asked(**{**vars(ASKED), "budgets": (2, 2)})), db=url)
    studies.work("mine", db=url)
    at = page("studies", study="mine")
    assert not at.text_area  # is drawn once it is opened
    at.session_state["study-extend"] = True
    at.run()
    assert text(at).value == studies.describe("mine", db=url)["source"]
    text(at).set_value(text(at).value.replace("from = 2, to = 2", "from = 2, to = 4")).run()
    at.button(key="study_plan_extend").click().run()
    assert meters(at)["runs"] == ("4", "")
    at.button(key="study_extend").click().run()
    assert not at.exception and studies.progress("mine", db=url).units == {
        "pending": 1,
        "leased": 0,
        "done": 1,
        "failed": 0,
    }
    assert "from = 2, to = 4" in text(at).value
    text(at).set_value(text(at).value.replace("from = 2, to = 4", "from = 4, to = 8")).run()
    at.button(key="study_extend").click().run()
    assert "This study cannot be extended" in said(at) and "at 2 with seed 0" in said(at)
    assert studies.progress("mine", db=url).units["pending"] == 1


def test_what_was_imported_is_not_extended(imported):  # noqa: F811
    assert not page("studies", study="one").text_area


def test_the_list_says_what_each_study_is_about_and_where_its_results_are(imported):  # noqa: F811
    at = page("studies")
    assert not at.exception and "\n10 problems" in said(at)
    told = [t.value for t in at.text]
    assert told.count("imported on d\n10 problems") == 2
    assert sum("right, over all methods and budgets" in line for line in told) == 2
    linked = [(link.proto.label, link.proto.query_string) for link in at.get("page_link")]
    assert {("Frontier", "study=one"), ("Export", "study=one"), ("Export", "study=two")} <= set(linked)


def test_a_hand_edited_file_stays_until_the_form_changes(url):  # noqa: F811
    at = page("studies")
    text(at).set_value(text(at).value.replace("my-study", "by-hand")).run()
    at.button(key="study_plan_start").click().run()
    assert 'name = "by-hand"' in text(at).value and not at.exception
    at.number_input(key="study_seeds").set_value(2).run()
    assert 'name = "my-study"' in text(at).value and "seeds = [0, 1]" in text(at).value


def test_what_the_form_cannot_ask_for_is_said_and_the_text_stays(url):  # noqa: F811
    at = page("studies")
    before = text(at).value
    at.text_input(key="study_beam_search_width").set_value("four").run()
    assert not at.exception and "Width must be a whole number, not 'four'." in said(at)
    assert text(at).value == before
