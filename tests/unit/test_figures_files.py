"""The files of figures: every format, exact sizes, the same bytes, and what LaTeX makes of them."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.unit.figure_worlds import HOSTILE, drawn, tables
from tests.unit.test_cli import ttc, url  # noqa: F401 (fixtures)
from tests.unit.test_cli_analysis import imported, samples  # noqa: F401 (fixtures)
from ttc_core import registry
from ttc_core.drawing import lettering, looks, presets, printing, trees
from ttc_core.drawing.info import (
    Axis,
    Info,
    Panel,
    Series,
    Style,
)
from ttc_core.drawing.interactive import plotly
from ttc_core.export import listing, pgfplots, writing
from ttc_core.settings import REPOSITORY
from ttc_core.types import Node


@pytest.fixture(scope="module")
def study():
    return tables()


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
