"""Figures: what they show."""

from __future__ import annotations

import dataclasses
import json

import pandas as pd
import pytest

from tests.unit.figure_worlds import drawn, line, tables
from ttc_core import registry, runs
from ttc_core.analysis import difficulty, documents
from ttc_core.drawing import bars, presets, printing
from ttc_core.drawing.info import (
    COLOURS,
    OPTIMAL,
    Axis,
    Info,
    Panel,
    Series,
    Style,
    labelled,
    plain,
    styles,
)
from ttc_core.errors import UnknownName, UserError
from ttc_core.export import text, writing
from ttc_core.export.chains import kept
from ttc_core.export.tables import StudyTables
from ttc_core.settings import REPOSITORY


@pytest.fixture(scope="module")
def study():
    return tables()


# --- what they show ---------------------------------------------------------------------------------------------------


def test_the_frontier_shows_the_curves_of_the_analysis(study):
    info = drawn("frontier", study)
    found = documents.curves(study.frame, study.pool, resamples=20)
    for name, curve in found["curves"].items():
        shown = line(info, labelled(name))
        assert (list(shown.x), list(shown.y)) == (found["budgets"], curve["mean"])
        assert (list(shown.low), list(shown.high)) == (curve["low"], curve["high"])
    assert info.panels[0].x.log and list(info.panels[0].x.ticks) == found["budgets"]
    assert "30 problems, 1 seed" in info.caption and "95 %" in info.caption
    by_bin = drawn("frontier_by_bin", study)
    assert len(by_bin.panels) == 5 and list(line(by_bin, "best-of-N", 4).y) == found["by_bin"][4]["best_of_n"]


def test_bars_stand_for_the_best_variant_of_each_strategy(study):
    info = drawn("methods_by_bin", study)
    assert [s.name for s in info.panels[0].series] == ["best-of-N", "beam search (width 4)"]  # majority is a variant
    found = study.frontier("oracle")
    assert [p.title for p in info.panels] == [f"{n} generations" for n in (4, 16, 64)]  # the paper's
    assert list(info.panels[0].series[1].y) == [b["beam_search width=4"][2] for b in found["by_bin"]]


def test_a_star_stands_where_both_models_cost_the_same(study):
    info = drawn("exchange", study)
    found = study.exchange()
    assert found["larger"] == pytest.approx(14) and [p.title for p in info.panels] == ["R = 0.16", "R = 0.79", "R = 22"]
    stars = [s for s in info.panels[2].series if s.style.marker == "star" and len(s.x)]
    assert [s.x[0] for s in stars] == pytest.approx([14 + 39 / 22] * 5) and [s.y[0] for s in stars] == [1.0] * 5
    assert [entry for entry, s in info.entries if s.style.marker == "star"] == ["larger model (14×)"]


def test_verifier_figures_hold_the_pools_numbers(study):
    calibration = drawn("reliability", study)
    share = line(calibration, "share of samples")
    assert sum(share.y) == pytest.approx(1.0) and list(line(calibration, "AUC", 1).x) == [1.0, 2.0]
    over = drawn("over_optimisation", study)
    assert line(over, "accuracy").y[0] == pytest.approx(study.pool.correct.mean())
    assert {s.name for s in drawn("aggregation", study).panels[0].series} == {"last", "min", "product", "mean"}


def test_the_ratio_of_sequential_to_parallel(study):
    info = drawn("revision_ratio", study)
    whole = line(info, "16 generations")
    assert list(whole.x) == [1.0, 4.0, 16.0] and list(info.panels[0].x.labels) == ["1:1", "4:1", "16:1"]
    assert list(whole.y) == pytest.approx([8 / 30, 15 / 30, 1.0])  # four chains, two, one


