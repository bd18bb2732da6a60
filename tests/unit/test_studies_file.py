"""Study files: what they ask for, what it will take, and every mistake with its line."""

from __future__ import annotations

import pytest

from ttc_core import runs, studies, studies_file
from ttc_core.errors import UserError
from ttc_core.settings import DATA, settings
from ttc_core.store.database import database
from ttc_core.studies_plan import laid_out

GOOD = """name = "trial"
models = ["mini-s"]
verifiers = ["mini-implicit"]
budgets = { from = 3, to = 16 }
seeds = 2
datasets = [{ name = "mini-test", problems = 10 }]
pool = 32
keep_trees = "sample:2"

[[strategies]]
name = "beam_search"
grid = { width = [4, 0] }
zip = { select = ["best", "weighted"], aggregate = ["last", "prod"] }

[[strategies]]
name = "best_of_n"
budgets = [1, 2]
"""


def test_every_model_of_a_study_samples_at_its_own_temperature_unless_the_file_names_one(tmp_path, monkeypatch):
    table = f'[models.warm]\nengine = "embedded"\nmodel = "{DATA / "models" / "mini-s"}"\nparameters = 213376\n'
    (tmp_path / "mine.toml").write_text(f"{table}temperature = 0.6")
    monkeypatch.setenv("TTC_MODELS", str(tmp_path / "mine.toml"))
    settings.cache_clear()
    try:
        both = GOOD.replace('"mini-s"', '"mini-s", "warm"')
        found = [laid_out(studies_file.parse(text)).methods for text in (both, f"temperature = 0.3\n{both}")]
    finally:
        monkeypatch.undo()
        settings.cache_clear()
    assert {(m.model, m.temperature) for m in found[0]} == {("mini-s", 1.0), ("warm", 0.6)}
    assert {m.temperature for m in found[1]} == {0.3}
    assert {m.model for m in found[0] if m.samples} == {"mini-s", "warm"}, "pools as well"


def test_a_file_is_laid_out():
    study = studies_file.parse(GOOD)
    assert [(m.label, m.budgets) for m in study.methods] == [
        ("beam_search width=4 select=best aggregate=last", (4, 8, 16)),
        ("beam_search width=4 select=weighted aggregate=prod", (4, 8, 16)),
        ("beam_search width=0 select=best aggregate=last", (4, 8, 16)),
        ("beam_search width=0 select=weighted aggregate=prod", (4, 8, 16)),
        ("best_of_n", (1, 2)),
    ]
    assert study.seeds == (0, 1) and len(study.problems) == 10
    new = laid_out(study)
    assert [m.samples for m in new.methods] == [32, 0, 0, 0, 0, 0] and new.methods[-1].pool == 0
    assert len(new.options["kept"]) == 2
    searched = [(u.method, u.budget, u.seed, u.first, u.count) for u in new.units]
    assert len(searched) == len(set(searched)) == 2 * 2 * (1 + 4 * 3)  # seeds x blocks x (pool + searches)
    assert [u.method for u in new.units][:4] == [0] * 4  # pools first
    assert [u.budget for u in new.units[4:]] == sorted(u.budget for u in new.units[4:])
    assert {(u.first, u.count) for u in new.units} == {(0, 8), (8, 2)}


def test_ids_lists_and_short_forms():
    text = 'models = ["mini-s"]\nbudgets = [4]\nstrategies = ["beam_search"]\n'
    text += 'datasets = [{ name = "mini-test", problems = ["mini-test-0007", "mini-test-0002"] }]\n'
    study = studies_file.parse(text, name="x")
    assert [p.id for p in study.problems] == ["mini-test-0007", "mini-test-0002"]
    assert study.name == "x" and study.keep == 0 and study.methods[0].verifier == "mini-implicit"
    assert studies_file.parse(text.replace("budgets", 'keep_trees = "all"\nbudgets')).keep is None


def test_the_plan_counts(tmp_path):
    url = f"sqlite:///{tmp_path / 'x.db'}"
    runs.ensure_database(db=url)
    path = tmp_path / "trial.toml"
    path.write_text(GOOD)
    plan = studies.plan(path, db=url)
    assert plan["generations"] == 2 * 10 * (32 + 4 * (4 + 8 + 16))
    assert plan["runs"] == 2 * 10 * (1 + 4 * 3) and plan["outcomes"] == 2 * 10 * (4 * 3 + 2)
    assert plan["units"] == 52 and plan["policy_tokens"] > 20 * plan["generations"] and plan["disk_bytes"] > 0
    assert studies.listing(db=url) == []
    assert studies.start(path, db=url) == "trial"
    view = studies.progress("trial", db=url)
    assert view.status == "running" and view.units["pending"] == 52 and view.eta is None and view.accuracy is None


