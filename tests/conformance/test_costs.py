"""Laws of cost and record: the budget holds, every unit is counted exactly, every decision is on its node."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import strategies as st

from tests.conformance.cases import Case, law
from tests.conformance.worlds import World
from ttc_core.jobs import Evaluated, Generated
from ttc_core.selection import AGGREGATES, aggregate
from ttc_core.types import ROOT


def recounted(nodes):
    """Generations by definition, from the recorded nodes alone: the most samples that cover one step depth."""
    covered = []
    for node in nodes.values():
        depth, above = 0, nodes.get(node.parent)
        while above is not None and not above.complete:
            depth, above = depth + above.steps, nodes.get(above.parent)
        until, steps, *_ = node.spec.split(":")
        covered.append((depth, 10**9 if until == "end" else depth + int(steps)))
    return max((sum(first <= at < end for first, end in covered) for at, _ in covered), default=0)


@law(examples=12, budgets=st.integers(1, 24))
def test_the_budget_is_never_exceeded_and_generations_are_exact(case):
    for budget in (case.budget,) if case.params else (1, 2, 3, 4, 7, 16, 33):
        result = replace(case, budget=budget).run(World(5))
        assert 1 <= result.usage.generations <= budget
        assert result.usage.generations == recounted(result.nodes)


@law()
def test_tokens_and_flops_are_counted_exactly(case):
    world = World(5, order=case.seed)
    result = case.run(world)
    nodes, usage = result.nodes.values(), result.usage
    policy, verifier = world.policy, world.verifier_model
    assert len(policy.jobs) == len(nodes)
    assert usage.generated_tokens == sum(len(n.tokens) for n in nodes) == total(policy, Generated, "generated")
    assert usage.prompt_tokens_computed == total(policy, Generated, "computed")
    assert usage.prompt_tokens_cached == total(policy, Generated, "cached")
    assert usage.verifier_tokens == total(verifier, Evaluated, "computed") + total(policy, Evaluated, "computed")
    assert usage.verifier_tokens == sum(len(n.scores) for n in nodes)  # one token a step in the scripted verifier
    assert usage.policy_flops == 2.0 * policy.parameters * usage.policy_tokens
    assert usage.verifier_flops == 2.0 * verifier.parameters * usage.verifier_tokens
    assert usage.failed_samples == usage.failed_scores == 0


def total(engine, kind, what):
    return sum(getattr(reply, what) for reply in engine.replies if isinstance(reply, kind))


@law()
def test_every_decision_is_recorded(case):
    result = case.run(World(5))
    nodes = result.nodes
    assert not [n.id for n in nodes.values() if n.state == "open"], "undecided at the end"
    for node in nodes.values():
        assert node.parent == ROOT or node.parent in nodes
        assert node.state not in ("pruned", "failed") or len(node.why.split()) >= 2, f"{node.id}: {node.why!r}"
    continued = {n.parent for n in nodes.values() if n.id.rsplit(".", 1)[1].isdigit()}  # rollouts do not count
    assert all(n.state == "kept" for n in nodes.values() if n.id in continued and not n.complete)


def is_sound(result):
    """The outcome speaks of nodes that are there, with their own answers and scores."""
    outcome, nodes = result.outcome, result.nodes
    ids = [c.node for c in outcome.candidates]
    assert len(set(ids)) == len(ids) and set(ids) <= nodes.keys()
    for c in outcome.candidates:
        node = nodes[c.node]
        assert node.complete and node.finish != "error"
        assert c.answer == node.answer
        assert c.score is None or 0.0 <= c.score <= 1.0
        if c.score is not None and node.path_scores:
            ways = [aggregate(node.path_scores, how) for how in AGGREGATES]
            assert any(c.score == pytest.approx(value) for value in ways), f"{c} has none of its node's scores {ways}"
    assert outcome.excluded >= 0
    if outcome.answer is None:
        assert outcome.chosen is None
    else:
        assert outcome.chosen in ids and nodes[outcome.chosen].answer == outcome.answer
        assert nodes[outcome.chosen].state == "final"


@law(examples=10)
def test_the_outcome_speaks_of_the_recorded_nodes(case):
    result = case.run(World(5))
    is_sound(result)
    answered = [n for n in result.nodes.values() if n.answer is not None]
    assert (result.outcome.answer is not None) == bool(answered) or case.params  # drawn settings may give up early


def test_the_recount_knows_the_papers_figures():
    assert recounted(Case("best_of_n", budget=16).run().nodes) == 16
    assert recounted(Case("beam_search", {"width": 4}, 16).run().nodes) == 16
    assert recounted(Case("lookahead_search", {"k": 3}, 16).run().nodes) == 16
    assert recounted({}) == 0
