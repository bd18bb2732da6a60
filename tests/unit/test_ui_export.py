"""The page of figures, run by AppTest on an imported study."""

from __future__ import annotations

import re

import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.unit.test_cli_analysis import samples  # noqa: F401 (fixture)
from ttc_core import __main__ as command_line
from ttc_core.settings import REPOSITORY


def page(**query):
    at = AppTest.from_file(str(REPOSITORY / "pages" / "export.py"), default_timeout=120)
    for key, value in query.items():
        at.query_params[key] = value
    return at.run()


def test_the_gallery_shows_what_the_study_has(database_url, samples):  # noqa: F811
    assert command_line.main(["import", "samples", str(samples[0]), "--dataset", "d", "--study", "s"]) == 0
    st.cache_resource.clear()
    st.cache_data.clear()
    at = page(study="s", preset="acl")
    assert not at.exception
    shown = [button.label for button in at.get("download_button")]
    assert shown[2:] == ["PDF", "SVG", "PNG", "TEX", "CSV", "MD"]
    assert re.fullmatch(r"All \d+ figures in all formats", shown[0]) and shown[1] == "Bundle"
    assert any("10 problems" in t.value for t in at.text)
    at.session_state["chosen"] = ["difficulty", "reliability"]
    at.run()
    assert not at.exception
    assert [h.value for h in at.subheader] == ["difficulty", "reliability"]
    assert "exchange: the study has no outcomes of a larger model" in [t.value for t in at.text]
