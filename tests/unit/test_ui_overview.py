"""Home, Exchange and Verifier without a browser: empty, and what they compute."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import numpy as np
import pytest

from tests.unit.test_ui_frontier import document, imported  # noqa: F401 (fixtures)
from tests.unit.test_ui_pages import component, page, said, url  # noqa: F401 (a fixture)
from ttc_core import registry, runs, studies
from ttc_core.analysis import documents, exchange
from ttc_core.datasets import added
from ttc_core.ui import examples, headline, study
from ttc_core.ui import exchange as drawn


@pytest.mark.parametrize("name", ["home", "exchange", "verifier", "frontier"])
def test_an_empty_page_says_what_to_do(url, name):  # noqa: F811
    at = page(name)
    assert not at.exception and "No study has outcomes yet" in said(at)


@pytest.mark.parametrize("name", ["home", "exchange", "verifier"])
def test_an_imported_study_is_shown(imported, name):  # noqa: F811
    at = page(name, study="one")
    assert not at.exception, at.exception
    if name == "exchange":
        shown = component(at, "ttc_exchange")
        assert (shown["M"], shown["R"], len(shown["bins"])) == (14.0, 0.79, 5)
        assert "The study has no larger model" in said(at)


def test_what_home_shows_is_worked_out_before_anybody_comes(imported, monkeypatch, caplog):  # noqa: F811
    worker = threading.Thread(target=study.begun)  # as the app does when it starts
    worker.start()
    worker.join()
    assert "ScriptRunContext" not in caplog.text  # what Streamlit says of a thread that speaks to a page
    monkeypatch.setattr(documents, "curves", None)
    shown = study.headlined(study.measured())
    frontier, larger = study.summed_up(shown.id, study.revision(shown))
    assert frontier["curves"] and larger is None


def test_a_pool_is_held_once_whether_its_verifier_is_named_or_not(imported):  # noqa: F811
    usual = study.chosen("one", "1")
    assert usual.verifier and study.chosen("one", "1", usual.verifier) is usual


def test_the_headline_says_what_the_document_holds(document):  # noqa: F811
    i = headline.at(document)
    found = document["efficiency"][str(document["budgets"][i])]
    number, sentence = headline.saving(document, i)
    assert f"{found['mean']:.1f}×" in number and f"{document['budgets'][i] / found['mean']:.1f} generations" in sentence
    _, sentence = headline.choices(document, i)
    assert f"{100 * document['gain']['mean'][i]:+.1f} points" in sentence


def hardest(**curves):
    return {"budgets": [1, 4, 16, 64], "baseline": "best_of_n select=weighted", "by_bin": [{}, curves]}


def test_the_budget_from_which_on_beam_search_is_ahead():
    of = {"best_of_n select=weighted": [0.0, 0.3, 0.35, 0.4], "beam_search width=4": [None, 0.2, 0.5, 0.6]}
    number, sentence = headline.overtakes(hardest(**of, **{"beam_search width=0": [0.1, 0.2, 0.3, 0.9]}))
    assert number == "16" and "beam search (width 4) is ahead of best-of-N (weighted)" in sentence
    assert "50 % right against 35 %" in sentence and "the least it was run with" not in sentence
    number, sentence = headline.overtakes(hardest(**of | {"beam_search width=4": [None, 0.4, 0.5, None]}))
    assert number == "4" and "the least it was run with" in sentence and "Measured to 16." in sentence
    assert headline.overtakes(hardest(**of | {"beam_search width=4": [None, 0.4, 0.5, 0.4]}))[0] == "–"
    assert headline.overtakes(hardest(**{"best_of_n select=weighted": [0.0] * 4})) is None


def test_tables_for_the_browser_hold_what_stars_say():
    rng = np.random.default_rng(0)
    small, large = rng.random((40, 3)), rng.random(40)
    both = documents.Rivals([1.0, 4.0, 16.0], small, large, [0, 1] * 20, 2)
    made = documents.standings(both, resamples=50)
    stars = exchange.stars(both.budgets, small, large, both.bins, 1.0, [1.0], resamples=50)  # M = 1: a budget of 1
    assert made["grid"][0] == 1 and {1.0, 4.0, 16.0} <= set(made["grid"])
    for star, of in zip(stars, made["bins"], strict=True):
        assert of["gain"]["mean"][0] == pytest.approx(star.gain[0])
        assert of["gain"]["low"][0] == pytest.approx(star.gain[1])
    json.dumps(made, allow_nan=False)


@pytest.mark.parametrize(("text", "place"), [("4", 4), (None, 14), ("x", 14), ("nan", 14), ("1e9", 14), ("-1", 14)])
def test_a_slider_in_the_address(text, place):
    assert drawn.place(text, 14.0, drawn.M_RANGE) == place


def test_mistakes_are_the_confident_ones(imported, url):  # noqa: F811
    rows = studies.pool_rows("one", db=url)
    high = examples.mistakes(rows, 9, 10)
    assert high and all(not one["right"] and one["score"] >= 0.9 for one in high)
    assert [one["score"] for one in high] == sorted((one["score"] for one in high), reverse=True)
    low = examples.mistakes(rows, 0, 10)
    assert low and all(one["right"] and one["score"] < 0.1 for one in low)


def test_models_say_what_they_reached_and_those_to_set_up_are_apart(url):  # noqa: F811
    at = page("models")
    ready, lacking, verifiers = (at.dataframe[i].value for i in range(3))
    assert not at.exception and "lacks" not in ready and "mini-s" in list(ready["name"])
    [small] = ready[ready["name"] == "mini-s"]["measured on mini-test"]
    assert "% right sampled" in small and "% greedy" in small
    assert all(lacking["lacks"]) and not set(lacking["name"]) & set(ready["name"])
    assert any("AUC" in told for told in verifiers["measured on mini-test"])


def test_a_data_set_shows_its_problems_before_one_is_chosen_and_what_was_added_its_checksum(url, monkeypatch):  # noqa: F811
    at = page("datasets")
    problems = at.dataframe[1].value
    assert not at.exception and problems["id"].iloc[0] == "mini-test-0001" and problems["steps"].min() > 0
    assert "SHA-256" not in at.dataframe[0].value, "bundled ones were not added"
    bundled = registry.get("dataset", "mini-test")()
    own = tuple(replace(p, metadata={**p.metadata, added.SUM: "f" * 64}) for p in bundled)
    monkeypatch.setattr(runs, "problems", lambda name: own if name == "mini-test" else bundled)
    told = page("datasets").dataframe[0].value.set_index("name")["SHA-256"]
    assert told["mini-test"] == f"changed since it was added as {'f' * 64}" and told["mini-hard"] == ""


def test_what_imports_read_the_page_takes(url):  # noqa: F811
    at = page("studies")
    at.session_state["study-bring"] = True
    [uploader] = at.run().get("file_uploader")
    assert not at.exception and set(uploader.proto.type) == {".jsonl", ".json", ".gz", ".parquet"}
