"""Studies in which something is missing: answers that models never gave, problems without samples, trees deleted."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.unit import analysis_worlds as worlds
from tests.unit.figure_worlds import tables
from tests.unit.test_studies import add, carry_out, url  # noqa: F401 (a fixture)
from ttc_core import registry, runs, studies, studies_chosen, studies_export
from ttc_core.__main__ import main
from ttc_core.analysis import difficulty, exchange, frontier
from ttc_core.analysis.measured import measured
from ttc_core.analysis.pipeline import Binning
from ttc_core.bench.searches import POLICY, VERIFIER, ScriptedBackend
from ttc_core.drawing import presets
from ttc_core.errors import EngineFault, EngineGone, UnknownName, UserError
from ttc_core.export import writing
from ttc_core.store import studies_tables
from ttc_core.store.database import database


def without_samples(study, problems):
    """The same study where these problems' samples all failed."""
    pool = study.pool
    valid = pool.valid.copy()
    valid[problems] = False
    return replace(study, pool=replace(pool, valid=valid), _made={})


def test_an_outage_is_no_wrong_answer(url):  # noqa: F811
    """What the model never answered is not graded, so that it counts in no accuracy; what it did answer is."""
    backend = ScriptedBackend(512)
    down = {"problem": True}
    backend.engines[POLICY].fault = lambda job: EngineFault("down") if down["problem"] else None
    assert carry_out(url, add(url, "out"), backend).status == "done"
    frame = studies.outcomes("out", db=url)
    assert frame["correct"].isna().all() and frame["answer"].isna().all() and (frame["failed"] > 0).all()
    down["problem"] = False
    assert carry_out(url, add(url, "up"), backend).status == "done"
    assert studies.outcomes("up", db=url)["correct"].notna().all()


def test_a_server_that_is_not_there_fails_units_that_are_done_once_it_is(url):  # noqa: F811
    """And leaves no outcome that nobody would ever try again."""
    backend = ScriptedBackend(512)
    backend.engines[POLICY].fault = lambda job: EngineGone("the server cannot be reached")
    view = carry_out(url, add(url), backend)
    assert view.units["failed"] == 12 and studies.outcomes("s", db=url).empty
    backend.engines[POLICY].fault = lambda job: None
    studies.resume("s", db=url)
    assert carry_out(url, "s", backend).status == "done"
    assert len(studies.outcomes("s", db=url)) == 6 * 2 * (3 + 2 + 2)
    assert studies.outcomes("s", db=url)["correct"].notna().all()


def test_problems_without_samples_stop_no_figure():
    """They are the most difficult, and left out where choosing among samples is shown, which says so."""
    whole, fewer = tables(), without_samples(tables(), [3, 7])
    for name in registry.names("figure"):
        writing.files(writing.info(name, fewer), "csv", presets.preset("acl"))
    assert "Left out: 2 problems" in writing.info("over_optimisation", fewer).caption
    assert "Left out" not in writing.info("aggregation", whole).caption
    assert [p["n"] for p in fewer.over_optimised()] == [p["n"] for p in whole.over_optimised()] == [1, 2, 4, 8]


def test_a_few_samples_that_nobody_graded_leave_the_others_in():
    study = tables()
    graded = np.ones(study.pool.correct.shape, bool)
    graded[0, 0] = False
    study = replace(study, pool=replace(study.pool, graded=graded), _made={})
    assert [p["n"] for p in study.over_optimised()] == [1, 2, 4] and study.fewer == ""


@pytest.mark.parametrize("right", [False, True])
def test_reliability_is_drawn_where_all_samples_are_right_or_wrong(right):
    study = tables()
    pool = replace(study.pool, correct=np.full(study.pool.correct.shape, right))
    info = writing.info("reliability", replace(study, pool=pool, _made={}))
    assert [panel.title for panel in info.panels] == ["calibration"]


def test_a_larger_model_stands_for_single_answers_alone():
    frame = worlds.outcomes(np.ones((4, 3, 2)), [4, 16])
    small = frame.assign(policy_flops=1.0)
    large = frame.assign(model="large", policy_flops=1e9)
    found = studies_chosen.Chosen("s", "made-up", "m", "v", small, large, None)
    assert found.larger() == (None, None)
    with pytest.raises(UserError, match="no single answers of large"):
        found.larger("large")
    with pytest.raises(UnknownName):
        found.larger("none")
    once = worlds.outcomes(np.ones((4, 1, 1)), [1]).assign(model="large", policy_flops=1e9)
    for extra, strategy in ((once, "best_of_n"), (once.assign(strategy="single", budget=4), "single")):
        of, name = replace(found, others=pd.concat([large, extra])).larger()
        assert name == "large" and set(of["strategy"]) == {strategy} and len(of) == 4


