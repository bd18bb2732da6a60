"""The command line: exit codes, one sentence for every mistake, one JSON document for every result."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.conformance.harness import ScriptedBackend, ScriptedVerifier
from tests.unit.test_runs import spec, stored, url  # noqa: F401 (a fixture)
from ttc_core import __main__, runs, runs_driver
from ttc_core.cli import shown
from ttc_core.errors import EngineFault
from ttc_core.settings import REPOSITORY

SOLVE = ["solve", "--dataset", "test-problems", "--problem", "test-0007", "--strategy", "beam_search", "--budget", "4"]


@pytest.fixture
def ttc(url, capsys):  # noqa: F811
    """Calls a verb on the test's database; gives exit code, stdout and stderr."""

    def call(*arguments, db=url):
        try:
            code = __main__.main([*arguments, *(["--db", db] if db else [])])
        except SystemExit as end:
            code = end.code
        out = capsys.readouterr()
        return code, out.out, out.err

    return call


def but(option, *values):
    """The solve command with another value of an option."""
    at = SOLVE.index(option)
    return [*SOLVE[:at], *SOLVE[at + 2 :], *([option, *values] if values else [])]


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (but("--problem", "nope"), "data set 'test-problems' has no problem 'nope' (it has 300 problems; "),
        (but("--problem"), "name the problem"),
        (but("--dataset", "nope"), "no data set is called 'nope'"),
        (but("--dataset"), "there is nothing to solve"),
        (but("--strategy", "beam_serch"), "no strategy is called 'beam_serch' (did you mean beam_search"),
        (but("--budget", "0"), "the budget must be at least 1, not 0"),
        (but("--budget", "many"), "argument --budget: invalid int value: 'many'"),
        (but("--budget"), "the following arguments are required: --budget"),
        ([*SOLVE, "--set", "width=-1"], "width must be at least 0, not -1"),
        ([*SOLVE, "--set", "width=wide"], "width must be a whole number, not 'wide'"),
        ([*SOLVE, "--set", "nonsense"], "--set takes NAME=VALUE, not 'nonsense'"),
        ([*SOLVE, "--set", "nonsense=1"], "strategy 'beam_search' has no parameter 'nonsense' (it has: width"),
        ([*SOLVE, "--seed", "-1"], "the seed must be at least 0"),
        ([*SOLVE, "--model", "gpt"], "no model is called 'gpt'"),
        ([*SOLVE, "--verifier", "gpt"], "no verifier is called 'gpt'"),
        ([*SOLVE, "--engine", "gpt"], "no engine is called 'gpt'"),
        ([*SOLVE, "--engine", "scripted"], "model 'mini-s' runs on the engine 'embedded', not 'scripted'"),
        ([*SOLVE, "--question", "Why?"], "give either a problem of a data set or a question, not both"),
        ([*SOLVE, "--answer", "4"], "the answer of a data set's problem is known"),
        (["show", "nope"], "no run is called 'nope'"),
        (["delete", "nope"], "no run is called 'nope'"),
        (["extend", "nope", "--budget", "8"], "no run is called 'nope'"),
        (["dance"], "invalid choice: 'dance'"),
    ],
)
def test_a_mistake_costs_one_sentence_and_exit_code_2(ttc, command, sentence):
    code, out, err = ttc(*command)
    assert (code, out) == (2, "")
    assert err.startswith(f"ttc: {sentence}" if command != ["dance"] else "ttc: ") and sentence in err
    assert err.count("\n") == 1 and "Traceback" not in err


def test_a_missing_database_folder(ttc, tmp_path):
    code, out, err = ttc(*SOLVE, db=f"sqlite:///{tmp_path}/no/such/x.db")
    assert (code, out) == (2, "") and "does not exist" in err and err.count("\n") == 1
    assert not (tmp_path / "no").exists()


def test_a_broken_database_is_not_the_users_mistake(ttc, tmp_path):
    (tmp_path / "bad.db").write_text("no database" * 1000)
    code, out, err = ttc("list", db=f"sqlite:///{tmp_path}/bad.db")
    assert (code, out) == (1, "") and "not a database" in err and "Traceback" not in err


