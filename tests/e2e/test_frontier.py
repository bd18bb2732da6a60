"""The frontier in a real browser: slider, several studies, the way from a point to its problems and their trees."""

from __future__ import annotations

import json
import random
from urllib.parse import parse_qs, urlsplit

import pytest

from ttc_core import importing, runs

pytestmark = pytest.mark.e2e
READY = "window.__ttcFrontier && window.__ttcFrontier.marks.length > 0"
RESTS = """() => {
  const marks = JSON.stringify(window.__ttcFrontier.marks), same = marks === window.lastMarks;
  window.lastMarks = marks;
  return same;
}"""  # a page finds its width while it is built
POINT = "sample/beam_search width=4"


@pytest.fixture(scope="module")
def study(served, database, tmp_path_factory):
    """Name of a study of twenty problems with eight samples each."""
    rng = random.Random(0)
    path = tmp_path_factory.mktemp("study") / "slider.jsonl"
    lines = [
        {
            "id": f"q{p}",
            "question": "?",
            "answer": "2",
            "samples": [{"answer": str(rng.randint(2, 4)), "score": rng.random()} for _ in range(8)],
        }
        for p in range(20)
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    runs.ensure_database(db=database)
    return importing.add("samples", path, "made-up", db=database)


def opened(open_page, address, **options):
    page = open_page(address, **options)
    page.wait_for_function(READY)
    page.wait_for_function(RESTS, polling=300)
    return page


def query(page):
    return parse_qs(urlsplit(page.url).query)


def click_mark(page, key, budget):
    """Click the mark of a series at a budget in the large chart."""
    [mark] = [m for m in page.evaluate("window.__ttcFrontier.marks") if m["key"] == key and m["budget"] == budget]
    page.locator(".whole").click(position={"x": mark["x"], "y": mark["y"]})


def test_the_slider_is_drawn_by_the_browser_and_its_place_is_in_the_address(served, open_page, study):
    page = opened(open_page, f"{served}/frontier?study={study}&by=predicted")
    page.locator(".headline", has_text="at 8 generations").wait_for()
    assert page.locator(".bin .chosen-there b").count() == 5  # what is chosen in each of five bins
    slider = page.locator(".limit input")
    slider.focus()
    page.evaluate("document.body.dataset.asked = 'no'")
    drawn = page.locator(".whole svg").element_handle()
    page.keyboard.press("Home")
    page.locator(".headline", has_text="at 1 generations").wait_for()
    assert not drawn.evaluate("node => node.isConnected")  # drawn anew, at once
    assert page.evaluate("window.__ttcFrontier.took") < 100
    page.wait_for_url("**at=1")
    other = opened(open_page, page.url)
    assert other.evaluate("window.__ttcFrontier.at") == 1
    assert page.locator("[data-testid=stException]").count() == 0


def test_two_studies_are_told_apart_on_every_axis(served, open_page):
    page = opened(open_page, f"{served}/frontier?study=sample&study=mini-mc&at=16")
    lines = page.locator(".whole .series").evaluate_all(
        "all => all.map((g) => [g.dataset.key, g.style.stroke, g.firstChild.getAttribute('stroke-dasharray')])"
    )
    looks = {key: (colour, dash) for key, colour, dash in lines}
    one, other = looks["sample/best_of_n select=weighted"], looks["mini-mc/best_of_n select=weighted"]
    assert one[0] == other[0] and one[1] != other[1]
    assert page.get_by_text("different verifiers (mini-implicit, mini-mc)").count() == 1
    assert page.locator(".table tr.study").count() == 2
    for axis in ("flops", "seconds"):
        page.goto(f"{served}/frontier?study=sample&study=mini-mc&axis={axis}")
        page.locator(".table tr.study").nth(1).wait_for()
        studies = {mark["key"].split("/")[0] for mark in page.evaluate("window.__ttcFrontier.marks")}
        assert studies == {"sample", "mini-mc"}


def test_a_study_is_added_and_a_method_hidden_and_the_address_keeps_both(served, open_page):
    page = opened(open_page, f"{served}/frontier?study=sample&at=16")
    page.locator("[data-testid=stMultiSelect] input").fill("mini-mc")
    page.get_by_role("option", name="mini-mc").click()
    page.locator(".table tr.study").nth(1).wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="show DVTS (width 4) of sample").click()
    page.wait_for_url("**off=**")
    other = opened(open_page, page.url)
    assert query(other)["study"] == ["sample", "mini-mc"]
    keys = {mark["key"] for mark in other.evaluate("window.__ttcFrontier.marks")}
    assert "sample/dvts width=4" not in keys and "mini-mc/beam_search width=4" in keys


