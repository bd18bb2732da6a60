"""The page of figures, run by AppTest on an imported study."""

from __future__ import annotations

import io
import re
import zipfile

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.unit.test_cli_analysis import samples  # noqa: F401 (fixture)
from ttc_core import __main__ as command_line
from ttc_core import saved_figures
from ttc_core.drawing.looks import Look
from ttc_core.settings import REPOSITORY, settings


def page(**query):
    at = AppTest.from_file(str(REPOSITORY / "pages" / "export.py"), default_timeout=120)
    for key, value in query.items():
        at.query_params[key] = value
    return at.run()


def edited(at, name):
    """The page with the fields of a figure on show, which are drawn once they are opened."""
    at.session_state[f"edit-{name}"] = True
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
    assert pills(at, "figure").value == ["frontier"] and at.query_params["figure"] in ("frontier", ["frontier"])
    pills(at, "figure").set_value(["difficulty", "reliability"]).run()
    assert not at.exception
    assert [h.value for h in at.subheader] == ["difficulty", "reliability"]
    assert at.query_params["figure"] == ["difficulty", "reliability"]
    linked = page(study="s", figure=["costs", "difficulty"])
    assert [h.value for h in linked.subheader] == ["costs", "difficulty"]
    linked.query_params["figure"] = "reliability"  # by the way back
    assert [h.value for h in linked.run().subheader] == ["reliability"]
    assert "exchange: the study has no single answers of a larger model" in [t.value for t in at.text]


def test_all_figures_come_with_the_tables(database_url, samples):  # noqa: F811
    assert command_line.main(["import", "samples", str(samples[0]), "--dataset", "d", "--study", "s"]) == 0
    st.cache_data.clear()
    called = {}
    download = st.download_button
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(st, "download_button", lambda label, data, **more: called.update({more["key"]: data}) or download(
            label, data, **more))  # fmt: skip
        at = page(study="s", preset="acl")
        assert not at.exception
        names = zipfile.ZipFile(io.BytesIO(called["all-figures"]())).namelist()
    assert {"methods.tex", "methods.csv", "planner.md", "verifier_measures.csv", "difficulty.pdf"} <= set(names)


def pills(at, name):
    """Those of this form since it last began."""
    [found] = [one for one in at.get("button_group") if one.key.startswith(f"{name}_pills_")]
    return found


def field(at, kind, label, last=False):
    """The one field of this label, or the last axis's."""
    found = [one for one in at.get(kind) if one.label == label]
    assert last or len(found) == 1
    return found[-1]


def pressed(at, key):
    [found] = [button for button in at.button if button.key == key]
    return found.click().run()


def test_a_figure_is_edited_saved_changed_and_deleted(database_url, samples):  # noqa: F811
    assert command_line.main(["import", "samples", str(samples[0]), "--dataset", "d", "--study", "s"]) == 0
    st.cache_resource.clear()
    st.cache_data.clear()
    at = page(study="s", preset="acl")
    pills(at, "figure").set_value(["difficulty"]).run()
    edited(at, "difficulty")
    field(at, "text_input", "Title").set_value("Mine")
    field(at, "text_input", "Axis “easiness”").set_value("ease").run()
    field(at, "multiselect", "Series, in the order of the legend").set_value(["share of right samples"])
    field(at, "selectbox", "Legend").set_value("right")
    at.text_input(key="new-difficulty").set_value("main")
    pressed(at, "save-as-difficulty")
    assert not at.exception and [h.value for h in at.subheader] == ["difficulty", "main"]
    look = saved_figures.get("main", db=database_url)
    assert look == Look("difficulty", "s", "acl", "serif", title="Mine", words={"easiness": "ease"}, legend="right",
                        series=("share of right samples",))  # fmt: skip
    at = page(study="s", saved="main")
    assert not at.exception and [h.value for h in at.subheader] == ["main"] and not at.text_input
    edited(at, "main")
    assert field(at, "text_input", "Title").value == "Mine" and field(at, "selectbox", "Size").value == "acl"
    field(at, "text_input", "Title").set_value("Other")
    pressed(at, "save-main")
    assert saved_figures.get("main", db=database_url).title == "Mine"  # it asks first
    pressed(at, "over_yes")
    assert saved_figures.get("main", db=database_url).title == "Other"
    field(at, "number_input", "from", last=True).set_value(2.0)
    field(at, "number_input", "to", last=True).set_value(1.0).run()
    assert any("cannot go from 2 to 1" in t.value for t in at.text) and not at.exception
    pressed(at, "again-main")
    assert field(at, "number_input", "from", last=True).value is None and not any(
        "cannot go" in t.value for t in at.text
    )
    at.text_input(key="new-main").set_value("frontier")
    pressed(at, "save-as-main")
    assert any("is that of another figure" in t.value for t in at.text)
    at.text_input(key="new-main").set_value("second")
    pressed(at, "save-as-main")
    assert at.query_params["saved"] == ["main", "second"] and pills(at, "saved").value == ["main", "second"]
    pressed(at, "delete-main")
    pressed(at, "forget_no")
    assert list(saved_figures.listing(db=database_url)) == ["main", "second"]
    pressed(at, "delete-main")
    pressed(at, "forget_yes")
    assert not at.exception and list(saved_figures.listing(db=database_url)) == ["second"]
    assert at.query_params["saved"] == "second" and [h.value for h in at.subheader] == ["second"]
    pills(at, "saved").set_value([]).run()
    assert not at.subheader and "saved" not in at.query_params
    pills(at, "figure").set_value(["costs"]).run()
    saved_figures.save("third", saved_figures.get("second", db=database_url), db=database_url)
    at.run()  # there is more to choose from than before: what was chosen still is
    assert pills(at, "saved").options == ["second", "third"] and [h.value for h in at.subheader] == ["costs"]


def test_whoever_may_not_change_anything_may_look(database_url, samples, monkeypatch):  # noqa: F811
    assert command_line.main(["import", "samples", str(samples[0]), "--dataset", "d", "--study", "s"]) == 0
    monkeypatch.setenv("TTC_READ_ONLY", "1")
    settings.cache_clear()
    at = edited(page(study="s", preset="acl"), "frontier")
    [save] = [button for button in at.button if button.label == "Save as new"]
    assert save.disabled and not at.exception
