"""Going on from a step of a stored search, with the embedded models: a new run below a text that was given."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttc_core import registry, runs, runs_documents
from ttc_core.errors import BadValue, UnknownName, UserError
from ttc_core.runs_continued import rewritten, steps_to
from ttc_core.store.database import database
from ttc_core.tree import steps_of
from ttc_core.types import GIVEN, ROOT, Node, RunSpec
from ttc_core.ui.tree import rows

SPEC = RunSpec("", "beam_search", 4, dataset="mini-test", problem_id="mini-test-0001")
WHOLE_ATTEMPTS = [n for n in registry.names("strategy") if getattr(registry.build("strategy", n, {}), "needs", "")]


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A database, and the id of a finished search by steps in it."""
    url = f"sqlite:///{tmp_path_factory.mktemp('continued') / 'x.db'}"
    runs.ensure_database(db=url)
    run_id = runs.start(SPEC, db=url)
    runs.execute([run_id], db=url)
    yield url, run_id
    database(url).close()


def carried_out(url, run_id):
    runs.execute([run_id], db=url)
    view = runs.get(run_id, db=url)
    assert view.status == "done", view.error
    return view, runs.nodes(run_id, db=url).nodes


def second_step(url, run_id):
    return next(n.id for n in runs.nodes(run_id, db=url).nodes if n.id.count(".") == 2 and not n.complete)


def asked(**fields):
    return RunSpec(**{"question": "", "strategy": "beam_search", "budget": 4, **fields})


def test_the_new_search_begins_with_the_steps_and_scores_them_as_they_were(searched):
    url, run_id = searched
    old = {node.id: node for node in runs.nodes(run_id, db=url).nodes}
    second = second_step(url, run_id)
    view, nodes = carried_out(url, runs.continue_from(run_id, second, db=url))
    assert (view.parent, view.parent_node) == (run_id, second)
    assert view.spec.prefix == (old[old[second].parent].text, old[second].text)
    root, *others = nodes
    assert (root.id, root.text, root.spec) == (ROOT, "".join(view.spec.prefix), GIVEN)
    assert root.scores == pytest.approx(old[second].path_scores, abs=1e-6)
    assert all(node.path_scores[:2] == root.scores for node in others if node.scores)
    assert [run.id for run in runs.listing(parent=run_id, db=url).rows] == [view.id]


def test_only_new_work_is_charged(searched):
    url, run_id = searched
    view, nodes = carried_out(
        url,
        runs.continue_from(run_id, second_step(url, run_id), asked=asked(strategy="best_of_n", budget=3), db=url),
    )
    assert view.usage.generations == 3 and len(nodes) == 4
    assert view.usage.generated_tokens == sum(len(node.tokens) for node in nodes[1:])


@pytest.mark.parametrize("strategy", [n for n in registry.names("strategy") if n not in WHOLE_ATTEMPTS])
def test_every_strategy_that_does_not_revise_goes_on_from_an_edited_step(searched, strategy):
    url, run_id = searched
    wanted = asked(strategy=strategy)
    view, nodes = carried_out(url, runs.continue_from(run_id, "r.0", "10 + 8 = 19", asked=wanted, db=url))
    assert view.spec.prefix == ("10 + 8 = 19\n",) and nodes[0].text == "10 + 8 = 19\n"
    assert len(nodes) > 1


@pytest.mark.parametrize("strategy", WHOLE_ATTEMPTS)
def test_strategies_that_revise_refuse(searched, strategy):
    url, run_id = searched
    with pytest.raises(UserError, match="cannot go on from a step|was not made"):
        runs.continue_from(run_id, "r.0", asked=asked(strategy=strategy, model="mini-reviser"), db=url)


def test_scores_of_the_policys_own_certainty_begin_with_its_own_words(searched):
    url, run_id = searched
    wanted = asked(verifier="self_certainty")
    _, nodes = carried_out(url, runs.continue_from(run_id, "r.0", asked=wanted, db=url))
    assert nodes[0].scores == (1.0,) and all(0 < node.scores[0] < 1 for node in nodes[1:] if node.scores)


