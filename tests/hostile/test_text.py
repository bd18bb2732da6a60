"""Hostile text comes back from the store as it went in, drives no terminal, and is no formula, TeX or Markdown."""

from __future__ import annotations

import ast
import csv
import io
import json
import logging
import re

import pytest

from tests.hostile.payloads import NUMBERS, SHORT, TEXTS, all_in_one, samples, trace, written
from tests.unit.test_architecture import module, sources
from tests.unit.test_ui_pages import page, url  # noqa: F401
from ttc_core import importing, runs, studies, studies_export
from ttc_core.__main__ import _Printable, main
from ttc_core.drawing.info import Axis, Info, Panel, Series, Style
from ttc_core.drawing.presets import preset
from ttc_core.export import pgfplots, text
from ttc_core.store.database import database
from ttc_core.ui import words


@pytest.fixture
def store(tmp_path):
    db = f"sqlite:///{tmp_path / 'x.db'}"
    runs.ensure_database(db=db)
    yield db
    database(db).close()


def imported(db, tmp_path, hostile):
    """Two studies with this text in every place that an imported file fills."""
    importing.add("samples", written(tmp_path / "s.jsonl", *samples(hostile)), hostile[:60], "pool", db=db)
    importing.add(
        "thinkbooster", written(tmp_path / "t.json", trace(hostile[:900], hostile)), hostile[:60], "tree", db=db
    )


@pytest.mark.parametrize("name", TEXTS)
def test_everything_comes_back_from_the_store_and_the_export(store, tmp_path, name):
    hostile = TEXTS[name]
    imported(store, tmp_path, hostile)
    for one, line in zip(studies.pool_rows("pool", db=store), samples(hostile), strict=True):
        assert (one["problem_id"], one["question"], one["dataset"]) == (line["id"], line["question"], hostile[:60])
        assert json.loads(one["texts"]) == [s["text"] for s in line["samples"]]
        extra = [{key: text for key, text in of.items() if key != "graded_by"} for of in json.loads(one["extra"])]
        assert extra == [{hostile[:50]: hostile}] * 4 and json.loads(one["problem_extra"])["k"] == hostile
    [run] = runs.listing(db=store).rows
    [node] = runs.nodes(run.id, db=store).nodes
    named = hostile[:900]
    assert (run.spec.model, run.spec.verifier, run.spec.strategy, run.spec.problem_id) == (named,) * 4
    assert node.text == f"{hostile}\nAnswer: {named}\n"
    studies_export.write("pool", tmp_path / "out", db=store)
    again = (tmp_path / "out" / "samples.jsonl").read_text("ascii").splitlines()
    assert [json.loads(line)["question"] for line in again] == [line["question"] for line in samples(hostile)]
    studies_export.write("tree", tmp_path / "tree", db=store)
    [kept] = (tmp_path / "tree" / "trees.jsonl").read_text("ascii").splitlines()
    document = json.loads(kept)
    assert document["spec"]["model"] == named and document["nodes"][0]["text"] == node.text
    runs.delete([run.id], db=store)
    assert runs.import_run(document, db=store) == run.id and runs.export_run(run.id, db=store) == document


def test_no_text_drives_a_terminal(store, tmp_path, capsys):
    hostile = all_in_one(5_000)
    imported(store, tmp_path, hostile)
    [run] = runs.listing(db=store).rows
    for arguments in (["list"], ["list", "--json"], ["show", "pool"], ["show", run.id], ["show", run.id, "--json"]):
        assert main([*arguments, "--db", store]) == 0
    assert main(["solve", "--question", hostile, "--strategy", f"x{hostile}", "--budget", "1", "--db", store]) == 2
    out, err = capsys.readouterr()
    assert {c for c in out + err if not c.isprintable()} == {"\n"}


@pytest.mark.parametrize("name", [name for name in TEXTS if name.startswith("formula")])
def test_no_cell_is_a_formula(name):
    rows = csv.reader(io.StringIO(text.csv_of({"answer": [TEXTS[name], f"  {TEXTS[name].strip()}"]}).decode()))
    assert all(row[0].startswith("'") for row in list(rows)[1:])


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_stay_numbers(number):
    assert (
        text.csv_of({"answer": [number], "score": [-0.25]}).decode().splitlines()[1].startswith((number, f'"{number}"'))
    )


