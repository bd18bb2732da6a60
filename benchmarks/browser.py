"""How fast the pages are, in a real browser: `docs/browser.md` and `benchmarks/results/browser.json`.

    python -m benchmarks.browser [NAME ...]

It starts the app on a database with the shipped examples, 10,000 searches and one of 5,000 steps that grows by 20 steps
a second, and needs chromium, which draws in software here. Some minutes. Exit code 1 where a bar is missed. Beside
other work `nice -n -15` in front gives the app and the browser their turn. A Streamlit page of two lines, measured in
the same run, is the yardstick that tells a slow page from a slow machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import browser_states
from benchmarks.screenshots import CONTENT, FLAGS, free_port, served, serving
from ttc_core import runs
from ttc_core.settings import REPOSITORY
from ttc_core.ui import view

PROBE = (Path(__file__).parent / "browser_probe.js").read_text(encoding="utf-8")
JSON, TABLE = REPOSITORY / "benchmarks" / "results" / "browser.json", REPOSITORY / "docs" / "browser.md"
WINDOW = {"width": 1440, "height": 900}
QUIET = 350  # ms without a change after which all is done that an input began
SHARES, SHARE = 10, 3000  # how often and how long (ms) it is looked how busy the browser is
PLAIN = """
import time
import streamlit as st

