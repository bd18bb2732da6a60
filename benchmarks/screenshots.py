"""Pictures of every page, as `docs/screenshots/NAME-{light,dark,narrow}.webp`, and of empty, huge and stalled ones.

    python -m benchmarks.screenshots [NAME ...]

It starts the app on a new database with the shipped examples, on an empty one, and on one of 10,000 searches that has
no worker. It needs chromium.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import browser_states
from ttc_core import runs
from ttc_core.runs_views import STALLED_SECONDS
from ttc_core.settings import REPOSITORY
from ttc_core.store import leases
from ttc_core.store.database import database
from ttc_core.types import RunSpec
from ttc_core.worker import Only

OUT = REPOSITORY / "docs" / "screenshots"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1440, "height": 900}},
    "dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"},
    "narrow": {"viewport": {"width": 900, "height": 900}},
}
SETTLED = 2500  # ms after what the page is for is there: charts and rows glide
BUSY = "[data-testid=stStatusWidget], [data-testid=stSkeleton], [data-testid=stSpinner]"
CONTENT = {  # what a page is opened for
    "home": ".st-key-headline .js-plotly-plot .trace",
    "solve": "canvas",
    "trees": "tr[data-id]",
    "revisions": ".attempt",
    "studies": ".st-key-study-sample button",
    "frontier": ".frontier .curve",
    "exchange": ".exchange .curve",
    "verifier": ".js-plotly-plot .trace",
    "datasets": "[data-testid=stDataFrame] canvas",
    "export": "[data-testid=stImage] img",
    "models": "[data-testid=stDataFrame] canvas",
    "empty-solve": ".st-key-first-example",
    "empty-datasets": "[data-testid=stDataFrame] canvas",
    "empty-models": "[data-testid=stDataFrame] canvas",
    "many": "tr[data-id]",
    "stalled": "[class*=st-key-notice-warning]",
}
UNREACHABLE = """
[models.unreachable]
engine = "openai_http"
base_url = "http://127.0.0.1:9"
model = "unreachable"
parameters = 1_000_000
template = "chat"
"""
QUALITY = 66  # of WebP


@contextmanager
def served(database: str, examples: bool) -> Iterator[str]:
    """Address of the app, with its worker, on a database."""
    port = free_port()
    env = {"TTC_DATABASE_URL": database, "TTC_EXAMPLES": str(int(examples))}
    with serving(["ttc_core", "serve", "--no-browser", "--port", str(port)], port, env) as address:
        yield address


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(module: list[str], port: int, env: dict[str, str]) -> Iterator[str]:
    """Address of a Streamlit app once it answers. module: what follows `python -m`."""
    command = [sys.executable, "-m", *module]
    process = subprocess.Popen(
        command, cwd=REPOSITORY, env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 120
    try:
        while True:
            try:
                with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
                    break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("the app did not start") from None
                time.sleep(0.3)
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def addresses(database: str) -> dict[str, str]:
    """What to take pictures of: a name and the address below the app's."""
    wrong, right = (runs.listing(correct=said, alone=True, db=database).rows[0].id for said in (False, True))
    asked = RunSpec("", "beam_search", 8, dataset="mini-test", problem_id="mini-test-0005")
    pair = [runs.start(spec, db=database) for spec in (asked, RunSpec("", "best_of_n", 8, **_problem(asked)))]
    edited = runs.continue_from(wrong, "r.0", db=database)
    huge = runs.start(RunSpec("", "beam_search", 512, dataset="mini-test", problem_id="mini-test-0002"), db=database)
    failed = runs.start(
        RunSpec("", "best_of_n", 4, params={"select": "majority"}, model="unreachable", verifier="", **_problem(asked)),
        db=database,
    )
    runs.execute([*pair, edited, huge, failed], db=database)
    pages = {path.stem: f"/{path.stem}" for path in sorted((REPOSITORY / "pages").glob("[!_]*.py"))}
    first = next((name for name, page in pages.items() if name == "home"), "solve")
    pages[first] = "/"  # the first page has no path of its own
    return {
        **pages,
        "solve": f"/solve?run={right}",
        "tree": f"/trees?run={wrong}",
        "tree-step": f"/trees?run={wrong}&node=r.2",
        "beside": f"/solve?run={pair[0]}&beside={pair[1]}",
        "onward": f"/trees?run={edited}",
        "huge": f"/trees?run={huge}",
        "failed": f"/trees?run={failed}",
    }


