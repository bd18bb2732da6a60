"""Attempts as context: what a chain of complete nodes is in the tree, and what a revision verifier is shown."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from tests.conformance.harness import PROBLEM, ScriptedBackend, ScriptedVerifier, run, spec
from ttc_core import models, registry, runs_checks
from ttc_core.errors import StrategyFault, UserError
from ttc_core.jobs import Evaluate, EvaluateJob, StepScores
from ttc_core.settings import settings
from ttc_core.tree import Tree
from ttc_core.types import ROOT, Node, Outcome, RunSpec, Sample, Score


def node(node_id, text, finish="end", **fields):
    return Node(node_id, node_id.rsplit(".", 1)[0], text, finish, **fields)


@pytest.fixture
def chain():
    """Two steps make the first attempt; a critique and a rewrite hang below it, a revision below that."""
    tree = Tree()
    for made in (
        node("r.0", "a\n", "step"), node("r.0.1", "A\n"), node("r.0.1.0", "wrong\n", spec="end:1:1:1:critique"),
        node("r.0.1.0.0", "B\n", spec="end:1:1:2:rewrite"), node("r.0.1.0.0.0", "c\n", "step"),
    ):  # fmt: skip
        tree.add(made)
    return tree


def test_attempts_are_whole_solutions_the_latest_last(chain):
    assert chain.attempts("r.0.1.0.0", 4) == ("a\nA\n", "B\n")
    assert chain.attempts("r.0.1.0.0", 4, critiques=True) == ("a\nA\n", "wrong\n", "B\n")
    assert chain.attempts("r.0.1.0.0", 1) == ("B\n",)
    assert chain.attempts("r.0.1.0", 1) == ("a\nA\n",)
    assert chain.attempts(ROOT, 4) == ()


def test_a_solution_begins_below_what_it_revises(chain):
    below = {"r.0": ROOT, "r.0.1": ROOT, "r.0.1.0": "r.0.1", "r.0.1.0.0": "r.0.1.0", "r.0.1.0.0.0": "r.0.1.0.0"}
    assert {node_id: chain.revised(node_id) for node_id in below} == below
    assert [chain.depth(i) for i in ("r.0", "r.0.1", "r.0.1.0.0", "r.0.1.0.0.0")] == [1, 0, 0, 1]
    assert chain.text("r.0.1") == "a\nA\n" and chain.text("r.0.1.0.0.0") == "c\n"


@dataclass(frozen=True)
class RevisionVerifier(ScriptedVerifier):
    """Judges a solution in sight of the two attempts before it."""

    def score(self, problem, node, carry):
        [reply] = yield [Evaluate("scripted-prm", read=(0,), attempts=2)]
        return StepScores(tuple(0.5 for _ in reply.logits), (*carry, 1.0))


class Revising(ScriptedBackend):
    def verifier(self, name):
        return RevisionVerifier(name)


def test_a_revision_verifier_sees_the_attempts_before_the_one_it_scores():
    backend = Revising()
    result = run([spec("sequential_revisions", 4)], backend)[0]
    texts = [result.nodes["r" + ".0" * depth].text for depth in range(1, 5)]
    jobs = {
        job.target.text: [s.text for s in job.context]
        for job in backend.engine("scripted-prm").jobs_seen
        if isinstance(job, EvaluateJob)
    }
    for number, text in enumerate(texts):
        shown = texts[max(0, number - 2) : number]
        assert jobs[text] == ["\n".join([PROBLEM.question, *shown]) + "\n"]
    assert all(n.carry == (1.0,) and n.path_scores == n.scores for n in result.nodes.values())  # each starts anew


def test_a_revision_verifier_that_is_shown_nothing_gets_the_plain_prompt():
    backend = Revising()
    run([spec("beam_search", 4)], backend)
    prompts = {job.context[0].text for job in backend.engine("scripted-prm").jobs_seen}
    assert prompts == {PROBLEM.question + "\n"}


class Asks:
    """Yields requests and expects nothing."""

    def __init__(self, *requests):
        self.requests = requests

    def run(self, problem, budget, rng):
        for request in self.requests:
            yield [request]
        return Outcome(None, None, ())


def tried(*requests):
    return run([spec("x", 8)], strategies=[Asks(*requests)])[0]


SOLVED = Sample(ROOT, until="end")


def test_steps_of_a_revision_are_scored_along_its_own_path():
    result = tried(
        SOLVED, Score(("r.0",)),
        Sample("r.0", attempts=1), Score(("r.0.0",)), Sample("r.0.0"), Score(("r.0.0.0",)),
    )  # fmt: skip
    assert result.error is None
    step, second = result.nodes["r.0.0"], result.nodes["r.0.0.0"]
    assert step.path_scores == step.scores and second.path_scores == step.scores + second.scores
    assert result.usage.generations == 2


@pytest.mark.parametrize(
    "requests",
    [
        (Sample(ROOT, attempts=1),),
        (Sample(ROOT, ask="critique"),),
        (SOLVED, Sample("r.0")),
        (SOLVED, Sample("r.0", ask="critique")),
        (Sample(ROOT), Sample("r.0", attempts=1)),
    ],
)
def test_only_complete_nodes_can_be_revised_or_criticised(requests):
    assert isinstance(tried(*requests).error, StrategyFault)


def test_equal_ids_asked_for_in_another_way_are_a_fault():
    result = tried(
        SOLVED, Sample("r.0", attempts=1, until="end"), Sample("r.0", attempts=1, until="end", ask="critique")
    )
    assert isinstance(result.error, StrategyFault)


# --- models that cannot ----------------------------------------------------------------------------------------------


@pytest.fixture
def cards(tmp_path, monkeypatch):
    found = {"plain": {}, "reviser": {"revises": 4}, "chatty": {"critiques": True}, "judge": {"revises": 4}}
    for name, extra in found.items():
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        card = {"name": name, "kind": "prm" if name == "judge" else "policy", "parameters": 10, **extra}
        (folder / "card.json").write_text(json.dumps(card))
    monkeypatch.setenv("TTC_DATA_DIR", str(tmp_path))
    settings.cache_clear()
    yield models.catalogue()
    monkeypatch.undo()
    settings.cache_clear()


def test_cards_say_what_a_model_can_do(cards):
    assert [cards[name].revises for name in ("plain", "reviser", "judge")] == [0, 4, 4]
    needs = [getattr(registry.get("strategy", name), "needs", "") for name in STRATEGIES]
    assert set(models.ABILITIES) >= {need for need in needs if isinstance(need, str) and need}


STRATEGIES = registry.names("strategy")


@pytest.mark.parametrize(
    ("strategy", "able", "error"),
    [
        ("revisions", "reviser", "was not made to revise its own attempts"),
        ("sequential_revisions", "reviser", "was not made to revise its own attempts"),
        ("self_refine", "chatty", "was not made to criticise its solutions and write them anew"),
    ],
)
def test_a_model_that_cannot_is_refused_by_name_of_those_that_can(cards, strategy, able, error):
    asked = RunSpec("How many?", strategy, 4, model=able, verifier="judge")
    assert runs_checks.checked(asked).model == able
    for name in {"plain", "reviser", "chatty"} - {able}:
        with pytest.raises(UserError) as refused:
            runs_checks.checked(RunSpec("How many?", strategy, 4, model=name, verifier="judge"))
        assert str(refused.value) == f"{name} {error}" and refused.value.hint == f"{able} can"


def test_a_tree_of_answers_needs_a_reviser_and_one_of_steps_does_not() -> None:
    make = registry.get("strategy", "ab_mcts")
    assert (make(level="answer").needs, make(level="step").needs) == ("revises", "")
