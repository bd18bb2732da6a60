"""Token-level labels for process reward models: which tokens still belong to a right solution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ttc_core.datasets.mini_steps import StepChecker
from ttc_core.lab.rollouts import NEWLINE
from ttc_core.lab.vocabulary import decode

FIRST_WRONG, STEP_END, LAST = 2.0, 3.0, 4.0


@dataclass(frozen=True)
class Judged:
    """A solution with a label and a weight for each of its tokens.

    Attributes:
        prompt: token ids of the question.
        solution: token ids of the solution.
        labels: whether the solution is right up to and with each token, or the probability of some such thing.
        weights: how much each label counts; 0 where there is none.
    """

    prompt: tuple[int, ...]
    solution: tuple[int, ...]
    labels: tuple[float, ...]
    weights: tuple[float, ...]


def token_labels(problem: Mapping[str, Any], solution: Sequence[int]) -> tuple[bool, ...]:
    """Label each token of a solution: right while some right line begins like the one being written."""
    checker = StepChecker(problem)
    labels: list[bool] = []
    possible = checker.continuations()
    line = ""
    for token in solution:
        if token == NEWLINE:
            labels.append(checker.read(line))
            possible, line = checker.continuations(), ""
            continue
        line += decode([token])
        possible = [other for other in possible if other.startswith(line)]
        labels.append(bool(possible))
    return tuple(labels)


def judge(problem: Mapping[str, Any], prompt: Sequence[int], solution: Sequence[int]) -> Judged:
    """Label a solution; step ends, the first wrong token and the last token count more."""
    labels = token_labels(problem, solution)
    weights = [STEP_END if token == NEWLINE else 1.0 for token in solution]
    if False in labels:
        weights[labels.index(False)] = FIRST_WRONG
    weights[-1] = LAST
    return Judged(tuple(prompt), tuple(solution), labels, tuple(weights))
