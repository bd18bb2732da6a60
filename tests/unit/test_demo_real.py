"""The demonstration with a real model, its server and its searches left out: what it writes down and says."""

from __future__ import annotations

import contextlib
import json
from types import SimpleNamespace

import pytest

from benchmarks import demo_real
from ttc_core.settings import REPOSITORY


def test_what_came_of_it_is_written_and_said(tmp_path, monkeypatch, capsys):
    def solved(problem, verifier, budget, environment):
        right = problem == "p1" and verifier == demo_real.VERIFIERS[0]
        answers = ["7", "8", None, "7.0"] if right else ["1"] * budget
        usage = {"policy_tokens": 100, "seconds": 45.0}
        candidates = [{"answer": answer} for answer in answers]
        return {"correct": right, "answer": answers[0], "run_id": "r", "candidates": candidates, "usage": usage}

    monkeypatch.setattr(demo_real, "RESULTS", tmp_path / "demo_real.json")
    monkeypatch.setattr(demo_real, "weights", lambda: tmp_path)
    monkeypatch.setattr(demo_real, "served", lambda folder: contextlib.nullcontext({}))
    monkeypatch.setattr(demo_real, "solved", solved)
    monkeypatch.setattr(
        demo_real, "questions", lambda file, n: [SimpleNamespace(id=f"p{i}", answer="7") for i in range(n)]
    )
    monkeypatch.setattr("sys.argv", ["demo_real", "--questions", "2"])
    demo_real.main()
    report = json.loads((tmp_path / "demo_real.json").read_text())
    assert (report["questions"], report["budget"], report["model"]) == (2, 4, demo_real.PACKAGE)
    confident, yes = (report["chosen_by"][name] for name in demo_real.VERIFIERS)
    assert confident == {"right": 1, "solutions_right": 2, "solutions": 8, "policy_tokens": 200, "seconds": 90.0}
    assert yes["right"] == yes["solutions_right"] == 0
    told = capsys.readouterr().out
    assert "on 1, by its P(yes) on 0; of the 8 and 8 finished ones that they chose from 2 and 0 are right. " in told
    assert demo_real.sentence(report) in told


def test_versions_are_those_of_what_is_installed():
    assert demo_real.version("no-such-package", "pytest") == f"pytest {pytest.__version__}"
    assert demo_real.version("no-such-package") == ""


def test_the_readme_says_what_was_measured():
    report = json.loads(demo_real.RESULTS.read_text("utf-8"))
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    assert demo_real.sentence(report) in " ".join(readme.split())