def test_a_point_leads_to_its_problems_and_their_trees_and_back(served, open_page):
    page = opened(open_page, f"{served}/frontier?study=sample&at=64")
    click_mark(page, POINT, 8)
    page.get_by_text("beam search (width 4) with 8 generations in sample: ").wait_for()
    page.wait_for_url("**problems=**")
    assert page.evaluate("window.__ttcFrontier.at") == 8
    page.get_by_text("1–25 of 500").wait_for()
    page.get_by_role("button", name="Next", exact=True).click()
    page.get_by_text("26–50 of 500").wait_for()
    page.go_back()
    page.get_by_text("1–25 of 500").wait_for()
    page.locator(".bin[data-bin='4'] .title").click()
    page.get_by_text("generations in sample, bin 5: ").wait_for()
    page.locator(".table .link", has_text="beam search (width 4)").wait_for()
    page.goto(f"{served}/frontier?study=sample&at=16&problems={POINT.replace('=', '%3D')}&show=With+a+tree")
    page.get_by_text("2 of these 500 problems have their tree").wait_for()
    page.locator(".list tbody tr").nth(1).wait_for()
    address = page.url
    page.locator(".list tbody a").first.click()
    page.wait_for_url("**/trees?run=*")
    page.wait_for_function("window.__ttc && window.__ttc.chosen")
    page.go_back()
    page.wait_for_url(address)
    page.locator(".list tbody tr").nth(1).wait_for()


def test_marks_that_lie_upon_each_other_are_chosen_one_after_another(served, open_page):
    """At 16 generations the square root of the budget is the width 4."""
    page = opened(open_page, f"{served}/frontier?study=sample&at=16")
    found = set()
    for _ in range(2):
        click_mark(page, POINT, 16)
        found.add(page.evaluate("window.__ttcFrontier.point"))
    assert found == {POINT, "sample/beam_search width=0"}


def test_the_table_compares_inside_a_bin(served, open_page):
    page = opened(open_page, f"{served}/frontier?study=sample&at=4&bin=5")
    row = page.locator(".table tr[data-key='sample/beam_search width=4']")
    assert "▲" in row.inner_text() and " : " in row.inner_text()
    page.get_by_role("button", name="all problems").click()
    page.locator(".table tr[data-key='sample/compute_optimal']").wait_for()
    page.wait_for_url(lambda url: "bin=" not in url)
    assert page.locator(".table td", has_text="baseline").count() == 1


def test_what_is_pointed_at_stands_out_also_after_a_click(served, open_page):
    page = opened(open_page, f"{served}/frontier?study=sample&at=64")
    click_mark(page, POINT, 8)
    page.wait_for_url("**problems=**")
    page.wait_for_function("document.querySelector('[data-testid=stStatusWidget]') === null")
    assert page.locator(".whole.lit .series.on").get_attribute("data-key") == POINT
    assert page.locator(".tip div").all_inner_texts()[0].startswith("76.4 %")  # as the table of docs/science.md has it
    page.mouse.move(2, 2)
    page.locator(".whole.lit").wait_for(state="detached")


def test_a_method_chosen_by_key_keeps_the_keyboard(served, open_page):
    page = opened(open_page, f"{served}/frontier?study=sample&at=64")
    page.locator(f".link[data-key='{POINT}']").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**problems=**")
    page.get_by_text("with 64 generations in sample: ").wait_for()
    page.wait_for_timeout(500)
    assert page.evaluate("document.activeElement.shadowRoot?.activeElement?.dataset.key") == POINT
