"""What is said of numbers: whose they are, on how many problems they rest, and what cannot be asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.unit import analysis_worlds as worlds
from tests.unit.figure_worlds import PROBLEMS, tables
from tests.unit.test_cli import ttc, url  # noqa: F401 (fixtures)
from tests.unit.test_cli_analysis import imported, samples, shown  # noqa: F401 (fixtures)
from ttc_core import studies_chosen, studies_frames
from ttc_core.analysis import documents
from ttc_core.drawing.info import labelled
from ttc_core.drawing.looks import Look
from ttc_core.errors import BadValue
from ttc_core.export import writing
from ttc_core.settings import settings


def test_the_strategy_that_follows_a_policy_is_not_taken_for_the_one_that_is_chosen():
    row = dict.fromkeys((*studies_frames.COLUMNS, "problem_id", "prompt_tokens_computed", "prompt_tokens_cached"), 1)
    row |= dict.fromkeys(("generated_tokens", "failed_samples", "failed_scores"), 0) | {"run": None}
    found = {name: [value] * 2 for name, value in row.items()} | {"label": ["compute_optimal", "best_of_n"]}
    made = studies_frames.frame(found)
    assert list(made["method"]) == ["compute_optimal followed", "best_of_n"]
    frame, pool = tables().frame, tables().pool
    names = frame["method"].replace({"beam_search width=4": made["method"][0]})
    curves = documents.curves(frame.assign(method=names), pool, resamples=0)["curves"]
    assert {"compute_optimal", "compute_optimal followed"} <= set(curves)
    assert [labelled(name) for name in made["method"]] == ["compute optimal (followed)", "best-of-N"]


def test_captions_are_of_what_is_drawn():
    study = tables()
    assert "reviser with v on made-up" in writing.info("revision_ratio", study).caption
    other = study.frame[study.frame["strategy"] == "best_of_n"].assign(verifier="w")
    caption = writing.info("verifiers", replace(study, rated=other, _made={})).caption
    assert "m on made-up: 30 problems" in caption and " with v" not in caption
    words = Look("summary", intervals="none").told(writing.info("summary", study).caption)
    assert "95 %" not in words and "answering once" in words


def test_values_that_rest_on_fewer_problems_are_said_to():
    study = tables()
    largest = study.frame["budget"].max()
    done = (study.frame["budget"] < largest) | (study.frame["method"] != "beam_search width=4")
    few = study.frame["problem"].isin(sorted(set(study.frame["problem"]))[:7])
    partial = replace(study, frame=study.frame[done | few], _made={})
    assert partial.frontier("oracle")["fewest"] == 7 and study.frontier("oracle")["fewest"] == PROBLEMS
    assert "Not all values rest on all problems: one on 7." in writing.info("frontier", partial).caption
    assert "rest on" not in writing.info("frontier", study).caption
    correct = study.frame["correct"].copy()
    correct[:5] = pd.NA
    ungraded = replace(study, frame=study.frame.assign(correct=correct), _made={})
    assert "Outcomes that are not graded are left out: 5 of " in writing.info("frontier", ungraded).caption


def test_of_models_with_as_many_outcomes_the_smaller_is_compared(monkeypatch):
    small = worlds.outcomes(np.ones((4, 1, 1)), [1])
    large = small.assign(model="large", policy_flops=small["policy_flops"] * 14)
    monkeypatch.setattr(studies_chosen.studies, "outcomes", lambda *_, **__: pd.concat([large, small]))
    found = studies_chosen.choose("s")
    assert found.model == "m" and found.larger_ones() == ["large"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("frontier", "--bins", "0"), "at least 1 bin"),
        (("frontier", "--bins", "-1"), "at least 1 bin"),
        (("frontier", "--resamples", "-5"), "--resamples must be between 0 and 100,000"),
        (("exchange", "--ratio", "1", "--times", "14", "--resamples", "-5"), "--resamples must be between"),
        (("frontier", "--charge", "-0.9"), "--charge must be a cost of 0 or more"),
        (("frontier", "--charge", "nan"), "--charge must be a cost of 0 or more"),
    ],
)
def test_numbers_that_make_no_sense_cost_one_sentence(ttc, imported, words, said):  # noqa: F811
    code, out, err = ttc(*words, "--study", "s")
    assert (code, out) == (2, "") and said in err and err.count("\n") <= 2


def test_samples_of_another_model_are_named(ttc, imported):  # noqa: F811
    code, _, err = ttc("estimate", "--dataset", "d", "--study", "s", "--model", "foo")
    assert code == 2 and "no samples of these models" in err and "imported with imported" in err


def test_what_was_compared_is_said(ttc, imported):  # noqa: F811
    found = shown(ttc("frontier", "--study", "s", "--resamples", "0", "--json"))
    assert (found["dataset"], found["model"], found["verifier"]) == ("d", "imported", "imported")


def test_problems_without_samples_are_counted():
    pool = tables().pool
    valid = pool.valid.copy()
    valid[[3, 5]] = False
    assert "dropped" not in documents.estimates(pool, [1], ["pass"])
    assert documents.estimates(replace(pool, valid=valid), [1], ["pass"])["dropped"] == {"samples": 0, "problems": 2}


@pytest.mark.parametrize(("name", "value"), [("TTC_BATCH", "abc"), ("TTC_BATCH", "0"), ("TTC_PATIENCE", "nan")])
def test_a_wrong_environment_is_one_sentence(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    settings.cache_clear()
    try:
        with pytest.raises(BadValue, match=f"the environment variable {name} must be"):
            settings()
    finally:
        monkeypatch.undo()
        settings.cache_clear()
