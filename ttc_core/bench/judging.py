"""How long a process reward model takes for one step of many beams, whose earlier steps it has read already."""

from __future__ import annotations

import statistics
import time
from typing import Any

from ttc_core import models
from ttc_core.bench.searches import problems
from ttc_core.bench.sizes import Size
from ttc_core.engines.embedded import Embedded
from ttc_core.jobs import EvaluateJob, Generated, GenerateJob, Job, Segment
from ttc_core.types import Problem, RunSpec
from ttc_core.verifiers.prm import ProcessRewardModel

MODEL, VERIFIER = RunSpec("", "", 1).model, "mini-prm"
BEAMS = 16


def measure(size: Size) -> dict[str, Any]:
    """Median milliseconds of this process's CPU for scoring a step of each of 16 beams, over steps and problems."""
    policy = Embedded(MODEL, models.find(MODEL).folder)
    judge = ProcessRewardModel.load(models.find(VERIFIER))
    reader = Embedded(judge.model, models.find(judge.model).folder)
    first, *others = problems(size.rounds + 1)
    _steps(policy, reader, judge, first, 0)  # warms up
    seconds = [
        spent for number, problem in enumerate(others, 1) for spent in _steps(policy, reader, judge, problem, number)
    ]
    return {"prm_step_ms": 1000 * statistics.median(seconds)}


def _steps(policy: Embedded, reader: Embedded, judge: ProcessRewardModel, problem: Problem, number: int) -> list[float]:
    """CPU seconds for scoring each step, as long as all beams write steps that are no ends."""
    found: list[float] = []
    beams: list[tuple[Segment, ...]] = [()] * BEAMS
    while True:
        ticket = (number * 1000 + len(found)) * BEAMS
        asked = [
            GenerateJob(ticket + i, (policy.prompt(problem), *steps), seed=ticket + i) for i, steps in enumerate(beams)
        ]
        written: list[Generated] = _all(policy, list(asked))
        steps = [Segment(one.text, one.tokens, one.tokenizer) for one in written]
        jobs = [
            EvaluateJob(ticket + i, (reader.prompt(problem), *before), step, read=(judge.good, judge.bad))
            for i, (before, step) in enumerate(zip(beams, steps, strict=True))
        ]
        begun = time.process_time()
        _all(reader, list(jobs))
        found.append(time.process_time() - begun)
        if any(one.finish != "step" for one in written):
            return found
        beams = [(*before, step) for before, step in zip(beams, steps, strict=True)]


def _all(engine: Embedded, jobs: list[Job]) -> list[Any]:
    """The replies, in the order of the jobs."""
    engine.submit(jobs)
    came: dict[int, Any] = {}
    while len(came) < len(jobs):
        came |= {reply.ticket: reply for reply in engine.poll()}
    return [came[job.ticket] for job in jobs]