def test_positions_in_a_chain(study):
    """Chains of up to 6 attempts, of which each second one is right; of two problems they would be too few."""
    info = drawn("revision_positions", study)
    assert list(line(info, "pass@1").x) == [1, 2, 3, 4, 5, 6] and list(line(info, "pass@1").y) == [0.0, 1.0] * 3
    assert list(line(info, "right → wrong", 1).y) == [None, None, 1.0, None, 1.0, None]
    assert list(line(info, "wrong → right", 1).y) == [None, 1.0, None, 1.0, None, 1.0]
    assert "of 120 chains of reviser on 60 problems" in info.caption
    made = study.chains(study.frame)
    few = dataclasses.replace(study, chains=lambda _: dataclasses.replace(made, problems=["a", "b"] * 60), _made={})
    with pytest.raises(UserError, match="chains of 2 problems only"):
        drawn("revision_positions", few)
    bare = dataclasses.replace(study, chains=None, _made={})
    with pytest.raises(UserError, match="kept no search that revises"):
        drawn("revision_positions", bare)


def test_one_chain_and_as_many_samples(study):
    info = drawn("sequential", study)
    assert [s.name for s in info.panels[0].series] == [
        "parallel, verifier",
        "sequential, verifier",
        "sequential, majority",
    ]
    own = study.frame[study.frame["method"] == "best_of_n"].groupby("budget")["correct"].mean()
    assert list(line(info, "parallel, verifier").y) == pytest.approx(own.astype(float).tolist())
    assert list(line(info, "sequential, verifier").y) == [1.0]  # by the verifier that most outcomes have


def test_several_verifiers_of_the_same_solutions(study):
    info = drawn("verifiers", study)
    assert {s.name for s in info.panels[0].series} == {"v", "w"} and set(line(info, "w").y) == {1.0}
    revised = drawn("revision_verifiers", study)
    assert {s.name: list(s.y) for s in revised.panels[0].series} == {"v": [1.0], "w": [0.0]}
    one = dataclasses.replace(study, rated=None, others=study.others[study.others["verifier"] != "w"], _made={})
    for name in ("verifiers", "revision_verifiers"):
        with pytest.raises(UserError, match="by two verifiers"):
            drawn(name, one)


def test_the_summary_holds_what_the_analysis_says(study):
    info = drawn("summary", study)
    found, exchanged = study.frontier("oracle"), study.exchange()
    assert list(line(info, labelled(OPTIMAL)).y) == found["curves"][OPTIMAL]["mean"]
    assert list(line(info, "R = 22", 1).y) == [b["stars"][2]["gain"]["mean"] for b in exchanged["bins"]]


def test_variants_by_predicted_difficulty_and_by_majority(study):
    for name in ("exchange", "methods_by_bin", "revision_ratio"):
        whole, predicted, majority = (drawn(name + end, study) for end in ("", "_predicted", "_majority"))
        assert "by predicted difficulty" in predicted.caption and "by majority" in majority.caption
        assert [p.title for p in predicted.panels] == [p.title for p in whole.panels]
        assert predicted.panels[-1].series != whole.panels[-1].series
    alone = {s.name for s in drawn("methods_by_bin_majority", study).panels[0].series}
    assert alone == {"best-of-N (majority)"}
    assert list(line(drawn("revision_ratio_majority", study), "16 generations").x) == [16.0]
    bare = dataclasses.replace(study, others=study.others[study.others["method"] != "revisions by majority"], _made={})
    with pytest.raises(UserError, match="chooses by majority"):
        drawn("revision_ratio_majority", bare)


def test_positions_of_the_searches_that_a_study_kept(tmp_path):
    """Of the budgets of one method the longest chains; each attempt once, graded as the search is."""
    db = f"sqlite:///{tmp_path / 'x.db'}"
    runs.ensure_database(db=db)
    document = json.loads((REPOSITORY / "data/examples/0-mini-test-0007-revisions.json").read_text("utf-8"))
    run = runs.import_run(document, db=db)
    nodes, spec = runs.nodes(run, db=db).nodes, runs.get(run, db=db).spec
    same = {"dataset": "d", "problem": "p", "model": "m", "verifier": None, "method": "revisions", "seed": 0}
    frame = pd.DataFrame([same | {"budget": 8, "run": run}, same | {"budget": 2, "run": "gone"}])
    made = kept(frame, db)
    assert made.valid.sum() == len(nodes) and set(made.problems) == {"p"}
    assert made.correct.sum() == sum(node.answer == spec.answer for node in nodes)
    with pytest.raises(UserError, match="kept no search that revises"):
        kept(frame[:0], db)


