"""Keys that say themselves, the way back, neighbours of a permalinked search, and a study that is deleted meanwhile."""

from __future__ import annotations

import json

import pytest

from ttc_core import importing, runs, studies

pytestmark = pytest.mark.e2e


def test_a_question_mark_says_the_keys_but_not_where_somebody_writes(served, open_page):
    page = open_page(f"{served}/frontier?study=mini-mc")
    page.locator(".whole svg").wait_for()
    page.locator(".keys .open").wait_for()
    dialog = page.locator(".keys dialog")
    page.keyboard.press("?")
    dialog.get_by_text("with the slider in focus: move it").wait_for()
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    page.goto(f"{served}/trees")
    page.locator("tbody tr[data-id]").first.wait_for()
    page.get_by_role("textbox", name="Search").press("?")
    assert dialog.is_hidden()
    page.locator(".keys .open").click()
    dialog.get_by_text("mark it").wait_for()


def test_a_search_of_a_study_has_neighbours(served, open_page, database):
    kept = studies.outcomes("sample", db=database)["run"].dropna()
    first, below = next((run, older) for run in kept if (older := runs.neighbours(run, db=database)[1]))
    page = open_page(f"{served}/trees?run={first}")
    page.wait_for_function(f"window.__ttc && window.__ttc.run === {first!r}")
    page.get_by_role("button", name="Next").click()
    page.wait_for_url(f"**/trees?run={below}")
    page.wait_for_function(f"window.__ttc.run === {below!r}")
    page.get_by_role("button", name="Previous").click()
    page.wait_for_url(f"**/trees?run={first}")


def test_the_way_back_from_a_search_is_home(served, open_page):
    page = open_page(served)
    page.locator("tbody tr[data-id]").first.click()
    page.wait_for_url("**/trees?run=*")
    page.wait_for_function("window.__ttc && window.__ttc.nodes > 0")
    page.go_back()
    page.locator(".st-key-headline").wait_for()
    page.wait_for_url(lambda url: url.rstrip("/") == served)


def test_back_from_another_page_restores_what_was_shown(served, open_page):
    page_ = "exchange?study=mini-mc&m=5"
    page = open_page(f"{served}/{page_}")
    page.locator("[data-testid=stSelectbox]").first.wait_for()
    page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget], [data-testid=stSpinner]')")
    page.locator("[data-testid=stHeader]").get_by_text("Models", exact=True).first.click()
    page.wait_for_url("**/models")
    page.get_by_text("Tick a line for its card").wait_for()
    page.go_back()
    page.wait_for_function("document.querySelector('input[aria-label=Study]')?.value === 'mini-mc'")
    page.wait_for_function("window.__ttcExchange?.M === 5")
    assert page.url == f"{served}/{page_}"


def test_a_study_that_is_deleted_meanwhile_is_said_and_another_is_shown(served, open_page, database, tmp_path):
    lines = [
        {
            "id": f"q{p}",
            "question": "?",
            "answer": "2",
            "samples": [{"answer": str(2 + i % 2), "score": 0.5} for i in range(4)],
        }
        for p in range(10)
    ]
    path = tmp_path / "short-lived.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    name = importing.add("samples", path, "made-up", db=database)
    pages = [open_page(f"{served}/{page}?study={name}") for page in ("frontier", "verifier", "exchange")]
    pages[0].locator(".whole svg").wait_for()
    for page in pages[1:]:
        page.wait_for_function("!document.querySelector('[data-testid=stSpinner]')")
        page.locator("[data-testid=stSelectbox]").first.wait_for()
    studies.delete(name, db=database)
    for page in pages:
        page.reload()
        page.get_by_text(f"No study with outcomes is called '{name}'").wait_for()
        assert page.locator("[data-testid=stException]").count() == 0