def test_the_page_hands_out_a_csv_without_formulas(url, tmp_path):  # noqa: F811
    """The rows that the button gives, of a study whose answers are formulas, numbers and half characters."""
    answers = ["=1+1", "-5", "a\ud800", "@x"]
    pool = [{"answer": answer, "correct": False} for answer in answers]
    lines = [{"id": str(i), "question": "?", "samples": pool[i : i + 1]} for i in range(len(pool))]
    importing.add("samples", written(tmp_path / "s.jsonl", *lines), "mine", "mine", db=url)
    frame = studies.outcomes("mine", db=url)
    found = list(csv.DictReader(io.StringIO(text.csv_of({n: list(frame[n]) for n in ("answer", "budget")}).decode())))
    assert [row["answer"] for row in found] == ["'=1+1", "-5", "a\\ud800", "'@x"]
    assert [row["budget"] for row in found] == ["1"] * 4


def figure(hostile: str) -> Info:
    series = Series(hostile, [1.0, 2.0], [0.5, 0.75], Style("#0072B2"))
    axis = Axis(hostile, ticks=[1.0, 2.0], labels=[hostile, "b"])
    return Info("x", [Panel(hostile, axis, Axis(hostile), [series])], hostile)


@pytest.mark.parametrize("name", SHORT)
def test_tex_is_text(name):
    """No command that the payload names is left, and braces are balanced."""
    for made in (pgfplots.as_pgfplots(figure(TEXTS[name]), preset("neurips")), text.as_booktabs(figure(TEXTS[name]))):
        assert not re.search(r"\\(input|write|catcode)|\^\^", made)
        bare = made.replace(r"\{", "").replace(r"\}", "")
        assert bare.count("{") == bare.count("}")
        assert all(c.isprintable() or c == "\n" for c in made)


@pytest.mark.parametrize("name", SHORT)
def test_a_name_in_a_caption_is_no_markdown(name):
    made = words.named(TEXTS[name])
    plain = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 .,=+-]*", made) and "www." not in made
    assert plain or made == "?" or re.fullmatch(r"`[^`\n]+`", made)


@pytest.mark.parametrize("hostile", [all_in_one(), TEXTS["long line"]], ids=["all in one", "long line"])
def test_pages_are_drawn_whatever_a_run_holds(url, tmp_path, hostile):  # noqa: F811
    """The text goes to the browser whole (half characters as unknown ones), and none of it as Markdown."""
    imported(url, tmp_path, hostile)
    [run] = runs.listing(db=url).rows
    for at in (page("solve", run=run.id), page("trees", run=run.id), page("trees"), page("studies", study="pool"),
               page("studies", study="tree")):  # fmt: skip
        assert not at.exception
        for said in (*at.markdown, *at.caption):
            assert len(said.value) < 30_000 or "<style" in said.value  # the page's own
            assert "window" not in re.sub("`[^`]*`", "", said.value)


def test_an_error_that_quotes_a_file_drives_no_terminal(store, tmp_path, capsys):
    path = tmp_path / "\x1b]0;title\x07\x9b2K.jsonl"
    path.write_text("{")
    assert main(["import", "samples", str(path), "--dataset", "d", "--study", "s", "--db", store]) == 2
    out, err = capsys.readouterr()
    assert "no JSON" in err and {c for c in out + err if not c.isprintable()} == {"\n"}
    record = logging.LogRecord("ttc", logging.INFO, "", 1, "run %s failed: %s", ("r", TEXTS["terminal"]), None)
    assert {c for c in _Printable("%(message)s").format(record) if not c.isprintable()} <= {"\n"}


EVALUATING = ("sympify", "parse_expr", "eval_expr", "read_pickle", "literal_eval", "unsafe_load", "from_string")


@pytest.mark.parametrize("path", sources(), ids=module)
def test_no_source_has_a_way_from_text_to_a_program(path):
    """Neither by the calls that `test_architecture` forbids nor by those of libraries that end in `eval` or pickle."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            assert name not in EVALUATING, f"line {node.lineno}"
            given = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
            assert not given.get("allow_pickle") and not given.get("shell") and not given.get("trust_remote_code")
            if isinstance(node.func, ast.Attribute) and ast.unparse(node.func) == "torch.load":
                assert given.get("weights_only") is True