def _problem(spec: RunSpec) -> dict[str, str]:
    return {"dataset": spec.dataset, "problem_id": spec.problem_id}


@contextmanager
def deserted(url: str) -> Iterator[dict[str, str]]:
    """A database of 10,000 searches that nobody works on, one of them left half done; what to take pictures of."""
    runs.ensure_database(db=url)
    browser_states.store_many(url)
    half = runs.start(RunSpec("", "beam_search", 16, dataset="mini-test", problem_id="mini-test-0002"), db=url)
    runs.execute([half], db=url)
    nodes = sorted(runs.nodes(half, db=url).nodes, key=lambda node: node.id.count("."))
    left = runs.start(RunSpec("", "beam_search", 16, 1, {}, "mini-test", "mini-test-0002"), db=url)
    db = database(url)
    leases.enrol(db, left, "solve", os.getpid())
    [claim] = leases.claim(db, left, 1, [left])
    leases.commit(db, [leases.Change(claim.lease, nodes[: len(nodes) // 2])])
    only = Only(db)  # as long as this process is the one that may have a worker, `serve` starts none
    only.take()
    try:
        time.sleep(STALLED_SECONDS + 1)
        yield {"many": "/trees", "stalled": f"/trees?run={left}"}
    finally:
        only.give_back()


def picture(browser: Any, address: str, look: str, name: str) -> int:
    """Take one; returns its size in bytes."""
    from PIL import Image

    context = browser.new_context(**LOOKS[look])
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(address, wait_until="commit")
    page.locator("[data-testid=stMainBlockContainer]").wait_for()
    page.locator(CONTENT.get(name, "canvas, [class*=st-key-notice]")).first.wait_for(state="attached")
    page.wait_for_function(f"!document.querySelector({BUSY!r})")
    page.wait_for_timeout(SETTLED)
    page.wait_for_function(f"!document.querySelector({BUSY!r})")  # what came meanwhile may wait for more
    file = OUT / f"{name}-{look}.webp"
    with Image.open(io.BytesIO(page.screenshot())) as shot:
        shot.convert("RGB").save(file, "WEBP", quality=QUALITY, method=6)
    context.close()
    return file.stat().st_size


def main() -> None:
    """All pages, or those named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    wanted = parser.parse_args().names
    from playwright.sync_api import sync_playwright

    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        total = 0
        os.environ["TTC_MODELS"] = str(Path(folder) / "models.toml")  # one model whose server is away
        Path(os.environ["TTC_MODELS"]).write_text(UNREACHABLE, encoding="utf-8")
        full, empty = (f"sqlite:///{Path(folder) / name}.db" for name in ("full", "empty"))
        runs.ensure_database(db=full)
        listed = addresses(full)
        with served(full, examples=True) as address:
            for name, path in listed.items():
                if not wanted or name in wanted:
                    total += sum(picture(browser, address + path, look, name) for look in LOOKS)
                    print(name, flush=True)
        with served(empty, examples=False) as address:
            for name in (path.stem for path in sorted((REPOSITORY / "pages").glob("[!_]*.py"))):
                if not wanted or "empty" in wanted:
                    total += picture(browser, f"{address}/{name.replace('home', '')}", "light", f"empty-{name}")
        if not wanted or {"many", "stalled"} & set(wanted):
            url = f"sqlite:///{Path(folder) / 'many.db'}"
            with deserted(url) as listed, served(url, examples=False) as address:
                total += sum(picture(browser, address + path, "light", name) for name, path in listed.items())
        browser.close()
    print(f"{total / 1e6:.2f} MB in {OUT.relative_to(REPOSITORY)}")


if __name__ == "__main__":
    main()
