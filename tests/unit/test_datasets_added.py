"""Data sets that people add: from any common file, known by checksum, all or nothing, and there for everything else."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conformance.harness import ScriptedBackend, ScriptedVerifier
from tests.unit.test_cli import ttc
from tests.unit.test_runs import spec, url
from ttc_core import runs, runs_checks, runs_driver
from ttc_core.datasets import added, benchmarks, reading
from ttc_core.datasets.benchmarks import BENCHMARKS
from ttc_core.errors import BadValue, UnknownName, UserError
from ttc_core.settings import REPOSITORY, settings
from ttc_core.store import leases, repository
from ttc_core.store.database import database
from ttc_core.types import Outcome, RunSpec

__all__ = ["ttc", "url"]  # fixtures
SHARED = Path(os.environ.get("TTC_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
QUESTIONS = [{"question": f"What is {i} + {i}?", "answer": str(2 * i), "id": f"q{i}"} for i in range(3)]


def jsonl(path, found):
    path.write_text("".join(json.dumps(row) + "\n" for row in found), "utf-8")
    return path


@pytest.fixture
def folder(url, tmp_path):
    """Where files to be added lie; the data folder is another one."""
    made = tmp_path / "files"
    made.mkdir()
    return made


def stored():
    return sorted(path.name for path in (settings().data_dir / "problems").glob("*"))


# --- kinds of files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "tsv", "parquet"])
def test_every_kind_of_file(folder, kind):
    path = folder / f"mine.{kind}"
    if kind == "jsonl":
        jsonl(path, QUESTIONS)
    elif kind == "json":
        path.write_text(json.dumps(QUESTIONS), "utf-8")
    elif kind == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pytest.importorskip("pyarrow").Table.from_pylist(QUESTIONS), path)
    else:
        mark = "," if kind == "csv" else "\t"
        lines = [mark.join(QUESTIONS[0]), *(mark.join(row.values()) for row in QUESTIONS)]
        path.write_text("\ufeff" + "\r\n".join(lines) + "\r\n", "utf-8")
    told = runs.add_dataset("mine", path)
    assert told.pop("sha256") == benchmarks.digest([(q["question"], q["answer"]) for q in QUESTIONS])
    assert told == {"name": "mine", "problems": 3, "grader": "numeric", "checked": False, "as_added": True}
    found = runs.problems("mine")
    assert [(p.id, p.question, p.answer) for p in found] == [(q["id"], q["question"], q["answer"]) for q in QUESTIONS]
    assert {p.dataset for p in found} == {"mine"}


def test_columns_of_other_names_and_what_else_there_is(folder):
    path = jsonl(folder / "x.jsonl", [{"frage": "Eins?", "loesung": 1.0, "nummer": 7, "answer": "a note", "level": 2}])
    runs.add_dataset("mine", path, {"question": "frage", "answer": "loesung", "id": "nummer"})
    [problem] = runs.problems("mine")
    assert (problem.id, problem.question, problem.answer) == ("7", "Eins?", "1")
    assert problem.metadata == {"grader": "numeric", "level": 2, added.SUM: benchmarks.digest([("Eins?", "1")])}


def test_ids_are_counted_where_there_are_none(folder):
    path = jsonl(folder / "x.jsonl", [{"problem": f"{i}?", "answer": str(i)} for i in range(2)])
    runs.add_dataset("mine", path)
    assert [p.id for p in runs.problems("mine")] == ["mine-0001", "mine-0002"]


@pytest.mark.parametrize(
    ("answers", "asked", "grader"),
    [
        (["1", "2.5", "1/3"], None, "numeric"),
        (["A", "(b)"], None, "choice"),
        (["1", r"\sqrt{2}"], None, "math"),
        (["Paris", "2"], None, "math"),
        (["Paris", "Rome"], "text", "text"),
        (["1", "2"], "math", "math"),
    ],
)
def test_the_grader_that_suits(folder, answers, asked, grader):
    path = jsonl(folder / "x.jsonl", [{"question": "?", "answer": a} for a in answers])
    assert runs.add_dataset("mine", path, grader=asked)["grader"] == grader
    assert runs_checks.checked(spec(dataset="mine", problem_id="mine-0001")).grader == grader


# --- what is wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ('{"question": "a", "answer": "1"}\n{"question"', r"x\.jsonl, line 2: not JSON"),
        ('{"question": "a", "answer": "1"}\n\n[1]', r"x\.jsonl, line 3: not an object"),
        ("[" * 100_000, r"x\.jsonl, line 1: not JSON"),
        ('{"question": "a"}', r"x\.jsonl, line 1: no column looks like the answer"),
        ('{"question": " ", "answer": "1"}', r"x\.jsonl, line 1: 'question' is empty"),
        ('{"question": "a", "answer": true}', r"x\.jsonl, line 1: 'answer' must be text"),
        ('{"question": "a", "answer": {"x": 1}}', r"x\.jsonl, line 1: 'answer' must be text"),
        ('{"id": "i", "question": "a", "answer": "1"}\n' * 2, r"x\.jsonl, line 2: the id 'i' was used before"),
        (json.dumps({"question": "a" * 20_001, "answer": "1"}), r"x\.jsonl, line 1: 'question' has 20,001 characters"),
        (json.dumps({"question": "a", "answer": "1" * 1001}), r"x\.jsonl, line 1: 'answer' has 1,001 characters"),
        ("", "no rows"),
        ('{"question": "a", "answer": ' + "9" * 5000 + "}", r"x\.jsonl, line 1"),
    ],
)
def test_a_broken_file_is_named_with_its_line_and_nothing_is_kept(folder, lines, complaint):
    path = folder / "x.jsonl"
    path.write_text(lines, "utf-8")
    with pytest.raises(UserError, match=complaint):
        runs.add_dataset("mine", path)
    assert stored() == [] and "mine" not in runs.catalogue().datasets


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("x.csv", b"question,answer\na,1,2\n", "line 2: not as many fields"),
        ("x.csv", b"question,answer\na\n", "line 2: not as many fields"),
        ("x.csv", b'question,answer\n"a,1\n', "x.csv, line"),
        ("x.parquet", b"PAR1 this is none", "not a Parquet file"),
        ("x.jsonl", b"\xff\xfe\x00", "x.jsonl cannot be read"),
        ("x.json", b'{"question": "a"}', "not a list"),
        ("x.exe", b"MZ", "of no kind that can be read"),
    ],
)
def test_other_broken_files(folder, name, content, complaint):
    (folder / name).write_bytes(content)
    with pytest.raises(UserError, match=complaint):
        runs.add_dataset("mine", folder / name)
    assert stored() == []


def test_caps_on_size(folder, monkeypatch):
    path = jsonl(folder / "x.jsonl", QUESTIONS)
    monkeypatch.setattr(reading, "MAX_PROBLEMS", 2)
    with pytest.raises(UserError, match="line 3: a data set may have 2 problems"):
        runs.add_dataset("mine", path)
    monkeypatch.setattr(reading, "MAX_BYTES", 1 << 20)
    with path.open("a") as file:
        file.write(" " * (1 << 20))
    with pytest.raises(UserError, match="has more than 1 MiB"):
        runs.add_dataset("mine", path)
    with pytest.raises(UserError, match="cannot be read"):
        runs.add_dataset("mine", folder / "gone.jsonl")


def test_columns_that_are_not_there(folder):
    path = jsonl(folder / "x.jsonl", QUESTIONS)
    with pytest.raises(UserError, match="line 1: there is no column 'solution'") as raised:
        runs.add_dataset("mine", path, {"answer": "solution"})
    assert "question, answer, id" in raised.value.hint


def test_answers_the_grader_cannot_read(folder):
    path = jsonl(folder / "x.jsonl", [*QUESTIONS, {"id": "p", "question": "Capital?", "answer": "Paris"}])
    with pytest.raises(BadValue, match="'Paris' of problem 'p' is none for the grader 'numeric'"):
        runs.add_dataset("mine", path, grader="numeric")
    with pytest.raises(UnknownName, match="no grader is called 'judge'"):
        runs.add_dataset("mine", path, grader="judge")
    assert stored() == []


@pytest.mark.parametrize("name", ["", "../x", "A", "x y", ".x", "a" * 65, "x/y", "\u00e4"])
def test_names(folder, name):
    with pytest.raises(BadValue, match="cannot be the name"):
        runs.add_dataset(name, jsonl(folder / "x.jsonl", QUESTIONS))


def test_a_name_that_is_taken(folder):
    path = jsonl(folder / "x.jsonl", QUESTIONS)
    runs.add_dataset("mine", path)
    before = (settings().data_dir / "problems" / "mine.jsonl").read_bytes()
    for name in ("mine", "test-problems"):
        with pytest.raises(UserError, match="already"):
            runs.add_dataset(name, path)
    with pytest.raises(UserError, match="already"):
        added.write("mine", QUESTIONS)  # two at the same time: the second one finds the file
    assert stored() == ["mine.jsonl"] and (settings().data_dir / "problems" / "mine.jsonl").read_bytes() == before


# --- benchmarks ------------------------------------------------------------------------------------------------------


def test_a_benchmark_is_recognised(folder, monkeypatch):
    pairs = [(q["question"], q["answer"]) for q in QUESTIONS]
    known = benchmarks.Benchmark("About.", "math", 3, ("a/b", None, "test"), digest=benchmarks.digest(pairs))
    monkeypatch.setattr(added, "BENCHMARKS", {**BENCHMARKS, "math500": known})
    monkeypatch.setattr(runs_checks, "BENCHMARKS", {**BENCHMARKS, "math500": known})
    path = jsonl(folder / "x.jsonl", list(reversed(QUESTIONS)))
    assert runs.add_dataset("math500", path) == {
        "name": "math500", "problems": 3, "grader": "math", "checked": True, "sha256": known.digest, "as_added": True,
    }  # fmt: skip
    assert runs.catalogue().datasets["math500"] == "About."


def test_a_checksum_is_kept_whatever_the_file_and_says_when_somebody_changed_the_data_set(folder):
    (folder / "x.csv").write_text("number,problem,solution\n" + "".join(
        f"{q['id']},{q['question']},{q['answer']}\n" for q in reversed(QUESTIONS)
    ))  # fmt: skip
    first = runs.add_dataset("one", jsonl(folder / "x.jsonl", QUESTIONS))
    other = runs.add_dataset("other", folder / "x.csv", {"answer": "solution"})
    assert first["sha256"] == other["sha256"] == benchmarks.digest([(q["question"], q["answer"]) for q in QUESTIONS])
    assert runs.checksum(runs.problems("one")) == {"sha256": first["sha256"], "as_added": True}
    path = settings().data_dir / "problems" / "other.jsonl"
    path.write_text(path.read_text().replace('"answer": "4"', '"answer": "5"'))
    assert runs.checksum(runs.problems("other")) == {"sha256": first["sha256"], "as_added": False}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda found: found[:2], "math500 has 3 problems, this has 2"),
        (lambda found: [*found[:2], {**found[2], "answer": "5"}], "the checksum is another one"),
    ],
)
def test_what_is_not_the_benchmark_is_refused(folder, monkeypatch, change, complaint):
    pairs = [(q["question"], q["answer"]) for q in QUESTIONS]
    known = benchmarks.Benchmark("About.", "math", 3, ("a/b", None, "test"), digest=benchmarks.digest(pairs))
    other = benchmarks.Benchmark("About.", "math", 3, ("a/b", None, "test"))
    monkeypatch.setattr(added, "BENCHMARKS", {"math500": known, "aime24": other})
    with pytest.raises(UserError, match=complaint):
        runs.add_dataset("math500", jsonl(folder / "x.jsonl", change(QUESTIONS)))
    with pytest.raises(UserError, match="these are the questions of math500, not of aime24"):
        runs.add_dataset("aime24", jsonl(folder / "x.jsonl", QUESTIONS))
    assert stored() == []


def test_a_benchmark_that_is_not_there_says_how_to_get_it(url):
    with pytest.raises(UnknownName) as raised:
        runs.problems("math500")
    assert "datasets add math500 FILE" in raised.value.hint
    with pytest.raises(UserError, match="'nonsense' is no known benchmark"):
        runs.add_dataset("nonsense", None)


def test_the_hub_is_asked_where_there_is_no_file(url, monkeypatch):
    """Without the package it says what to install; with it, its rows are taken like a file's."""
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match="needs the package `datasets`"):
        runs.add_dataset("aime25", None)

    asked = []

    def load_dataset(*where, **options):
        asked.append((where, options))
        if len(asked) == 1:
            raise ConnectionError("no network\nand more")
        return [{"problem": f"{i}?", "answer": i, "id": i} for i in range(30)]

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    with pytest.raises(UserError, match="math-ai/aime25 cannot be fetched: no network$"):
        runs.add_dataset("aime25", None)
    assert runs.add_dataset("aime25", None)["problems"] == 30
    assert asked == [(("math-ai/aime25", None), {"split": "test"})] * 2
    assert runs.problem("aime25", "7").answer == "7"