st.title("A page of two lines")
st.fragment(lambda: st.text(f"at {time.time()}"), run_every=0.5)()
"""
OPENED, BUSY = "two lines, opened by their address", "busy with two lines"  # the yardsticks
Bars = dict[str, dict[str, Any]]


class Bench:
    """An app, a browser, and what was measured: by name, what it is, the number, its unit and the bar, if any."""

    def __init__(self, browser: Any, address: str) -> None:
        self.browser, self.address, self.found = browser, address, Bars()

    def page(self) -> Any:
        """An empty page in a window of its own."""
        page = self.browser.new_context(viewport=WINDOW).new_page()
        page.set_default_timeout(120_000)
        page.add_init_script(PROBE)
        return page

    def open(self, path: str, ready: str) -> Any:
        """A page in a window of its own, once the JavaScript expression `ready` holds."""
        page = self.page()
        page.goto(self.address + path, wait_until="commit")
        page.wait_for_function(ready)
        page.wait_for_timeout(1500)
        return page

    def note(
        self, name: str, what: str, values: list[float], bar: float | None, unit: str = "ms", *, least: bool = False,
        plain: str = "",
    ) -> None:  # fmt: skip
        """Keep the 95th percentile of values that shall stay below the bar.

        least: their least, to stay above it; plain: the yardstick that it is compared with.
        """
        taken = float(min(values)) if least else float(np.percentile(values, 95))
        held = bar is None or bool(taken >= bar if least else taken < bar)
        middle = float(np.median(values))
        of = {"of": len(values), "p50": round(middle, 1), "load": round(os.getloadavg()[0], 1)}
        if plain:
            of["plain"] = round(middle / self.found[plain]["p50"], 1)
        self.found[name] = {"what": what, "value": round(taken, 1), "unit": unit, "bar": bar, "held": held, **of}
        said = "" if bar is None else f"(bar {bar:g})"
        print(f"{name:38} {taken:9.1f} {unit:4} {said}{'' if held else '  MISSED'}", flush=True)


def answered(page: Any, selector: str, act: Callable[[], object]) -> float:
    """Milliseconds from an input to the paint after the first change that it made below `selector`."""
    page.evaluate("selector => __probe.watch(selector)", selector)
    act()
    page.wait_for_function(f"__probe.last && performance.now() - __probe.last > {QUIET}")
    return float(page.evaluate("__probe.changed - __probe.begun"))


def sliders(bench: Bench) -> None:
    """Both sliders that change a chart."""
    for name, slider, chart in (
        ("frontier", ".frontier .limit input", ".frontier .whole"),
        ("exchange", ".exchange .R input", ".exchange .chart"),
    ):
        page = bench.open(f"/{name}", f"__probe.find({CONTENT[name]!r})")
        page.locator(slider).focus()
        keys = ["ArrowLeft", "ArrowLeft", "ArrowRight", "ArrowLeft", "ArrowRight", "ArrowRight"] * 6
        moved = [answered(page, chart, lambda key=key, page=page: page.keyboard.press(key)) for key in keys]
        bench.note(f"slider to chart, {name}", "from moving the slider to the chart painted", moved, 100)


def pages() -> dict[str, str]:
    """The pages and what each is opened for."""
    return {name: content for name, content in CONTENT.items() if (REPOSITORY / "pages" / f"{name}.py").exists()}


def first(bench: Bench) -> None:
    """Every page once, in this order, by the first visitor after a start."""
    page = bench.page()
    for name, content in pages().items():
        page.goto(f"{bench.address}/{'' if name == 'home' else name}", wait_until="commit")
        shown = page.wait_for_function(f"__probe.find({content!r}) && performance.now()")
        what = "to the first of what the page is for; the first visitor after a start sees all pages in this order"
        bench.note(f"{name}, first visit", what, [float(shown.json_value())], None)


def opening(bench: Bench) -> None:
    """Every page, opened by its address in a window that has seen it, and gone to from another page."""
    page = bench.open("/models", "__probe.find('[data-testid=stDataFrame] canvas')")
    opened, gone = {}, {}
    for name, content in pages().items():
        path, shown = "/" if name == "home" else f"/{name}", f"__probe.find({content!r}) && performance.now()"
        times = []
        for _ in range(4):
            page.goto(bench.address + path, wait_until="commit")
            times.append(float(page.wait_for_function(shown).json_value()))
        opened[name] = float(np.median(times[1:]))
        times = []
        for _ in range(3):
            before = "studies" if name != "studies" else "trees"  # a page without the content that is waited for
            page.goto(f"{bench.address}/{before}", wait_until="commit")
            page.wait_for_function(f"__probe.find({CONTENT[before]!r})")
            page.wait_for_timeout(1000)
            page.evaluate("__probe.begun = 0")
            page.locator(f"[data-testid=stTopNavLink][href$='{path}']").first.click()
            times.append(
                float(page.wait_for_function(f"location.pathname === {path!r} && ({shown})").json_value())
                - page.evaluate("__probe.begun")
            )
        gone[name] = float(np.median(times))
    for found, way, plain in ((opened, "opened by its address", OPENED), (gone, "from another page", "")):
        for name, value in found.items():
            bench.note(
                f"{name}, {way}", "to the first of what the page is for; median of three", [value], 1500, plain=plain
            )


def many(bench: Bench) -> None:
    """The list of 10,000 searches: leafed through, and searched."""
    page = bench.open("/trees", "__probe.find('tr[data-id]')")
    turns = ["Older"] * 10 + ["Newer"] * 10
    pages = [answered(page, "table", lambda t=t: page.get_by_role("button", name=t).click()) for t in turns]
    bench.note("list of 10,000, next page", "from the click to the rows painted", pages, 500)
    box = page.get_by_role("textbox", name="Search")
    searches = []
    for number in range(1, 21):
        box.fill(f"mini-test-{2 * number:04}")
        searches.append(answered(page, "table", lambda: box.press("Enter")))
    bench.note("list of 10,000, a text", "from Enter to the rows painted", searches, 500)


def large(bench: Bench, run_id: str) -> None:
    """A finished tree of more than 5,000 steps: moved, zoomed, clicked."""
    page = bench.open(f"/trees?run={run_id}", f"window.__ttc && window.__ttc.nodes > {browser_states.STEPS}")
    box = page.locator("canvas").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    ids = page.evaluate(
        "box => __ttc.ids.filter(id => { const p = __ttc.position(id); return id !== 'r' && p.x > box.x && p.x < box.x "
        "+ box.width * 0.8 && p.y > box.y + 10 && p.y < box.y + box.height - 100 })", box,
    )  # fmt: skip
    clicks, last = [], {"x": 0.0, "y": 0.0}
    for id_ in np.random.default_rng(0).permutation(ids)[:60]:
        at = page.evaluate("id => __ttc.position(id)", str(id_))
        if abs(at["x"] - last["x"]) + abs(at["y"] - last["y"]) > 40:  # surely another step than the one on show
            clicks.append(answered(page, "aside.side", lambda at=at: page.mouse.click(at["x"], at["y"])))
            last = at
    bench.note("click to details", "from the press on a step among 5,000 to its details painted", clicks, 200)

    page.mouse.move(x, y)
    page.mouse.down()
    for name in ("pan", "zoom"):
        paints = np.array(page.evaluate(f"__probe.moved(__probe.find('canvas'), {name!r}, {x}, {y}, 180)"))
        rate = 1000 * (len(paints) - 1) / (paints[-1] - paints[0])
        bench.note(f"{name}, 5,000 steps", "frames a second in software", [rate], 30, "fps", least=True)
        page.mouse.up()


def growing(bench: Bench, url: str, nodes: list[Any]) -> None:
    """A tree of 5,000 steps and more while it grows."""
    with browser_states.Growing(url, nodes) as run:
        page = bench.open(f"/trees?run={run.run_id}", f"window.__ttc && window.__ttc.nodes >= {browser_states.STEPS}")
        page.wait_for_timeout(3000)
        page.evaluate("__probe.paints.length = __probe.asked.length = 0")
        busy = shares(page)
        paints, asked = page.evaluate("[__probe.paints, __probe.asked]")
        committed = dict(run.committed)
        page.close()
    first: dict[int, tuple[float, float]] = {}
    for revision, moment, epoch in paints:
        first.setdefault(revision, (moment, epoch))
    first.pop(min(first))  # had been drawn before
    ticks = [moment - max(t for t in asked if t < moment) for moment, _ in first.values()]
    seen = [min(epoch for r, (_, epoch) in first.items() if r >= revision) - 1000 * at
            for revision, at in committed.items() if min(first) <= revision <= max(first)]  # fmt: skip
    bench.note("tick, 5,000 steps", "from the page's asking to the tree painted", ticks, 150)
    every = f"from a worker's commit to its steps painted; looks every {view.TICK_LARGE} s"
    bench.note("commit to paint", every, seen, 1000)
    bench.note("busy while it grows", "share of the browser's main thread, of 3 s each", busy, 10, "%", plain=BUSY)


def yardstick(bench: Bench) -> None:
    """What Streamlit itself takes: a page of two lines, one of which is drawn again every half second."""
    with tempfile.TemporaryDirectory() as folder:
        script, port = Path(folder) / "plain.py", free_port()
        script.write_text(PLAIN, encoding="utf-8")
        options = ["--server.headless", "true", "--server.port", str(port), "--server.address", "127.0.0.1"]
        shown = "__probe.find('[data-testid=stText]') && performance.now()"
        with serving(["streamlit", "run", str(script), *options], port, {}) as address:
            page = Bench(bench.browser, address).open("/", shown)
            times = []
            for _ in range(6):
                page.goto(address, wait_until="commit")
                times.append(float(page.wait_for_function(shown).json_value()))
            page.wait_for_timeout(3000)
            busy = shares(page)
            page.close()
    middle = float(np.median(times[1:]))
    bench.note(OPENED, "a Streamlit page of two lines, to its second; median of five", [middle], None)
    bench.note(BUSY, "share of the main thread while one of the two is drawn again every 0.5 s", busy, None, "%")


def shares(page: Any) -> list[float]:
    """Percent of the time that the browser's main thread of a page is busy, several times."""
    client = page.context.new_cdp_session(page)
    client.send("Performance.enable", {"timeDomain": "threadTicks"})
    busy, at = [], metrics(client)
    for _ in range(SHARES):
        page.wait_for_timeout(SHARE)
        now = metrics(client)
        busy.append(100 * (now["TaskDuration"] - at["TaskDuration"]) / (now["Timestamp"] - at["Timestamp"]))
        at = now
    return busy