def test_stored_runs_as_lines_and_as_json(ttc, url):  # noqa: F811
    run_id = stored(url)
    code, out, _ = ttc("list")
    assert code == 0 and run_id in out and "1 run\n" in out
    code, out, _ = ttc("list", "--json", "--strategy", "beam_search")
    listed = json.loads(out)
    assert code == 0 and listed["total"] == 1 and listed["runs"][0]["run_id"] == run_id
    assert json.loads(ttc("list", "--json", "--status", "failed")[1]) == {"total": 0, "runs": [], "studies": []}
    code, out, _ = ttc("show", run_id)
    assert code == 0 and "r.10" in out and "right" in out
    assert json.loads(ttc("show", run_id, "--json")[1]) == runs.export_run(run_id, db=url)
    assert ttc("delete", run_id, "--json")[1].strip() == '{\n  "deleted": 1\n}'
    assert ttc("show", run_id)[0] == 2


def test_control_characters_of_a_model_do_not_reach_the_terminal(ttc, url):  # noqa: F811
    run_id = stored(url, question="\x1b[2Jgone\x07")
    out = ttc("show", run_id)[1] + ttc("list")[1]
    assert "\x1b" not in out and "\x07" not in out and "gone" in out


def test_lines_of_every_verb_are_cleaned(capsys):
    """Whoever wrote them: a server, a model, a file that was imported."""
    shown.write_lines(["a \x1b]0;gone\x07 b", "two\nlines"])
    assert capsys.readouterr().out == "a \\x1b]0;gone\\x07 b\ntwo\nlines\n"


def test_a_run_becomes_a_file(ttc, url, tmp_path):  # noqa: F811
    run_id = stored(url)
    assert ttc("show", run_id, "--export", str(tmp_path / "run.json"))[0] == 0
    assert json.loads((tmp_path / "run.json").read_text()) == runs.export_run(run_id, db=url)
    code, _, err = ttc("show", run_id, "--export", str(tmp_path / "no" / "run.json"))
    assert code == 2 and "cannot be written" in err


@pytest.mark.parametrize("verb", ["strategies", "models", "verifiers", "datasets", "engines"])
def test_what_is_registered(ttc, verb):
    name = {"strategies": "best_of_n", "models": "mini-s", "verifiers": "mini-implicit", "datasets": "test-problems"}
    code, out, _ = ttc(verb)
    assert code == 0 and name.get(verb, "scripted") in out
    code, out, _ = ttc(verb, "--json")
    assert code == 0 and name.get(verb, "scripted") in json.loads(out)


def test_a_worker_with_nothing_to_do_ends(ttc):
    assert ttc("worker")[0] == 0


def test_as_a_process(url):  # noqa: F811
    command = [sys.executable, "-m", "ttc_core", "show", "nope", "--json", "--db", url]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "ttc: no run is called 'nope' (`list` shows what is stored)\n"


# --- searches, on the scripted engine --------------------------------------------------------------------------------


@pytest.fixture
def scripted(monkeypatch):
    """Lets the scripted models stand in for what is under data/models; gives the backend. Signals are put back."""
    backend = ScriptedBackend()
    monkeypatch.setattr(runs_driver, "LocalBackend", lambda: backend)
    backend.verifier = lambda name: ScriptedVerifier("scripted-prm")
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield backend
    for number, handler in before.items():
        signal.signal(number, handler)


def test_solve_prints_the_document_that_scripts_rely_on(ttc, url, scripted):  # noqa: F811
    code, out, _ = ttc(*SOLVE, "--json", "--seed", "3", "--set", "width=2", "select=best")
    solved = json.loads(out)
    assert code == 0
    assert {"run_id", "answer", "correct", "nodes", "usage", "candidates"} <= solved.keys()
    costs = {"generations", "policy_tokens", "verifier_tokens", "policy_flops", "verifier_flops", "seconds"}
    assert costs <= solved["usage"].keys() and solved["usage"]["generations"] == 4
    assert solved["candidates"] and all(set(c) == {"answer", "score", "weight"} for c in solved["candidates"])
    view = runs.get(solved["run_id"], db=url)
    assert (view.spec.seed, view.spec.params["width"], view.spec.params["select"]) == (3, 2, "best")
    assert solved["answer"] == view.answer and solved["correct"] == view.correct is False  # answers are below 8


