"""Searches together against searches one after another, on the same engines with the same seeds and so the same trees.

`lockstep`: one problem at a time, its beams as one batch, policy then verifier. `naive`: one piece after another. The
naive loop takes as long for each problem, so that `Size.naive` of them stand for all.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from ttc_core import grading
from ttc_core.backend import LocalBackend
from ttc_core.bench.lockstep import LockStep
from ttc_core.bench.searches import problems, search, seconds_of, settled, spec
from ttc_core.bench.sizes import Size
from ttc_core.types import Outcome, Problem

NAIVE_BEAMS = 4


def measure(size: Size) -> dict[str, Any]:
    """Time of the loop / time of the scheduler: `few` problems and one against lock-step, all against naive."""
    asked = problems(size.problems)
    few = asked[: size.few]
    with settled():
        ours, answers = together(few, size.beams[0])
        loop, others = apart(few, size.beams[0])
        singles = [apart([p], size.beams[0])[0] / together([p], size.beams[0])[0] for p in few[: max(1, size.rounds)]]
        ours_naive, _ = together(asked, NAIVE_BEAMS)
        naive, _ = apart(asked[: size.naive], NAIVE_BEAMS, batched=False)
    return {
        "speedup_vs_lockstep_32": loop / ours,
        "speedup_vs_lockstep_1": statistics.median(singles),
        "speedup_vs_naive_64": naive * len(asked) / size.naive / ours_naive,
        "naive_problems_searched": size.naive,
        "accuracy": accuracy(answers, few),
        "lockstep_accuracy": accuracy(others, few),
        "equal_answers": sum(a == b for a, b in zip(answers, others, strict=True)) / len(few),
    }


def together(asked: Sequence[Problem], beams: int) -> tuple[float, list[str | None]]:
    """CPU seconds and answers of all problems by the scheduler, from an empty cache."""
    backend = LocalBackend()
    specs = [spec(problem, "beam_search", beams) for problem in asked]
    _load(backend, specs[0].model, specs[0].verifier)
    done = search(backend, specs, asked)
    return done.seconds, [_answer(outcome) for outcome in done.outcomes]


def apart(asked: Sequence[Problem], beams: int, *, batched: bool = True) -> tuple[float, list[str | None]]:
    """The same by the loop."""
    backend = LocalBackend()
    how = spec(asked[0], "beam_search", beams)
    _load(backend, how.model, how.verifier)
    loop = LockStep(backend, how, batched=batched)
    found: list[Outcome] = []
    seconds = seconds_of(lambda: found.extend(loop.search(problem) for problem in asked))
    return seconds, [_answer(outcome) for outcome in found]


def accuracy(answers: Sequence[str | None], asked: Sequence[Problem]) -> float:
    """Fraction of problems whose answer is right."""
    right = [grading.grade(answer, problem.answer) is True for answer, problem in zip(answers, asked, strict=True)]
    return sum(right) / len(right)


def _load(backend: LocalBackend, model: str, verifier: str) -> None:
    """Reading weights from the disk is no part of a search."""
    for name in {model, *backend.verifier(verifier).models}:
        backend.engine(name)


def _answer(outcome: Outcome | None) -> str | None:
    return None if outcome is None else outcome.answer
