"""Logging in at an issuer of OpenID Connect, in a real browser, and what each role finds then."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from tests.e2e.conftest import START_SECONDS, _free_port, _healthy
from tests.e2e.issuer import CLIENT, SECRET, issuing
from ttc_core import runs
from ttc_core.settings import REPOSITORY
from ttc_core.store import audit
from ttc_core.store.database import database as database_of
from ttc_core.types import RunSpec

pytestmark = pytest.mark.e2e
RULES = """[roles]
admin = ["ada@example.org"]
runner = ["*@example.org"]
viewer = ["*@elsewhere.net"]
"""
SEARCH = RunSpec("", "best_of_n", 2, dataset="mini-test", problem_id="mini-test-0001")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A workbench of a group: its address, its issuer, its database with a search that its owner started."""
    folder = tmp_path_factory.mktemp("shared")
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    url = f"sqlite:///{folder / 'x.db'}"
    (folder / ".streamlit").mkdir()
    (folder / "access.toml").write_text(RULES)
    with issuing(f"{address}/oauth2callback") as issuer:
        said = {
            "redirect_uri": issuer.redirect, "cookie_secret": secrets.token_hex(32), "client_id": CLIENT,
            "client_secret": SECRET, "server_metadata_url": f"{issuer.url}/.well-known/openid-configuration",
        }  # fmt: skip
        lines = "".join(f'{name} = "{value}"\n' for name, value in said.items())
        (folder / ".streamlit" / "secrets.toml").write_text(f"[auth]\n{lines}")
        env = {**os.environ, "HOME": str(folder), "TTC_DATABASE_URL": url, "TTC_ACCESS": str(folder / "access.toml")}
        command = [sys.executable, "-m", "ttc_core", "serve", "--no-browser", "--port", str(port)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=REPOSITORY, env=env, stdout=log, stderr=log)
        until = time.monotonic() + START_SECONDS
        while not _healthy(address):
            if process.poll() is not None or time.monotonic() > until:
                pytest.fail("serve did not come up: " + (folder / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.2)
        run = runs.start(SEARCH, db=url)
        try:
            yield address, issuer, url, run
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)


@pytest.fixture
def enter(shared, open_page):
    """Opens an address of it as one of the issuer's people."""
    address = shared[0]

    def enter_(who, path=""):
        page = open_page(address)
        page.get_by_text("This workbench is not open to everybody").wait_for()
        page.get_by_role("button", name="Log in").click()
        page.locator(f"#{who}").click()
        page.wait_for_url(f"{address}/**")
        page.locator('[data-testid="stApp"]').wait_for()
        if path:
            page.goto(f"{address}/{path}", wait_until="commit")
        return page

    return enter_


def refusal(page, button):
    """What a button says that is closed."""
    button.wait_for()
    assert button.is_disabled()
    from playwright.sync_api import TimeoutError as NotThere

    tip = page.get_by_role("tooltip")
    for _ in range(20):  # a page that is still being drawn moves it from under the pointer
        page.mouse.move(0, 0)
        button.hover(force=True)
        with suppress(NotThere):
            tip.wait_for(timeout=3_000)
            return tip.inner_text()
    pytest.fail("it says nothing")


def test_an_admin_may_change_what_others_started(shared, enter):
    page = enter("ada", f"trees?run={shared[3]}")
    page.get_by_text("ada@example.org: admin").wait_for()
    delete = page.get_by_role("button", name="Delete…")
    delete.wait_for(timeout=60_000)
    assert delete.is_enabled()


def test_a_runner_starts_searches_and_leaves_those_of_others(shared, enter):
    address, _, url, run = shared
    page = enter("bob", f"trees?run={run}")
    page.get_by_text("bob@example.org: runner").wait_for()
    assert "was started by somebody else" in refusal(page, page.get_by_role("button", name="Delete…"))
    page.goto(f"{address}/solve", wait_until="commit")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/solve?run=*")
    own = page.url.rpartition("run=")[2].partition("&")[0]
    assert runs.get(own, db=url).status
    [line] = audit.latest(database_of(url), 1)
    assert (line["who"], line["verb"], line["of"], line["allowed"]) == ("bob@example.org", "runs.start", own, True)
    page.locator("button:enabled", has_text="Delete…").wait_for()  # the example, which was there before, may not


def test_a_viewer_looks(shared, enter):
    address, _, url, run = shared
    before = runs.listing(db=url).total
    page = enter("eve", f"trees?run={run}")
    page.get_by_text("eve@elsewhere.net: viewer").wait_for()
    assert "your role is viewer" in refusal(page, page.get_by_role("button", name="Delete…"))
    for path, name in (("solve", "Run"), ("", "Solve one now")):
        page.goto(f"{address}/{path}", wait_until="commit")
        assert "your role is viewer" in refusal(page, page.get_by_role("button", name=name, exact=True).first)
    assert runs.listing(db=url).total == before


@pytest.mark.parametrize("who", ["mallory", "in-letters", "unsaid"])
def test_an_address_that_the_issuer_does_not_vouch_for_is_nobodys(enter, who):
    page = enter(who)
    page.get_by_text("This workbench is not open to everybody").wait_for()
    assert page.get_by_text("ada@example.org").count() == 0


def test_a_token_that_another_signed_lets_nobody_in(shared, open_page):
    address, issuer, *_ = shared
    issuer.forge = True
    try:
        page = open_page(address)
        page.get_by_role("button", name="Log in").click()
        page.locator("#ada").click()
        page.wait_for_load_state("networkidle")
        page.goto(address, wait_until="commit")
        page.get_by_text("This workbench is not open to everybody").wait_for()
    finally:
        issuer.forge = False


def test_who_logs_out_is_a_stranger_again(shared, enter):
    page = enter("ada")
    page.get_by_text("ada@example.org: admin").wait_for()
    page.get_by_role("button", name="Log out").click()
    page.get_by_text("This workbench is not open to everybody").wait_for()