def test_it_is_resumed_extended_and_continued_again_like_any_search(searched):
    url, run_id = searched
    whole, _ = carried_out(url, runs.continue_from(run_id, "r.0", db=url))
    part = runs.continue_from(run_id, "r.0", db=url)
    turns = itertools.count()
    runs.execute([part], until=lambda: next(turns) > 6, db=url)
    assert runs.get(part, db=url).status == "stopped" and runs.get(part, db=url).nodes > 1
    runs.resume(part, db=url)
    carried_out(url, part)
    one, other = (runs_documents.same_search(runs.export_run(id_, db=url)) for id_ in (whole.id, part))
    assert one == other
    runs.extend(part, 8, db=url)
    view, _ = carried_out(url, part)
    assert view.usage.generations == 8
    below, _ = carried_out(url, runs.continue_from(part, "r.0", db=url))
    assert below.spec.prefix[:1] == view.spec.prefix and len(below.spec.prefix) == 2
    again, _ = carried_out(url, runs.continue_from(part, "r#1", db=url))
    assert again.spec.prefix == view.spec.prefix


@pytest.mark.parametrize(
    ("step", "text", "error", "words"),
    [
        ("r.77", None, UnknownName, "no step 'r.77'"),
        ("r", None, UnknownName, "no step 'r'"),
        ("r.0#2", None, UnknownName, "no step '2'"),
        ("r.0", " \n", BadValue, "is empty"),
        ("r.0", "Answer: 3", UserError, "give an answer already"),
        ("r.0", "x" * 30_000, BadValue, "at most 20,000"),
    ],
)
def test_what_cannot_be_gone_on_from_is_refused_in_one_sentence(searched, step, text, error, words):
    url, run_id = searched
    before = runs.listing(db=url).total
    with pytest.raises(error, match=words):
        runs.continue_from(run_id, step, text, db=url)
    assert runs.listing(db=url).total == before


def test_a_finished_solution_cannot_be_gone_on_from_but_a_step_inside_it_can(searched):
    url, _ = searched
    sampled, nodes = carried_out(url, runs.start(asked(**{**_own(SPEC), "strategy": "best_of_n"}), db=url))
    with pytest.raises(UserError, match="give an answer already"):
        runs.continue_from(sampled.id, "r.0", db=url)
    view = runs.get(runs.continue_from(sampled.id, "r.0#2", db=url), db=url)
    assert view.spec.prefix == tuple(steps_of(nodes[0])[:2])


def _own(spec):
    return {"dataset": spec.dataset, "problem_id": spec.problem_id}


@given(st.lists(st.text("ab ", min_size=1).filter(str.strip), min_size=1, max_size=5), st.sampled_from(["\n", "\n\n"]))
def test_the_steps_of_a_node_joined_are_its_text(texts, end):
    text = end.join(texts) + end
    node = Node("r.0", ROOT, text, "end", steps=len(texts))
    assert steps_of(node) == [f"{part}{end}" for part in texts]
    assert "".join(steps_to([node], f"r.0#{len(texts)}")) == text
    assert rewritten(tuple(steps_of(node)), "b")[-1] == f"b{end}"


def test_what_was_given_is_drawn_between_the_question_and_the_first_samples():
    prefix = ("one\n", "two\n")
    root = Node(ROOT, "", "one\ntwo\n", "step", steps=2, scores=(0.5, 0.25), state="kept", spec=GIVEN)
    drawn = rows([root, Node("r.3", ROOT, "three\n", "step")], prefix)
    assert [row[:5] for row in drawn] == [
        ("r#1", "r", "one\n", 0.5, "given"),
        ("r#2", "r#1", "two\n", 0.25, "given"),
        ("r.3", "r#2", "three\n", None, "open"),
    ]