def metrics(client: Any) -> dict[str, float]:
    """Chromium's counters of a page."""
    return {one["name"]: one["value"] for one in client.send("Performance.getMetrics")["metrics"]}


def machine(browser: Any) -> dict[str, Any]:
    """What was measured on."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        "",
    )
    return {
        "processor": model or platform.machine(),
        "cores": os.cpu_count(),
        "chromium": browser.version,
    }


def table(report: dict[str, Any]) -> str:
    """The page of the documentation."""
    rows = [
        f"| {name} | {m['what']} | {m['value']:g} {m['unit']} | {m['p50']:g} | {_bar(m)} "
        f"| {m.get('plain', '')} | {m['of']} | {m['load']:g} | {'' if m['held'] else 'missed'} |"
        for name, m in report["measured"].items()
    ]
    of = report["machine"]
    return "\n".join([
        "# How fast the pages are",
        "",
        "Written by `python -m benchmarks.browser`: chromium that draws in software, on the app with 10,000 stored",
        "searches and one of 5,000 steps that grows by 20 a second. Times are 95th percentiles, in milliseconds.",
        "The bars are those of a quiet machine. × plain: by medians, how many times what a Streamlit page of two lines",
        "took in the same run, for opening a page and for how busy the browser is.",
        "",
        f"{of['cores']} cores ({of['processor']}), chromium {of['chromium']}. The load average at each is that of the "
        f"last minute: above the number of cores the browser waits for its turn.",
        "",
        "| | what | measured | median | bar | × plain | of | load | |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
        *rows,
        "",
    ])  # fmt: skip


def _bar(of: dict[str, Any]) -> str:
    return "" if of["bar"] is None else f"{'≥' if of['unit'] == 'fps' else '<'} {of['bar']:g}"


def keep(of: dict[str, Any], found: Bars) -> None:
    """Write what was measured; what was not measured anew stays as it was."""
    before = json.loads(JSON.read_text(encoding="utf-8"))["measured"] if JSON.exists() else {}
    report = {"machine": of, "measured": before | found}
    JSON.parent.mkdir(exist_ok=True)
    JSON.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    TABLE.write_text(table(report), encoding="utf-8")


def main() -> int:
    """Measure all, or those named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="first, sliders, opening, many, large, growing; all without one"
    )
    wanted = parser.parse_args().names
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        url = f"sqlite:///{Path(folder) / 'bench.db'}"
        runs.ensure_database(db=url)
        browser_states.store_many(url)
        run_id, nodes = browser_states.large_tree(url)
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        with served(url, examples=True) as address:
            bench = Bench(browser, address)
            steps: dict[str, Callable[[], None]] = {
                "yardstick": lambda: yardstick(bench), "first": lambda: first(bench),
                "many": lambda: many(bench), "large": lambda: large(bench, run_id), "sliders": lambda: sliders(bench),
                "growing": lambda: growing(bench, url, nodes), "opening": lambda: opening(bench),
            }  # fmt: skip
            for name, step in steps.items():
                if not wanted or name in {"yardstick", *wanted}:
                    step()
                    keep(machine(browser), bench.found)
        browser.close()
    return int(not all(one["held"] for one in bench.found.values()))


if __name__ == "__main__":
    sys.exit(main())
