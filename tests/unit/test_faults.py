"""Pages that hold measurements hold nothing that no committed report says."""

from __future__ import annotations

import json
import sys

import pytest

from benchmarks import faults, figures
from ttc_core import registry


def test_the_page_is_made_from_the_reports():
    assert faults.PAGE.read_text(encoding="utf-8") == faults.page()


def test_the_page_of_figures_is_made_from_its_report_and_has_all_of_them():
    report = json.loads(figures.RESULT.read_text("utf-8"))
    assert figures.PAGE.read_text("utf-8") == figures.page(report)  # else: python -m benchmarks.figures --page
    assert [*report["seconds"]] == list(registry.names("figure"))
    assert [*report["tables"]] == list(registry.names("table"))


def test_a_report_holds_its_command_without_where_it_was_put(tmp_path, monkeypatch, capsys):
    out = tmp_path / "results" / "x.json"
    monkeypatch.setattr(sys, "argv", ["readers.py", "--readers", "8", "--out", str(out), "--workers", "2"])
    faults.kept({"reads": 3}, out)
    report = json.loads(out.read_text("utf-8"))
    assert report["command"].endswith("--readers 8 --workers 2") and report["reads"] == 3
    assert report["machine"]["cores"] > 0 and json.loads(capsys.readouterr().out) == report


@pytest.mark.parametrize("name", faults.PARTS)
def test_what_was_missed_is_said(name, tmp_path, monkeypatch):
    path = faults.RESULTS / f"{name}.json"
    if not path.exists():
        pytest.skip("not measured")
    report = json.loads(path.read_text("utf-8"))
    monkeypatch.setattr(faults, "RESULTS", tmp_path)
    bad = {"lost": 1, "rejected": -1, "refused": 1, "status": "failed", "open_cpu_ms": 51,
           "runs": [[{"left": 1}]]}  # fmt: skip
    (tmp_path / f"{name}.json").write_text(json.dumps(report | {k: v for k, v in bad.items() if k in report}))
    assert "| missed |" in faults.page()
