"""Solve by AppTest: a budget raised while the search runs, problems by difficulty, a question's maths."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.conformance.harness import spec
from tests.unit.test_ui_pages import field, page, url  # noqa: F401 (a fixture)
from ttc_core import importing, runs
from ttc_core.settings import settings
from ttc_core.store import leases, repository
from ttc_core.store.database import database
from ttc_core.ui import difficult


def test_the_budget_of_a_search_under_way_is_raised_from_its_page_and_from_the_form(url):  # noqa: F811
    asked = runs.problem("mini-test", "mini-test-0001")
    params = {param.name: param.default for param in runs.catalogue().strategies["best_of_n"][1]}
    about = {"dataset": "mini-test", "problem_id": asked.id, "question": asked.question, "answer": asked.answer}
    known = replace(spec("best_of_n", 16), params=params, model="mini-s", verifier="mini-implicit", **about)
    repository.add(database(url), "run1", known)
    leases.claim(database(url), "w", 1)
    at = page("solve", run="run1")
    assert not at.exception and at.button(key="act_extend").label == "Raise to 32"
    at.button(key="act_extend").click().run()
    assert (runs.get("run1").status, runs.get("run1").spec.budget) == ("running", 32)
    at = page("solve", run="run1")
    field(at.select_slider, "form_budget").set_value(128).run()
    assert at.button(key="form_extend").label == at.button(key="act_extend").label == "Raise to 128"
    at.button(key="form_extend").click().run()
    assert (runs.get("run1").status, runs.get("run1").spec.budget) == ("running", 128)


def test_problems_are_offered_by_measured_difficulty_which_is_named(url, tmp_path):  # noqa: F811
    asked = runs.problems("mini-test")[:10]
    right = [0, 9, 3, 1, 7, 2, 8, 4, 6, 5]  # of ten samples
    lines = [
        {"id": p.id, "question": p.question, "answer": p.answer,
         "samples": [{"answer": p.answer if i < n else "-1", "score": 0.5} for i in range(10)]}
        for p, n in zip(asked, right, strict=True)
    ]  # fmt: skip
    (tmp_path / "s.jsonl").write_text("\n".join(map(json.dumps, lines)))
    importing.add("samples", tmp_path / "s.jsonl", "mini-test", "mine", db=url)
    difficult.measured.clear()
    at = page("solve")
    everything = field(at.selectbox, "form_problem_mini-test").options
    assert len(everything) == 500 and "%" not in everything[0]
    field(at.selectbox, "form_difficulty_mini-test").set_value("bin 1 (easiest)").run()
    told = "By right samples, imported in study mine, of 10 samples a problem: the percentage."
    assert not at.exception and told in [t.value for t in at.text]
    offered = field(at.selectbox, "form_problem_mini-test_bin 1 (easiest)").options
    assert [line.split(" · ")[:2] for line in offered] == [["0002", "90 %"], ["0007", "80 %"]]
    at.button(key="form_run").click().run()
    assert runs.listing(db=url).rows[0].spec.problem_id == "mini-test-0002"


def test_without_a_study_problems_are_offered_by_their_steps(url):  # noqa: F811
    difficult.measured.clear()
    at = page("solve")
    field(at.selectbox, "form_difficulty_mini-test").set_value("bin 5 (hardest)").run()
    assert any(t.value.startswith("By the number of steps: no study") for t in at.text)
    offered = field(at.selectbox, "form_problem_mini-test_bin 5 (hardest)").options
    steps = [int(line.split(" · ")[1].removesuffix(" steps")) for line in offered]
    assert len(offered) == 100 and steps == sorted(steps) and steps[0] >= 6


def test_a_real_model_is_offered_the_verifiers_that_can_read_it(url, tmp_path, monkeypatch):  # noqa: F811
    """Also behind a choice that stood before: the form never holds one that the model's text means nothing to."""
    (tmp_path / "mine.toml").write_text('[models.qwen3-0-6b]\nbase_url = "http://127.0.0.1:9"\n')
    monkeypatch.setenv("TTC_MODELS", str(tmp_path / "mine.toml"))
    settings.cache_clear()
    at = page("solve")
    assert field(at.selectbox, "form_verifier").value == "mini-implicit"
    field(at.selectbox, "form_model").set_value("qwen3-0-6b").run()
    verifier = field(at.selectbox, "form_verifier")
    assert not at.exception and not [one for one in verifier.options if one.startswith("mini-")]
    assert verifier.value == "self_certainty"
    at.button(key="form_run").click().run()
    asked = runs.listing(db=url).rows[0].spec
    assert (asked.model, asked.verifier) == ("qwen3-0-6b", "self_certainty")


def test_a_problem_is_named_whatever_its_id_is_made_of(url):  # noqa: F811
    about = {"dataset": "math500", "problem_id": "test/algebra/807.json", "question": "What?", "answer": "1"}
    params = {param.name: param.default for param in runs.catalogue().strategies["best_of_n"][1]}
    repository.add(database(url), "far", replace(spec("best_of_n", 4), params=params, **about))
    at = page("trees", run="far")
    assert not at.exception and any("test/algebra/807.json" in text.value for text in at.caption)
    assert not any("own question" in text.value for text in at.caption)
