"""A study file is short and may ask for anything: what it would be laid out into is counted before it is listed."""

from __future__ import annotations

import json
import time

import pytest
from streamlit.testing.v1 import AppTest

from ttc_core import models, runs, studies, studies_file, studies_plan
from ttc_core.errors import BadValue
from ttc_core.settings import REPOSITORY, settings
from ttc_core.store.database import database

FEW = json.dumps([2**n for n in range(8)])
METHODS = ", grid = {{ width = {} }}"
LARGE = {  # seeds, block, problems, methods, budgets, and what it says
    "blocks of 1000": (1_000_000, 1000, 1, METHODS.format(list(range(1, 21))), FEW, "161,000,000 work units"),
    "seeds": (200_000, 8, 1, "", FEW, "1,800,000 work units"),
    "blocks of 1": (5_000, 1, 100, "", "[1, 2]", "1,500,000 work units"),
    "methods": (1, 8, 1, METHODS.format(list(range(1, 10_002))), "[1]", "more than 10,000 combinations"),
}  # fmt: skip


def text(seeds, block, problems, more, budgets):
    return (
        f'name = "s"\nblock = {block}\nseeds = {seeds}\nmodels = ["mini-s"]\nverifiers = ["mini-implicit"]\n'
        f'datasets = [{{ name = "mini-test", problems = {problems} }}]\n'
        f'strategies = [{{ name = "beam_search"{more} }}]\nbudgets = {budgets}\n'
    )


@pytest.mark.parametrize("name", LARGE)
def test_more_units_than_can_be_are_counted_and_never_listed(name, monkeypatch):
    *asked, says = LARGE[name]
    monkeypatch.setattr(studies_plan, "_units", lambda *_: pytest.fail("the units were listed"))
    started = time.process_time()
    with pytest.raises(BadValue, match=says):
        studies.start(text(*asked))
    assert len(text(*asked)) < 70_000 and time.process_time() - started < 10


def test_methods_of_several_strategies_count_together(monkeypatch):
    monkeypatch.setattr(studies_file, "MAX_SETTINGS", 4)
    wide = text(1, 8, 1, METHODS.format([1, 2, 3, 4]), "[1]")
    assert len(studies_file.parse(wide).methods) == 4
    with pytest.raises(BadValue, match="more than 4 methods"):
        studies_file.parse(wide.replace('[{ name = "beam', '[{ name = "best_of_n" }, { name = "beam'))


def test_the_most_is_no_less_than_what_is_laid_out():
    for block, problems in ((8, 20), (1000, 3), (1, 7)):
        asked = studies_file.parse(text(3, block, problems, METHODS.format([1, 4]), "[1, 2, 4]"))
        both = '{ name = "best_of_n" }, { name = "beam_search" }'
        mixed = studies_file.parse(text(3, block, problems, "", "[1, 2]").replace('{ name = "beam_search" }', both))
        for file in (asked, mixed):
            assert len(studies_plan.laid_out(file).units) <= file.most_units


def test_cards_are_read_once_however_many_methods_and_units_there_are(database_url, monkeypatch):
    runs.ensure_database(db=database_url)
    read, original = [], models._of_the_file
    monkeypatch.setattr(models, "_of_the_file", lambda cards: read.append(1) or original(cards))
    for many in (2, 20):
        studies.plan(text(50, 8, 8, METHODS.format(list(range(1, many + 1))), FEW), db=database_url)
        assert len(read) < 10
        read.clear()
    database(database_url).close()


def test_planning_is_for_those_who_may_start(database_url, monkeypatch):
    runs.ensure_database(db=database_url)
    page = str(REPOSITORY / "pages" / "studies.py")
    assert not AppTest.from_file(page, default_timeout=60).run().button("study_plan_start").disabled
    monkeypatch.setenv("TTC_READ_ONLY", "1")
    settings.cache_clear()
    assert AppTest.from_file(page, default_timeout=60).run().button("study_plan_start").disabled
    database(database_url).close()
