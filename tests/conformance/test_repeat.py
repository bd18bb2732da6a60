"""Laws of repetition: a search is one tree, whoever computes it, however often, and from wherever it goes on."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import strategies as st

from tests.conformance.cases import STRATEGIES, Case, declared, law
from tests.conformance.harness import PROBLEM, run
from tests.conformance.worlds import World
from ttc_core import registry
from ttc_core.errors import EngineFault
from ttc_core.jobs import GenerateJob
from ttc_core.settings import REPOSITORY
from ttc_core.tree import initial_state


def cost(usage):
    """A usage without the clock, which may differ."""
    return replace(usage, seconds=0.0)


@law()
def test_same_seed_same_tree_whatever_the_batch_size_and_the_order_of_replies(case):
    whole = case.run(World())
    assert whole.nodes
    others = [World(capacity, order=order) for capacity, order in ((1, None), (5, 1), (7, 2), (64, 3), (64, 4))]
    others.append(World(9, options={"latency": 0.7}))
    for world in others:
        other = case.run(world)
        assert other.tree() == whole.tree()
        assert other.outcome == whole.outcome
        assert cost(other.usage) == cost(whole.usage)


@pytest.mark.parametrize("name", STRATEGIES)
def test_another_seed_gives_another_tree(name):
    one, other = (Case(name, seed=seed).run() for seed in (1, 2))
    if any(node.spec.split(":")[2] != "0" for node in one.nodes.values()):  # a greedy sample has no other seed
        assert [n.text for n in one.tree()] != [n.text for n in other.tree()]


@law()
def test_global_random_numbers_are_neither_used_nor_moved(case):
    before = random.getstate()
    try:
        random.seed(1)
        state = random.getstate()
        one = case.run()
        assert random.getstate() == state
        random.seed(2)
        assert case.run().tree() == one.tree()
    finally:
        random.setstate(before)


@law()
def test_the_ground_truth_is_not_looked_at(case):
    runs = [case.run(problem=replace(PROBLEM, answer=answer)) for answer in ("0", "1", "3", None)]
    for other in runs[1:]:
        assert other.tree() == runs[0].tree()
        assert other.outcome == runs[0].outcome


@law()
def test_one_instance_runs_many_searches_side_by_side(case):
    strategy = registry.build("strategy", case.name, case.params)
    specs = [case.spec(seed=seed) for seed in (case.seed, case.seed + 1, case.seed)]
    together = run(specs, World(4), strategies=[strategy] * 3)
    for spec, result in zip(specs, together, strict=True):
        alone = run([spec], World())[0]
        assert result.tree() == alone.tree()
        assert result.outcome == alone.outcome


def resumes(case, whole, nodes, usage=None, **world):
    """Going on from these nodes makes the same tree and asks for nothing that is there."""
    world = World(64, order=case.seed, **world)
    again = case.run(world, recorded=nodes.values(), **({"usage": usage} if usage else {}))
    assert {**nodes, **again.nodes} == whole.nodes
    assert again.outcome == whole.outcome
    assert len(world.policy.jobs) == len(whole.nodes) - len(nodes)
    assert len(world.verifier_model.jobs) == scorings(whole.nodes) - scorings(nodes)
    if usage is not None:
        assert cost(again.usage) == cost(whole.usage)


def scorings(nodes):
    """How many of the nodes a verifier has looked at, in vain or not."""
    return sum(bool(n.scores) or n.why.startswith("not scored") for n in nodes.values())


@law()
def test_replay_from_recorded_replies_asks_no_engine_and_gives_the_same_outcome(case):
    whole = case.run(World(3))
    resumes(case, whole, whole.nodes, whole.usage)


@law(examples=3, budgets=st.integers(1, 8))
def test_after_a_crash_anywhere_the_search_goes_on_to_the_same_tree(case):
    if not case.params:
        case = replace(case, budget=5)  # few enough nodes to crash after each of them
    whole = case.run(World(3))
    stride = len(whole.records) // 6 if case.params else 1
    for count in range(0, len(whole.records), max(1, stride)):
        resumes(case, whole, {node.id: node for node in whole.records[:count]})
    for nodes, usage in whole.moments[:: max(1, len(whole.moments) // 8)]:
        resumes(case, whole, nodes, usage)


def unlucky(job):
    """A fault that depends on the job alone, of one sample in five and one score in five."""
    luck = job.seed if isinstance(job, GenerateJob) else sum(map(ord, job.target.text))
    return EngineFault("broken") if luck % 5 == 0 else None


@law(examples=3)
def test_failures_are_remembered_and_not_tried_again(case):
    whole = case.run(World(3, fault=unlucky))
    for nodes, usage in [*whole.moments[:: max(1, len(whole.moments) // 5)], (whole.nodes, whole.usage)]:
        resumes(case, whole, nodes, usage, fault=unlucky)
    if not registry.not_extendable(registry.get("strategy", case.name)):
        extends(case, fault=unlucky)


@law(examples=8)
def test_extending_equals_running_the_larger_budget_at_once(case):
    refused = registry.not_extendable(registry.get("strategy", case.name))
    if refused:
        assert len(refused.split()) >= 3, "a sentence says why"
        return
    extends(case)


def unscored(node):
    """The node without what a smaller search, which went another way, had the verifier say of it."""
    node = replace(node, scores=(), path_scores=(), carry=())
    return replace(node, state=initial_state(node), why="") if node.why.startswith("not scored") else node


def extends(case, **world):
    """Going on to twice the budget makes the tree of twice the budget and asks for nothing that is there."""
    small, going_on = case.run(World(**world)), World(order=case.seed, **world)
    larger = replace(case, budget=2 * case.budget)
    extended = larger.run(going_on, recorded=small.nodes.values(), usage=small.usage)
    at_once = larger.run(World(**world))
    assert extended.outcome == at_once.outcome
    if declared(case.name, "goes_on", True):
        assert small.nodes.keys() & at_once.nodes.keys(), "nothing of the smaller search was of use"
    merged = {**small.nodes, **extended.nodes}
    known = {key for key, node in at_once.nodes.items() if scorings({key: merged[key]}) > scorings({key: node})}
    assert known <= small.nodes.keys(), "scored anew what the larger search does not score"
    assert {key: unscored(merged[key]) if key in known else merged[key] for key in at_once.nodes} == at_once.nodes
    left_over = [node for key, node in merged.items() if key not in at_once.nodes]
    assert all(node.state in ("pruned", "final", "failed") for node in left_over)
    assert len(going_on.policy.jobs) == len(at_once.nodes.keys() - small.nodes.keys())
    assert cost(extended.usage) == cost(at_once.usage) or left_over or known
    assert extended.usage.generations <= 2 * case.budget


# --- across processes ------------------------------------------------------------------------------------------------

DIGESTS = """
from tests.conformance.cases import STRATEGIES
from tests.conformance.test_repeat import digest
for name in STRATEGIES:
    print(name, digest(name))
"""


def digest(name):
    [result] = run([Case(name, seed=4).spec()], World())
    return hashlib.sha256(repr((result.tree(), result.outcome, result.error)).encode()).hexdigest()


@pytest.fixture(scope="module")
def elsewhere():
    """Digests of all trees, made in processes whose strings hash differently."""
    found = []
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", DIGESTS],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        found.append(dict(line.split() for line in done.stdout.splitlines()))
    return found


@pytest.mark.parametrize("name", STRATEGIES)
def test_another_process_with_other_hashes_makes_the_same_tree(name, elsewhere):
    assert [digests[name] for digests in elsewhere] == [digest(name)] * 2