def test_solve_for_people_and_extend(ttc, url, scripted):  # noqa: F811
    question = ["solve", "--question", "How many?", "--strategy", "best_of_n", "--budget"]
    code, out, err = ttc(*question, "4")
    assert code == 0 and err == "" and "4 generations" in out and "candidate" in out
    run_id = runs.listing(db=url).rows[0].id
    assert run_id in out
    code, out, _ = ttc("extend", run_id, "--budget", "8", "--json")
    assert code == 0 and json.loads(out)["nodes"] == 8 and json.loads(out)["run_id"] == run_id
    assert ttc("extend", run_id, "--budget", "8")[0] == 2
    shown = ttc("show", run_id)[1]
    assert "r.7" in shown and "8 generations" in shown


def test_a_strategy_that_cannot_be_extended_refuses_and_says_why(ttc, url, scripted):  # noqa: F811
    assert ttc(*but("--strategy", "single"))[0] == 0
    run_id = runs.listing(db=url).rows[0].id
    before = runs.export_run(run_id, db=url)
    code, out, err = ttc("extend", run_id, "--budget", "8")
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert err.startswith(f"ttc: run {run_id} cannot be extended: one solution is all it writes, whatever the budget (")
    assert runs.export_run(run_id, db=url) == before


def test_what_a_search_left_of_its_budget_is_said(ttc, url, scripted):  # noqa: F811
    assert json.loads(ttc(*but("--strategy", "single"), "--json")[1])["unspent"] == 3
    run_id = runs.listing(db=url).rows[0].id
    shown = ttc("show", run_id)[1]
    assert "1 of 4 generations" in shown and "unspent    3 generations" in shown
    whole = json.loads(ttc(*SOLVE, "--json")[1])
    assert (whole["unspent"], whole["budget"]) == (0, 4)
    assert "unspent" not in ttc("show", whole["run_id"])[1]


def test_strategies_say_whether_they_can_be_extended(ttc):
    listed = json.loads(ttc("strategies", "--json")[1])
    assert (listed["best_of_n"]["extendable"], listed["best_of_n"]["not_extendable"]) == (True, "")
    assert listed["single"]["extendable"] is False and "whatever the budget" in listed["single"]["not_extendable"]
    assert "cannot be extended: one solution" in ttc("strategies")[1]


def test_a_search_that_fails_is_not_the_users_mistake(ttc, url, scripted):  # noqa: F811
    def broken(name):
        raise EngineFault("the weights are missing", hint="fetch them")

    scripted.engine = broken
    code, out, err = ttc(*SOLVE, "--json")
    assert code == 1 and json.loads(out)["status"] == "failed"
    assert "the weights are missing (fetch them)" in err and "Traceback" not in err


def test_a_worker_does_what_waits_and_ends(ttc, url, scripted):  # noqa: F811
    waiting = [runs.start(spec(seed=i), db=url) for i in range(3)]
    assert ttc("worker")[0] == 0
    assert [runs.get(run_id, db=url).status for run_id in waiting] == ["done"] * 3


def test_an_interrupted_search_is_stopped_and_can_be_resumed(ttc, url, scripted, monkeypatch):  # noqa: F811
    once = iter([signal.SIGINT])  # a second one would end the process at once

    def interrupt(job):
        for number in once:
            os.kill(os.getpid(), number)

    scripted.fault = interrupt
    code, out, _ = ttc(*SOLVE, "--json")
    assert code == 1 and json.loads(out)["status"] == "stopped"
    runs.resume(json.loads(out)["run_id"], db=url)
