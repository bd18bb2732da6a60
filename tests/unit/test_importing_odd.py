"""Imports of what is unusual: answers that are missing, scores that are no chances, searches that repeat each other."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from tests.unit.test_importing import url, write  # noqa: F401 (a fixture)
from ttc_core import importing, studies
from ttc_core.errors import UserError


def outcomes(url, tmp_path, *rows):  # noqa: F811
    """(method's selection, problem, budget) -> whether it is right."""
    importing.add("samples", write(tmp_path, *rows), "mine", db=url)
    found = studies.outcomes("mine", db=url)
    places = zip(found["method"], found["problem"], found["budget"], found["correct"], strict=True)
    return {(method.rpartition("=")[2], problem, budget): right for method, problem, budget, right in places}


def problem(name, answer, samples):
    return {"id": name, "question": f"{name}?", "answer": answer, "samples": samples}


def test_a_problem_whose_samples_give_no_answer_leaves_the_votes_of_the_others(url, tmp_path):  # noqa: F811
    good = problem("good", "4", [{"answer": "4", "score": 0.9}, {"answer": "5", "score": 0.2}])
    silent = problem("silent", "4", [{"text": "hm", "score": 0.5}, {"text": "no idea", "score": 0.1}])
    found = outcomes(url, tmp_path, good, silent)
    assert {how for how, *_ in found} == {"weighted", "best", "majority"}
    assert found["weighted", "good", 2] and not found["weighted", "silent", 2]


def test_samples_that_nobody_scored_are_not_wrong_by_score(url, tmp_path):  # noqa: F811
    rated = problem("rated", "4", [{"answer": "4", "score": 0.9}, {"answer": "5", "score": 0.2}])
    bare = problem("bare", "7", [{"answer": "7"}, {"answer": "7"}])
    found = outcomes(url, tmp_path, rated, bare)
    assert found["majority", "bare", 2] and pd.isna(found["weighted", "bare", 2]) and pd.isna(found["best", "bare", 1])


def test_negative_scores_are_no_votes(url, tmp_path):  # noqa: F811
    samples = [{"answer": "4", "score": s} for s in (-1.0, -1.2, -0.9)] + [{"answer": "5", "score": -2.5}]
    found = outcomes(url, tmp_path, problem("a", "4", samples))
    assert {how for how, *_ in found} == {"best", "majority"} and found["best", "a", 4] and found["majority", "a", 4]


def test_problems_of_which_every_sample_is_said_to_be_wrong_count_as_wrong(url, tmp_path):  # noqa: F811
    """Where verdicts are given and neither answers nor a right one, as of programs that pass tests or do not."""
    verdicts = {"a": (True, False), "b": (False, False)}
    rows = [{"id": name, "question": "?", "samples": [{"text": "code", "correct": c, "score": 0.5} for c in of]}
            for name, of in verdicts.items()]  # fmt: skip
    found = outcomes(url, tmp_path, *rows)
    assert found["best", "a", 1] and found["best", "b", 1] is not None and not found["best", "b", 2]


def test_samples_that_nobody_judged_are_not_wrong(url, tmp_path):  # noqa: F811
    row = {
        "id": "a",
        "question": "?",
        "samples": [{"text": "x", "score": 0.9}, {"text": "y", "correct": False, "score": 0.1}],
    }
    found = outcomes(url, tmp_path, row)
    assert pd.isna(found["best", "a", 1]) and pd.isna(found["best", "a", 2])


def test_worked_solutions_are_right_answers_by_their_end(url, tmp_path):  # noqa: F811
    found = outcomes(url, tmp_path, problem("a", "2 + 2 = 4\n#### 4", [{"answer": "4"}]))
    assert found == {("majority", "a", 1): True}


def traces(*payloads):
    def payload(text, budget):
        step = {"text": f"\\boxed{{{text}}}", "status": "selected", "selected": True, "signals": {"prm": 0.5}}
        run = {"events": [{"candidates": [step]}], "final": {"selected_trajectory": step["text"]}}
        run |= {} if budget is None else {"budget": budget}
        scenario = {"prompt": "2 + 2?", "ground_truth": "4"}
        return {"scenario": scenario, "strategies": [{"strategy_id": "beam", "scorer_id": "prm", "run": run}]}

    return [{"id": "e", "payloads": {name: payload(*of)}} for name, of in payloads]


def test_traces_of_one_search_are_of_several_budgets_and_seeds(url, tmp_path):  # noqa: F811
    """The payload's name is the budget where the run says none, and what is there twice has been run twice."""
    path = write(tmp_path, {"examples": traces(("4", ("4", None)), ("8", ("5", None)), ("8", ("4", 8)))}, name="x.json")
    importing.add("thinkbooster", path, "tb", "x", db=url)
    found = studies.outcomes("x", db=url)
    places = zip(found["budget"], found["seed"], found["correct"], strict=True)
    assert sorted(places) == [(4, 0, True), (8, 0, False), (8, 1, True)]
    assert json.loads(json.dumps(studies.progress("x", db=url).units))["failed"] == 0


def test_traces_of_two_questions_under_one_id_are_refused(url, tmp_path):  # noqa: F811
    examples = traces(("4", ("4", None)), ("8", ("4", None)))
    examples[1]["payloads"]["8"]["scenario"]["prompt"] = "3 + 3?"
    with pytest.raises(UserError, match="the id 'e' was used before, for another question"):
        importing.add("thinkbooster", write(tmp_path, {"examples": examples}, name="x.json"), "tb", "x", db=url)
