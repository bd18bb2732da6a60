"""Figures of a search from its page, by AppTest."""

from __future__ import annotations

import io
import json
import zipfile

from tests.unit.test_figures_searches import EXAMPLES
from tests.unit.test_ui_pages import page, url  # noqa: F401 (a fixture)
from ttc_core import runs
from ttc_core.ui import drawn


def test_the_page_of_a_run_offers_its_figures(url):  # noqa: F811
    run = runs.import_run(json.loads(EXAMPLES[0].read_text("utf-8")), db=url)
    at = page("trees", run=run)
    assert not at.exception
    [button] = [one for one in at.get("download_button") if one.label == "In all formats"]
    assert not button.disabled and at.selectbox(key="act_figures-preset").value == "neurips"
    names = zipfile.ZipFile(io.BytesIO(drawn.files(run, "acl"))).namelist()
    forms = [".pdf", ".svg", ".png", ".tex", "-table.tex", ".csv", ".md"]
    assert names == [*(f"tree-{run}{f}" for f in forms), *(f"chain-{run}{f}" for f in forms), f"tree-{run}-way.tex"]
