"""Laws of replies: empty, endless, over-long, unanswered, identical and missing ones break no search."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.conformance import worlds
from tests.conformance.cases import law
from tests.conformance.test_costs import is_sound, recounted
from tests.conformance.test_scores import leaves_out_what_failed
from tests.conformance.worlds import World
from ttc_core.errors import EngineBusy, EngineFault
from ttc_core.jobs import GenerateJob


def in_world(case, rewrite):
    """The search in a world of such replies: it ends within its budget, and its outcome is sound."""
    result = case.run(World(rewrite=rewrite))
    is_sound(result)
    assert 1 <= result.usage.generations <= case.budget
    assert result.usage.generations == recounted(result.nodes)
    assert result.usage.generated_tokens == sum(len(n.tokens) for n in result.nodes.values())
    assert not [n.id for n in result.nodes.values() if n.state == "open"]
    return result


def gives_no_answer(result):
    assert result.outcome.answer is None and result.outcome.chosen is None
    assert all(c.answer is None and c.weight == 0.0 for c in result.outcome.candidates)


@law()
def test_solutions_without_an_answer(case):
    gives_no_answer(in_world(case, worlds.unanswered))


@law()
def test_empty_steps(case):
    result = in_world(case, worlds.empty_steps)
    assert case.params or result.outcome.answer is not None


@law()
def test_not_a_single_token(case):
    gives_no_answer(in_world(case, worlds.nothing))


@law()
def test_every_reply_is_cut_off_after_one_token(case):
    result = in_world(case, worlds.one_token)
    gives_no_answer(result)
    assert all(n.state == "failed" and n.why.startswith("cut off") for n in result.nodes.values())


@law()
def test_every_other_reply_is_over_long(case):
    result = in_world(case, worlds.sometimes_cut)
    cut = {n.id for n in result.nodes.values() if n.finish == "length"}
    assert not cut & {c.node for c in result.outcome.candidates if c.weight > 0}


@law(examples=3, budgets=st.integers(1, 6))
def test_a_model_that_never_ends(case):
    gives_no_answer(in_world(case, worlds.endless))


@law()
def test_every_sample_is_identical(case):
    result = in_world(case, worlds.alike)
    by_place = {(n.parent, n.spec): n.text for n in result.nodes.values()}
    assert all(n.text == by_place[n.parent, n.spec] for n in result.nodes.values())
    assert {c.answer for c in result.outcome.candidates} <= {"0", None}
    assert case.params or result.outcome.answer == "0"


@law()
def test_one_generation(case):
    result = case.run(World(), changes={"budget": 1})
    is_sound(result)
    assert result.usage.generations == 1


@law()
def test_all_samples_failed(case):
    def fault(job):
        return EngineFault("broken") if isinstance(job, GenerateJob) else None

    result = case.run(World(fault=fault))
    leaves_out_what_failed(result)
    gives_no_answer(result)
    assert all(n.state == "failed" for n in result.nodes.values())
    assert result.usage.generated_tokens == 0
    assert result.usage.generations == recounted(result.nodes) <= case.budget


@law()
def test_some_samples_failed(case):
    def fault(job):
        return EngineBusy("overloaded") if isinstance(job, GenerateJob) and job.seed % 2 else None

    result = case.run(World(fault=fault))
    leaves_out_what_failed(result)
    assert result.usage.generations == recounted(result.nodes) <= case.budget
