"""Solve by AppTest: a budget raised while the search runs, problems by difficulty, a question's maths."""

from __future__ import annotations

from dataclasses import replace

from tests.conformance.harness import spec
from tests.unit.test_ui_pages import field, page, url  # noqa: F401 (a fixture)
from ttc_core import runs
from ttc_core.store import leases, repository
from ttc_core.store.database import database


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
