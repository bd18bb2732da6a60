"""The page of figures in a real browser: edited, saved, found again by its address, and handed out."""

from __future__ import annotations

import io
import json
import random
import zipfile
from pathlib import Path

import pytest

from ttc_core import importing, runs, saved_figures
from ttc_core.drawing.looks import Look

pytestmark = pytest.mark.e2e
NAME, STUDY = "exported-main", "exported"
TITLED = "([name, title]) => document.querySelector(`.st-key-figure-${name} input[aria-label=Title]`)?.value === title"


@pytest.fixture(scope="module")
def study(served, database, tmp_path_factory):
    """Name of a study of ten problems with four samples each; what is saved of it goes at the end."""
    rng = random.Random(0)
    path = tmp_path_factory.mktemp("study") / f"{STUDY}.jsonl"
    samples = [[{"answer": str(rng.randint(2, 4)), "score": rng.random()} for _ in range(4)] for _ in range(10)]
    lines = [{"id": f"q{p}", "question": "?", "answer": "2", "samples": of} for p, of in enumerate(samples)]
    path.write_text("\n".join(map(json.dumps, lines)))
    runs.ensure_database(db=database)
    yield importing.add("samples", path, "made-up-exported", STUDY, db=database)
    for name in saved_figures.listing(STUDY, db=database):
        saved_figures.delete(name, db=database)


def fill(field, text):
    field.fill(text)
    field.press("Enter")


def received(page, key):
    """The files of the archive that a button hands out."""
    with page.expect_download() as download:
        page.locator(f".st-key-{key} button:visible").click()  # one with help has a second for small screens
    with zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_figure_is_edited_saved_and_found_again(served, open_page, study, database):
    page = open_page(f"{served}/export?study={study}&preset=acl")
    page.get_by_role("button", name="difficulty", exact=True).click()
    card = page.locator(".st-key-figure-difficulty")
    card.locator("summary").click()
    before = card.locator("img").evaluate("image => image.src")
    fill(card.get_by_label("Title"), "How easy they are")
    shown = "was => document.querySelector('.st-key-figure-difficulty img').src != was"
    page.wait_for_function(shown, arg=before)
    assert card.locator("img").evaluate("i => i.getBoundingClientRect().width") == pytest.approx(3.03 * 96, abs=1)
    fill(card.get_by_label("Save as"), NAME)
    card.get_by_role("button", name="Save as new").click()
    page.locator(f".st-key-figure-{NAME} img").wait_for()
    assert saved_figures.get(NAME, db=database) == Look("difficulty", study, "acl", "serif", "How easy they are")
    page.wait_for_url(f"**saved={NAME}*")
    again = open_page(page.url)
    card = again.locator(f".st-key-figure-{NAME}")
    card.locator("summary").click()
    again.wait_for_function(TITLED, arg=[NAME, "How easy they are"])  # the field comes before what is in it
    fill(card.get_by_label("Save as"), f"{NAME}-2")
    card.get_by_role("button", name="Save as new").click()
    again.locator(f".st-key-figure-{NAME}-2 img").wait_for()
    both = open_page(again.url)
    both.locator(f".st-key-figure-{NAME} img").wait_for()
    both.wait_for_function("!document.querySelector('[data-testid=stStatusWidget], [data-testid=stSpinner]')")
    both.locator(f".st-key-figure-{NAME}-2").get_by_text("Edit", exact=True).click()
    sure = both.get_by_role("dialog").get_by_role("button", name="Delete")
    for second in range(90):  # a browser may lose a press on what is being drawn anew
        if sure.is_visible():
            break
        if second % 30 == 0:
            both.locator(f".st-key-delete-{NAME}-2 button").click()
        both.wait_for_timeout(1000)
    sure.click()
    both.locator(f".st-key-figure-{NAME}-2").wait_for(state="detached")
    assert f"{NAME}-2" not in both.url and list(saved_figures.listing(study, db=database)) == [NAME]
    assert both.locator("[data-testid=stException]").count() == 0


def test_everything_and_the_bundle_are_handed_out(served, open_page, study, database):
    if NAME not in saved_figures.listing(study, db=database):
        saved_figures.save(NAME, Look("difficulty", study, "acl"), db=database)
    page = open_page(f"{served}/export?study={study}&preset=acl")
    page.locator(".st-key-all-figures").wait_for()
    files = received(page, "all-figures")
    assert files["difficulty.pdf"].startswith(b"%PDF") and files[f"{NAME}.pdf"].startswith(b"%PDF")
    assert b"groupplot" in files[f"{NAME}.tex"]
    files = received(page, "bundle")
    assert {"README.md", "bundle.json", "SHA256SUMS", f"figures/{NAME}.svg"} <= set(files)
    assert json.loads(files["bundle.json"])["drawn"]["saved"][NAME]["figure"] == "difficulty"
