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


def test_a_file_of_results_becomes_a_study(served, open_page):
    page = open_page(f"{served}/studies")
    page.get_by_text("Import", exact=True).first.click()
    upload = page.locator("input[type=file]")
    upload.wait_for(state="attached")
    good = b'{"id": "a", "question": "2 + 2?", "answer": "4", "samples": [{"answer": "4"}, {"answer": "5"}]}\n'
    upload.set_input_files({"name": "b.jsonl", "mimeType": "text/plain", "buffer": good + b'{"id": "b"}\n'})
    page.get_by_text("b.jsonl").wait_for()
    page.get_by_label("Data set", exact=True).fill("elsewhere")
    page.get_by_label("Name of the study").fill("brought-in")
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_text("This file cannot be imported").wait_for()
    page.get_by_text("b.jsonl, line 2: 'question' is missing").wait_for()
    page.get_by_role("button", name="Remove b.jsonl").click()
    upload.set_input_files({"name": "g.jsonl", "mimeType": "text/plain", "buffer": good})
    page.get_by_text("g.jsonl").wait_for()
    page.get_by_role("button", name="Import", exact=True).click()
    page.wait_for_url("**study=brought-in")
    page.get_by_test_id("stMetric").filter(has_text="Outcomes").get_by_text("2", exact=True).wait_for()
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_text("New study").wait_for()
    assert page.get_by_text("brought-in", exact=True).count() == 0
