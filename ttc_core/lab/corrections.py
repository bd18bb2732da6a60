"""Right solutions close to a given attempt, and contexts of attempts as a reviser meets them.

Several right solutions exist of most problems. The one a reviser learns to write is a corrected version of the last
attempt it sees: its right lines, then a right way on that resembles the rest (cf. Snell et al. 2024, section 6.1,
where the last wrong attempt is chosen close to the target by edit distance). So revising is copying and mending.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ttc_core.datasets.mini_steps import ANSWER_PREFIX, StepChecker, parse_line
from ttc_core.lab.harvest import read_chunk
from ttc_core.lab.story import Story
from ttc_core.lab.training import ChunkMaker, Example
from ttc_core.lab.vocabulary import EOS, decode, encode, prompt

WAYS = 6  # right continuations of which the closest is taken
FIELDS = 4  # operation, two operands, result
MOST_ATTEMPTS = 4
LONGEST_ATTEMPT = 130
KEPT = 0.25  # share of the contexts whose last attempt is right where one is
CONTEXTS = 3  # a problem and pass

Fields = tuple[str, ...]


def _fields(line: str) -> Fields:
    parsed = parse_line(line)
    return tuple(map(str, parsed)) if parsed else (line,) * FIELDS


def edit_distance(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the least number of fields to change, add or remove to make one solution the other.

    Arguments:
        one, other: lines of the solutions; an equation has FIELDS fields, and so has any other line.
    """
    left, right = [_fields(line) for line in one], [_fields(line) for line in other]
    row = [FIELDS * i for i in range(len(right) + 1)]
    for a in left:
        above, row = row, [row[0] + FIELDS]
        for index, b in enumerate(right):
            changed = above[index] + sum(x != y for x, y in zip(a, b, strict=True))
            row.append(min(changed, above[index + 1] + FIELDS, row[index] + FIELDS))
    return row[-1]


def _goal(problem: Mapping[str, Any]) -> int:
    """Return the index of the quantity asked for: the result of the reference solution's last equation."""
    values = problem["graph"]["values"]
    last = parse_line(problem["solution"].split("\n")[-3])
    fitting = [
        e[3]
        for e in problem["graph"]["equations"]
        if last and (e[0], values[e[3]]) == (last[0], last[3]) and {values[e[1]], values[e[2]]} == {last[1], last[2]}
    ]
    return int(fitting[-1])


def corrected(problem: Mapping[str, Any], solution: str, rng: random.Random) -> str:
    """Return a right solution that begins with the right lines of `solution` and goes on much like it.

    Arguments:
        problem: a record with graph, answer and reference solution.
        solution: lines, each ended by a newline.
    """
    lines = solution.split("\n")[:-1]
    checker = StepChecker(problem)
    kept = 0
    for line in lines:
        before = checker.remaining()
        if not checker.read(line):
            break
        kept += 1
    else:
        if lines and lines[-1].startswith(ANSWER_PREFIX):
            return solution
        before = checker.remaining()
    story = Story(rng, 0, values=list(problem["graph"]["values"]), equations=before)
    goal = _goal(problem)
    ways = [story.solution(goal).split("\n")[:-1] for _ in range(WAYS)]
    nearest = min(ways, key=lambda way: edit_distance(lines[kept:], way))
    return "\n".join([*lines[:kept], *nearest]) + "\n"


def revision(
    problem: Mapping[str, Any],
    row: Sequence[tuple[str, bool]],
    rng: random.Random,
    in_order: bool = False,
) -> Example:
    """Return one example: the problem with 0 to MOST_ATTEMPTS of its attempts, and the corrected last one.

    Arguments:
        row: the attempts at the problem and whether each is right; the wrong one closest to its correction comes
            last, or, in KEPT of the contexts, a right one.
        in_order: the attempts are a chain, whose first ones are shown as they came.
    """
    most = min(MOST_ATTEMPTS, len(row))
    count = rng.randint(0, most)
    if in_order and count:
        shown = [text for text, _ in row[:count]]
        return prompt(problem["question"], shown), [*encode(corrected(problem, shown[-1], rng)), EOS]
    chosen = rng.sample(list(row), count)
    wrong = [text for text, correct in chosen if not correct]
    right = [text for text, correct in chosen if correct]
    if not chosen:
        return prompt(problem["question"]), [*encode(problem["solution"]), EOS]
    if right and (not wrong or rng.random() < KEPT):
        last = right[-1]
        target = corrected(problem, last, rng)
    else:
        mended = {text: corrected(problem, text, rng) for text in wrong}
        last = min(wrong, key=lambda text: edit_distance(text.split("\n"), mended[text].split("\n")))
        target = mended[last]
    texts = [text for text, _ in chosen]
    texts.remove(last)
    return prompt(problem["question"], [*texts, last]), [*encode(target), EOS]


def revision_chunks(
    folder: Path,
    chunks: int,
    seed: int,
    in_order: bool = False,
) -> ChunkMaker[Example]:
    """Return a function that makes the n-th chunk (from 1) of revision examples of harvested attempts.

    Arguments:
        folder: where the harvest lies.
        chunks: so many of its files are gone through again and again, with other contexts each time.
        seed: seed of the contexts.
        in_order: the attempts at each problem are a chain.
    """
    files = sorted(folder.glob("chunk-*.json"))[:chunks]

    def make(index: int) -> list[Example]:
        rng = random.Random(seed * 1_000_003 + index)
        problems, rollouts = read_chunk(files[(index - 1) % len(files)])
        rows = [
            [(decode(list(r.tokens)), r.correct) for r in row if len(r.tokens) <= LONGEST_ATTEMPT] for row in rollouts
        ]
        return [revision(p, row, rng, in_order) for p, row in zip(problems, rows, strict=True) for _ in range(CONTEXTS)]

    return make