def test_rows_of_benchmarks_in_their_own_words():
    converted = BENCHMARKS["gsm8k"].convert({"question": "q", "answer": "2 + 3 = 5\n#### 5"})
    assert converted == {"question": "q", "answer": "5", "solution": "2 + 3 = 5"}
    olympiad = BENCHMARKS["olympiadbench"].convert
    assert olympiad({"question": "q", "final_answer": ["$2$", "$\\frac{1}{2}$"]})["answer"] == "2, \\frac{1}{2}"
    assert olympiad({"question": "q", "final_answer": None}) is None
    assert olympiad({"question": "q", "final_answer": ["1"], "image_1": b"png"}) is None


def test_worked_solutions_in_the_form_of_gsm8k_have_their_answer_at_the_end_under_any_name(folder):
    rows = [
        {"question": f"{i} more than 2?", "answer": f"2 + {i} = {i + 2}\n" * 300 + f"#### {i + 2}"} for i in range(3)
    ]
    runs.add_dataset("some-of-gsm8k", jsonl(folder / "some.jsonl", rows))
    found = runs.problems("some-of-gsm8k")
    assert [problem.answer for problem in found] == ["2", "3", "4"]
    assert {problem.metadata["grader"] for problem in found} == {"numeric"}


def test_gpqa_gets_its_letters():
    row = {"Question": "Which?", "Correct Answer": "right", "Record ID": "rec1", "Canary String": "x"}
    row |= {f"Incorrect Answer {i}": f"wrong {i}" for i in (1, 2, 3)}
    letters = set()
    for i in range(20):
        made = BENCHMARKS["gpqa-diamond"].convert({**row, "Question": f"Which {i}?"})
        listed = made["question"].splitlines()[-4:]
        assert sorted(line[3:] for line in listed) == ["right", "wrong 1", "wrong 2", "wrong 3"]
        assert f"{made['answer']}) right" in listed
        assert made == BENCHMARKS["gpqa-diamond"].convert({**row, "Question": f"Which {i}?"})
        assert set(made) == {"question", "answer", "Record ID"}
        letters.add(made["answer"])
    assert len(letters) > 2


