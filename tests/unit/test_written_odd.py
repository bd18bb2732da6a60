"""What is written for others holds with odd content: accents, brackets, tiny numbers, names of HTML, too much."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest

from tests.unit.test_cli import ttc, url  # noqa: F401 (fixtures)
from ttc_core import models, runs, studies, studies_export, studies_file
from ttc_core.bundle import archive, writing
from ttc_core.drawing.tabular import Table
from ttc_core.errors import UserError
from ttc_core.export import searches, text
from ttc_core.settings import REPOSITORY, settings
from ttc_core.types import Node

STUDY = """
datasets = [{ name = "mini-test", problems = 2 }]
models = ["mini-s"]
verifiers = ["mini-implicit"]
budgets = [2]
"""


def test_accents_in_a_solution_stay_letters(monkeypatch):
    view = type("View", (), {"outcome": None})
    monkeypatch.setattr(searches.runs, "get", lambda *_, **__: view)
    monkeypatch.setattr(searches, "way_to", lambda *_: [Node("r.0", "r", "José buys 2 crêpes", "end", answer="2")])
    monkeypatch.setattr(searches.runs, "nodes", lambda *_, **__: type("Delta", (), {"nodes": []}))
    monkeypatch.setattr(searches, "_about", lambda *_: "José")
    assert "José buys 2 crêpes" in searches.way("r")["tree-r-way.tex"].decode("utf-8")


def test_what_looks_like_an_option_of_latex_is_a_cell():
    table = Table("t", ["*head", "n"], [["[ours]", 1], ["β", 2], ["plain", 3]], "A caption.")
    rows = text.table_as_booktabs(table).splitlines()
    begun = [row for row in rows if row.endswith(r"\\")]
    assert [row[:2] for row in begun] == ["{}", "{}", "{}", "pl"]


def test_tiny_scores_keep_their_digits(monkeypatch, tmp_path):
    frame = pd.DataFrame({"problem": ["a", "b"], "score": [3.2e-12, None], "correct": pd.array([True, None], "boolean"),
                          "run": [None, None]})  # fmt: skip
    monkeypatch.setattr(studies_export.studies, "describe", lambda *_, **__: {})
    monkeypatch.setattr(studies_export.studies, "outcomes", lambda *_, **__: frame)
    monkeypatch.setattr(studies_export, "_pools", lambda *_: [])
    studies_export.write("s", tmp_path / "out")
    rows = [json.loads(line) for line in (tmp_path / "out" / "outcomes.jsonl").read_text().splitlines()]
    assert rows[0]["score"] == 3.2e-12 and rows[0]["correct"] is True
    assert rows[1]["score"] is None and rows[1]["correct"] is None


def test_a_strategy_without_models_is_a_mistake():
    strategies = '[[strategies]]\nname = "best_of_n"\n[[strategies]]\nname = "beam_search"\nmodels = []\n'
    with pytest.raises(UserError, match="models must name at least one"):
        studies_file.parse(STUDY + strategies)


def test_a_name_that_is_given_makes_that_of_the_file_not_matter(tmp_path):
    path = tmp_path / "math (1).toml"
    path.write_text(STUDY + 'strategies = ["best_of_n"]\n')
    assert studies._asked(path, "math").name == "math"
    with pytest.raises(UserError, match=r"the name 'math \(1\)'"):
        studies._asked(path, None)


def test_too_large_a_bundle_is_refused_where_it_is_made(tmp_path, monkeypatch):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "trees.jsonl").write_bytes(b"x" * 2_000_000)
    monkeypatch.setattr(archive, "MAX_UNPACKED", 2_000_000)
    with pytest.raises(UserError, match="this study needs more"):
        archive.pack(tmp_path / "made", tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


def test_names_are_text_in_a_bundles_readme(tmp_path, monkeypatch):
    asked = {
        "outcomes": 1,
        "problems": 1,
        "datasets": ["<b>d</b>"],
        "models": ["<img src=x>"],
        "verifiers": [],
        "seeds": [0],
    }
    made = {"revision": "r", "python": "3", "machine": "m"}
    about = {"study": "s", "asked": asked, "software": made, "kind": "sweep", "figures": [], "left_out": []}
    monkeypatch.setenv("TTC_DATA_DIR", str(tmp_path))
    settings.cache_clear()
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "mine.json").write_text("{}")
    try:
        needs = writing._needs(pd.DataFrame({"params": ['{"policy": "mine"}', "{}"], "dataset": ["d", "d"]}))
    finally:
        monkeypatch.undo()
        settings.cache_clear()
    readme = writing._readme(about, {}, False, needs)
    assert readme.count("<") == readme.count("\\<") == 3
    assert "- the policy `data/policies/mine.json`, SHA-256 44136fa355b3678a" in readme


def test_the_documented_tables_of_a_verifier_are_a_models_file(tmp_path, monkeypatch):
    for page in ("model", "verifier"):
        blocks = (REPOSITORY / "docs" / "howto" / f"{page}.md").read_text("utf-8").split("```toml\n")[1:]
        tables = [block.split("```")[0] for block in blocks if "[models." in block.split("```")[0]]
        assert tables
        for number, table in enumerate(tables):
            path = tmp_path / f"{page}-{number}.toml"
            path.write_text(table)
            monkeypatch.setenv("TTC_MODELS", str(path))
            settings.cache_clear()
            try:
                assert {"my-prm", "mine"} & set(models.catalogue())
            finally:
                monkeypatch.undo()
                settings.cache_clear()


def test_a_failed_step_says_why_where_a_search_is_printed(ttc, url):  # noqa: F811
    from tests.conformance.harness import ScriptedBackend, spec
    from ttc_core.errors import EngineFault
    from ttc_core.runs_driver import Driver
    from ttc_core.store import repository
    from ttc_core.store.database import database

    runs.ensure_database(db=url)
    repository.add(database(url), "lost", replace(spec("best_of_n", 2), answer="3"))
    backend = ScriptedBackend(fault=lambda job: EngineFault("the server said no"))
    with Driver(database(url), role="worker", backend=backend) as driver:
        driver.work(lambda: False, forever=False)
    code, out, _ = ttc("show", "lost")
    assert code == 0 and "failed: the server said no" in out


@pytest.mark.lab
def test_no_number_that_json_does_not_know_is_written(tmp_path):
    pytest.importorskip("torch")
    from ttc_core.lab import exporting

    exporting.write_json(tmp_path / "x.json", {"final_loss": float("nan"), "measured": [{"ece": 1.5}, float("inf")]})
    assert json.loads((tmp_path / "x.json").read_text()) == {"final_loss": None, "measured": [{"ece": 1.5}, None]}
