"""The page of the frontier: its figure holds what the document says wherever the slider stands; addresses; empty."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.unit import analysis_worlds as worlds
from tests.unit.test_analysis_estimators import pool
from tests.unit.test_ui_pages import page, said, url  # noqa: F401 (a fixture)
from ttc_core import importing
from ttc_core.analysis import documents
from ttc_core.drawing.info import labelled
from ttc_core.ui import frontier


@pytest.fixture(scope="module")
def document():
    """A made-up study in which beam search is best on difficult problems."""
    correct, easiness, budgets = worlds.crossover(problems=200)
    samples = pool(np.random.default_rng(0).random((200, 16)) < easiness[:, None])
    samples.problems[:] = [f"p{i:04}" for i in range(200)]
    return documents.curves(worlds.outcomes(correct, budgets), samples, resamples=50)


def test_every_curve_is_drawn_with_bands_for_policy_and_baseline(document):
    drawn = frontier.figure(document)
    entries = {t["name"]: t for t in drawn["data"] if t.get("showlegend")}
    assert list(entries) == ["best-of-N", "best-of-N (majority)", "beam search (width 4)", "compute-optimal"]
    for name, curve in document["curves"].items():
        assert entries[labelled(name)]["y"] == curve["mean"]
    bands = [t for t in drawn["data"] if t.get("fill") == "toself"]
    assert [t["legendgroup"] for t in bands] == ["best_of_n", "compute_optimal"]
    assert bands[1]["y"][:7] == document["curves"]["compute_optimal"]["high"]
    looks = [(t["line"]["dash"], t["marker"]["symbol"]) for t in entries.values()]
    assert len(set(looks)) == len(looks)  # nobody needs the colour
    json.dumps(drawn, allow_nan=False)


def test_each_bin_has_its_panel(document):
    drawn = frontier.figure(document)
    for b, of in enumerate(document["by_bin"]):
        inside = [t for t in drawn["data"] if t["xaxis" if "xaxis" in t else "type"] == f"x{b + 2}"]
        assert [t["y"] for t in inside] == list(of.values())


def test_the_slider_says_what_is_chosen_and_what_it_saves(document):
    [slider] = frontier.figure(document)["layout"]["sliders"]
    assert [step["label"] for step in slider["steps"]] == ["1", "2", "4", "8", "16", "32", "64"]
    for i, step in enumerate(slider["steps"]):
        [change] = step["args"]
        assert {shape["x0"] for shape in change["shapes"]} == {document["budgets"][i]} and len(change["shapes"]) == 6
        multiple, *bins = [a["text"] for a in change["annotations"]]
        assert f"{document['efficiency'][str(2**i)]['mean']:.2f}×" in multiple
        flat = [text.replace("<br>", " ") for text in bins]
        assert all(frontier.named(m) in text for m, text in zip(document["policy"][i], flat, strict=True))


def test_labels_are_text():
    assert frontier.named("x<script> a=1") == "x&lt;script&gt; (a 1)"


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


def figure(at):
    return json.loads(at.get("plotly_chart")[0].proto.spec)


def test_a_study_is_drawn_and_the_address_says_which(imported):
    at = page("frontier")
    assert not at.exception and at.selectbox(key="study").value in ("one", "two")
    assert len(figure(at)["layout"]["sliders"][0]["steps"]) == 4 and "10 problems" in said(at)
    other = page("frontier", study="one", by="predicted")
    assert other.selectbox(key="study").value == "one" and other.selectbox(key="by").value == "predicted"


def test_costs_that_the_study_does_not_know_are_one_sentence(imported):
    at = page("frontier", study="one", axis="flops")
    assert not at.exception and "does not know what its outcomes cost" in said(at)
    assert not at.get("plotly_chart")
