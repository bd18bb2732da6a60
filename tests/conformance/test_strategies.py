"""Laws that every registered strategy obeys; a new file in ttc_core/strategies/ is tested here with no list to edit."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tests.conformance.harness import PROBLEM, ScriptedBackend, run, spec
from ttc_core import registry
from ttc_core.errors import EngineBusy, EngineFault
from ttc_core.types import GenerateJob, Problem

STRATEGIES = registry.names("strategy")
BUDGETS = (1, 2, 5, 16)


def tree(result):  # the whole record, comparable
    return sorted(result.nodes.values(), key=lambda node: node.id)


@pytest.mark.parametrize("name", STRATEGIES)
def test_same_seed_same_tree_whatever_the_batch_size_and_order(name):
    runs = [
        run([spec(name, 16, seed=3)], ScriptedBackend(capacity, options={"latency": latency}))[0]
        for capacity, latency in ((1, 0.001), (7, 0.5), (256, 0.02))
    ]
    assert runs[0].outcome is not None and len(runs[0].nodes) > 1
    for other in runs[1:]:
        assert tree(other) == tree(runs[0])
        assert other.outcome == runs[0].outcome


@pytest.mark.parametrize("name", STRATEGIES)
def test_another_seed_gives_another_tree(name):
    a, b = run([spec(name, 16, seed=1), spec(name, 16, seed=2)])
    assert [n.text for n in tree(a)] != [n.text for n in tree(b)]


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("budget", BUDGETS)
def test_budget_is_never_exceeded_and_the_search_ends(name, budget):
    result = run([spec(name, budget)])[0]
    assert result.error is None and result.outcome is not None
    assert 1 <= result.usage.generations <= budget


@pytest.mark.parametrize("name", STRATEGIES)
def test_tokens_are_counted_exactly(name):
    backend = ScriptedBackend()
    result = run([spec(name, 16)], backend)[0]
    policy = backend.engine("scripted-policy")
    sampled = sum(isinstance(job, GenerateJob) for job in policy.jobs_seen)
    assert sampled == len(result.nodes)
    assert result.usage.generated_tokens == round(sum(-10 * n.logprob for n in result.nodes.values()))
    assert result.usage.policy_flops == 2.0 * policy.parameters * result.usage.policy_tokens


@pytest.mark.parametrize("name", STRATEGIES)
def test_replay_from_any_moment_gives_the_same_outcome_and_samples_nothing_twice(name):
    whole = run([spec(name, 16, seed=5)], ScriptedBackend(3))[0]
    moments = whole.history[:: max(1, len(whole.history) // 8)] + [whole.nodes]
    for recorded in moments:
        backend = ScriptedBackend(64)
        again = run([spec(name, 16, seed=5)], backend, recorded=recorded.values())[0]
        merged = {**recorded, **again.nodes}
        assert merged == whole.nodes
        assert again.outcome == whole.outcome
        asked = sum(isinstance(job, GenerateJob) for job in backend.engine("scripted-policy").jobs_seen)
        assert asked == len(whole.nodes) - len(recorded)


@pytest.mark.parametrize("name", STRATEGIES)
def test_extending_equals_running_the_larger_budget_at_once(name):
    small = run([spec(name, 8, seed=2)])[0]
    backend = ScriptedBackend()
    extended = run([spec(name, 16, seed=2)], backend, recorded=small.nodes.values(), usage=small.usage)[0]
    at_once = run([spec(name, 16, seed=2)])[0]
    assert extended.outcome == at_once.outcome
    merged = {**small.nodes, **extended.nodes}
    assert {k: v for k, v in merged.items() if k in at_once.nodes} == at_once.nodes
    left_over = [node for key, node in merged.items() if key not in at_once.nodes]
    assert all(node.state in ("pruned", "final", "failed") for node in left_over)
    resampled = set(small.nodes) & {n for n in extended.nodes if n not in merged}
    assert not resampled
    assert len(backend.engine("scripted-policy").jobs_seen) == len(set(at_once.nodes) - set(small.nodes))


def every_other(kind, error):
    def fault(job):
        digit = job.seed if isinstance(job, GenerateJob) else sum(map(ord, job.target.text))
        return error if isinstance(job, GenerateJob) == (kind == "sample") and digit % 2 else None

    return fault


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("kind", ["sample", "score"])
def test_failures_are_excluded_and_counted_never_answers(name, kind):
    backend = ScriptedBackend(fault=every_other(kind, EngineBusy("overloaded")))
    result = run([spec(name, 16)], backend)[0]
    assert result.error is None and result.outcome is not None
    failed = [n for n in result.nodes.values() if n.state == "failed"]
    u = result.usage
    assert u.failed_samples + u.failed_scores == len(failed)
    if kind == "sample" or u.verifier_tokens:
        assert failed
    ids = {n.id for n in failed}
    assert not ids & {c.node for c in result.outcome.candidates if c.weight > 0}
    assert result.outcome.excluded <= len(failed)


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("kind", ["sample", "score"])
def test_when_everything_fails_there_is_no_answer_and_no_crash(name, kind):
    def fault(job):
        return EngineFault("broken") if isinstance(job, GenerateJob) == (kind == "sample") else None

    result = run([spec(name, 8)], ScriptedBackend(fault=fault))[0]
    assert result.error is None and result.outcome is not None
    if kind == "sample" or result.usage.failed_scores:
        assert result.outcome.answer is None and result.outcome.chosen is None


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1, 1.5])
def test_scores_that_are_no_probabilities_count_as_failed(name, value):
    backend = ScriptedBackend(twist=lambda score, _: value if score > 0.5 else score)
    result = run([spec(name, 16)], backend)[0]
    assert result.error is None and result.outcome is not None
    assert all(0.0 <= s <= 1.0 for n in result.nodes.values() for s in n.scores)
    bad = [n for n in result.nodes.values() if n.why.startswith("not scored")]
    assert len(bad) == result.usage.failed_scores
    if result.usage.verifier_tokens:
        assert bad


@pytest.mark.parametrize("name", STRATEGIES)
def test_all_equal_scores(name):
    result = run([spec(name, 16)], ScriptedBackend(twist=lambda score, _: 0.5))[0]
    assert result.error is None and result.outcome is not None and result.outcome.answer is not None


@pytest.mark.parametrize("name", STRATEGIES)
def test_identical_samples(name):
    backend = ScriptedBackend(options={"answers": 1})
    result = run([replace(spec(name, 16), temperature=0.0)], backend)[0]
    assert result.error is None and result.outcome is not None and result.outcome.answer == "0"


@pytest.mark.parametrize("name", STRATEGIES)
def test_problems_in_one_batch_are_never_mixed_up(name):
    problems = [Problem(f"p{i}", f"canary {i}?", None) for i in range(12)]
    backend = ScriptedBackend(5)
    together = run([spec(name, 8) for _ in problems], backend, problems=problems)
    for job in backend.engine("scripted-policy").jobs_seen:
        assert sum(segment.text.startswith("canary") for segment in job.context) == 1
    for problem, result in zip(problems, together, strict=True):
        alone = run([spec(name, 8)], problems=[problem])[0]
        assert tree(alone) == tree(result) and alone.outcome == result.outcome


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_decision_is_recorded(name):
    result = run([spec(name, 16)])[0]
    open_ = [n.id for n in result.nodes.values() if n.state == "open"]
    assert not open_, f"undecided at the end: {open_}"
    assert all(n.why for n in result.nodes.values() if n.state in ("pruned", "failed"))
    continued = {n.parent for n in result.nodes.values() if n.id.rsplit(".", 1)[1].isdigit()}  # rollouts do not count
    assert all(n.state == "kept" for n in result.nodes.values() if n.id in continued and not n.complete)
    assert PROBLEM.id
