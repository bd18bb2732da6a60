"""Tables of a study: what they hold, and the LaTeX, CSV and Markdown that they become."""

from __future__ import annotations

import csv
import io
import json
import re

import numpy as np
import pytest

from tests.hostile.payloads import SHORT
from tests.unit.figure_worlds import PROBLEMS, tables
from tests.unit.test_cli import ttc, url  # noqa: F401 (fixtures)
from tests.unit.test_cli_analysis import imported, samples  # noqa: F401 (fixtures)
from ttc_core import registry, saved_figures
from ttc_core.analysis import comparison, planning
from ttc_core.analysis.measured import measured
from ttc_core.drawing.info import labelled
from ttc_core.drawing.tabular import Table
from ttc_core.errors import UserError
from ttc_core.export import text, writing


@pytest.fixture(scope="module")
def study():
    return tables()


def column(made, name):
    return [row[list(made.columns).index(name)] for row in made.rows]


def test_methods_stand_beside_the_baseline_with_paired_differences(study):
    made = writing.table("methods", study)
    found = measured(study.frame)
    assert column(made, "method") == [labelled(name) for name in found.methods]
    base = found.accuracy[:, found.baseline, -1]
    for m, name in enumerate(found.methods):
        values = found.accuracy[:, m, -1]
        accuracy, difference = (column(made, of)[m] for of in ("accuracy", "difference"))
        assert accuracy[0] == pytest.approx(values.mean()) and accuracy[1] <= accuracy[0] <= accuracy[2]
        if m == found.baseline:
            assert difference is None and column(made, "p")[m] is None
            continue
        one = comparison.compare(values, base, 20)
        assert difference == pytest.approx((one.mean, one.low, one.high)), name
        assert [column(made, of)[m] for of in ("won", "lost", "p")] == [one.won, one.lost, pytest.approx(one.p)]
    assert column(made, "problems") == [PROBLEMS] * len(made.rows)
    assert f"at {found.budgets[-1]:g} generations" in made.caption and "30 problems, 1 seed" in made.caption
    every = writing.table("methods_by_budget", study)
    assert sorted(set(column(every, "budget"))) == found.budgets
    assert [row[1:] for row in every.rows if row[0] == found.budgets[-1]] == [list(row) for row in made.rows]


def test_the_verifiers_measures_are_those_of_its_page(study):
    made = writing.table("verifier_measures", study)
    found = study.reliability()
    assert column(made, "value") == [found[key] for key in ("ece", "brier", "auc", "within")]
    assert f"{PROBLEMS * 8} samples" in made.caption


def test_the_planner_lists_what_the_analysis_ranks(study):
    import pandas as pd

    made, found = writing.table("planner", study), planning.plan(pd.concat([study.frame, study.others]), {})
    assert column(made, "method") == [labelled(name) for name in found["method"]]
    assert [cell[0] for cell in column(made, "accuracy")] == found["accuracy"].tolist()
    assert column(made, "FLOPs") == found["flops"].tolist()


HELD = Table(
    "t",
    ("name", "share", "n", "p", "cost"),
    [["a", (0.5, 0.25, 0.75), 3, 2e-5, 3.1e9], ["b", None, None, 0.25, 64.0]],
    "What.",
)


def test_every_format_says_the_same():
    assert text.table_as_csv(HELD) == (
        "name,share,share low,share high,n,p,cost\na,0.5,0.25,0.75,3,2e-05,3100000000.0\nb,,,,,0.25,64.0\n"
    )
    lines = text.table_as_markdown(HELD).splitlines()
    assert lines[0] == "| name | share | n | p | cost |"
    assert lines[2:] == [
        r"| a | 0.500 \[0.250, 0.750\] | 3 | 2e-05 | 3.1G |",
        "| b | – | – | 0.250 | 64 |",
        "",
        "What.",
    ]
    tex = text.table_as_booktabs(HELD)
    assert r"a & 0.500 [0.250, 0.750] & 3 & 2e-05 & 3.1G \\" in tex and r"b & -- & -- & 0.250 & 64 \\" in tex
    assert tex.count(r"\toprule") == tex.count(r"\bottomrule") == 1 and tex.startswith("% What.")


@pytest.mark.parametrize("name", ["end tags", "formula", "tex", "terminal", "right to left", "lines"])
def test_names_in_tables_stay_text(name):
    hostile = SHORT[name][:200]
    held = Table("t", (hostile, "n"), [[hostile, 1]], hostile)
    made = {form: writing.table_files(held, [form])[f"t.{form}"].decode() for form in ("tex", "csv", "md")}
    assert not re.search(r"\\(input|write|catcode)|\^\^", made["tex"])
    cells = [cell for row in csv.reader(io.StringIO(made["csv"])) for cell in row]
    assert not [cell for cell in cells if cell.lstrip()[:1] in tuple("=@") or cell.startswith(("+", "\t"))]
    assert not re.search(r"(?<!\\)<", made["md"])


def test_the_command_writes_tables_beside_the_figures(ttc, imported, url, tmp_path):  # noqa: F811
    ask = ("figures", "--study", "s", "--out", str(tmp_path), "--resamples", "10", "--json")
    code, out, err = ttc(*ask, "--format", "csv,md,tex")
    assert code == 0, err
    made = {one["name"]: one["files"] for one in json.loads(out)["figures"]}
    for name in registry.names("table"):
        assert made[name] == [f"{name}.tex", f"{name}.csv", f"{name}.md"] or made[name] == [
            f"{name}.{form}" for form in ("csv", "md", "tex")
        ]
    assert "\\toprule" in (tmp_path / "methods.tex").read_text()
    code, out, _ = ttc(*ask, "--only", "methods", "--format", "csv")
    assert code == 0 and [one["files"] for one in json.loads(out)["figures"]] == [["methods.csv"]]
    code, out, err = ttc(*ask, "--only", "methods", "--format", "pdf")
    assert (code, out) == (2, "") and "a table is written as tex, csv, md, not as pdf" in err
    code, out, _ = ttc(*ask, "--only", "difficulty", "--format", "svg")
    assert code == 0 and [one["name"] for one in json.loads(out)["figures"]] == ["difficulty"]
    with pytest.raises(UserError, match="is that of another figure or table"):
        saved_figures.named("planner")


def test_equal_studies_give_equal_tables():
    one, two = ({name: writing.table(name, tables()) for name in registry.names("table")} for _ in range(2))
    assert {name: text.table_as_csv(made) for name, made in one.items()} == {
        name: text.table_as_csv(made) for name, made in two.items()
    }
    assert np.isfinite([cell[0] for cell in column(one["methods"], "accuracy")]).all()
