"""Every page over text of attackers, in a real browser: no script runs, nothing outside is asked, no style changes.

`open_page` fails the test if a page raises an error or asks for anything beyond this machine.
"""

from __future__ import annotations

import pytest

from tests.hostile.payloads import FLAG, OUTSIDE, SHORT, TEXTS, samples, trace, written
from ttc_core import importing, runs

pytestmark = pytest.mark.e2e
HARMLESS = f"""() => {{
  const bad = [...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a =>
    a.name.startsWith('on') || /^\\s*javascript:/i.test(a.value) ||
    (['src', 'href', 'action', 'poster', 'data'].includes(a.name) && a.value.includes('{OUTSIDE}'))));
  const style = getComputedStyle(document.body);
  return {{flag: window.{FLAG}, bad: bad.map(e => e.outerHTML.slice(0, 200)), display: style.display,
          image: style.backgroundImage, base: document.querySelectorAll('base').length,
          title: document.title, text: document.body.innerText.length}};
}}"""


@pytest.fixture(scope="module")
def hostile(served, database, tmp_path_factory):
    """Studies that hold every payload, and the id of a run whose question, names and only step are hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    whole = "\n".join(SHORT.values())
    lines = [
        line
        for n, text in enumerate(SHORT.values())
        for line in samples(text)[:1]
        if not line.update(id=f"{n} {text[:99]}")
    ]
    importing.add("samples", written(folder / "pool.jsonl", *lines), TEXTS["remote image"], "hostile-pool", db=database)
    named = TEXTS["remote image"] + TEXTS["image"] + TEXTS["link"] + TEXTS["style"]
    importing.add(
        "thinkbooster", written(folder / "a.json", trace(named[:900], whole)), named, "hostile-tree", db=database
    )
    importing.add(
        "thinkbooster", written(folder / "b.json", trace("y", TEXTS["long line"])), "d", "hostile-long", db=database
    )
    runs_ = [view.id for view in runs.listing(db=database, limit=500).rows if view.spec.model in (named[:900], "y")]
    assert len(runs_) == 2
    return runs_[::-1]  # the newest comes first in the list


def look(page):
    """Let the page come to rest, move over all of it, and see that nothing has happened."""
    page.wait_for_load_state("networkidle")
    page.locator('[data-testid="stApp"]').wait_for()
    page.wait_for_timeout(800)
    for summary in page.locator("summary").all()[:4]:
        summary.click()
    for x in range(100, 1400, 160):
        for y in range(150, 880, 120):
            page.mouse.move(x, y)
    page.wait_for_timeout(300)
    found = page.evaluate(HARMLESS)
    assert found["flag"] is None and found["bad"] == [] and found["base"] == 0
    assert found["display"] == "block" and found["image"] == "none" and found["title"].endswith(("Workbench", ""))
    assert found["text"] > 100 and page.locator('[data-testid="stException"]').count() == 0


def test_the_test_sees_what_an_attack_would_do(served, open_page, hostile):
    """What is looked for is there when it is put there."""
    page = open_page(f"{served}/trees")
    page.locator('[data-testid="stApp"]').wait_for()
    page.evaluate(f"""() => {{ const e = document.createElement('div');
      e.innerHTML = '<img src="data:," onerror="window.{FLAG}=1">';
      e.innerHTML += '<a href="javascript:1">x</a>'; document.body.append(e); }}""")
    page.wait_for_function(f"window.{FLAG} === 1")
    assert len(page.evaluate(HARMLESS)["bad"]) == 2


@pytest.mark.parametrize("which", [0, 1], ids=["all payloads", "a megabyte in a line"])
def test_a_run(served, open_page, hostile, which):
    page = open_page(f"{served}/trees?run={hostile[which]}&node=r.0")
    page.wait_for_function("window.__ttc && window.__ttc.selected === 'r.0'")
    page.locator(".side .step-text").wait_for()
    shown = page.locator(".side .step-text").text_content()
    assert len(shown) > 1_000 and (TEXTS["script"] in shown or which)
    page.locator("canvas").first.scroll_into_view_if_needed()
    at = page.evaluate("window.__ttc.position('r.0')")
    page.mouse.move(at["x"], at["y"])  # its text beside the pointer
    look(page)


PAGES = ("trees", "studies", "studies?study=hostile-pool", "studies?study=hostile-tree", "frontier?study=hostile-pool",
         "export?study=hostile-pool", "export?study=hostile-tree", "revisions", "datasets", "models", "", "solve",
         "exchange?study=hostile-pool", "verifier?study=hostile-pool")  # fmt: skip


def test_every_page(served, open_page, hostile):
    def closed(page):  # many pages that look again and again would keep this machine busy
        look(page)
        page.close()

    for name in PAGES:
        closed(open_page(f"{served}/{name}"))
    for path in ("solve", ""):  # by an old link of the latter kind Home leads to Solve
        page = open_page(f"{served}/{path}?run={hostile[0]}")
        page.wait_for_function("window.__ttc && window.__ttc.selected !== undefined")
        assert "/solve" in page.url
        closed(page)
    closed(open_page(f"{served}/trees?q=%3Cscript%3Ewindow.{FLAG}%3D1%3C%2Fscript%3E&run="))
    closed(open_page(f"{served}/trees?run=%3Cimg%20src%3Dx%20onerror%3Dwindow.{FLAG}%3D1%3E"))
