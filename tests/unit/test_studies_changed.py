"""What can be changed of a stored study: what it may spend, and whether it goes before others."""

from __future__ import annotations

import os

import pytest

from tests.unit.test_studies import add, carry_out, url  # noqa: F401 (a fixture)
from tests.unit.test_ui_pages import page
from ttc_core import studies
from ttc_core.__main__ import main
from ttc_core.errors import BadValue
from ttc_core.settings import settings
from ttc_core.store import leases, units
from ttc_core.store.database import database

ALL = 6 * 2 * 16 + 6 * 2 * 12  # generations
FILE = """
datasets = [{ name = "mini-test", problems = 4 }]
models = ["mini-s"]
verifiers = ["mini-implicit"]
budgets = [2]
block = 1
max_cost = { generations = 3 }
strategies = ["best_of_n"]
"""


def test_a_study_that_may_spend_more_goes_on_to_its_end(url):  # noqa: F811
    add(url, options={"kept": [], "max_cost": {"generations": 100.0}})
    spent = carry_out(url).generations
    studies.resume("s", db=url)
    assert carry_out(url).generations == spent  # no unit more
    assert "generations, of at most 100" in studies.progress("s", db=url).why
    studies.change("s", max_cost={"generations": 200.0, "tokens": 1e9}, db=url)
    studies.resume("s", db=url)
    assert "of at most 200" in carry_out(url).why
    studies.change("s", max_cost={"generations": None}, db=url)
    assert studies.describe("s", db=url)["options"] == {"kept": [], "max_cost": {"tokens": 1e9}}
    studies.change("s", max_cost={"tokens": None}, db=url)
    assert studies.describe("s", db=url)["options"] == {"kept": []}
    studies.resume("s", db=url)
    assert carry_out(url).status == "done"


def test_the_same_from_the_command_line(database_url, tmp_path, capsys):
    path = tmp_path / "s.toml"
    path.write_text(FILE)
    assert main(["sweep", str(path)]) == 0
    assert "sweep --resume s --max-cost" in capsys.readouterr().err
    assert main(["sweep", "--resume", "s", "--max-cost", "generations=100", "--priority", "7"]) == 0
    view = studies.progress("s")
    assert view.status == "done" and view.priority == 7
    for wrong in (["--resume", "s", "--max-cost", "generations"], [str(path), "--max-cost", "generations=9"],
                  ["--pause", "s", "--priority", "1"], ["--resume", "s", "--max-cost", "euros=none"]):  # fmt: skip
        assert main(["sweep", *wrong]) == 2
    database(database_url).close()


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_the_same_on_the_page(url, monkeypatch):  # noqa: F811
    monkeypatch.setenv("TTC_DATABASE_URL", url)
    settings.cache_clear()
    add(url, options={"max_cost": {"generations": 100.0}})
    carry_out(url)
    at = page("studies", study="s")
    at.number_input("study_max_generations").set_value(0.0)
    at.button("study_change").click()
    at.run()
    assert not at.exception
    assert studies.describe("s")["options"] == {} and studies.progress("s").status == "running"
    settings.cache_clear()


@pytest.mark.parametrize("asked", [{"max_cost": {"euros": 1.0}}, {"max_cost": {"euros": None}}, {"priority": -1},
                                   {"max_cost": {"tokens": 0.0}}, {"max_cost": {"tokens": float("nan")}}])  # fmt: skip
def test_what_no_study_file_could_say_is_refused(url, asked):  # noqa: F811
    add(url)
    with pytest.raises(BadValue):
        studies.change("s", **asked, db=url)
    assert studies.describe("s", db=url)["options"] == {"kept": [1]}


def test_the_study_with_the_smallest_priority_goes_first(url):  # noqa: F811
    add(url, "later", priority=2)
    add(url, "sooner", priority=1)
    leases.enrol(database(url), "w", "worker", os.getpid())

    def first():
        [claim] = units.claim(database(url), "w", 1)
        return claim.study

    assert [first() for _ in range(12)] == ["sooner"] * 12 and first() == "later"
    add(url, "last", priority=3)
    studies.change("last", priority=0, db=url)
    assert first() == "last" and studies.progress("last", db=url).priority == 0
