"""A study from the form or written on the page, planned, started, watched, paused, cancelled and deleted."""

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


def delete(page, name):
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_text("New study").wait_for()
    assert page.get_by_text(name, exact=True).count() == 0


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
    page.locator(".meters > div").filter(has_text="problems").get_by_text("4", exact=True).wait_for()
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**study=from-the-page")
    page.locator(".meters > div").filter(has_text="Outcomes").get_by_text("4", exact=True).wait_for()
    page.get_by_role("button", name="Delete…").wait_for()  # offered once a study has ended
    second = open_page(page.url)
    second.get_by_role("button", name="Outcomes as CSV").wait_for()
    delete(page, "from-the-page")


def test_a_study_from_the_form(served, open_page):
    page = open_page(f"{served}/studies")
    page.get_by_text("New study").click()
    box = page.get_by_label("Study file (TOML)")
    box.get_by_text('name = "my-study"').wait_for()
    for label, value in (("Name", "from-the-form"), ("Problems, of 500", "3"), ("Pool", "0")):
        page.get_by_label(label, exact=True).fill(value)
        page.get_by_label(label, exact=True).press("Enter")
        box.get_by_text(f'"{value}"' if label == "Name" else "problems = 3").wait_for()
    page.get_by_text("Beam search", exact=True).click()  # its parameters
    page.get_by_label("Width", exact=True).fill("2, 4")
    page.get_by_label("Width", exact=True).press("Enter")
    box.get_by_text("grid = { width = [2, 4] }").wait_for()
    page.get_by_role("button", name="Plan").click()
    page.locator(".meters > div").filter(has_text="problems").get_by_text("3", exact=True).wait_for()
    page.locator(".meters > div").filter(has_text="methods").get_by_text("4", exact=True).wait_for()
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**study=from-the-form")
    page.locator(".meters > div").filter(has_text="Outcomes").get_by_text("36", exact=True).wait_for()
    delete(page, "from-the-form")


def test_a_study_is_paused_resumed_and_cancelled(served, open_page):
    page = open_page(f"{served}/studies")
    page.get_by_text("New study").click()
    box = page.get_by_label("Study file (TOML)")
    box.wait_for()
    long = STUDY.replace("problems = 4", "problems = 200").replace("budgets = [2]", "budgets = [64]")
    box.fill(long.replace("from-the-page", "long-one"))
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**study=long-one")
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("paused", exact=True).wait_for()
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("running", exact=True).wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("cancelled", exact=True).wait_for()
    page.get_by_role("button", name="Resume").wait_for()
    delete(page, "long-one")


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
    page.locator(".meters > div").filter(has_text="Outcomes").get_by_text("2", exact=True).wait_for()
    delete(page, "brought-in")
