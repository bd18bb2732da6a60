"""One engine: what vLLM writes and scores is what the embedded engine writes and scores."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.vllm.conftest import finish
from ttc_core.errors import EngineFault, UserError
from ttc_core.jobs import EvaluateJob, GenerateJob, Reading, Segment

pytest.importorskip("vllm")
pytestmark = pytest.mark.vllm
TICKETS = itertools.count()
VERDICT = (4, 5)  # <good>, <bad>


def sampling(engine: Any, problems: list[Any], **options: Any) -> list[GenerateJob]:
    """One job a problem, its seed the problem's index."""
    return [
        GenerateJob(next(TICKETS), (engine.prompt(p),), i, **{"until": "end", **options})
        for i, p in enumerate(problems)
    ]


def evaluations(engine: Any, problems: list[Any], written: list[Any], read: tuple = ()) -> list[EvaluateJob]:
    """One job a solution, each engine with its own prompt."""
    pairs = zip(problems, written, strict=True)
    return [EvaluateJob(next(TICKETS), (engine.prompt(p),), Segment(r.text), read) for p, r in pairs]


@pytest.mark.parametrize("cut", [{"until": "end"}, {"until": "step"}, {"until": "step", "steps": 3}], ids=str)
def test_greedy_text_is_the_embedded_engines(cut: dict, policy: Any, embedded: Any, problems: list) -> None:
    own = embedded("mini-s")
    ours = finish(policy, sampling(policy, problems, temperature=0.0, **cut))
    theirs = finish(own, sampling(own, problems, temperature=0.0, **cut))
    assert [(r.text, r.tokens, r.steps, r.finish) for r in ours] == [
        (r.text, r.tokens, r.steps, r.finish) for r in theirs
    ]
    assert [r.logprob for r in ours] == pytest.approx([r.logprob for r in theirs], abs=1e-4)


def test_seeds_reproduce_in_every_batch(policy: Any, problems: list) -> None:
    jobs = sampling(policy, problems[:40], confidence=20)
    together = finish(policy, jobs)
    again = []
    for size, group in ((1, jobs[:3]), (7, jobs[3:17]), (23, jobs[17:])):
        for first in range(0, len(group), size):
            again += finish(policy, [replace(job, ticket=next(TICKETS)) for job in group[first : first + size]])
    assert [r.text for r in again] == [r.text for r in together]
    other = finish(policy, [replace(job, ticket=next(TICKETS), seed=job.seed + 1000) for job in jobs])
    assert sum(a.text == b.text for a, b in zip(other, together, strict=True)) < len(jobs) / 2
    assert all(len(r.confidences) == len(r.tokens) and min(r.confidences) > 0 for r in together)


def test_confidences_and_logprobs_are_the_embedded_engines(policy: Any, embedded: Any, problems: list) -> None:
    own = embedded("mini-s")
    ours = finish(policy, sampling(policy, problems[:20], temperature=0.0, confidence=20))
    theirs = finish(own, sampling(own, problems[:20], temperature=0.0, confidence=20))
    for a, b in zip(ours, theirs, strict=True):
        assert a.confidences == pytest.approx(b.confidences, abs=1e-3)
    ours, theirs = (finish(e, evaluations(e, problems[:20], ours)) for e in (policy, own))
    for a, b in zip(ours, theirs, strict=True):
        assert a.logprobs == pytest.approx(b.logprobs, abs=1e-4)
        assert a.step_ends == b.step_ends


def test_verdicts_are_the_embedded_engines(policy: Any, judge: Any, embedded: Any, problems: list) -> None:
    """Two engines in one process; sampled solutions, right and wrong ones, scored at every step."""
    own = embedded("mini-prm")
    written = finish(policy, sampling(policy, problems))
    ours, theirs = (finish(e, evaluations(e, problems, written, VERDICT)) for e in (judge, own))
    scored = 0
    for a, b in zip(ours, theirs, strict=True):
        assert a.step_ends == b.step_ends
        margins = [good - bad for good, bad in a.logits]
        assert margins == pytest.approx([good - bad for good, bad in b.logits], abs=1e-4)
        scored += len(margins)
    assert scored > 400


def test_a_reading_is_read_at_its_marks(policy: Any, judge: Any, problems: list) -> None:
    """The text a verifier lays out gives the logits that prompt and steps give; a foreign tag is refused."""
    [written] = finish(policy, sampling(policy, problems[:1]))
    question = problems[0].question + "\n"
    marks = tuple(len(question) + i + 1 for i, c in enumerate(written.text) if c == "\n")
    reading = Reading((question + written.text,), marks, tag="\n")
    steps = EvaluateJob(next(TICKETS), (judge.prompt(problems[0]),), Segment(written.text), VERDICT)
    read = EvaluateJob(next(TICKETS), (), Segment(""), ("<good>", "<bad>"), reading)
    write = EvaluateJob(next(TICKETS), (), Segment(""), (), Reading((question,), (), tag=""), 200)
    a, b, c = finish(judge, [steps, read, write])
    assert [x - y for x, y in b.logits] == pytest.approx([x - y for x, y in a.logits], abs=1e-4)
    assert len(b.logits) == len(marks) > 1
    assert c.text
    judge.submit([replace(read, ticket=next(TICKETS), reading=replace(reading, tag="7"))])
    [refused] = judge.poll(60)
    assert isinstance(refused.error, EngineFault)
    with pytest.raises(UserError, match="no chat template"):
        judge.chat([("user", "How many?")])


def test_finished_ones_come_before_the_others(policy: Any, problems: list) -> None:
    """A job of one step does not wait for a job of a whole solution."""
    long, short = sampling(policy, problems[:1])[0], sampling(policy, problems[1:2], until="step")[0]
    policy.submit([long, short])
    first = []
    while not first:
        first = policy.poll(1.0)
    assert [r.ticket for r in first] == [short.ticket]
    rest = policy.poll(60)
    assert [r.ticket for r in rest] == [long.ticket]


def test_a_cancelled_job_brings_nothing_and_a_long_one_is_refused(policy: Any, problems: list) -> None:
    jobs = sampling(policy, problems[:8], temperature=0.0)
    policy.submit(jobs)
    policy.cancel({job.ticket for job in jobs[:7]})
    [reply] = policy.poll(60)
    assert reply.ticket == jobs[7].ticket
    assert policy.poll(1.0) == []
    assert finish(policy, [replace(jobs[0], ticket=next(TICKETS))])[0].text
    policy.submit([GenerateJob(next(TICKETS), (Segment("cards " * 4000),), 0)])
    [refused] = policy.poll(30)
    assert isinstance(refused.error, EngineFault)
    assert "reads 2048" in str(refused.error)


def test_shares_of_memory_that_do_not_fit_are_refused(policy: Any, load: Callable[..., Any], checkpoints: dict) -> None:
    with pytest.raises(UserError, match=r"other wants 0.8 of the GPU's memory, but .* leave"):
        load("other", checkpoints["mini-s"], memory=0.8)


def test_a_folder_that_holds_no_model_is_one_sentence(load: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(EngineFault, match="vLLM cannot load nothing"):
        load("nothing", tmp_path, memory=0.05)
