"""Verifiers that read no reward model: judge, critique, self-certainty, oracle, ensemble; and how the scorer asks."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from tests.conformance.harness import PROBLEM as SCRIPTED
from tests.conformance.harness import run, spec
from tests.conformance.worlds import World
from tests.unit.verifier_worlds import PROBLEM, QUESTION, Given, Loaded, card, chatml, score
from ttc_core import __main__, models, registry, runs
from ttc_core.backend import LocalBackend
from ttc_core.errors import BadValue, EngineFault, UserError
from ttc_core.jobs import Evaluated, EvaluateJob, Reading, Segment
from ttc_core.types import RunSpec

SOLUTION = "3 times 4 is 12.\n\n2 + 12 is {question} 14."


def load(kind, **fields):
    return registry.get("verifier", kind).load(card(kind, **fields))


# --- judge and critique ----------------------------------------------------------------------------------------------


def test_a_judge_is_asked_about_the_solution_and_read_for_yes():
    world = Given([(math.log(3), 0.0)])
    judge = load("judge", model="m")
    assert score(judge, world, SOLUTION, "Well.\n\n").values == pytest.approx((0.75,))
    asked = f"Question:\n{QUESTION}\n\nSolution so far:\nWell.\n\n{SOLUTION}\n\n"
    asked += "Is every step of this solution right so far? Answer with Yes or No."
    assert world.readings == [
        Reading((text := chatml([("user", asked)], True),), (len(text),), False, "", (("user", asked),))
    ]
    assert [(request.model, request.read) for request in world.requests] == [("m", ("Yes", "No"))]


def test_a_base_model_is_asked_without_a_conversation():
    world = Given([(0.0, 0.0)])
    judge = load("judge", model="m", chat=False, prompt="{question} {solution} Right?", yes=" yes", no=" no")
    assert score(judge, world, "14\n\n").values == (0.5,)
    assert world.readings == [Reading((f"{QUESTION} 14 Right?",), (len(QUESTION) + 10,))]


def test_a_critique_is_written_first_and_stands_before_the_verdict():
    world = Given([(0.0, math.log(4))], text="  Step 2 is wrong.\n")
    critique = load("critique", model="m", tokens=50, prompt="{question}/{solution}", verdict="So?")
    assert score(critique, world, SOLUTION).values == pytest.approx((0.2,))
    first = ("user", f"{QUESTION}/{SOLUTION}")
    rest = [("assistant", "Step 2 is wrong."), ("user", "So?")]
    assert [reading.text for reading in world.readings] == [chatml([first], True), chatml([first, *rest], True)]
    assert [(request.write, request.read) for request in world.requests] == [(50, ()), (0, ("Yes", "No"))]


@pytest.mark.parametrize("kind", ["judge", "critique"])
def test_a_verdict_that_is_no_number_is_no_score(kind):
    with pytest.raises(EngineFault, match="no probability"):
        score(load(kind, model="m"), Given([(math.nan, 0.0)]), SOLUTION)


# --- self-certainty --------------------------------------------------------------------------------------------------


def test_likelihood_is_the_geometric_mean_of_the_tokens_probabilities():
    verifier = load("self_certainty")
    first = score(verifier, None, "a", logprob=math.log(0.5 * 0.25), tokens=(1, 2))
    assert first.values == pytest.approx((math.sqrt(0.125),))
    second = score(verifier, None, "b", logprob=math.log(0.064), tokens=(3,), carry=first.carry)
    assert second.values == pytest.approx((0.2,))  # (1/2 * 1/4 * 0.064) ** (1/3)


def test_confidence_is_over_the_likeliest_tokens():
    verifier = load("self_certainty", measure="confidence")
    assert verifier.confidence and not load("self_certainty").confidence
    first = score(verifier, None, "a", confidences=(1.0, 3.0))
    assert first.values == pytest.approx((1 - math.exp(-2),))
    assert score(verifier, None, "b", confidences=(2.0,), carry=first.carry).values == pytest.approx(first.values)


@pytest.mark.parametrize(
    "recorded",
    [
        {},
        {"logprob": -1.0},
        {"tokens": (1,)},
        {"logprob": math.nan, "tokens": (1,)},
        {"logprob": -math.inf, "tokens": (1,)},
    ],
)
def test_what_was_not_recorded_is_no_score(recorded):
    with pytest.raises(EngineFault, match="no log-probabilities"):
        score(load("self_certainty"), None, "a", **recorded)


def test_samples_hold_the_confidences_that_a_verifier_wants():
    class Certain(World):
        def verifier(self, name):
            return load("self_certainty", measure=name)

    for measure in ("confidence", "likelihood"):
        world = Certain()
        [result] = run([replace(spec("best_of_n", 4), verifier=measure)], world)
        nodes = result.nodes.values()
        assert {bool(node.confidences) for node in nodes} == {measure == "confidence"}
        assert all(len(node.scores) == 1 and 0 < node.score < 1 for node in nodes)
        assert result.usage.verifier_tokens == 0
        assert len(world.policy.jobs) == len(world.policy.generate_jobs)


# --- oracle ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("graded", "value"), [(True, 1.0), (False, 0.0)])
def test_the_oracle_says_what_the_grader_says(graded, value):
    assert score(load("oracle"), None, "x", finish="end", answer="14", graded=graded).values == (value,)


def test_what_cannot_be_graded_or_is_unfinished_is_not_wrong():
    with pytest.raises(EngineFault, match="cannot be graded"):
        score(load("oracle"), None, "x", finish="end", answer="14", graded=None)
    assert score(load("oracle"), None, "x", finish="step").values == (0.5,)


def test_the_oracle_refuses_a_question_without_an_answer():
    with pytest.raises(UserError, match="answer is known"):
        score(load("oracle"), None, "x", finish="end", problem=replace(PROBLEM, answer=None))


def test_best_of_n_with_the_oracle_is_right_as_soon_as_one_sample_is():
    class All(World):
        def verifier(self, name):
            return load("oracle")

    results = run([spec("best_of_n", 3, seed, select="best") for seed in range(20)], All())
    right = [any(node.answer == SCRIPTED.answer for node in result.nodes.values()) for result in results]
    assert [result.outcome.answer == SCRIPTED.answer for result in results] == right
    assert True in right and False in right
    searched = run([spec("beam_search", 8)], All())[0]
    assert {node.score for node in searched.nodes.values()} <= {0.0, 0.5, 1.0}
    assert searched.usage.failed_scores == searched.usage.verifier_tokens == 0


def test_the_oracle_is_nobodys_default_and_says_what_it_is():
    assert RunSpec("q", "best_of_n", 1).verifier != "oracle"
    verifiers = runs.catalogue().verifiers
    assert next(iter(verifiers)) != "oracle"
    assert str(verifiers["oracle"].card["about"]).startswith("UPPER BOUND")
    kinds = {name: registry.get("verifier", of.kind) for name, of in verifiers.items()}
    looking = [name for name, kind in kinds.items() if getattr(kind, "upper_bound", False)]
    assert looking == ["oracle"]


# --- ensemble --------------------------------------------------------------------------------------------------------


@pytest.fixture
def known(monkeypatch):
    """Cards by name, in place of the catalogue."""
    cards = {
        "one": card("math_shepherd", model="m"),
        "two": card("qwen_prm", model="n"),
        "whole": card("outcome", model="o"),
        "sure": card("self_certainty"),
        "truth": card("oracle"),
        "both": card("ensemble", of=["one", "two"]),
    }
    monkeypatch.setattr(models, "find", lambda name, policy=None: cards[name])
    return cards


class Two(Given):
    """Gives tokens and labels alike rows of two, the outcome model one row of one."""

    def answer(self, job):
        rows = ((0.0, 0.0), (0.0, math.log(3)))  # '+' 0.5, 0.25; label 1: 0.5, 0.75
        if job.read:
            return Evaluated(job.ticket, logits=rows)
        return Evaluated(job.ticket, values=rows if len(job.reading.marks) > 1 else ((math.log(9),),))


@pytest.mark.parametrize(
    ("of", "combine", "scores"),
    [
        (["one", "two"], "mean", (0.5, 0.5)),
        (["one", "two"], "min", (0.5, 0.25)),
        (["one", "two", "two"], "mean", (0.5, 1.75 / 3)),
        (["one", "whole"], "mean", ((0.25 + 0.9) / 2,)),
        (["two", "whole"], "min", (0.75,)),
    ],
)
def test_an_ensemble_combines_its_members_scores(known, of, combine, scores):
    world = Two()
    assert score(load("ensemble", of=of, combine=combine), world, "a\n\nb").values == pytest.approx(scores)
    assert len(world.requests) == len(of)


def test_each_member_of_an_ensemble_gets_back_what_it_carried(known):
    ensemble = load("ensemble", of=["sure", "two", "sure"])
    first = score(ensemble, Two(), "a\n\nb", logprob=-1.0, tokens=(1, 2))
    assert first.carry == (2.0, 0.0, 2.0, -1.0, 2.0, -1.0, 2.0)
    second = score(ensemble, Two(), "a\n\nb", logprob=-2.0, tokens=(1,), carry=first.carry)
    assert second.carry == (2.0, 0.0, 2.0, -3.0, 3.0, -3.0, 3.0)


def test_without_a_score_from_every_member_there_is_none(known):
    with pytest.raises(EngineFault):
        score(load("ensemble", of=["sure", "two"]), Two(), "a\n\nb")


def test_an_ensemble_is_an_upper_bound_if_a_member_is_one(known):
    assert not load("ensemble", of=["one", "two"]).upper_bound
    assert load("ensemble", of=["one", "truth"]).upper_bound
    assert load("ensemble", of=["one", "two", "one"]).models == ("m", "n")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "needs two members"),
        ({"of": ["one"]}, "needs two members"),
        ({"of": "one two"}, "needs two members"),
        ({"of": ["one", "two"], "combine": "max"}, "combines by mean, min"),
        ({"of": ["one", "both"]}, "an ensemble among its members"),
    ],
)
def test_an_ensemble_with_mistakes_is_refused(known, fields, sentence):
    with pytest.raises(BadValue, match=sentence):
        load("ensemble", **fields)


# --- with the embedded family ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("verifier", ["oracle", "self_certainty"])
@pytest.mark.parametrize("strategy", ["best_of_n", "beam_search"])
def test_solve_with_a_verifier_that_reads_no_model(verifier, strategy, tmp_path, capsys):
    asked = ["--dataset", "mini-test", "--problem", "mini-test-0003", "--strategy", strategy, "--budget", "8"]
    db = f"sqlite:///{tmp_path / 'runs.db'}"
    assert __main__.main(["solve", *asked, "--verifier", verifier, "--json", "--db", db]) == 0
    found = json.loads(capsys.readouterr().out)
    scores = [candidate["score"] for candidate in found["candidates"]]
    assert scores and all(0 <= value <= 1 for value in scores)
    assert found["usage"]["verifier_tokens"] == found["usage"]["failed_scores"] == 0
    if verifier == "oracle":
        assert set(scores) <= {0.0, 1.0} and found["correct"] == (1.0 in scores)


def test_the_oracle_is_refused_on_the_command_line_where_there_is_no_answer(tmp_path, capsys):
    asked = ["--question", "How many?", "--strategy", "best_of_n", "--budget", "2", "--verifier", "oracle"]
    assert __main__.main(["solve", *asked, "--db", f"sqlite:///{tmp_path / 'runs.db'}"]) == 2
    assert "looks at the answer, and this question has none" in capsys.readouterr().err


def test_the_embedded_engine_refuses_a_format_in_one_sentence():
    engine = LocalBackend().engine("mini-s")
    with pytest.raises(UserError, match="no chat template"):
        engine.chat([("user", "?")])
    for job in (
        EvaluateJob(0, (), Segment("x\n"), ("+",)),
        EvaluateJob(0, (), Segment("x\n"), (3,), Reading(("x",), (1,))),
    ):
        with pytest.raises(EngineFault, match="reads no other model's format"):
            Loaded(engine).answer(job)
