"""Both pages, run by Streamlit's AppTest on a database of their own: empty, finished, failed, unknown, stalled."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape

import pytest
from streamlit.testing.v1 import AppTest

from tests.conformance.harness import ScriptedBackend, spec
from ttc_core import runs
from ttc_core.errors import EngineFault
from ttc_core.runs_driver import Driver
from ttc_core.settings import DATA, REPOSITORY, settings
from ttc_core.store import repository
from ttc_core.store.database import database
from ttc_core.ui import keys

HOSTILE = "<img src=x onerror=alert(1)> **bold** $5 to $10 ![x](http://example.invalid/a.png)"


@pytest.fixture
def url(database_url):
    import streamlit as st

    st.cache_resource.clear()
    runs.ensure_database(db=database_url)
    runs.delete([view.id for view in runs.listing(db=database_url).rows], db=database_url)  # the shipped examples
    yield database_url
    database(database_url).close()


def page(name, **query):
    at = AppTest.from_file(str(REPOSITORY / "pages" / f"{name}.py"), default_timeout=30)
    for key, value in query.items():
        at.query_params[key] = value
    return at.run()


def field(widgets, name):
    """The widget of a form, whose key also says how often the form has begun."""
    [found] = [widget for widget in widgets if str(widget.key).rpartition("_")[0] == name]
    return found


def finished(url, run_id="done1", strategy="beam_search", **fields):
    repository.add(database(url), run_id, replace(spec(strategy, 16), **fields))
    with Driver(database(url), role="worker", backend=ScriptedBackend()) as driver:
        driver.work(lambda: False, forever=False)
    return run_id


def component(at, name):
    [proto] = [e.proto for e in at.get("bidi_component") if e.proto.component_name == name]
    return json.loads(proto.json or proto.mixed.json)


def components(at):
    """Names of the components on the page, but for the one that every page has."""
    return [e.proto.component_name for e in at.get("bidi_component") if e.proto.component_name != "ttc_keys"]


def meters(at):
    """The figures on a page: label -> value and what it means."""
    shown = "".join(element.proto.body for element in at.get("html"))
    found = re.findall(r'<div(?: title="([^"]*)")?><dt>([^<]*)</dt><dd>([^<]*)</dd>', shown)
    return {unescape(label): (unescape(value), unescape(about)) for about, label, value in found}


def said(at):
    return "\n".join([*(m.value for m in at.markdown), *(t.value for t in at.text), *(c.value for c in at.caption)])


def test_solve_without_any_run_says_what_to_do(url):
    at = page("solve")
    assert not at.exception
    told = said(at) + "".join(heading.value for heading in at.subheader)
    assert "No search yet" in told and "Press Run" in told
    assert not components(at)
    at.button(key="first_run").click().run()
    [made] = runs.listing().rows
    assert made.spec.strategy == "beam_search" and at.query_params["run"] in (made.id, [made.id])


def test_solve_shows_the_latest_finished_run_at_once_and_leaves_the_address_alone(url):
    finished(url)
    at = page("solve")
    assert not at.exception and "run" not in at.query_params
    tree = component(at, "ttc_tree")
    assert tree["run"] == "done1" and len(tree["rows"]) > 16 and tree["outcome"]["chosen"]
    assert meters(at)["Generations"] == ("16 / 16", "used and allowed: complete solutions' worth of work")


def test_solve_follows_a_permalink_and_fills_the_form_with_how_the_run_was_made(url):
    finished(url, "first", strategy="best_of_n", seed=7)
    finished(url, "second")
    at = page("solve", run="first")
    assert component(at, "ttc_tree")["run"] == "first"
    assert field(at.selectbox, "form_strategy").value == "best_of_n" and field(at.number_input, "form_seed").value == 7


def test_what_the_form_begins_with_is_part_of_its_widgets(url):
    """A message that sets a widget's value is lost when the page is drawn again before it is sent."""
    finished(url, "first", strategy="beam_search", params={"width": 2}, seed=7)
    at = page("solve", run="first")
    numbers = {widget.key.rpartition("_")[0]: widget.proto for widget in at.number_input}
    assert (numbers["form_beam_search_width"].default, numbers["form_seed"].default) == (2, 7)
    drawn = [*at.number_input, *at.selectbox, *at.checkbox, *at.select_slider, *at.toggle, *at.text_input]
    assert len(drawn) > 6 and not any(widget.proto.set_value for widget in drawn)


def test_best_of_n_is_sent_as_chains(url):
    finished(url, strategy="best_of_n")
    ids = [row[0] for row in component(page("solve"), "ttc_tree")["rows"]]
    assert "r.0#1" in ids and "r.0" in ids


def test_an_unknown_run_is_one_sentence(url):
    for name in ("solve", "trees"):
        at = page(name, run="nosuchrun")
        assert not at.exception and "No run is called 'nosuchrun'" in said(at)


