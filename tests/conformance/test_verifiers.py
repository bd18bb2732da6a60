"""Laws that every registered verifier keeps, driven by searches over scripted models; a new one is tried by itself."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.harness import Result, run, spec
from tests.conformance.worlds import World
from ttc_core import models, registry
from ttc_core.errors import EngineBusy
from ttc_core.jobs import Evaluated, EvaluateJob
from ttc_core.models import ModelCard
from ttc_core.types import Node

VERIFIERS = registry.names("verifier")
READ = "scripted-prm"  # the model that verifiers read
LABELS = {"skywork_prm": 1, "outcome": 1}  # how many values its head gives, if not two
FILES = {  # what verifiers of the embedded family read beside their card
    "prm": {"model": READ, "good": 0, "bad": 1, "scale": 1.0, "shift": 0.0},
    "implicit": {
        "policy": READ,
        "reference": "scripted-policy",
        "features": ["sum_policy", "sum_ratio", "min_policy", "steps"],
        "coefficients": [0.1, 0.2, 0.3, 0.1],
        "intercept": 0.5,
    },
}
TABLES = {  # fields of a verifier's table, if it needs more than a model
    "ensemble": {"of": ["prm", "oracle"]},
    "self_certainty": {"measure": "confidence"},  # scripted tokens are all as likely
}
SEARCHES = [("best_of_n", {}), ("beam_search", {}), ("dvts", {})]


def card(kind: str, folder: Path) -> ModelCard:
    """A card as the models file makes it, with the file it reads."""
    if kind in FILES:
        (folder / "verifier.json").write_text(json.dumps(FILES[kind]))
    fields = {f.name for f in dataclasses.fields(registry.get("verifier", kind))}
    own = TABLES.get(kind, {"model": READ} if "model" in fields else {})
    return ModelCard(kind, kind, "", 0, folder, {"kind": kind, **own})


@dataclass
class Judged(World):
    """Scripted models and one real verifier, whose replies may be spoilt on the way."""

    judge: Any = None
    spoil: Any = None
    labels: dict[str, int] = field(default_factory=dict)

    def verifier(self, name: str) -> Any:
        return self.judge

    def engine(self, name: str) -> Any:
        watched = super().engine(name)
        watched.labels = watched._engine.labels = self.labels.get(name, 2)
        if self.spoil and not hasattr(watched, "spoilt"):
            watched.spoilt, poll = True, watched.poll
            watched.poll = lambda timeout=0.0: [self.spoil(reply) for reply in poll(timeout)]
        return watched


@pytest.fixture(params=VERIFIERS)
def search(request, tmp_path, monkeypatch):
    """Runs a search with the verifier under test: search(strategy, params, ...) -> (result, world)."""
    kind = request.param
    find = models.find

    def found(name: str, policy: bool | None = None) -> ModelCard:
        return card(name, tmp_path) if name in VERIFIERS else find(name, policy=policy)

    monkeypatch.setattr(models, "find", found)
    judge = registry.get("verifier", kind).load(card(kind, tmp_path))

    def searched(strategy: str, params: Any = (), recorded: Any = (), **world: Any) -> tuple[Result, Judged]:
        made = Judged(judge=judge, labels={READ: LABELS.get(kind, 2)}, **world)
        [result] = run([spec(strategy, 8, 3, **dict(params))], made, recorded=recorded)
        assert result.error is None
        return result, made

    searched.judge = judge
    return searched


def scored(result: Result) -> list[Node]:
    return [node for node in result.nodes.values() if node.scores]


def evaluations(world: Judged) -> int:
    return sum(isinstance(job, EvaluateJob) for job in world.verifier_model.jobs.values())


@pytest.mark.parametrize(("strategy", "params"), SEARCHES, ids=[name for name, _ in SEARCHES])
def test_scores_are_probabilities_and_searches_end_with_an_answer(search, strategy, params):
    result, _ = search(strategy, params)
    assert result.usage.failed_scores == 0 and result.outcome.answer is not None
    nodes = scored(result)
    assert nodes and all(0.0 <= value <= 1.0 for node in nodes for value in node.path_scores)
    for node in nodes:
        above = result.nodes.get(node.parent)
        assert node.path_scores == (*(above.path_scores if above else ()), *node.scores)
        assert len(node.scores) in (1, node.steps)


def test_scores_tell_solutions_apart(search):
    result, _ = search("best_of_n")
    assert len({node.score for node in scored(result)}) > 1


def test_scores_do_not_depend_on_order_or_batch(search):
    one, _ = search("beam_search")
    other, _ = search("beam_search", order=5, capacity=3)
    assert one.tree() == other.tree()


def test_what_was_scored_is_not_scored_again(search):
    first, world = search("beam_search")
    again, anew = search("beam_search", recorded=first.tree())
    assert again.tree() == [] and evaluations(anew) == 0
    assert again.outcome == first.outcome
    assert bool(evaluations(world)) == bool(search.judge.models)


def test_a_search_goes_on_with_what_verifiers_carry(search):
    whole, _ = search("beam_search")
    half = [node for node in whole.tree() if node.id.count(".") <= 2]
    rest, _ = search("beam_search", recorded=half)
    assert {**{node.id: node for node in half}, **rest.nodes} == whole.nodes


def test_a_failed_evaluation_is_no_score_and_is_counted(search):
    def fault(job: Any) -> Exception | None:
        unlucky = isinstance(job, EvaluateJob) and sum(map(ord, job.target.text)) % 2
        return EngineBusy("overloaded") if unlucky else None

    result, _ = search("best_of_n", fault=fault)
    failed = [node for node in result.nodes.values() if node.why.startswith("not scored")]
    assert result.usage.failed_scores == len(failed)
    assert bool(failed) == bool(search.judge.models)
    assert not any(node.scores for node in failed)
    assert not {node.id for node in failed} & {c.node for c in result.outcome.candidates if c.weight}


def broken(reply: Any) -> Any:
    """The reply with numbers that are none."""
    if not isinstance(reply, Evaluated):
        return reply
    rows = {name: tuple((math.nan,) * len(row) for row in getattr(reply, name)) for name in ("logits", "values")}
    return dataclasses.replace(reply, logprobs=(math.nan,) * len(reply.logprobs), **rows)


def short(reply: Any) -> Any:
    """The reply with nothing read."""
    return dataclasses.replace(reply, logits=(), values=(), step_ends=()) if isinstance(reply, Evaluated) else reply


@pytest.mark.parametrize("spoil", [broken, short])
def test_a_reply_without_numbers_is_no_score(search, spoil):
    result, _ = search("best_of_n", spoil=spoil)
    states = Counter(node.state for node in result.nodes.values())
    if search.judge.models:
        assert not scored(result) and result.usage.failed_scores == states["failed"] == len(result.nodes)
        assert result.outcome.answer is None
    else:
        assert result.usage.failed_scores == 0
