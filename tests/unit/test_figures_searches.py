"""Figures of one search: its tree with the way to the answer in words, and a chain of attempts as boxes."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from tests.hostile.payloads import SHORT
from tests.unit.test_cli import ttc, url  # noqa: F401 (fixtures)
from tests.unit.test_figures_pages import SIZES, check
from ttc_core import runs
from ttc_core.drawing import chains, presets, printing, trees
from ttc_core.drawing.interactive import plotly
from ttc_core.errors import UnknownName, UserError
from ttc_core.export import pgfplots, searches, writing
from ttc_core.settings import REPOSITORY
from ttc_core.types import Node

EXAMPLES = sorted((REPOSITORY / "data/examples").glob("*.json"))
TALK = "Now we multiply the number of boxes by what each of them holds, which is what the question wants to know. "


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """The searches that a new database begins with: database, and ids by strategy."""
    db = f"sqlite:///{tmp_path_factory.mktemp('runs') / 'x.db'}"
    runs.ensure_database(db=db)
    return db, [runs.import_run(json.loads(file.read_text("utf-8")), db=db) for file in EXAMPLES]


def attempt(number, text, answer, score=None, parent="r"):
    id_ = "r" + ".0" * number
    return Node(id_, parent, text, "end", answer=answer, state="final", scores=() if score is None else (score,))


CHAIN = [
    attempt(1, "2 * 3 = 6\n6 + 1 = 7\nAnswer: 7\n", "7", 0.25),
    attempt(2, "2 * 3 = 6\n6 + 2 = 8\nAnswer: 8\n", "8", 0.75, "r.0"),
    attempt(3, "2 * 3 = 6\n6 + 2 = 8\nAnswer: 8\n", "8", None, "r.0.0"),
]


def test_a_tree_shows_every_node_and_the_way_to_the_answer_with_texts_and_scores(shipped):
    db, ids = shipped
    nodes, outcome = runs.nodes(ids[2], db=db).nodes, runs.get(ids[2], db=db).outcome
    [(info, set_)] = searches.figures(ids[2], presets.preset("acl"), db)
    [panel] = info.panels
    [way] = [s for s in panel.series if s.name == "way to the answer"]
    steps = trees.way_to(nodes, outcome.chosen)
    assert [note.text for note in panel.notes] == [f"{n.score:.2f} | {n.text.strip()}" for n in steps]
    assert [note.y for note in panel.notes] == list(way.y)[1:] == [-float(i + 1) for i in range(len(steps))]
    marks = [s for s in panel.series if s.kind == "points"]
    assert sum(len(s.x) for s in marks) + len(steps) == len(nodes)
    assert min(note.x for note in panel.notes) > max(x for s in [*marks, way] for x in s.x), "words beside the tree"
    places = [place for s in marks for place in zip(s.x, s.y, strict=True)]
    assert len(set(places)) == len(places), "no node hides another"
    edges = {s.style: sum(y is None for y in s.y) for s in panel.series if s.kind == "guide"}
    given_up = sum(n.state in ("pruned", "failed") and n not in steps for n in nodes)
    assert edges == {trees.PALE: given_up, trees.PLAIN: len(nodes) - given_up}
    assert {s.style.colour for s in marks if s.name == "pruned"} == {"#8A8A8A"}
    assert set_.marker < presets.preset("acl").marker and set_.width == 3.03


def test_a_chain_shows_what_each_attempt_changed():
    info = chains.chain("c", CHAIN, [False, True, None], "r.0.0", "x")
    assert [p.title for p in info.panels] == ["1: 7, wrong, 0.25", "2: 8, right, 0.75 (taken)", "3: 8"]
    assert [[n.text for n in p.notes] for p in info.panels][1] == ["2 * 3 = 6", "6 + 2 = 8", "Answer: 8"]
    marked = [{s.name: list(s.y) for s in p.series} for p in info.panels]
    same, new = (chains.MARKS[state][0] for state in (False, True))
    assert marked == [{}, {same: [0.0], new: [-1.0, -2.0]}, {same: [0.0, -1.0, -2.0]}]
    assert "3 attempts" in info.caption
    failed = chains.chain("c", [Node("r.0", "r", "", "error", state="failed", why="timeout")], [None], None, "x")
    assert failed.panels[0].title == "1: no answer" and failed.panels[0].notes[0].text == "timeout"


def test_of_a_long_chain_the_first_attempts_and_the_taken_one_are_drawn():
    way = [attempt(i, f"{i}\n", str(i), 0.5, "r" + ".0" * (i - 1)) for i in range(1, 21)]
    info = chains.chain("c", way, [None] * 20, way[14].id, "x")
    assert [p.title.split(":")[0] for p in info.panels] == ["1", "2", "3", "4", "5", "6", "7", "15"]
    assert "8 of 20 attempts" in info.caption


@pytest.mark.parametrize("name", SIZES.values())
def test_nothing_is_cut_off_or_lies_upon_another_in_trees_and_chains(name, shipped, monkeypatch):
    db, ids = shipped
    found = searches.figures(ids[0], presets.preset(name), db)
    assert len(found) == 2, "it revises"
    long = [attempt(i + 1, f"{TALK * 3}{i}\n" * 4, "8", 0.5, "r" + ".0" * i) for i in range(5)]
    found.append((chains.chain("long", long, [True] * 5, long[0].id, "x"), presets.preset(name)))
    found.append((trees.tree("long", long, long[-1].id, "x"), presets.preset(name)))
    for info, set_ in found:
        figure = check(info, set_, monkeypatch)
        for axes in figure.axes:
            box = axes.get_window_extent()
            for words in axes.texts:
                inside = words.get_window_extent()
                assert box.x0 <= inside.x0 and inside.x1 <= box.x1 + 1 and box.y0 <= inside.y0 and inside.y1 <= box.y1


def test_many_leaves_have_small_marks_and_readable_entries_in_the_legend(shipped):
    db, ids = shipped
    [(info, set_)] = searches.figures(ids[2], presets.preset("acl"), db)
    figure = printing.printed(info, set_)
    drawn = [line.get_markersize() for axes in figure.axes for line in axes.lines if line.get_marker() != "None"]
    legend = [handle.get_markersize() for handle in figure.legends[0].legend_handles]
    assert max(drawn) < 2 and min(legend) >= 2


@pytest.mark.parametrize("name", ["end tags", "formula", "tex", "terminal", "right to left", "lines"])
def test_the_text_of_a_model_stays_text(name):
    """In every format: no TeX, no markup, no formula."""
    hostile = SHORT[name][:200]
    nodes = [attempt(1, hostile, hostile, 0.5)]
    for info in (trees.tree("t", nodes, "r.0", hostile), chains.chain("t", nodes, [True], "r.0", hostile)):
        made = {form: b"".join(writing.files(info, form, presets.preset("acl")).values()) for form in writing.FORMATS}
        assert not re.search(rb"\\(input|write|catcode)|\^\^", made["tex"])
        cells = [cell for row in csv.reader(io.StringIO(made["csv"].decode())) for cell in row]
        assert not [cell for cell in cells if cell.lstrip()[:1] in tuple("=@") or cell.startswith(("+", "\t"))]
        assert not re.search(r"(?<!\\)<", made["md"].decode()) and "<script" not in plotly(info).to_json()


def test_words_in_tex_have_the_room_that_they_have_in_print():
    info = trees.tree("t", [attempt(1, TALK * 4, "8", 0.5)], "r.0", "x")
    [note] = re.findall(
        r"\\node\[.*text width=([\d.]+)in.*\{(0\.50 .*)\};", pgfplots.as_pgfplots(info, presets.preset("acl"))
    )
    assert float(note[0]) < 3.03 and note[1].endswith(r"\dots{}") and len(note[1]) < 200


def test_the_command_draws_a_run(ttc, url, tmp_path):  # noqa: F811
    runs.ensure_database(db=url)
    run, revised = (runs.import_run(json.loads(EXAMPLES[i].read_text("utf-8")), db=url) for i in (2, 0))
    forms = ("--format", "pdf,svg,png,tex,csv,md", "--preset", "acl", "--dpi", "60")
    code, _, err = ttc("figures", "--run", run, "--out", str(tmp_path / "t"), *forms)
    assert code == 0 and len(list((tmp_path / "t").iterdir())) == 8, err
    outcome, nodes = runs.get(run, db=url).outcome, runs.nodes(run, db=url).nodes
    listed = (tmp_path / "t" / f"tree-{run}-way.tex").read_text()
    [chosen] = [node for node in nodes if node.id == outcome.chosen]
    assert f"& {chosen.score:.3f} & {outcome.answer} " in listed
    assert listed.count(r" \\") == len(trees.way_to(nodes, outcome.chosen)) + 1
    code, out, err = ttc("figures", "--run", revised, "--out", str(tmp_path / "c"), *forms, "--json")
    assert code == 0 and [one["name"] for one in json.loads(out)["figures"]] == [f"tree-{revised}", f"chain-{revised}"]
    rows = list(csv.DictReader((tmp_path / "c" / f"chain-{revised}.csv").open()))
    assert any(row["series"] == "text" and row["label"].startswith("Answer: ") for row in rows)
    code, out, err = ttc("figures", "--run", "nope", "--out", str(tmp_path / "n"))
    assert (code, out) == (2, "") and "no run is called" in err and not (tmp_path / "n").exists()
    with pytest.raises(UnknownName):
        searches.way("nope", url)


def test_a_run_without_nodes_says_so(url):  # noqa: F811
    runs.ensure_database(db=url)
    document = json.loads(EXAMPLES[2].read_text("utf-8"))
    run = runs.import_run(document | {"nodes": [], "outcome": None, "correct": None, "status": "failed"}, db=url)
    with pytest.raises(UserError, match="has no nodes yet"):
        searches.figures(run, presets.preset("acl"), url)
