"""A study that is asked for more: it keeps what it has, does what it lacks, and ends as one asked for all at once."""

from __future__ import annotations

import os

import pytest

from tests.unit.test_studies import url  # noqa: F401 (a fixture)
from ttc_core import runs, studies
from ttc_core.__main__ import main
from ttc_core.errors import UnknownName, UserError
from ttc_core.importing import add
from ttc_core.store.database import database

FILE = """
name = "s"
datasets = [{{ name = "mini-test", problems = {problems} }}]
models = ["mini-s"]
verifiers = ["mini-implicit"]
seeds = {seeds}
block = 3
keep_trees = "sample:1"
budgets = {budgets}
strategies = [{strategies}]
"""
SMALL = {"problems": 4, "seeds": [0], "budgets": [2], "strategies": '"beam_search"'}
SHOWN = ["problem", "method", "budget", "seed", "answer", "correct", "generations", "policy_tokens"]
POOLED = {"strategies": '"best_of_n"', "budgets": [2, 4]}


def text(**other):
    return FILE.format(**{**SMALL, **other})


def rows(url, study="s"):  # noqa: F811
    frame = studies.outcomes(study, db=url)[SHOWN]
    return frame.sort_values(["problem", "method", "budget", "seed"]).reset_index(drop=True)


TWICE = '"beam_search", { name = "beam_search", set = { width = 4 } }'  # the same under two labels
MORE = {
    "problems": {"problems": 8},
    "a seed": {"seeds": [0, 1]},
    "budgets": {"budgets": [2, 4]},
    "a strategy": {"strategies": '"beam_search", "best_of_n", { name = "dvts", set = { width = 2 }, budgets = [4] }'},
    "a method under a second label": {"strategies": TWICE, "budgets": [2, 4]},
    "all of it": {"problems": 5, "seeds": [1, 0], "budgets": [1, 2], "strategies": '"best_of_n", "beam_search"'},
}


def test_a_pool_that_has_not_begun_is_extended_by_problems_and_seeds(url):  # noqa: F811
    more = {**POOLED, "problems": 5, "seeds": [1, 0], "strategies": '"beam_search", "best_of_n"'}
    studies.start(text(**POOLED), db=url)
    studies.extend("s", text(**more).replace("block = 3", "block = 2"), db=url)
    studies.start(text(**more), name="whole", db=url)
    for name in ("s", "whole"):
        studies.work(name, db=url)
    assert rows(url).equals(rows(url, "whole")) and len(rows(url)) == 5 * 2 * (2 + 2)
    pools = [studies.pool(name, db=url) for name in ("s", "whole")]
    assert (pools[0].correct == pools[1].correct).all() and pools[0].correct.shape == (5, 8)


def test_what_it_may_spend_stays_and_a_paused_one_pauses_again(url):  # noqa: F811
    limited = text() + "max_cost = { generations = 3 }\n"
    studies.start(limited, db=url)
    studies.work("s", db=url)
    spent = studies.progress("s", db=url).generations
    assert studies.progress("s", db=url).status == "paused" and spent < 8
    assert studies.extend("s", limited, db=url) == 0 and studies.progress("s", db=url).status == "paused"
    assert studies.extend("s", limited.replace("seeds = [0]", "seeds = [0, 1]"), db=url) == 2
    assert "of at most 3" in studies.progress("s", db=url).why
    studies.change("s", max_cost={"generations": None}, priority=7, db=url)
    assert studies.extend("s", limited.replace("seeds = [0]", "seeds = [0, 1, 2]"), db=url) == 2
    studies.work("s", db=url)
    view = studies.progress("s", db=url)
    assert (view.status, view.generations, view.priority) == ("done", 24, 7)


def test_a_cancelled_study_goes_on_only_for_more(url):  # noqa: F811
    studies.start(text(), db=url)
    studies.cancel("s", db=url)
    assert studies.extend("s", text(), db=url) == 0 and studies.progress("s", db=url).status == "cancelled"
    assert studies.extend("s", text(seeds=[0, 1]), db=url) == 2 and studies.progress("s", db=url).status == "running"


