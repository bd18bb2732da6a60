"""Links from strangers: whatever the address of a page holds, the page is drawn, and changes nothing."""

from __future__ import annotations

import re

import pytest
from streamlit.testing.v1 import AppTest

from tests.hostile.payloads import SHORT, samples, written
from ttc_core import importing, runs, studies
from ttc_core.settings import REPOSITORY, settings
from ttc_core.store.database import database

PAGES = sorted(path.stem for path in (REPOSITORY / "pages").glob("*.py"))
KEYS = ("run", "node", "beside", "beside_node", "study", "page", "bin", "problems", "off", "at", "m", "r", "saved",
        "bucket", "by", "axis", "figure")  # fmt: skip
VALUES = {
    "text": SHORT["script"] + SHORT["remote image"] + SHORT["template"] + SHORT["nul"] + SHORT["right to left"],
    "no number": "nan",
    "a negative number": "-1",
    "a number of many digits": "9" * 5000,
    "several": ["pool", "a", "pool", SHORT["sql"], SHORT["path"], "1e999", "٣"],
    "much": "x" * 20_000,
}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """A database with a study of two problems, hostile in every text."""
    import streamlit as st

    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("addresses")
        found = f"sqlite:///{folder / 'x.db'}"
        patch.setenv("TTC_DATABASE_URL", found)
        patch.setenv("TTC_EXAMPLES", "0")
        settings.cache_clear()
        st.cache_resource.clear()
        st.cache_data.clear()
        runs.ensure_database(db=found)
        importing.add("samples", written(folder / "pool.jsonl", *samples(SHORT["script"])), "d", "pool", db=found)
        yield found
        database(found).close()
    settings.cache_clear()


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_drawn_whatever_its_address_holds(url, page, value):
    before = [view.id for view in studies.listing(db=url)], runs.listing(db=url).total
    at = AppTest.from_file(str(REPOSITORY / "pages" / f"{page}.py"), default_timeout=120)
    for key in KEYS:
        at.query_params[key] = VALUES[value]
    at.run()
    assert not at.exception, at.exception
    assert ([view.id for view in studies.listing(db=url)], runs.listing(db=url).total) == before
    spoken = [m.value for m in (*at.markdown, *at.caption, *at.title, *at.header, *at.subheader)]
    assert not [text for text in spoken if re.search(r"<script|!\[x\]\(|\$\{7", text)]


def test_the_keys_are_those_that_pages_read():
    sources = [*(REPOSITORY / "pages").glob("*.py"), *(REPOSITORY / "ttc_core/ui").glob("*.py")]
    said = {name for path in sources for name in re.findall(r'(?:linked|get_all)\("(\w+)"', path.read_text("utf-8"))}
    assert said and said <= set(KEYS)
