"""The Revisions page by AppTest: how the answer came about, and pass@1 by position over a study's chains."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

from tests.unit.figure_worlds import tables
from tests.unit.test_ui_pages import component, page, said, url  # noqa: F401 (a fixture)
from ttc_core import runs
from ttc_core.figures import revision_positions
from ttc_core.settings import DATA
from ttc_core.types import RunSpec
from ttc_core.ui import study

EXAMPLE = DATA / "examples" / "0-mini-test-0007-revisions.json"


def test_how_an_answer_came_about_is_told_and_its_chain_comes_first(url):  # noqa: F811
    document = json.loads(EXAMPLE.read_text("utf-8"))
    at = page("revisions", run=runs.import_run(document, db=url))
    assert not at.exception and " gives the answer. Inside a chain" in said(at)
    [table] = [frame.value for frame in at.dataframe if "its answer" in frame.value]
    [best] = table[table["chosen"] == "★"].to_dict("records")
    assert best["its answer"] == document["outcome"]["answer"] and best["best score"] == table["best score"].max()
    first, *others = component(at, "ttc_chains")["chains"]
    assert first["title"] == f"Chain {best['chain']}" and first["chosen"] and not any(one["chosen"] for one in others)
    assert any(one["id"] == document["outcome"]["chosen"] for one in first["attempts"])


def test_scores_that_nobody_gave_have_no_column(url):  # noqa: F811
    asked = RunSpec("", "revisions", 4, 0, {"chains": 2, "select": "majority"}, "mini-test", "mini-test-0007",
                    model="mini-reviser", verifier="")  # fmt: skip
    run_id = runs.start(asked, db=url)
    runs.execute([run_id], db=url)
    at = page("revisions", run=run_id)
    [table] = [frame.value for frame in at.dataframe]
    assert not at.exception and list(table.columns) == ["answer", "attempts with it", "weight", "chosen"]


def test_pass_at_1_by_position_is_drawn_where_it_is_asked_for(url, monkeypatch):  # noqa: F811
    assert not page("revisions").toggle  # no study has chains
    view = SimpleNamespace(models=("mini-reviser",), created="", outcomes=1)
    monkeypatch.setattr(revision_positions, "FEWEST", 2)
    monkeypatch.setattr(study, "measured", lambda: {"one": view})
    monkeypatch.setattr(study, "tables_of", lambda name, revision, verifier: tables())
    at = page("revisions")
    assert not at.exception and not at.get("plotly_chart")
    at.toggle(key="positions").set_value(True).run()
    [chart] = at.get("plotly_chart")
    assert not at.exception and "pass@1" in chart.proto.spec and " chains of reviser on " in said(at)
    linked = page("revisions", positions="true", study="one")
    assert len(linked.get("plotly_chart")) == 1


def test_another_search_leaves_the_study_that_is_looked_at(url):  # noqa: F811
    asked = RunSpec("", "revisions", 4, 0, {"chains": 2}, "mini-test", "mini-test-0007", model="mini-reviser")
    first, other = (runs.start(replace(asked, budget=budget), db=url) for budget in (4, 8))
    at = page("revisions", run=first, study="chains", positions="true")
    box = at.selectbox(key="revisions_run")
    box.select_index(1 - box.index).run()
    assert {name: at.query_params[name] for name in ("run", "study", "positions")} == {
        "run": other, "study": "chains", "positions": "true"
    }  # fmt: skip