def test_an_empty_question_is_refused_in_one_sentence_and_nothing_is_stored(url):
    at = page("solve")
    field(at.segmented_control, "form_source").set_value("My own").run()
    at.button(key="form_run").click().run()
    assert not at.exception and "The question is empty" in said(at)
    assert runs.listing(db=url).total == 0


def test_run_stores_what_the_form_asks_for_and_says_that_no_worker_is_there(url):
    at = page("solve")
    field(at.select_slider, "form_budget").set_value(64).run()
    at.button(key="form_run").click().run()
    [view] = runs.listing(db=url).rows
    assert view.spec.budget == 64 and view.spec.dataset == "mini-test" and view.status == "pending"
    assert at.query_params["run"] in (view.id, [view.id])
    assert "Nobody is working on this search" in said(at) and "python -m ttc_core worker" in said(at)


def test_the_form_begins_with_the_temperature_of_the_chosen_model(url, tmp_path, monkeypatch):
    folder = DATA / "models" / "mini-s"
    table = f'[models.warm]\nengine = "embedded"\nmodel = "{folder}"\nparameters = 213376\ntemperature = 0.6'
    (tmp_path / "mine.toml").write_text(table)
    monkeypatch.setenv("TTC_MODELS", str(tmp_path / "mine.toml"))
    settings.cache_clear()
    at = page("solve")
    assert field(at.number_input, "form_temperature_mini-l").value == 1.0
    field(at.selectbox, "form_model").set_value("warm").run()
    assert field(at.number_input, "form_temperature_warm").value == 0.6
    at.button(key="form_run").click().run()
    assert runs.listing(db=url).rows[0].spec.temperature == 0.6
    assert field(at.number_input, "form_temperature_warm").value == 0.6


def test_a_finished_run_can_be_continued(url):
    finished(url)
    at = page("solve", run="done1")
    at.button(key="act_extend").click().run()
    view = runs.get("done1", db=url)
    assert (view.status, view.spec.budget) == ("pending", 32)


def test_a_run_that_cannot_be_continued_says_why(url):
    question = runs.problem("mini-test", "mini-test-0001").question
    asked = {"dataset": "mini-test", "problem_id": "mini-test-0001", "question": question, "model": "mini-s"}
    offered = {}
    for strategy in ("single", "best_of_n"):
        defaults = {p.name: p.default for p in runs.catalogue().strategies[strategy][1]}
        finished(url, strategy, strategy, verifier="mini-implicit", params=defaults, **asked)
        at = page("solve", run=strategy)
        offered[strategy] = at.button(key="act_extend")
        field(at.select_slider, "form_budget").set_value(64).run()
        assert any(button.key == "form_extend" for button in at.button) == (strategy == "best_of_n")
    assert offered["single"].disabled and "one solution is all it writes" in offered["single"].help
    assert not offered["best_of_n"].disabled
    value, about = meters(page("solve", run="single"))["Generations"]
    assert value == "1 / 16" and "15 to spare" in about


def test_text_of_models_and_people_never_reaches_markdown(url):
    finished(url, "evil", question=HOSTILE)
    for name in ("solve", "trees"):
        at = page(name, run="evil")
        assert HOSTILE in [t.value for t in at.text]
        assert all("onerror" not in m.value for m in (*at.markdown, *at.caption))


def test_a_failed_run_says_why(url):
    repository.add(database(url), "bad", spec("beam_search", 4))

    def broken(name):
        raise EngineFault("the model file is cut short", hint="fetch it again")

    backend = ScriptedBackend()
    backend.engine = broken
    with Driver(database(url), role="worker", backend=backend) as driver:
        driver.work(lambda: False, forever=False)
    at = page("solve", run="bad")
    assert (
        "The search failed" in said(at) and "The model file is cut short." in said(at) and "Fetch it again." in said(at)
    )
    assert any(button.label == "Resume" for button in at.button)


def test_trees_lists_filters_and_says_when_nothing_fits(url):
    assert "No search is stored yet" in said(page("trees"))
    finished(url, "one")
    finished(url, "two", strategy="best_of_n")
    at = page("trees")
    assert {row["id"] for row in component(at, "ttc_runs")["rows"]} == {"one", "two"}
    at.selectbox(key="strategy").set_value("best_of_n").run()
    assert [row["id"] for row in component(at, "ttc_runs")["rows"]] == ["two"]
    at.text_input(key="q").set_value("nothing has this").run()
    assert "Nothing fits these filters" in said(at)