@pytest.mark.parametrize(("name", "file"), [("math500", "math500"), ("gsm8k", "gsm8k_test"), ("aime24", "aime24")])
def test_the_files_people_have(url, name, file):
    path = SHARED / f"{file}.jsonl"
    if not path.exists():
        pytest.skip(f"{path.name} is not in the folder TTC_SHARED_DATA")
    known = BENCHMARKS[name]
    told = runs.add_dataset(name, path)
    sizes = {"problems": known.problems, "grader": known.grader}
    assert told == {"name": name, **sizes, "checked": True, "sha256": known.digest, "as_added": True}
    assert len({p.id for p in runs.problems(name)}) == known.problems


# --- they are there for everything else ------------------------------------------------------------------------------


def test_command_line(ttc, folder):
    path = jsonl(folder / "x.jsonl", [{"f": "1 + 1?", "answer": "2"}])
    assert ttc("datasets", "add", "mine", str(path), "--json")[0] == 2
    code, out, _ = ttc("datasets", "add", "mine", str(path), "--question", "f", "--json")
    about = {"problems": 1, "grader": "numeric", "sha256": benchmarks.digest([("1 + 1?", "2")]), "as_added": True}
    assert code == 0 and json.loads(out) == {"name": "mine", **about, "checked": False}
    listed = json.loads(ttc("datasets", "--json")[1])
    assert listed["mine"] == {"help": "Added from a file.", **about}
    assert all(of["sha256"] is of["as_added"] is None for name, of in listed.items() if name.startswith("mini-"))
    shown = ttc("datasets")[1]
    assert "mine" in shown and "known and not there" in shown and "math500" in shown
    assert ttc("datasets", "add", "mine", str(path), "--question", "f")[0] == 2
    assert ttc("datasets", "add")[0] == 2
    solve = ["solve", "--dataset", "mine", "--problem", "mine-0001", "--strategy", "best_of_n", "--budget", "1"]
    code, _, err = ttc(*solve, "--grader", "math")
    assert code == 2 and "--grader goes with --question" in err
    code, _, err = ttc("solve", "--question", "q", "--grader", "judge", "--strategy", "best_of_n", "--budget", "1")
    assert code == 2 and "no grader is called 'judge'" in err


