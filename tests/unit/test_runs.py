"""The facade: what it refuses and how it says so, and runs as documents."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from math import inf

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from tests.unit.test_store_database import any_text, node_values
from ttc_core import models, registry, runs, runs_checks, runs_documents
from ttc_core.datasets import added
from ttc_core.errors import BadValue, UnknownName, UserError
from ttc_core.runs_documents import dumps
from ttc_core.settings import REPOSITORY, settings
from ttc_core.store import leases, repository
from ttc_core.store.database import database
from ttc_core.types import Candidate, Node, Outcome, Problem, RunSpec, Usage

PROBLEMS = [Problem(f"test-{i:04}", f"What is {i} + 1?", str(i + 1)) for i in range(300)]


@pytest.fixture
def url(tmp_path, monkeypatch):
    """A database, one policy and one verifier on cards, one data set."""
    for name, kind in (("mini-s", "policy"), ("mini-implicit", "implicit")):
        folder = tmp_path / "data" / "models" / name
        folder.mkdir(parents=True)
        (folder / "card.json").write_text(json.dumps({"name": name, "kind": kind, "parameters": 10}))
    monkeypatch.setenv("TTC_DATA_DIR", str(tmp_path / "data"))
    settings.cache_clear()
    registry.names("dataset")
    monkeypatch.setitem(registry._registered, "dataset", {"test-problems": lambda: PROBLEMS})
    runs_checks._loaded.cache_clear()
    runs_checks._by_id.cache_clear()
    url = f"sqlite:///{tmp_path / 'x.db'}"
    runs.ensure_database(db=url)
    yield url
    database(url).close()
    monkeypatch.undo()
    settings.cache_clear()
    runs_checks._loaded.cache_clear()
    runs_checks._by_id.cache_clear()


def spec(**fields):
    asked = {
        "question": "",
        "strategy": "beam_search",
        "budget": 4,
        "dataset": "test-problems",
        "problem_id": "test-0007",
    }
    return RunSpec(**{**asked, **fields})


def own(question="How many?", **fields):
    return spec(question=question, dataset="", problem_id="", **fields)


def test_a_run_is_stored_with_its_problem_and_every_hyper_parameter(url):
    run_id = runs.start(spec(params={"width": "2"}), db=url)
    view = runs.get(run_id, db=url)
    assert (view.status, view.spec.question, view.spec.answer) == ("pending", "What is 7 + 1?", "8")
    assert view.spec.params["width"] == 2
    assert set(view.spec.params) == {p.name for p in registry.params(registry.get("strategy", "beam_search"))}
    assert run_id.isalnum() and len(run_id) <= 12
    assert runs.start(view.spec, parent=run_id, db=url) != run_id  # a stored spec can be started again as it is
    assert runs.listing(db=url).rows[0].parent == run_id


def test_a_question_of_ones_own(url):
    view = runs.get(runs.start(own(answer=" 12 "), db=url), db=url)
    assert (view.spec.question, view.spec.answer) == ("How many?", "12")
    assert runs.get(runs.start(own(answer="  "), db=url), db=url).spec.answer is None


@pytest.mark.parametrize(
    ("wrong", "kind", "sentence", "hint"),
    [
        (spec(strategy="beam_serch"), UnknownName, "no strategy is called 'beam_serch'", "beam_search"),
        (spec(model="mini-x"), UnknownName, "no model is called 'mini-x'", "mini-s"),
        (spec(model="mini-implicit"), UnknownName, "no model is called 'mini-implicit'", "mini-s"),
        (spec(verifier="implicit"), UnknownName, "no verifier is called 'implicit'", "mini-implicit"),
        (spec(dataset="test-problem"), UnknownName, "no data set is called 'test-problem'", "test-problems"),
        (spec(problem_id="test-0300"), UnknownName, "has no problem 'test-0300'", "300 problems; did you mean test-0"),
        (spec(problem_id=""), UnknownName, "has no problem ''", "300 problems"),
        (spec(dataset=""), UserError, "without its data set", ""),
        (spec(budget=0), BadValue, "the budget must be at least 1, not 0", ""),
        (spec(budget=10**9), BadValue, "the budget must be at most 65,536, not 1,000,000,000", ""),
        (spec(budget=2.5), BadValue, "the budget must be a whole number, not 2.5", ""),
        (spec(budget=True), BadValue, "the budget must be a whole number", ""),
        (spec(seed=-1), BadValue, "the seed must be at least 0, not -1", ""),
        (spec(seed=2**63), BadValue, "the seed must be at most", ""),
        (spec(temperature=float("nan")), BadValue, "the temperature must be between 0 and 10, not nan", ""),
        (spec(params={"width": -1}), BadValue, "width must be at least 0, not -1", ""),
        (spec(params={"wideness": 1}), UnknownName, "has no parameter 'wideness'", "width"),
        (own("  \n"), BadValue, "the question is empty", ""),
        (own("x" * 20_001), BadValue, "the question has 20,001 characters; at most 20,000 are possible", ""),
    ],
)
def test_what_is_refused_in_one_sentence(url, wrong, kind, sentence, hint):
    with pytest.raises(kind) as caught:
        runs.start(wrong, db=url)
    assert sentence in str(caught.value) and hint in caught.value.hint
    assert "\n" not in str(caught.value) + caught.value.hint
    assert runs.listing(db=url).total == 0


def test_unknown_runs(url):
    for call in (
        lambda: runs.get("nope", db=url),
        lambda: runs.nodes("nope", db=url),
        lambda: runs.stop("nope", db=url),
        lambda: runs.resume("nope", db=url),
        lambda: runs.extend("nope", 8, db=url),
        lambda: runs.export_run("nope", db=url),
        lambda: runs.execute(["nope"], db=url),
    ):
        with pytest.raises(UnknownName, match="nope"):
            call()
    assert runs.delete(["nope"], db=url) == 0


def test_problems(url):
    assert runs.problems("test-problems") == PROBLEMS
    assert runs.problem("test-problems", "test-0003") is PROBLEMS[3]


def test_a_data_set_added_anew_is_read_anew(url, tmp_path):
    """A wrong column was chosen, the file deleted, the data set added again: nothing of the first one is left."""

    def add(answer):
        return added.write("mine", [{"id": "1", "question": "What?", "answer": answer}])

    first = add("4")
    assert runs.problem("mine", "1").answer == "4"
    first.unlink()
    add("55")
    assert runs.problem("mine", "1").answer == "55" and runs.problems("mine")[0].answer == "55"


@pytest.mark.parametrize(
    ("strategy", "params"),
    [("best_of_n", {}), ("best_of_n", {"select": "best"}), ("beam_search", {"select": "majority"}), ("mcts", {}),
     ("escalate", {})],
)  # fmt: skip
def test_what_goes_by_scores_is_refused_without_a_verifier(url, strategy, params):
    with pytest.raises(UserError, match=f"{strategy} with these settings goes by scores"):
        runs.start(spec(strategy=strategy, params=params, verifier=""), db=url)
    assert runs.listing(db=url).total == 0


@pytest.mark.parametrize(
    ("strategy", "params"),
    [("best_of_n", {"select": "majority"}), ("single", {}), ("adaptive_consistency", {}), ("confidence_vote", {})],
)
def test_what_counts_answers_needs_no_verifier(url, strategy, params):
    assert runs.start(spec(strategy=strategy, params=params, verifier=""), db=url)


@pytest.mark.lab
def test_the_catalogue_names_what_is_registered(url):
    catalogue = runs.catalogue()
    text, params = catalogue.strategies["beam_search"]
    assert text.endswith(".") and "\n" not in text and "width" in [p.name for p in params]
    here = [  # what transformers reads is ready where that is installed
        [n for n, card in of.items() if not card.lacks and card.engine != "transformers_local"]
        for of in (catalogue.models, catalogue.verifiers)
    ]
    assert here == [["mini-s"], ["mini-implicit", "self_certainty", "oracle"]] and "qwen3-0-6b" in catalogue.models
    assert isinstance(catalogue.models["mini-s"], models.ModelCard)
    assert set(catalogue.strategies) == set(registry.names("strategy"))


@pytest.mark.lab
def test_importing_the_package_is_light():
    code = (
        "import sys, time; t = time.process_time(); import ttc_core.runs, ttc_core.__main__; "
        "print(time.process_time() - t, *(m for m in ('torch', 'sqlalchemy', 'alembic', 'streamlit', 'numpy') "
        "if m in sys.modules))"
    )
    best = min((_import(code) for _ in range(3)), key=lambda line: float(line.split()[0]))
    assert best.split()[1:] == [] and float(best.split()[0]) < 0.5


def _import(code):
    return subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout


# --- documents -------------------------------------------------------------------------------------------------------

NODES = (Node("r.2", "r", "one\n", "step", scores=(0.5,), path_scores=(0.5,)), Node("r.10", "r", "\ud800\x00", "end"))


def stored(url, nodes=NODES, question="How many?", status="done"):
    run_id = f"run{runs.listing(db=url).total}"
    db = database(url)
    repository.add(db, run_id, RunSpec(question, "beam_search", 4, params={"width": 2}, answer="7"))
    [claim] = leases.claim(db, "w", 1)
    outcome = Outcome("7", "r.10", (Candidate("r.10", "7", 0.1, 0.3), Candidate("r.2", None, None)), 1)
    end = leases.End(status, outcome if status == "done" else None, True, "why" if status == "failed" else "")
    leases.commit(db, [leases.Change(claim.lease, nodes, Usage(generations=4, seconds=1.5), end)])
    return run_id


def test_a_document_is_spelled_in_one_way_and_comes_back_whole(url, tmp_path):
    run_id = stored(url)
    document = runs.export_run(run_id, db=url)
    text = dumps(document)
    assert [node["id"] for node in document["nodes"]] == ["r.2", "r.10"]
    assert json.loads(text) == document and text.isascii() and text == dumps(json.loads(text))
    before, tree = runs.get(run_id, db=url), runs.nodes(run_id, db=url).nodes
    other = f"sqlite:///{tmp_path / 'other.db'}"
    runs.ensure_database(db=other)
    assert runs.import_run(json.loads(text), db=other) == run_id
    after = runs.get(run_id, db=other)
    same = {name: getattr(before, name) for name in before.__dataclass_fields__ if name != "revision"}
    assert same == {name: getattr(after, name) for name in same}
    assert runs.nodes(run_id, db=other).nodes == tree
    assert dumps(runs.export_run(run_id, db=other)) == text


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(node=node_values(), question=any_text)
def test_any_run_comes_back_from_its_document(url, node, question):
    run_id = stored(url, (node,), question, "failed")
    document = json.loads(dumps(runs.export_run(run_id, db=url)))
    runs.delete([run_id], db=url)
    runs.import_run(document, db=url)
    assert runs.nodes(run_id, db=url).nodes == (node,)
    assert runs.get(run_id, db=url).spec.question == question
    runs.delete([run_id], db=url)


def test_infinities_have_a_spelling(url):
    run_id = stored(url, (Node("r.0", "r", "x", "end", logprob=-inf),))
    document = json.loads(dumps(runs.export_run(run_id, db=url)))
    assert document["nodes"][0]["logprob"] == "-inf"
    assert runs_documents.parse(document)[4][0].logprob == -inf


def change(document, path, value):
    *way, last = path
    place = document
    for key in way:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (["format"], "other", "no run document"),
        (["id"], ..., "lacks 'id'"),
        (["id"], "../x", "cannot be the id"),
        (["spec", "budget"], "four", "spec.budget has the wrong type: 'four'"),
        (["spec", "budget"], True, "spec.budget has the wrong type"),
        (["spec", "surprise"], 1, "spec has the unknown field 'surprise'"),
        (["spec", "strategy"], ..., "spec lacks 'strategy'"),
        (["spec", "budget"], 10**30, "spec.budget has the wrong type"),
        (["nodes", 0, "tokens"], [-1], "negative"),
        (["status"], "running", "status must be one of done, failed, stopped"),
        (["created"], "yesterday", "created is no date and time"),
        (["usage"], [], "usage must be an object"),
        (["outcome", "candidates", 1, "score"], "high", r"candidates\[1\].score has the wrong type"),
        (["nodes", 1], None, r"nodes\[1\] must be an object"),
        (["nodes", 0, "tokens"], [1, "2"], r"nodes\[0\].tokens\[1\] has the wrong type"),
        (["nodes", 0, "state"], "lost", "state of node r.2 must be one of"),
        (["nodes", 0, "id"], "r.10", "two nodes of the same id"),
        (["nodes", 0, "text"], ..., r"nodes\[0\] lacks 'text'"),
        (["nodes"], 5, "nodes has the wrong type: '5'"),
    ],
)
def test_a_broken_document_is_refused_with_its_place(url, path, value, sentence):
    run_id = stored(url)
    document = copy.deepcopy(runs.export_run(run_id, db=url))
    runs.delete([run_id], db=url)
    change(document, path, value)
    with pytest.raises(UserError, match=sentence):
        runs.import_run(document, db=url)
    assert runs.listing(db=url).total == 0


def test_a_run_is_imported_once(url):
    document = runs.export_run(stored(url), db=url)
    with pytest.raises(UserError, match="already"):
        runs.import_run(document, db=url)


def test_a_new_database_receives_the_examples(url, tmp_path, monkeypatch):
    monkeypatch.setenv("TTC_EXAMPLES", "1")
    settings.cache_clear()
    folder = tmp_path / "data" / "examples"
    folder.mkdir()
    run_id = stored(url)
    (folder / "one.json").write_text(dumps(runs.export_run(run_id, db=url)))
    (folder / "broken.json").write_text("{")
    fresh = f"sqlite:///{tmp_path / 'fresh.db'}"
    runs.ensure_database(db=fresh)
    assert [view.id for view in runs.listing(db=fresh).rows] == [run_id]
    runs.delete([run_id], db=fresh)
    runs.ensure_database(db=fresh)
    assert runs.listing(db=fresh).total == 0  # what was deleted does not come back


def test_the_shipped_examples_can_be_read():
    for path in (REPOSITORY / "data" / "examples").glob("*.json"):
        text = path.read_text("utf-8")
        runs_documents.parse(json.loads(text))
        assert dumps(json.loads(text)) == text
