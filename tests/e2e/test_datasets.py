"""Adding a data set on the page: a broken file is one sentence, a good one is there at once."""

from __future__ import annotations

import pytest

from ttc_core.settings import DATA

pytestmark = pytest.mark.e2e


def test_a_file_becomes_a_data_set(served, open_page):
    page = open_page(f"{served}/datasets")
    page.get_by_text("Add a data set").click()
    upload = page.locator("input[type=file]")
    upload.set_input_files({"name": "a.jsonl", "mimeType": "text/plain", "buffer": b'{"question": "1 + 1?"\n'})
    page.get_by_label("Name", exact=True).fill("from-the-page")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text("Nothing was added").wait_for()
    upload.set_input_files(
        {"name": "a.csv", "mimeType": "text/csv", "buffer": b"question,answer\n<b>1</b> + 1?,2\n2 + 2?,4\n"}
    )
    page.get_by_text("a.csv").wait_for()
    page.get_by_role("button", name="Add", exact=True).click()
    try:
        page.get_by_text("Nothing was added").wait_for(state="detached")
        page.goto(f"{served}/solve?run=")
        page.get_by_text("Bundled", exact=True).click()  # the latest search may be of a question of one's own
        page.locator('[data-testid="stSelectbox"]').filter(has_text="Data set").locator("input").first.click()
        page.get_by_role("option", name="from-the-page").wait_for()
    finally:
        (DATA / "problems" / "from-the-page.jsonl").unlink(missing_ok=True)
