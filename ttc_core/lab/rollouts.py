"""Many sampled solutions of many problems, checked step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ttc_core.datasets.mini_steps import check_lines, final_answer
from ttc_core.lab.model import Llama
from ttc_core.lab.sampling import sample
from ttc_core.lab.vocabulary import SIGNS, SPECIAL, decode, prompt

NEWLINE = len(SPECIAL) + 10 + SIGNS.index("\n")


@dataclass(frozen=True)
class Rollout:
    """One solution.

    Attributes:
        problem: index of its problem.
        tokens: the solution without <eos>, ended by a newline.
        ends: positions in `tokens` of the newline that ends each step.
        right: for each step whether the solution is right so far.
        answer: what the answer line says, None without one.
        correct: whether that is the right answer.
    """

    problem: int
    tokens: tuple[int, ...]
    ends: tuple[int, ...]
    right: tuple[bool, ...]
    answer: str | None
    correct: bool


def check(problem: Mapping[str, Any], index: int, tokens: Sequence[int]) -> Rollout:
    """Check a solution against the graph of its problem."""
    closed = tuple(tokens) if tokens and tokens[-1] == NEWLINE else (*tokens, NEWLINE)
    text = decode(list(closed))
    answer = final_answer(text)
    return Rollout(
        problem=index,
        tokens=closed,
        ends=tuple(i for i, token in enumerate(closed) if token == NEWLINE),
        right=tuple(check_lines(problem, text.split("\n")[:-1])),
        answer=answer,
        correct=answer == problem["answer"],
    )


def roll(
    model: Llama, problems: Sequence[Mapping[str, Any]], count: int, seed: int, temperature: float = 1.0
) -> list[list[Rollout]]:
    """Sample `count` solutions of each problem and check them."""
    prompts = [prompt(problem["question"]) for problem in problems]
    found = sample(model, prompts, count, temperature, seed)
    return [
        [check(problem, index, tokens) for tokens in solutions]
        for index, (problem, solutions) in enumerate(zip(problems, found, strict=True))
    ]