def test_costs_are_stacked(study):
    info = drawn("costs", study)
    policy, verifier = bars.placed(info.panels[0].series)
    assert verifier.bottom == policy.height and min(verifier.height) > 0


def test_efficiency_and_difficulty(study):
    found = study.frontier("oracle")["efficiency"]
    shown = line(drawn("efficiency", study), "efficiency multiple")
    assert list(shown.y) == [found[str(int(x))]["mean"] for x in shown.x]
    oracle = line(drawn("difficulty", study), "share of right samples")
    assert list(oracle.y) == sorted(oracle.y, reverse=True) and len(oracle.y) == 5
    assert len(drawn("compute_optimal", study).panels[0].series) == 4


def test_a_method_looks_the_same_in_every_figure(study):
    for name in registry.names("figure"):
        for panel in drawn(name, study).panels:
            for series in panel.series:
                [method] = [m for m in study.methods if labelled(m) == series.name] or [None]
                assert method is None or series.style == styles(study.methods)[method], name
    looks = list(styles([f"m{i}" for i in range(20)]).values())
    assert len(set(looks)) == 21 and looks[-1].colour == "#000000"


def test_what_a_study_does_not_have_is_left_out(tmp_path, study):
    bare = StudyTables(study.frame, study.frame[:0], None, resamples=0)
    made, left_out = writing.write(bare, tmp_path / "new", ["csv"], presets.preset("acl"))
    assert [m.name for m in made] == ["costs", "planner"]
    assert len(left_out) == len(registry.names("figure")) + len(registry.names("table")) - 2
    assert all(one.why for one in left_out)
    with pytest.raises(UserError, match="the study has no pool of samples"):
        writing.write(bare, tmp_path / "none", ["csv"], presets.preset("acl"), ["frontier"])
    assert not (tmp_path / "none").exists()
    fewer = StudyTables(study.frame, study.frame[:0], study.pool, resamples=0)
    assert [o.name for o in writing.write(fewer, tmp_path, ["csv"], presets.preset("acl"))[1]] == [
        *("exchange", "exchange_majority", "exchange_predicted", "revision_positions", "revision_ratio"),
        *("revision_ratio_majority", "revision_ratio_predicted", "revision_verifiers", "sequential", "summary"),
        "verifiers",
    ]


# --- small parts ------------------------------------------------------------------------------------------------------


def test_names_and_numbers():
    assert labelled("best_of_n select=majority") == "best-of-N (majority)" and labelled(OPTIMAL) == "compute-optimal"
    assert labelled("beam_search width=0 rounds=3") == "beam search (width √N, rounds 3)"
    assert [plain(v) for v in (4.0, 256.0, 0.79, 257.75, 20_000.0, 3.1e9)] == ["4", "256", "0.79", "258", "20k", "3.1G"]
    assert [text.cell(t) for t in ("=1", "+1", "-1", "@x", "a=1")] == ["'=1", "+1", "-1", "'@x", "a=1"]
    assert text.tex("50 % of $5_{a}") == r"50 \% of \$5\_\{a\}"


def test_bars_beside_each_other_do_not_touch_the_next_category():
    beside = [Series(n, [0, 1], [1.0, None], Style(COLOURS[0]), kind="bar") for n in "abc"]
    placed = list(bars.placed(beside))
    assert [len(b.x) for b in placed] == [1, 1, 1]
    assert placed[0].x[0] - placed[0].width / 2 > -0.5 and placed[2].x[0] + placed[2].width / 2 < 0.5
    assert placed[1].x[0] - placed[0].x[0] == pytest.approx(placed[0].width)


def test_a_panel_with_nothing_in_it_is_drawn():
    empty = Info("empty", [Panel("", Axis("x", log=True, ticks=[1, 2]), Axis("y"), [])], "nothing")
    assert printing.written(empty, presets.preset("acl"), ["pdf"])["pdf"].startswith(b"%PDF")


def test_unknown_names_say_what_there_is(study):
    with pytest.raises(UnknownName) as raised:
        writing.info("pie", study)
    assert "frontier" in raised.value.hint
    assert len(study.frontier("oracle")["sizes"]) == difficulty.BINS
