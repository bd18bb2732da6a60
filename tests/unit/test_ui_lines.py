"""A line chosen in a table is in the address: models and data sets; what is empty leads on by a link."""

from __future__ import annotations

import pytest

from tests.unit.test_ui_pages import page, said, url  # noqa: F401 (a fixture)
from ttc_core.drawing.info import BLACK, OPTIMAL
from ttc_core.ui import headline


def test_a_linked_data_set_is_looked_into(url):  # noqa: F811
    at = page("datasets", dataset="mini-validation")
    assert not at.exception and [h.value for h in at.subheader] == ["mini-validation"]
    assert [h.value for h in page("datasets", dataset="nosuch").subheader] == ["mini-test"]


def test_a_linked_model_and_a_verifier_are_shown_side_by_side(url):  # noqa: F811
    at = page("models", model="mini-s", verifier="mini-prm")
    assert not at.exception and {"mini-s: ready", "mini-prm: ready"} <= {t.value for t in at.text}
    assert {b.key for b in at.button if b.label == "Examine"} == {"examine_mini-s", "examine_mini-prm"}
    assert not [b for b in page("models", model="nosuch").button if b.label == "Examine"]


def test_what_a_model_reached_comes_before_what_is_long(url):  # noqa: F811
    at = page("models")
    for i in range(2):
        assert list(at.dataframe[i].value)[-1] == "what"


@pytest.mark.parametrize(("name", "label"), [("frontier", "Start one on the Studies page"),
                                             ("revisions", "Start a search on the Solve page")])  # fmt: skip
def test_what_is_empty_leads_on_by_a_link(url, name, label):  # noqa: F811
    at = page(name)
    assert not at.exception and label in [link.proto.label for link in at.get("page_link")]


def test_the_policy_is_a_star_on_home_as_on_frontier():
    curve = {"mean": [0.5], "low": [0.4], "high": [0.6]}
    made = {"budgets": [4], "baseline": "b", "curves": {"b": curve, OPTIMAL: curve}, "efficiency": {}}
    drawn = {series.name: series.style for series in headline.chart(made, 0).panels[0].series}
    assert drawn["compute-optimal"].marker == "star" and drawn["compute-optimal"].colour == BLACK