def test_the_time_is_that_of_a_try_or_of_an_earlier_study(tmp_path):
    url = f"sqlite:///{tmp_path / 'x.db'}"
    runs.ensure_database(db=url)
    (tmp_path / "trial.toml").write_text(GOOD)
    nothing = studies.plan(tmp_path / "trial.toml", db=url)
    assert nothing["seconds"] is None and "nothing to tell from" in nothing["seconds_from"][0]
    tried = studies.plan(tmp_path / "trial.toml", probe=True, db=url)
    assert tried["seconds"] > 0 and all("tried just now" in said for said in tried["seconds_from"])
    studies.start(tmp_path / "trial.toml", db=url)
    with database(url).write() as connection:  # done in turn by two workers, with a night between: 20 s of work
        spans = [(1000.0, 1010.0), (1004.0, 1010.0), (90_000.0, 90_010.0)]
        for key, (started, finished) in enumerate(spans, 1):
            done = f"UPDATE units SET status = 'done', started = {started}, finished = {finished} WHERE key = {key}"
            connection.exec_driver_sql(done)
        asked = "SELECT sum(budget * count) FROM units WHERE key <= 3"
        work = connection.exec_driver_sql(asked).scalar_one()
    after = studies.plan(tmp_path / "trial.toml", db=url)
    assert after["seconds"] == pytest.approx(after["generations"] / (work / 20), rel=0.01)
    assert "as study 'trial' went" in after["seconds_from"][0]


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("models =", "modells =", 2, "unknown key 'modells'"),
        ('["mini-s"]', '"mini-s"', 2, "models must be a list"),
        ('["mini-s"]', "[1]", 2, "list of names"),
        ('["mini-s"]', '["mini-x"]', 11, "no model is called 'mini-x'"),
        ('["mini-implicit"]', '["mini-s"]', 11, "no verifier is called 'mini-s'"),
        ("from = 3", "fro = 3", 4, "budgets must be"),
        ("to = 16", "to = 2", 4, "budgets must not be empty"),
        ("to = 16", 'to = "16"', 4, "budgets must be whole numbers"),
        ("seeds = 2", "seeds = [-1]", 5, "seeds must be whole numbers"),
        ("seeds = 2", "seeds = 1.5", 5, "seeds must be a list or a whole number"),
        ("mini-test", "mini-toast", 6, "no data set is called 'mini-toast'"),
        ("problems = 10", "problems = 501", 6, "problems must be whole numbers from 1 to 500"),
        ("problems = 10", 'problems = ["x"]', 6, "no problem 'x'"),
        ("problems = 10", 'problems = ["mini-test-0001", "mini-test-0001"]', 6, "asked for twice"),
        ("pool = 32", "pool = -1", 7, "pool must be"),
        ("pool = 32", "pool = true", 7, "pool must be"),
        ('"sample:2"', '"some"', 8, "keep_trees must be"),
        ('"beam_search"', '"beam"', 11, "no strategy is called 'beam'"),
        ("width = [4, 0]", "width = 4", 12, "grid.width must be a list"),
        ("width = [4, 0]", "width = [4, -1]", 12, "width must be at least 0"),
        ("width = [4, 0]", "breadth = [4]", 12, "no parameter 'breadth'"),
        ("width = [4, 0]", "width = [4, 4]", 10, "asked for twice"),
        ('"last", "prod"', '"last"', 13, "lists of zip must be of one length"),
        ("budgets = [1, 2]", "budgets = []", 17, "budgets must not be empty"),
        ("budgets = [1, 2]", "sett = { select = 1 }", 17, "unknown key 'sett'"),
        ('name = "best_of_n"', "", 15, "needs a name"),
        ('"trial"', '"a b"', 1, "must be letters"),
        ("pool = 32", "pool = 32\nmax_cost = { euros = 1 }", 8, "max_cost has no 'euros'"),
        ("pool = 32", "pool = 32\nmax_cost = { tokens = 0 }", 8, "must be a positive number"),
        ("pool = 32", "pool = 32 32", 7, "line 7"),
    ],
)
def test_every_mistake_has_its_line(old, new, line, says):
    assert GOOD.count(old) >= 1
    with pytest.raises(UserError) as caught:
        studies_file.parse(GOOD.replace(old, new, 1), "trial.toml")
    message = str(caught.value)
    assert message.startswith("trial.toml") and f"line {line}" in message and says in message


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"\xff\xfe", "not UTF-8 at byte 0"), (b"x" * (2 << 20), "more than"), (b"", "models"), (b"[" * 100_000, "bad")],
)
def test_what_is_no_study_file(tmp_path, content, says):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=says):
        studies_file.read(path)
    with pytest.raises(UserError, match="cannot be read"):
        studies_file.read(tmp_path / "absent.toml")


def test_the_shipped_study_file_is_right():
    from ttc_core.settings import DATA

    study = studies_file.read(DATA / "studies" / "sample.toml")
    assert study.name == "sample" and {m.strategy for m in study.methods} >= {"beam_search", "revisions", "best_of_n"}