def test_a_run_on_it_is_stored_with_its_grader_and_graded(url, folder, monkeypatch):
    backend = ScriptedBackend()
    monkeypatch.setattr(runs_driver, "LocalBackend", lambda: backend)
    backend.verifier = lambda name: ScriptedVerifier("scripted-prm")
    path = jsonl(folder / "x.jsonl", [{"question": "1 + 1?", "answer": r"\frac{14}{2}", "id": "p"}])
    runs.add_dataset("mine", path, grader="math")
    run_id = runs.start(spec(dataset="mine", problem_id="p", strategy="best_of_n"), db=url)
    runs.execute([run_id], db=url)
    view = runs.get(run_id, db=url)
    assert view.spec.grader == "math" and view.graded_by.startswith("math-3/math-verify-")
    assert view.correct is (view.answer == "7")
    document = runs.export_run(run_id, db=url)
    assert (document["spec"]["grader"], document["graded_by"]) == ("math", view.graded_by)
    runs.delete([run_id], db=url)
    runs.import_run(document, db=url)
    again = runs.get(run_id, db=url)
    assert (again.spec, again.graded_by, again.correct) == (view.spec, view.graded_by, view.correct)


def test_graders_that_disagree_are_listed(url, ttc):
    for name, answer, gold in (("same", "7", "7"), ("half", "0.5", "1/2"), ("none", None, "7"), ("far", "8", "7")):
        repository.add(database(url), name, RunSpec("q", "best_of_n", 1, answer=gold))
        [claim] = leases.claim(database(url), "w", 1)
        leases.commit(
            database(url), [leases.Change(claim.lease, end=leases.End("done", Outcome(answer, None, ()), True))]
        )
    code, out, _ = ttc("list", "--disagree", "--json")
    [told] = json.loads(out)["runs"]
    assert code == 0 and told["run_id"] == "half"
    assert told["verdicts"] == {"numeric": True, "math": True, "choice": None, "text": False}
    assert "1 of 4 runs" in ttc("list", "--disagree")[1]