def test_one_ungraded_outcome_blanks_no_bin():
    correct, easiness, budgets = worlds.crossover(problems=40)
    frame = worlds.outcomes(correct, budgets)
    hole = (frame["problem"] == "p0007") & (frame["budget"] == budgets[-1])
    frame.loc[hole, "correct"] = pd.NA
    small = frontier.followed(measured(frame), Binning(easiness, 5))
    assert np.isnan(small[7, -1]) and np.isfinite(np.delete(small, 7, axis=0)).all()
    of = difficulty.quantile_bins(easiness, sorted(frame["problem"].unique()), 5).of
    found = exchange.standings(list(map(float, budgets)), small, np.ones(40), of.tolist(), [1.0, 64.0, 1e4], 50)
    assert all(np.isfinite(one.small).all() and np.isfinite(one.gain).all() for one in found)


def test_a_verifier_is_found_with_whichever_model_it_judged(monkeypatch):
    most = worlds.outcomes(np.ones((6, 2, 2)), [1, 4])
    other = worlds.outcomes(np.ones((6, 1, 1)), [4]).assign(model="reviser", verifier="w")
    monkeypatch.setattr(studies_chosen.studies, "outcomes", lambda *_, **__: pd.concat([most, other]))
    assert studies_chosen.choose("s", verifier="w").model == "reviser"
    assert studies_chosen.choose("s").model == "m" and studies_chosen.choose("s", verifier="v").model == "m"
    with pytest.raises(UnknownName, match="verifier 'x'"):
        studies_chosen.choose("s", verifier="x")


@pytest.mark.parametrize("name", ["reliability", "over_optimisation", "aggregation"])
def test_scores_of_another_verifier_are_not_shown_as_this_ones(name):
    made = tables()
    with pytest.raises(UserError, match="has a score by this verifier"):
        writing.info(name, replace(made, pool=made.pool.unscored()))


@pytest.mark.parametrize(
    ("methods", "baseline"),
    [
        (["best_of_n select=majority", "best_of_n"], "best_of_n"),
        (["beam_search width=4", "best_of_n select=majority"], "best_of_n select=majority"),
        (["beam_search width=4", "dvts width=4"], "beam_search width=4"),
    ],
)
def test_every_study_has_a_baseline(methods, baseline):
    frame = worlds.outcomes(np.ones((4, 4, 1)), [4])
    found = measured(pd.concat([frame[frame["method"] == method] for method in methods]))
    assert found.methods[found.baseline] == baseline


def test_a_deleted_tree_leaves_what_the_study_knows(url, tmp_path):  # noqa: F811
    carry_out(url, add(url))
    frame = studies.outcomes("s", db=url)
    kept = list(dict.fromkeys(frame["run"].dropna()))
    assert runs.delete(kept[:1], db=url) == 1
    after = studies.outcomes("s", db=url)
    assert set(after["run"].dropna()) == {*kept[1:]} and len(after) == len(frame)
    assert all(row["run"] != kept[0] for row in studies.pool_rows("s", db=url))
    studies_export.write("s", tmp_path / "out", db=url)
    lines = [json.loads(line) for file in (tmp_path / "out").rglob("trees.jsonl") for line in file.open()]
    assert len(lines) == len(kept) - 1


def test_what_a_study_works_on_is_stopped_with_the_study(url):  # noqa: F811
    add(url)
    seen = set()

    def look():
        for run in runs.listing(db=url, status="running", limit=10).rows:
            with pytest.raises(UserError, match="part of a study"):
                runs.stop(run.id, db=url)
            seen.add(run.id)
        return False

    studies.work("s", backend=ScriptedBackend(8), db=url, until=look)
    assert studies.progress("s", db=url).status == "done"
    assert seen and len(studies.outcomes("s", db=url)) == 6 * 2 * (3 + 2 + 2)


def test_a_night_inside_of_a_unit_is_no_work(url, monkeypatch):  # noqa: F811
    """A unit that was given back in the evening and taken up in the morning began in the morning."""
    add(url)
    store = type(database(url))
    real, night, turns = store.now, {"seconds": 0.0}, []
    monkeypatch.setattr(store, "now", lambda self, connection: real(self, connection) + night["seconds"])
    studies.work("s", backend=ScriptedBackend(8), db=url, until=lambda: len(turns) > 3 or bool(turns.append(1)))
    assert studies.progress("s", db=url).status == "running"
    night["seconds"] = 12 * 3600.0
    assert carry_out(url).status == "done"
    study, rate = studies_tables.pace(database(url), POLICY, VERIFIER)
    assert study == "s" and rate > 6 * 2 * 16 / 3600


@pytest.mark.parametrize("action", ["--cancel", "--pause", "--resume"])
@pytest.mark.parametrize("word", ["--dry-run", "--name=x"])
def test_what_only_says_something_changes_nothing(database_url, capsys, action, word):
    runs.ensure_database(db=database_url)
    add(database_url)
    assert main(["sweep", action, "s", word, "--db", database_url]) == 2
    assert "goes with a study file" in capsys.readouterr().err
    view = studies.progress("s", db=database_url)
    assert view.status == "running" and view.units["done"] == 0


def test_the_figures_of_a_run_take_no_options_of_a_study(database_url, capsys, tmp_path):
    runs.ensure_database(db=database_url)
    for option in ("--only", "--saved", "--dataset", "--model", "--verifier"):
        assert main(["figures", "--run", "r", option, "x", "--out", str(tmp_path), "--db", database_url]) == 2
        assert f"{option} goes with --study" in capsys.readouterr().err
