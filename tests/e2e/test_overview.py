"""Home, Exchange and Verifier in a real browser, and every page with every request it makes recorded."""

from __future__ import annotations

import pytest

from ttc_core.settings import REPOSITORY

pytestmark = pytest.mark.e2e
EXCHANGE = "window.__ttcExchange && window.__ttcExchange.budget > 0"


@pytest.mark.parametrize("name", sorted(path.stem for path in (REPOSITORY / "pages").glob("[!_]*.py")))
def test_every_page_comes_up_and_asks_nobody_else(served, open_page, name):
    """The fixture fails at the end if a request went to another machine, or a script of the page failed."""
    page = open_page(f"{served}/{name}" if name != "home" else served)
    page.locator("[data-testid=stMainBlockContainer]").wait_for()
    page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget], [data-testid=stSpinner]')")
    page.wait_for_timeout(500)
    assert page.locator("[data-testid=stException]").count() == 0


def test_home_sums_up_the_sample_study_and_starts_a_search(served, open_page):
    page = open_page(served)
    page.get_by_text("Compute-optimal scaling needs").wait_for()
    page.locator(".st-key-headline [data-testid=stMetric]").nth(3).wait_for()  # it may just be drawn anew
    page.locator("tbody tr[data-id]").first.wait_for()
    page.get_by_role("button", name="Solve one now").click()
    page.wait_for_url("**/solve?run=*")
    page.wait_for_function("window.__ttc && window.__ttc.nodes > 0")


def test_a_search_of_old_links_is_found(served, open_page):
    page = open_page(f"{served}/?run=nosuchrun")
    page.wait_for_url("**/solve?run=nosuchrun")
    page.get_by_text("No run is called 'nosuchrun'").wait_for()


def test_the_sliders_of_the_exchange_are_drawn_by_the_browser_and_are_in_the_address(served, open_page):
    page = open_page(f"{served}/exchange?study=sample&m=4&r=1")
    page.wait_for_function(EXCHANGE)
    assert page.evaluate("window.__ttcExchange.budget") == 4 + 3 * 3 / 1
    assert page.locator(".exchange .star").count() == 5 and page.locator(".exchange tbody tr").count() == 5
    said = page.locator(".exchange .budget b").inner_text()
    slider = page.locator(".R input[type=range]")
    slider.focus()
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    page.wait_for_function("window.__ttcExchange.R < 1")
    assert page.locator(".exchange .budget b").inner_text() != said
    page.wait_for_function("Number(new URLSearchParams(location.search).get('r')) === window.__ttcExchange.R")
    r = page.evaluate("window.__ttcExchange.R")
    other = open_page(page.url)
    other.wait_for_function(f"{EXCHANGE} && Math.abs(window.__ttcExchange.R - {r}) < 1e-9")
    assert other.evaluate("window.__ttcExchange.M") == 4


def test_a_bar_of_the_verifier_shows_its_mistakes(served, open_page):
    page = open_page(f"{served}/verifier?study=sample")
    page.get_by_text("Confident mistakes").wait_for()
    page.get_by_text("Below: those that are wrong.").wait_for()
    page.locator(".meters > div").nth(3).wait_for()  # it may just be drawn anew
    assert page.locator("[data-testid=stException]").count() == 0
    slider = page.get_by_role("slider").first
    slider.focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**bucket=*")
    page.get_by_text("samples score 0.8 to 0.9").wait_for()
    page.go_back()
    page.get_by_text("samples score 0.9 to 1.0").wait_for()
