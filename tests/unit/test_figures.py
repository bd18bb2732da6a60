"""Figures: what they show, and that the files they become are exactly as wide, embedded, safe and repeatable."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import re
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from tests.hostile.payloads import SHORT
from tests.unit import analysis_worlds as worlds
from tests.unit.test_cli import ttc, url  # noqa: F401 (fixtures)
from tests.unit.test_cli_analysis import imported, samples  # noqa: F401 (fixtures)
from ttc_core import registry, runs, saved_figures
from ttc_core.analysis import difficulty, documents
from ttc_core.analysis.pool import Pool
from ttc_core.drawing import bars, lettering, looks, presets, printing, trees
from ttc_core.drawing.info import (
    COLOURS,
    OPTIMAL,
    PLACES,
    Axis,
    Info,
    Panel,
    Series,
    Style,
    labelled,
    plain,
    styles,
)
from ttc_core.drawing.interactive import plotly
from ttc_core.errors import UnknownName, UserError
from ttc_core.export import listing, pgfplots, text, writing
from ttc_core.export.chains import Attempts, kept
from ttc_core.export.tables import StudyTables
from ttc_core.settings import REPOSITORY
from ttc_core.types import Node

HOSTILE = r"=HYPERLINK(1) \input{/etc/passwd} $x_1^2$ <b>&%#~ {√中"
PROBLEMS = 30


def tables(hostile=False, **changes):
    """A study with two models, revisions and a pool with step scores."""
    correct, easiness, budgets = worlds.crossover(problems=PROBLEMS)
    frame = worlds.outcomes(correct, budgets)
    frame["score"] = np.random.default_rng(1).random(len(frame))
    frame["policy_flops"] = 2e6 * (10 + frame["policy_tokens"])
    if hostile:
        frame["method"] = frame["method"].replace("beam_search width=4", HOSTILE)
    large = worlds.outcomes(np.ones((PROBLEMS, 1, 1)), [1])
    large = large.assign(model="large", strategy="single", method="single", policy_flops=28e6 * 60)
    parts = []
    for chains in (1, 2, 4):
        solved = worlds.outcomes(np.ones((PROBLEMS, 1, 1)) * (np.arange(PROBLEMS) % chains == 0)[:, None, None], [16])
        params, method = json.dumps({"chains": chains}), f"revisions chains={chains}"
        parts.append(solved.assign(model="reviser", strategy="revisions", params=params, method=method))
    rng = np.random.default_rng(2)
    right = rng.random((PROBLEMS, 8)) < easiness[:, None]
    steps = [[[float(s), float(s) ** 2] for s in row] for row in rng.random((PROBLEMS, 8))]
    pool = Pool(
        [f"p{i:04}" for i in range(PROBLEMS)],
        right,
        np.where(right, 0, 1),
        np.array([[s[-1] for s in row] for row in steps]),
        np.full((PROBLEMS, 8), 20),
        np.ones((PROBLEMS, 8), bool),
        steps,
    )
    majority = parts[0].assign(params=json.dumps({"chains": 1, "select": "majority"}), method="revisions by majority")
    alone = worlds.outcomes(correct[:, :1], budgets).assign(model="reviser")
    parts += [majority, alone, parts[0].assign(verifier="w", correct=False)]
    names = [f"p{i % 60}" for i in range(120)]
    made = Attempts(np.tile(np.arange(6) % 2 == 1, (120, 1)), np.arange(6) < np.arange(1, 121)[:, None] // 10, names)
    changes = {"rated": frame[frame["method"] == "best_of_n"].assign(verifier="w", correct=True)} | changes
    return StudyTables(frame, pd.concat([large, *parts]), pool, lambda revised: made, resamples=20, **changes)


@pytest.fixture(scope="module")
def study():
    return tables()


def drawn(name, study):
    return writing.info(name, study)


def line(info, name, panel=0):
    [found] = [s for s in info.panels[panel].series if s.name == name]
    return found


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


# --- the files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", registry.names("figure"))
def test_every_figure_in_every_format(name, study, tmp_path):
    writing.write(study, tmp_path, writing.FORMATS, presets.preset("acl"), [name], dpi=60)
    content = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    pdf = content[f"{name}.pdf"]
    [box] = set(re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) [\d.]+ \]", pdf))
    assert float(box) == pytest.approx(3.03 * 72, abs=0.01)
    assert pdf.startswith(b"%PDF") and b"/FontFile2" in pdf and b"/Type3" not in pdf and b"Date" not in pdf
    assert re.search(rb"width=\"([\d.]+)pt\"", content[f"{name}.svg"])[1] == b"218.16"
    assert int.from_bytes(content[f"{name}.png"][16:20], "big") == pytest.approx(3.03 * 60, abs=1)
    assert rb"\begin{groupplot}" in content[f"{name}.tex"] and rb"\toprule" in content[f"{name}-table.tex"]
    rows = list(csv.DictReader(io.StringIO(content[f"{name}.csv"].decode())))
    info = drawn(name, study)
    assert len(rows) == sum(len(s.x) for panel in info.panels for s in panel.series)
    assert len(re.findall(rb"(?m)^\| ---", content[f"{name}.md"])) == len(info.panels)
    figure = plotly(info)
    assert len(figure.data) >= len(info.entries) and figure.to_json()


@pytest.mark.parametrize("preset", presets.PRESETS)
def test_the_page_is_as_wide_as_the_preset_and_nothing_leaves_it(preset, study):
    chosen = presets.preset(preset)
    figure = printing.printed(drawn("exchange", study), chosen)
    assert figure.get_size_inches()[0] == chosen.width
    wide, high = figure.bbox.width, figure.bbox.height
    texts = [t for axes in figure.axes for t in [*axes.get_xticklabels(), *axes.get_yticklabels(), axes.xaxis.label]]
    texts += [axes._left_title for axes in figure.axes] + [t for one in figure.legends for t in one.get_texts()]
    boxes = [t.get_window_extent() for t in texts if t.get_text()]
    assert all(b.x0 > -1 and b.y0 > -1 and b.x1 < wide + 1 and b.y1 < high + 1 for b in boxes)
    overlaps = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b) and a.width and b.width]
    assert not overlaps
    legend = figure.legends[0].get_window_extent()
    assert not any(legend.overlaps(axes.get_window_extent()) for axes in figure.axes)


def test_the_same_study_gives_the_same_bytes(tmp_path):
    code = (
        "import sys; from pathlib import Path; from tests.unit.test_figures import tables; "
        "from ttc_core.export import writing; from ttc_core.drawing import presets; "
        "writing.write(tables(), Path(sys.argv[1]), writing.FORMATS, presets.preset('icml'), "
        "['methods_by_bin', 'compute_optimal'], dpi=60)"
    )
    for seed in ("1", "2"):
        folder = str(tmp_path / seed)
        environment = {"PYTHONHASHSEED": seed, "PATH": "", "HOME": str(tmp_path), "SOURCE_DATE_EPOCH": seed}
        subprocess.run([sys.executable, "-c", code, folder], cwd=REPOSITORY, env=environment, check=True, timeout=200)
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / seed).iterdir()} for seed in ("1", "2"))
    assert len(one) == 14 and one == two


def test_hostile_names_stay_text(tmp_path):
    study = tables(hostile=True)
    made, _ = writing.write(study, tmp_path, writing.FORMATS, presets.preset("neurips"), ["frontier"], dpi=60)
    assert len(made[0].files) == 7
    rows = list(csv.DictReader((tmp_path / "frontier.csv").open()))
    assert any(row["series"].startswith("'=HYPERLINK") for row in rows)
    source = (tmp_path / "frontier.tex").read_text()
    assert r"\input" not in source.replace(r"\textbackslash{}input", "") and r"\textbackslash{}input\{" in source
    assert "[U+4E2D]" in source and "$x" not in source.replace(r"\$x", "")
    assert "&lt;b&gt;" in plotly(writing.info("frontier", study)).to_json()
    assert "<b>" not in plotly(writing.info("frontier", study)).to_json()
    assert r"\<b\>" in (tmp_path / "frontier.md").read_text()


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs LaTeX with pgfplots")
def test_latex_compiles_every_figure_and_table(tmp_path):
    made, left_out = writing.write(tables(hostile=True), tmp_path, ["tex"], presets.preset("neurips"))
    assert not left_out and {one.name for one in made} > {*registry.names("table")}
    steps = [Node(f"r.{i}", "r" if i < 3 else f"r.{i // 3}", "1 + 1 = 2", "step", state="pruned") for i in range(3000)]
    large = trees.tree("large", steps, "r.2999", "x")
    writing.write_figures([(large, presets.preset("neurips"))], tmp_path, ["tex"])
    (tmp_path / "way.tex").write_text(listing.as_latex([Node("r.0", "r", HOSTILE, "end", answer=HOSTILE)], HOSTILE))
    files = [file for one in made for file in one.files] + ["way.tex", "large.tex"]
    inputs = "\n".join(
        rf"\setbox0=\hbox{{\input{{{file}}}\unskip}}\typeout{{wide {file} \the\wd0}}\noindent\box0\clearpage"
        for file in files
    )
    document = (
        "\\documentclass{article}\\usepackage[utf8]{inputenc}\\usepackage[T1]{fontenc}\\usepackage{booktabs,pgfplots}\n"
        "\\usepgfplotslibrary{groupplots}\\usetikzlibrary{patterns}\\pgfplotsset{compat=1.17}\n\\begin{document}\n"
        + inputs
        + "\n\\end{document}"
    )
    (tmp_path / "all.tex").write_text(document)
    done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"], cwd=tmp_path,
                          capture_output=True, timeout=200)  # fmt: skip
    told = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, told[-2000:]
    wide = dict(re.findall(r"wide (\w+)\.tex ([\d.]+)pt", told))
    assert {name: float(wide[name]) for name in registry.names("figure")} == {
        name: pytest.approx(5.5 * 72.27, abs=0.01) for name in registry.names("figure")
    }


def test_a_figure_that_pdflatex_has_no_room_for_says_what_it_needs():
    made = [
        Info("x", [Panel("", Axis("x"), Axis("y"), [Series("a", [0.0] * n, [0.0] * n, Style("#000000"))])], "")
        for n in (30_000, 30_001)
    ]
    small, large = (pgfplots.as_pgfplots(info, presets.preset("acl")) for info in made)
    assert "LuaLaTeX" not in small and re.search("^% and LuaLaTeX", large, re.MULTILINE)
    assert max(map(len, large.splitlines())) < 10_000


def test_a_letter_that_no_font_has_is_a_visible_sign(recwarn):
    axis = Axis("\U0001f99a 中 √ \x1b", ticks=[1.0], labels=["鿿" * 500])
    info = Info("x", [Panel("é", axis, Axis("y"), [])], "", title="\ue000")
    made = lettering.readable(info, "serif")
    assert made.title == lettering.UNKNOWN and made.panels[0].title == "é" and "√" in made.panels[0].x.label
    assert "\x1b" not in made.panels[0].x.label and len(made.panels[0].x.labels[0]) == lettering.LONGEST
    assert printing.written(info, presets.preset("acl"), ["pdf"])["pdf"].startswith(b"%PDF")
    assert not [w for w in recwarn if "missing from font" in str(w.message)]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs LaTeX with pgfplots")
def test_the_paper_of_the_documentation_compiles(tmp_path):
    """Two pages, and nothing is wider than its column."""
    command = [sys.executable, "docs/paper/make.py", "--out", str(tmp_path), "--no-picture", "--resamples", "10"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    log = (tmp_path / "paper.log").read_text("latin-1")
    assert "(2 pages" in log and "Overfull" not in log


# --- other looks ------------------------------------------------------------------------------------------------------

LOOK = {"figure": "frontier", "preset": "acl", "title": "A title " * 12, "grey": True, "series": ["compute-optimal",
        "best-of-N"], "words": {"accuracy": "right", "best-of-N": "Best of N", "generations": ""}}  # fmt: skip


def test_a_look_changes_what_it_says_and_nothing_else(study):
    info = drawn("frontier", study)
    assert looks.Look("frontier").applied(info) == info
    look = looks.Look.parse(LOOK | {"limits": {"accuracy": [0.2, None]}, "caption": "mine"})
    assert looks.Look.parse(json.loads(json.dumps(look.document()))) == look
    made = look.applied(info, "named")
    [panel] = made.panels
    assert (made.name, made.caption) == ("named", "mine") and made.title == ("A title " * 12).strip()
    assert [s.name for s in panel.series] == ["compute-optimal", "Best of N"]
    assert (panel.x.label, panel.y.label, panel.y.limits) == ("", "right", (0.2, None))
    assert list(panel.series[1].y) == list(line(info, "best-of-N").y)
    assert "Bands: 95" in info.caption and "Bars: 95" in looks.Look("x", intervals="bars").applied(info).caption
    assert looks.Look("x", intervals="none").applied(info).caption.endswith("30 problems, 1 seed.")
    assert all(len({s.style.colour[i : i + 2] for i in (1, 3, 5)}) == 1 for s in panel.series)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("preset", ["acl", "icml-wide"])
def test_title_and_legend_are_outside_the_panels_and_on_the_page(place, preset, study):
    look = looks.Look.parse(LOOK | {"legend": place, "intervals": "bars"})
    figure = printing.printed(look.applied(drawn("frontier", study)), presets.preset(preset))
    panels = [axes.get_tightbbox() for axes in figure.axes]
    words = [one.get_window_extent() for one in figure.legends]
    words += [figure._suptitle.get_window_extent()] if figure._suptitle else []
    assert len(words) == {"none": 1, "above": 1}.get(place, 2)
    for box in words:
        assert not any(box.overlaps(panel) for panel in panels)
        assert box.x0 > -1 and box.y0 > -1 and box.x1 < figure.bbox.width + 1 and box.y1 < figure.bbox.height + 1
    assert not any(a.overlaps(b) for i, a in enumerate(words) for b in words[:i])


def test_an_axis_of_pgfplots_reaches_as_far_down_as_its_bars():
    axes = Axis("bin", ticks=[0, 1], labels=["1", "2"]), Axis("gain")
    bars = Series("gain", [0, 1], [0.25, -0.5], Style("#0072B2"), kind="bar")
    source = pgfplots.as_pgfplots(Info("x", [Panel("", *axes, [bars])], ""), presets.preset("acl"))
    assert r"\addplot[draw=none, forget plot] coordinates {(0,-0.5) (1,0.25)};" in source


def test_marks_beyond_the_ends_of_an_axis_are_cut_off(study):
    look = looks.Look("frontier", limits={"accuracy": [0.5, 0.6], "generations": [4, 64]})
    info = look.applied(drawn("frontier", study))
    assert list(info.panels[0].x.ticks) == [4, 8, 16, 32, 64]
    figure = printing.printed(info, presets.preset("acl"))
    assert figure.axes[0].get_xlim() == (4, 64) and figure.axes[0].get_ylim() == (0.5, 0.6)
    assert all(drawn_line.get_clip_on() for drawn_line in figure.axes[0].lines)
    assert "clip=true" in pgfplots.as_pgfplots(info, presets.preset("acl"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"title": 3}, "'title' of a look"),
        ({"title": "x" * 201}, "'title' of a look"),
        ({"words": {"a": 1}}, "'words' of a look"),
        ({"limits": {"accuracy": [0, float("nan")]}}, "'limits' of a look"),
        ({"limits": {"accuracy": [1]}}, "'limits' of a look"),
        ({"legend": "on top"}, "legend is one of below, above, right, none"),
        ({"preset": "nature"}, "no preset is called 'nature'"),
        ({"family": "comic"}, "the type is serif or sans"),
        ({"colour": "red"}, "a look of a figure has 'figure'"),
        ({"limits": {"accuracy": [0.9, 0.1]}}, "cannot go from 0.9 to 0.1"),
        ({"limits": {"generations": [0, 8]}}, "is logarithmic"),
        ({"series": ["none of them"]}, "has none of the series"),
    ],
)
def test_a_wrong_look_is_one_sentence(change, sentence, study):
    with pytest.raises(UserError, match=re.escape(sentence)):
        looks.Look.parse({"figure": "frontier", **change}).applied(drawn("frontier", study))


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


def test_only_keeps_entries_of_the_legend(study):
    info = drawn("frontier", study).only(["best-of-N"])
    assert [name for name, _ in info.entries] == ["best-of-N"] and len(info.panels) == 1


def test_the_command_writes_figures_of_a_stored_study(ttc, imported, tmp_path):  # noqa: F811
    ask = ("figures", "--study", "s", "--out", str(tmp_path / "f"), "--resamples", "10")
    code, out, err = ttc(*ask, "--format", "csv,md", "--json")
    assert code == 0, err
    found = json.loads(out)
    files = sorted(file for one in found["figures"] for file in one["files"])
    assert files == sorted(path.name for path in (tmp_path / "f").iterdir()) and "difficulty.csv" in files
    assert {one["name"] for one in found["left_out"]} >= {"exchange", "revision_ratio"}
    code, out, _ = ttc(*ask, "--only", "difficulty", "--format", "pdf", "--preset", "acl-wide", "--type", "sans")
    assert code == 0 and "difficulty.pdf" in out
    blocked = tmp_path / "file"
    blocked.write_text("")
    for change, sentence in [
        (["--format", "doc"], "no format is called 'doc'"),
        (["--preset", "nature"], "no preset is called 'nature'"),
        (["--type", "comic"], "the type is serif or sans, not 'comic'"),
        (["--only", "pie"], "no figure is called 'pie'"),
        (["--only", "exchange"], "the study has no single answers of a larger model"),
        (["--study", "nope"], "no study is called 'nope'"),
        (["--model", "nope"], "the study has no outcomes of the model 'nope'"),
        (["--dpi", "0"], "dots an inch are from 20 to 2400, not 0"),
        (["--out", str(blocked / "x")], "cannot be written"),
    ]:
        code, out, err = ttc(*ask, *change)
        assert (code, out) == (2, "") and sentence in err and err.count("\n") == 1, (change, err)


def test_the_command_draws_saved_figures(ttc, imported, url, tmp_path):  # noqa: F811
    look = looks.Look("difficulty", "s", "acl", words={"share of right samples": "=1+1"}, caption="mine")
    assert saved_figures.save("main", look, db=url) == "main"
    ask = ("figures", "--study", "s", "--out", str(tmp_path), "--resamples", "10", "--json")
    code, out, err = ttc(*ask, "--saved", "main", "--format", "csv,svg")
    assert code == 0, err
    assert json.loads(out)["figures"] == [{"name": "main", "files": ["main.svg", "main.csv"], "caption": "mine"}]
    assert "'=1+1" in (tmp_path / "main.csv").read_text() and 'width="218.16pt"' in (tmp_path / "main.svg").read_text()
    code, _, err = ttc(*ask, "--saved", "main", "--only", "difficulty", "--format", "svg", "--preset", "neurips")
    assert code == 0 and 'width="396pt"' in (tmp_path / "main.svg").read_text(), err
    for name in ("nope", "difficulty"):
        code, out, err = ttc(*ask, "--saved", name)
        assert (code, out) == (2, "") and f"no figure is saved as '{name}'" in err and err.count("\n") == 1
    for name, sentence in [("main", "is saved as 'main' already"), ("difficulty", "is that of another"),
                           ("a/b", "must be letters"), ("main-table", "is that of another")]:  # fmt: skip
        with pytest.raises(UserError, match=sentence):
            saved_figures.save(name, look, db=url)
    saved_figures.change("main", looks.Look("costs"), db=url)
    assert saved_figures.get("main", db=url) == looks.Look("costs") and saved_figures.listing("s", db=url) == {}
    saved_figures.save("b", look, db=url)
    assert json.loads(ttc("figures", "--list-saved", "--json")[1]) == {
        "b": look.document(), "main": looks.Look("costs").document()
    }  # fmt: skip
    assert re.search(r"(?m)^b +difficulty +s +acl *$", ttc("figures", "--list-saved")[1])
    code, out, err = ttc("figures", "--forget", "main,nope")
    assert (code, out) == (2, "") and "no figure is saved as 'nope'" in err and len(saved_figures.listing(db=url)) == 2
    assert ttc("figures", "--forget", "main")[:2] == (0, "1 deleted\n") and list(saved_figures.listing(db=url)) == ["b"]
    assert json.loads(ttc("figures", "--forget", "b", "--json")[1]) == {"deleted": 1}
    assert ttc("figures", "--list-saved")[1] == "none\n"
    with pytest.raises(UnknownName):
        saved_figures.delete("main", db=url)
    code, out, err = ttc("figures", "--study", "s")
    assert (code, out) == (2, "") and "--out" in err and err.count("\n") == 1
    with pytest.raises(UnknownName, match="no figure is called 'pie'"):
        saved_figures.save("new", looks.Look("pie"), db=url)


@pytest.mark.parametrize("name", ["end tags", "formula", "tex", "terminal", "right to left", "lines"])
def test_edited_text_stays_text(name, study):
    """What somebody writes into a figure is no TeX, no markup and no formula, and every format can be written."""
    hostile = SHORT[name][:200]
    words = {"accuracy": hostile, "best-of-N": hostile, "generations": hostile}
    look = looks.Look("frontier", preset="acl", title=hostile, caption=hostile, words=words)
    info = looks.Look.parse(look.document()).applied(drawn("frontier", study))
    made = {form: writing.files(info, form, look.size()) for form in ("svg", "tex", "csv", "md")}
    root = ElementTree.fromstring(made["svg"]["frontier.svg"])
    assert {one.tag.rpartition("}")[2] for one in root.iter()} <= {
        "svg", "metadata", "RDF", "Work", "type", "format", "creator", "Agent", "title", "defs", "style", "g", "path",
        "use", "clipPath", "rect",
    }  # fmt: skip
    assert not re.search(r"\\(input|write|catcode)|\^\^", made["tex"]["frontier.tex"].decode())
    cells = [cell for row in csv.reader(io.StringIO(made["csv"]["frontier.csv"].decode())) for cell in row]
    assert not [cell for cell in cells if cell.lstrip()[:1] in tuple("=@") or cell.startswith(("+", "\t"))]
    assert not re.search(r"(?<!\\)<", made["md"]["frontier.md"].decode())
    assert "<script" not in plotly(info).to_json()


def test_unknown_names_say_what_there_is(study):
    with pytest.raises(UnknownName) as raised:
        writing.info("pie", study)
    assert "frontier" in raised.value.hint
    assert len(study.frontier("oracle")["sizes"]) == difficulty.BINS