@pytest.mark.parametrize("more", MORE.values(), ids=MORE)
def test_it_ends_as_one_that_was_asked_for_at_once(url, more):  # noqa: F811
    studies.start(text(), db=url)
    studies.work("s", db=url)
    before, took = rows(url), studies.progress("s", db=url).generations
    plan = studies.plan(text(**more), study="s", db=url)
    added = studies.extend("s", text(**more), db=url)
    assert added == plan["units"] > 0 and studies.progress("s", db=url).status == "running"
    studies.work("s", db=url)
    after = rows(url)
    assert len(after) == len(before) + plan["outcomes"]
    assert studies.progress("s", db=url).generations - took <= plan["generations"]
    studies.start(text(**more), name="whole", db=url)
    studies.work("whole", db=url)
    assert after.equals(rows(url, "whole"))
    units = {name: studies.progress(name, db=url).units["done"] for name in ("s", "whole")}
    assert units["s"] >= units["whole"]
    assert studies.describe("s", db=url)["source"] == text(**more)
    assert studies.extend("s", text(**more), db=url) == 0


def test_kept_trees_go_on_being_kept(url):  # noqa: F811
    studies.start(text(), db=url)
    studies.work("s", db=url)
    studies.extend("s", text(budgets=[2, 4]), db=url)
    studies.work("s", db=url)
    kept = studies.outcomes("s", db=url).dropna(subset=["run"])
    assert set(kept["budget"]) == {2, 4} and kept["problem"].nunique() == 1
    assert {runs.get(run, db=url).status for run in kept["run"]} == {"done"}


LESS = {
    "a method": ({}, {"strategies": '"dvts"'}, "beam_search.* of mini-s"),
    "other parameters": (
        {},
        {"strategies": '{ name = "beam_search", set = { rounds = 9 } }'},
        "of mini-s with rounds 40 and not 9",
    ),
    "a budget": ({}, {"budgets": [4]}, "at 2 with seed 0"),
    "a seed": ({}, {"seeds": [1]}, "at 2 with seed 0"),
    "problems": ({}, {"problems": 3}, "in place 4"),
    "a larger pool": (POOLED, {**POOLED, "budgets": [2, 4, 8]}, "has 4 samples and cannot have 8"),
    "another choice": (
        POOLED,
        {**POOLED, "strategies": '"best_of_n", "adaptive_consistency"'},
        "cannot choose among the pool",
    ),
    "a budget of a pool": (POOLED, {**POOLED, "budgets": [1, 2, 4]}, "cannot choose among the pool"),
}


@pytest.mark.parametrize(("first", "asked", "says"), LESS.values(), ids=LESS)
def test_what_it_has_must_be_asked_for(url, first, asked, says):  # noqa: F811
    studies.start(text(**first), db=url)
    there = studies.progress("s", db=url)
    for verb in (studies.extend, lambda name, file, db: studies.plan(file, study=name, db=db)):
        with pytest.raises(UserError, match=says):
            verb("s", text(**asked), db=url)
    assert studies.progress("s", db=url) == there
    assert studies.describe("s", db=url)["source"] == text(**first)


def test_what_cannot_be_extended(url, tmp_path):  # noqa: F811
    with pytest.raises(UnknownName):
        studies.extend("s", text(), db=url)
    file = tmp_path / "s.jsonl"
    file.write_text('{"id": "p", "question": "?", "samples": [{"answer": "1", "correct": true}]}\n')
    add("samples", file, "d", "s", db=url)
    with pytest.raises(UserError, match="was imported"):
        studies.extend("s", text(), db=url)


def test_the_same_from_the_command_line(database_url, tmp_path, capsys):
    path = tmp_path / "other.toml"
    path.write_text(text())
    assert main(["sweep", str(path)]) == 0
    path.write_text(text(budgets=[2, 4]))
    assert main(["sweep", str(path), "--extend", "s", "--dry-run"]) == 0
    assert ["generations", "16"] in [line.split() for line in capsys.readouterr().out.splitlines()]
    assert main(["sweep", str(path), "--extend", "s"]) == 0
    assert "2 units more" in capsys.readouterr().err
    assert set(rows(None)["budget"]) == {2, 4}
    for wrong in (["--extend", "s"], [str(path), "--extend", "s", "--name", "t"], [str(path), "--extend", "t"]):
        assert main(["sweep", *wrong]) == 2
    database(os.environ["TTC_DATABASE_URL"]).close()
