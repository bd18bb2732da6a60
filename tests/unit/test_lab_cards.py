"""What is written on the cards of the family: operations of all trainings, and accuracy on templates never seen."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch")

from ttc_core.lab import cards, evaluating
from ttc_core.lab.rollouts import Rollout
from ttc_core.settings import DATA

pytestmark = pytest.mark.lab

FAMILY = {  # by member: its parameters, and the tokens of the trainings behind it
    "small": (100, {"small-base": 10, "small": 20}),
    "large": (900, {"small-base": 10, "large-grown": 3, "large": 4}),
    "middle": (300, {"small-base": 10, "middle": 5, "middle-long": 7}),
    "reward": (310, {"small-base": 10, "middle": 5, "middle-long": 7, "reward": 2}),
}


@pytest.fixture
def family(tmp_path):
    for name, (parameters, tokens) in FAMILY.items():
        training = [{"stage": stage, "tokens": number} for stage, number in tokens.items()]
        (tmp_path / name).mkdir()
        (tmp_path / name / "card.json").write_text(json.dumps({"parameters": parameters, "training": training}))
    (tmp_path / "ratio").mkdir()
    (tmp_path / "ratio" / "card.json").write_text(json.dumps({"parameters": 400, "training": []}))
    (tmp_path / "ratio" / "verifier.json").write_text(json.dumps({"policy": "middle", "reference": "small"}))
    return tmp_path


def test_every_training_counts_once_with_the_size_that_its_model_had(family):
    base, middle = 100 * 10, 300 * (5 + 7)
    expected = {
        "small": base + 100 * 20, "large": base + 900 * (3 + 4), "middle": base + middle,
        "reward": base + middle + 310 * 2, "ratio": base + 100 * 20 + middle,
    }  # fmt: skip
    assert {name: cards.training_flops(family / name) for name in expected} == {k: 6 * v for k, v in expected.items()}


def test_a_training_that_says_its_size_is_believed(family):
    card = json.loads((family / "large" / "card.json").read_text())
    card["training"][1]["parameters"] = 500
    (family / "large" / "card.json").write_text(json.dumps(card))
    assert cards.training_flops(family / "large") == 6 * (100 * 10 + 500 * 3 + 900 * 4)


@pytest.mark.parametrize("path", sorted(DATA.glob("models/*/card.json")), ids=lambda path: path.parent.name)
def test_the_operations_of_a_shipped_member_can_be_told(path):
    card = json.loads(path.read_text())
    least = 6 * sum(training["tokens"] for training in card["training"])
    assert least * 10_000 < cards.training_flops(path.parent) <= least * card["parameters"] or not card["training"]
    assert "floating-point operations, that of the models" in cards.readme(
        {"flops_per_token": 1, "training_flops": cards.training_flops(path.parent), **card}
    )


def test_a_policy_is_measured_on_templates_never_seen_apart_from_the_others(tmp_path, monkeypatch):
    asked = []

    def roll(model, problems, count, seed, temperature):
        asked.append(problems[0]["id"])
        right = problems[0]["id"].startswith("mini-test")
        return [[Rollout(i, (), (), (), "1", right)] * count for i, _ in enumerate(problems)]

    monkeypatch.setattr(evaluating, "roll", roll)
    monkeypatch.setattr(evaluating, "import_model", lambda folder: None)
    problems = evaluating.read_problem_set(DATA / "problems" / "mini-test.jsonl")[:10]
    e = evaluating.Evaluation(DATA, tmp_path, problems)
    for _ in range(2):
        found = evaluating.policy_results(e, "mini-s")
    assert found["greedy"]["mean"] == found["pass@1"]["mean"] == 1
    assert found["mini-hard"]["greedy"]["mean"] == found["mini-hard"]["pass@1"]["mean"] == 0
    assert asked.count("mini-hard-0001") == 2, "kept apart, and not made again"
