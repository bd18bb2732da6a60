"""A reply of the embedded engine has the same bits alone and in any company: tens of thousands of tokens.

`python -m benchmarks.invariance --tokens N` does the same over as many tokens as one has patience for.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys

import pytest

from ttc_core import registry
from ttc_core.engines.embedded import Embedded
from ttc_core.engines.embedded.attention import BLOCK
from ttc_core.jobs import EvaluateJob, GenerateJob, Segment
from ttc_core.settings import DATA, REPOSITORY


@pytest.fixture(scope="module")
def problems():
    return list(registry.get("dataset", "mini-validation")())[:100]


def load(batch, model="mini-s", **options):
    return Embedded(model, DATA / "models" / model, batch=batch, **options)


def finish(engine, jobs):
    engine.submit(list(jobs))
    replies = {}
    for _ in range(100_000):
        replies |= {reply.ticket: reply for reply in engine.poll()}
        if len(replies) == len(jobs):
            return replies
    raise AssertionError("the engine lost a job")


def generated(engine, problems, tickets):
    jobs = [
        GenerateJob(
            t, (engine.prompt(problems[t % len(problems)]),), 2654435761 * t, "end", confidence=20 * (t % 70 == 0)
        )
        for t in tickets
    ]
    random.Random(engine.capacity).shuffle(jobs)
    return {t: (r.tokens, r.logprob, r.finish, r.steps, r.confidences) for t, r in finish(engine, jobs).items()}


def test_twenty_five_thousand_sampled_tokens_twice(problems):
    expected = generated(load(256), problems, range(700))
    assert sum(len(tokens) for tokens, *_ in expected.values()) > 25_000
    assert generated(load(100, cache_bytes=3_000_000), problems, range(700)) == expected
    for batch, tickets in ((7, range(0, 700, 20)), (1, range(0, 700, 70))):
        assert generated(load(batch), problems, tickets) == {t: expected[t] for t in tickets}


@pytest.mark.parametrize("model", ["mini-s", "mini-m"])
def test_scores_together_are_the_scores_one_by_one(problems, model):
    """Jobs of all lengths in one call, many behind the same context and many behind others, against each alone."""
    together = load(64, model)
    rng = random.Random(5)
    jobs = []
    for ticket in range(60):
        prompt = together.prompt(problems[ticket % 17])
        lines = [f"{rng.randrange(200)} + {rng.randrange(90)} = {rng.randrange(300)}\n" for _ in range(8)]
        cut = rng.randrange(8)
        context = (prompt, *(Segment(line) for line in lines[:cut]))
        target = Segment("".join(lines[cut : cut + rng.randrange(1, 4)]))
        jobs.append(EvaluateJob(ticket, context, target, read=(4, 5) if ticket % 3 else ()))
    replies = finish(together, jobs)
    assert max(r.computed + r.cached for r in replies.values()) > 2 * BLOCK
    for job in jobs:
        alone = finish(load(1, model), [job])[job.ticket]
        both = replies[job.ticket]
        assert both.error is None
        assert (both.logprobs, both.step_ends, both.logits) == (alone.logprobs, alone.step_ends, alone.logits)
        assert len(both.logits) == (len(both.step_ends) if job.read else 0)


def test_a_generation_continues_equally_from_what_was_decoded_scored_or_read(problems):
    """The keys a child starts from are the same bits whether its parent was decoded, scored or given as context."""
    decoded = load(64)
    prompts = [decoded.prompt(p) for p in problems[:20]]
    steps = finish(decoded, [GenerateJob(i, (prompt,), i) for i, prompt in enumerate(prompts)])
    segments = {i: Segment(r.text, r.tokens, r.tokenizer) for i, r in steps.items() if r.finish == "step"}
    assert len(segments) > 15
    children = [GenerateJob(100 + i, (prompts[i], s), 7 * i, "end") for i, s in segments.items()]
    scored, fresh = load(64), load(5)
    finish(scored, [EvaluateJob(i, (prompts[i],), s) for i, s in segments.items()])
    first, second, third = (
        {t: (r.tokens, r.logprob) for t, r in finish(e, children).items()} for e in (decoded, scored, fresh)
    )
    assert first == second == third


PLACES = """
import numpy as np
from ttc_core.engines.embedded import llama
rng = np.random.default_rng(1)
for width, out in [(64, 192), (64, 176), (176, 64), (128, 384), (352, 128), (192, 576), (480, 192), (64, 300)]:
    tile = llama._tile(width, out)
    x, weight = rng.standard_normal((tile, width), np.float32), rng.standard_normal((width, out), np.float32)
    there = llama._linear(x, weight)
    for places in range(tile):
        assert (llama._linear(np.roll(x, places, 0), weight) == np.roll(there, places, 0)).all(), (width, out, places)
print("the same")
"""


@pytest.mark.parametrize("processor", ["", "Haswell", "Sandybridge"])
def test_a_row_has_the_same_bits_at_every_place_of_its_tile(processor):
    """Also with the products for other processors, which OpenBLAS has with it; those of Haswell once had not."""
    environment = {**os.environ, "OPENBLAS_CORETYPE": processor, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PLACES], env=environment, cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.stdout == "the same\n", done.stderr
