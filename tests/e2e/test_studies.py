"""A study written on the page, planned, started, watched to its end and deleted."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.e2e
STUDY = """\
name = "from-the-page"
datasets = [{ name = "mini-test", problems = 4 }]
models = ["mini-s"]
verifiers = ["mini-implicit"]
budgets = [2]
seeds = [0]

[[strategies]]
name = "best_of_n"
"""


def test_a_study_from_its_text_to_its_end(served, open_page):
    page = open_page(f"{served}/studies")
    page.get_by_text("New study").click()  # closed while there are studies: the sample
    box = page.get_by_label("Study file (TOML)")
    box.wait_for()
    box.fill(STUDY.replace("best_of_n", "best_of_nothing"))
    page.get_by_role("button", name="Plan").click()
    page.get_by_text("This study cannot be planned").wait_for()
    box.fill(STUDY)
    page.get_by_role("button", name="Plan").click()
    page.get_by_test_id("stMetric").filter(has_text="problems").get_by_text("4", exact=True).wait_for()
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**study=from-the-page")
    page.get_by_test_id("stMetric").filter(has_text="Outcomes").get_by_text("4", exact=True).wait_for()
    page.get_by_role("button", name="Delete…").wait_for()  # offered once a study has ended
    second = open_page(page.url)
    second.get_by_role("button", name="Outcomes as CSV").wait_for()
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_text("New study").wait_for()
    assert page.get_by_text("from-the-page", exact=True).count() == 0