def test_searches_of_a_permalink_have_neighbours(url):
    for name in ("one", "two", "three"):
        finished(url, name)
    assert runs.neighbours("two", db=url) == ("three", "one")
    assert runs.neighbours("three", db=url) == (None, "two") and runs.neighbours("one", db=url) == ("two", None)
    at = page("trees", run="two")
    at.button(key="go_j").click().run()
    assert not at.exception and at.query_params["run"] == "one"
    assert at.button(key="go_j").disabled and not at.button(key="go_k").disabled


def test_an_unknown_search_is_said_and_leads_back(url):
    at = page("trees", run="nosuchrun")
    assert not at.exception and "No run is called 'nosuchrun'" in said(at)
    at.button(key="back").click().run()
    assert "No search is stored yet" in said(at)


def test_deleting_asks_first(url):
    finished(url)
    at = page("trees", run="done1")
    at.button(key="act_delete").click().run()
    at.run()  # drawn anew meanwhile, as when a search ends: the question stays
    assert runs.listing(db=url).total == 1
    at.button(key="delete_no").click().run()
    at.run()
    assert runs.listing(db=url).total == 1 and "delete_yes" not in {button.key for button in at.button}
    at.button(key="act_delete").click().run()
    at.button(key="delete_yes").click().run()
    assert runs.listing(db=url).total == 0


def test_a_search_whose_samples_all_failed_is_no_wrong_answer_and_says_why(url):
    made = replace(spec("best_of_n", 2), answer="3")
    repository.add(database(url), "lost", made)
    backend = ScriptedBackend(fault=lambda job: EngineFault("the server cannot be reached"))
    with Driver(database(url), role="worker", backend=backend) as driver:
        driver.work(lambda: False, forever=False)
    at = page("trees", run="lost")
    assert not at.exception and "✗ wrong" not in said(at)
    assert "No answer: all samples failed" in said(at) and "The server cannot be reached." in said(at)
    [row] = component(page("trees"), "ttc_runs")["rows"]
    assert row["status"] == "all failed" and row["correct"] is None


@pytest.mark.parametrize("named", ["dvts", "DVTS"])
def test_links_that_name_a_strategy_in_either_way_are_followed(url, named):
    finished(url, "beam", strategy="beam_search")
    finished(url, "trees", strategy="dvts")
    at = page("trees", strategy=named)
    assert not at.exception and at.selectbox(key="strategy").value == "dvts"
    assert [row["id"] for row in component(at, "ttc_runs")["rows"]] == ["trees"]


def test_two_runs_side_by_side_are_compared_and_each_has_its_tree(url):
    finished(url, "left1", strategy="beam_search")
    finished(url, "right1", strategy="best_of_n")
    at = page("solve", run="left1", beside="right1", beside_node="r.0")
    assert not at.exception
    found = [e.proto for e in at.get("bidi_component") if e.proto.component_name == "ttc_tree"]
    trees = [json.loads(proto.json or proto.mixed.json) for proto in found]
    assert [(tree["run"], tree["select"]) for tree in trees] == [("left1", None), ("right1", "r.0")]
    assert "each with 16 generations" in said(at)
    assert field(at.toggle, "form_beside").value and field(at.selectbox, "beside_strategy").value == "best_of_n"
    at.button(key="right_alone").click().run()
    assert at.query_params["run"] == "right1" and "beside" not in at.query_params


def test_a_run_and_those_that_go_on_from_it_name_each_other(url):
    finished(url, "above1")
    below = "below1"
    asked = replace(spec("best_of_n", 2), prefix=("one\n",))
    repository.add(database(url), below, asked, parent="above1", node="r.0")
    at = page("trees", run=below)
    assert not at.exception
    at.button(key="kin_parent").click().run()
    assert at.query_params["run"] == "above1" and at.query_params["node"] == "r.0"
    assert "best-of-N, 2" in at.button(key=f"kin_{below}").label


def test_next_and_previous_follow_the_list(url):
    for run_id in ("first", "second", "third"):
        finished(url, run_id)
    at = page("trees", run="second")
    at.button(key="go_j").click().run()
    assert at.query_params["run"] == "first" and at.button(key="go_j").disabled


@pytest.mark.parametrize("name", sorted(path.stem for path in (REPOSITORY / "pages").glob("[!_]*.py")))
def test_every_page_says_its_keys(url, name):
    shown = component(page(name), "ttc_keys")
    assert shown["page"] == name.capitalize() and ["?", "this list"] in shown["keys"]
    assert len(shown["keys"]) == len(keys.of(name)) >= len(keys.ALWAYS)
    assert set(keys.KEYS) <= {path.stem for path in (REPOSITORY / "pages").glob("*.py")}


def test_the_way_back_to_home_is_no_way_to_solve(url):
    """A search opened from Home leaves its id in the address of Home for a moment, where the way back meets it."""
    finished(url)
    old = page("home")
    old.query_params["run"] = "done1"
    old.run()
    assert not old.exception and "run" not in old.query_params
    assert "No study has outcomes yet" in said(old)
