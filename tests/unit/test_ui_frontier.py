"""The page of the frontier: the browser is sent what the documents say; what lies behind a point; addresses."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.unit import analysis_worlds as worlds
from tests.unit.test_analysis_estimators import pool
from tests.unit.test_ui_pages import component, components, page, said, url  # noqa: F401 (a fixture)
from ttc_core import importing, studies
from ttc_core.analysis import documents
from ttc_core.drawing.info import OPTIMAL
from ttc_core.ui import behind, frontier


@pytest.fixture(scope="module")
def document():
    """A made-up study in which beam search is best on difficult problems."""
    correct, easiness, budgets = worlds.crossover(problems=200)
    samples = pool(np.random.default_rng(0).random((200, 16)) < easiness[:, None])
    samples.problems[:] = [f"p{i:04}" for i in range(200)]
    return documents.curves(worlds.outcomes(correct, budgets), samples, resamples=50)


@pytest.fixture(scope="module")
def shipped(document):
    """What the browser is sent for two studies, of which the second has only two of the methods."""
    of = document | {"of": "m, v, made-up", "rows": {"all": [{}] * 7, "bins": [[{}] * 7] * 5}}
    fewer = of | {"curves": {name: of["curves"][name] for name in ("beam_search width=4", "best_of_n", OPTIMAL)}}
    return frontier.payload({"one": of, "two": fewer}, "generations")


def test_a_method_looks_alike_in_all_studies_and_these_differ_by_their_dash(shipped):
    one, two = shipped["studies"]
    assert two["methods"] == ["beam_search width=4", "best_of_n"] and set(two["methods"]) < set(one["methods"])
    looks = [(look["colour"], look["marker"]) for look in shipped["methods"].values()]
    assert len(looks) == len(one["methods"]) == len(set(looks)) and one["dash"] != two["dash"]
    assert shipped["methods"]["best_of_n select=majority"]["label"] == "best-of-N (majority)"
    json.dumps(shipped, allow_nan=False)


def test_the_browser_is_sent_what_the_document_says(document, shipped):
    [one, _] = shipped["studies"]
    assert shipped["budgets"] == one["budgets"] == [1, 2, 4, 8, 16, 32, 64]
    assert one["optimal"][2] == [document["curves"][OPTIMAL][end][2] for end in ("mean", "low", "high")]
    assert one["gain"][6][0] == document["gain"]["mean"][6] and one["policy"] == document["policy"]
    assert [found["mean"] for found in one["efficiency"]] == [of["mean"] for of in document["efficiency"].values()]


def test_limits_of_several_studies_are_put_together(document):
    of = document | {"of": "", "rows": {}}
    half = of | {"budgets": [b / 2 for b in of["budgets"]]}
    assert frontier.payload({"one": of, "two": half}, "tokens")["budgets"] == [0.5, 1, 2, 4, 8, 16, 32, 64]


def test_an_empty_page_says_what_to_do(url):  # noqa: F811
    at = page("frontier")
    assert not at.exception and "No study has outcomes yet" in said(at)


@pytest.fixture
def imported(url, tmp_path):  # noqa: F811
    """Two studies of ten problems, "one" and "two"."""
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        lines = [
            {
                "id": f"q{p}",
                "question": "?",
                "answer": "2",
                "samples": [{"answer": str(rng.integers(2, 4)), "score": float(rng.random())} for _ in range(8)],
            }
            for p in range(10)
        ]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
        importing.add("samples", tmp_path / f"{name}.jsonl", "d", db=url)


def shown(at):
    return component(at, "ttc_frontier")


def test_a_study_is_drawn_and_the_address_says_which(imported):
    at = page("frontier")
    assert not at.exception and at.multiselect(key="study").value in (["one"], ["two"])
    assert shown(at)["budgets"] == [1, 2, 4, 8] and "10 problems" in said(at)
    other = page("frontier", study="one", by="predicted")
    assert other.multiselect(key="study").value == ["one"] and other.selectbox(key="by").value == "predicted"


def test_two_studies_are_drawn_in_one_chart(imported):
    at = page("frontier", study=["two", "one"], at="4", bin="2", off="one/best_of_n select=best")
    assert not at.exception and [study["name"] for study in shown(at)["studies"]] == ["two", "one"]
    assert shown(at)["place"] == {"at": 4, "bin": 1, "point": "", "off": ["one/best_of_n select=best"]}
    rows = shown(at)["studies"][0]["rows"]["all"][2]
    assert rows["best_of_n select=majority"]["problems"] == 10


def test_studies_of_other_data_sets_are_not_compared_in_silence(imported, url, tmp_path):  # noqa: F811
    importing.add("samples", tmp_path / "one.jsonl", "other", "elsewhere", db=url)
    at = page("frontier", study=["one", "elsewhere"])
    assert "different data sets (d, other): accuracies of different problems do not compare" in said(at)


@pytest.mark.parametrize("wrong", [{"at": "x"}, {"at": "-1"}, {"bin": "9"}, {"bin": "²"}, {"problems": "no/such"}])
def test_an_address_that_says_nothing_of_the_study_is_as_if_it_were_not_there(imported, wrong):
    at = page("frontier", study="one", **wrong)
    assert not at.exception
    assert shown(at)["place"] == {"at": 8, "bin": None, "point": "", "off": []}


def test_costs_that_the_study_does_not_know_are_one_sentence(imported):
    at = page("frontier", study="one", axis="flops")
    assert not at.exception and "does not know what its outcomes cost" in said(at)
    assert not components(at)


def test_a_point_lists_its_problems_and_says_why_there_are_no_trees(imported):
    at = page("frontier", study="one", at="8", problems="one/best_of_n select=majority")
    assert not at.exception
    rows = component(at, "ttc_problems")["rows"]
    assert [row["problem"] for row in rows] == [f"q{p}" for p in range(10)]
    assert {row["gold"] for row in rows} == {"2"} and all(row["run"] is None for row in rows)
    assert all(row["expected"] == row["right"] for row in rows)  # 8 of 8 samples: there is one subset
    right = sum(row["right"] > 0.5 for row in rows)
    assert f"{right} right, {10 - right} wrong" in said(at) and "the study was imported, and brought none" in said(at)
    wrong = page("frontier", study="one", at="8", problems="one/best_of_n select=majority", show="Wrong")
    assert [row["right"] for row in component(wrong, "ttc_problems")["rows"]] == [0.0] * (10 - right)


def test_a_study_of_the_address_that_there_is_not_is_said(imported):
    at = page("frontier", study=["gone", "two"])
    assert not at.exception and "no study with outcomes is called 'gone'" in said(at).lower()
    assert at.multiselect(key="study").value == ["two"]


@pytest.mark.parametrize("name", ["exchange", "verifier"])
def test_other_pages_say_it_too(imported, name):
    at = page(name, study="gone")
    assert not at.exception and "no study with outcomes is called 'gone'" in said(at).lower()


@pytest.mark.parametrize("name", ["home", "frontier", "exchange", "verifier"])
def test_a_study_that_is_deleted_while_a_page_shows_it_gives_way_to_another(imported, url, name):  # noqa: F811
    at = page(name, study="one")
    studies.delete("one", db=url)
    at.run()
    assert not at.exception
    assert name == "home" or "no study with outcomes is called 'one'" in said(at).lower()
    studies.delete("two", db=url)
    at.run()
    assert not at.exception and "No study has outcomes yet" in said(at)


def test_problems_are_chosen_by_how_they_came_out():
    shares = {"both": (1.0, 1.0), "won": (1.0, 0.0), "lost": (0.4, 0.6), "neither": (0.0, 0.0), "ungraded": (None, 1.0)}
    found = [
        {"problem": name, "right": right, "base": base, "ease": i / 10, "run": "r" if name == "lost" else None}
        for i, (name, (right, base)) in enumerate(shares.items())
    ]
    named = {shown: [one["problem"] for one in behind.chosen(found, shown, behind.ORDERS[0])] for shown in behind.SHOWN}
    assert named["won"] == ["won"] and named["lost"] == ["lost"] == named["tree"] and named["all"] == list(shares)
    assert named["right"] == ["both", "won"] and named["wrong"] == ["lost", "neither"]
    assert [one["problem"] for one in behind.chosen(found, "all", "easiest first")] == list(shares)[::-1]
