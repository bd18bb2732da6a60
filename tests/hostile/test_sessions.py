"""A key is in nothing that a browser session remembers or shows, whichever page it looked at."""

from __future__ import annotations

import json

import pytest
from streamlit.testing.v1 import AppTest

from tests.hostile.test_endpoints import SENTINEL, SPELLED
from tests.unit.http_server import http, serving
from tests.unit.test_openai_http import CHAT
from ttc_core import runs, runs_documents
from ttc_core.backend import LocalBackend
from ttc_core.runs_driver import Driver
from ttc_core.settings import REPOSITORY, settings
from ttc_core.store.database import database
from ttc_core.types import RunSpec
from ttc_core.ui import lines

MODELS = """[models.far]
engine = "openai_http"
model = "m"
parameters = 7
endpoints = ["{url}"]
logprobs = false
deadline = 5
{key}
"""


@pytest.mark.parametrize("where", ["environment", "file"])
def test_no_session_holds_a_key(database_url, tmp_path, monkeypatch, where):
    """The server says the key in every reply; the search over it is looked at, and the model is examined."""
    key = tmp_path / "key"
    key.touch(0o600)
    key.write_text(SENTINEL)
    monkeypatch.setenv("A_KEY", SENTINEL if where == "environment" else "")
    said = json.loads(json.dumps(CHAT))
    said["choices"][0]["message"]["content"] = f"{SENTINEL} \\boxed{{1}}"
    body = SPELLED["escaped slashes"](json.dumps(said)).encode()
    with serving(lambda request, number: http(200, body, f"x-key: {SENTINEL}")) as server:
        named = 'key_env = "A_KEY"' if where == "environment" else f'key_file = "{key}"'
        (tmp_path / "mine.toml").write_text(MODELS.format(url=server.url, key=named))
        monkeypatch.setenv("TTC_MODELS", str(tmp_path / "mine.toml"))
        settings.cache_clear()
        runs.ensure_database()
        asked = RunSpec("1 + 1?", "best_of_n", 2, params={"select": "majority"}, verifier="", model="far")
        run = runs.start(asked)
        with Driver(database(database_url), role="worker", backend=LocalBackend()) as driver:
            driver.work(lambda: False, forever=False)
        assert runs.get(run).status == "done" and server.asked[0].headers["authorization"] == f"Bearer {SENTINEL}"
        monkeypatch.setattr(lines, "pick", lambda rows, names, *_, **__: "far" if "far" in names else None)
        held = [runs_documents.dumps(runs.export_run(run))]
        for name in ("solve", "trees", "models"):
            at = AppTest.from_file(str(REPOSITORY / "pages" / f"{name}.py"), default_timeout=60)
            at.query_params["run"] = run
            at.run()
            if name == "models":
                before = len(server.asked)
                at.button("examine_far").click().run()
                assert len(server.asked) > before
            assert not at.exception
            held += [repr(at.session_state), told(at)]
    assert any("***" in text for text in held) and not any(SENTINEL in text for text in held)
    assert not any(SENTINEL.replace("/", "\\/") in text for text in held)
    database(database_url).close()


def told(at):
    """All that was sent to the browser, and the state behind it, objects with what is in them."""
    seen, found = set(), []

    def walk(value):
        if id(value) in seen:
            return
        seen.add(id(value))
        found.append(value if isinstance(value, str) else repr(value))
        for inside in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
            walk(inside)
        if type(value).__module__.startswith("ttc_core") and hasattr(value, "__dict__"):
            walk(vars(value))

    for value in at.session_state.values():
        walk(value)
    found += [str(element.proto) for block in (at.main, at.sidebar) for element in elements(block)]
    return "\n".join(found)


def elements(block):
    """The leaves of a page."""
    for child in block.children.values():
        if hasattr(child, "children"):
            yield from elements(child)
        else:
            yield child
