"""The mini problems: the mixture of stories, the training stream and the problem sets.

Nothing tells a model how hard a problem is; difficulty comes from the mixture of templates, lengths and sizes alone.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttc_core.lab import templates, templates_hard, templates_measures
from ttc_core.lab.story import Rejected, Story
from ttc_core.lab.words import NAMES, THINGS

Template = Callable[[Story, int], int]
TRAINED: tuple[Template, ...] = (
    templates.running_quantity,
    templates.running_quantity,
    templates.compared_people,
    templates.shares,
    templates.shopping,
    templates.trade,
    templates.left_over,
    templates.savings,
    templates.rates,
    templates_measures.ages,
    templates_measures.areas,
    templates_measures.fences,
    templates_measures.unit_changes,
    templates_measures.recipe,
    templates_measures.groups,
)
HELD_OUT: tuple[Template, ...] = (
    templates_hard.backwards,
    templates_hard.mean_of_days,
    templates_hard.two_workers,
    templates_hard.packs_of_packs,
)
LENGTHS = (3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 7, 7, 8, 8, 9, 9, 10, 11, 12)
SIZES = (10, 10, 20, 20, 20, 50, 50, 50, 99, 99, 99, 300)
SHORT_LENGTHS = (3, 3, 3, 4, 4)  # what the first chunks of a training from scratch hold: copying is learnt sooner
LONGEST = 14
DISTRACTED = 0.25
SEEDS = {"mini-test": 910_001, "mini-validation": 910_002, "mini-hard": 910_003}
TRAINING_SEED = 1


@dataclass(frozen=True)
class MiniProblem:
    """A finished problem: text, answer, one reference solution and the graph for the step checker."""

    question: str
    answer: str
    solution: str
    steps: int
    template: str
    graph: dict[str, Any]

    def record(self, name: str) -> dict[str, Any]:
        """Return the line of a problem file."""
        return {"id": name, **self.__dict__}


def _distract(story: Story) -> None:
    """Insert a true sentence with a number that does not matter, not as the last sentence."""
    used = " ".join(story.sentences)
    others = [name for name in NAMES if name not in used]
    things = [thing for thing in THINGS if thing[:-1] not in used]
    if not others or not things:
        return
    who, value = story.rng.choice(others), story.number(2)
    thing = story.rng.choice(things)
    sentences = [f"{who} has {value} {thing}.", f"{who} has some {thing}."]
    if "years" not in used:
        sentences.append(f"{who} is {value} years old.")
    sentence = story.rng.choice(sentences)
    story.sentences.insert(story.rng.randrange(len(story.sentences)), sentence)


def draw(rng: random.Random, chosen: tuple[Template, ...] = TRAINED, lengths: tuple[int, ...] = LENGTHS) -> MiniProblem:
    """Draw one problem.

    Arguments:
        rng: source of all randomness.
        chosen: the templates to draw from, equally likely.
        lengths: the wanted numbers of steps to draw from, equally likely; some templates miss theirs a little.
    """
    template, steps, size = rng.choice(chosen), rng.choice(lengths), rng.choice(SIZES)
    while True:
        story = Story(rng, size)
        try:
            goal = template(story, steps)
        except Rejected:
            continue
        if not 3 <= story.steps <= LONGEST or abs(story.steps - steps) > 3:
            steps = rng.choice(lengths)
            continue
        break
    solution = story.solution(goal)
    if rng.random() < DISTRACTED:
        _distract(story)
    graph = {"values": story.values, "equations": [list(equation) for equation in story.equations]}
    answer = str(story.values[goal])
    return MiniProblem(" ".join(story.sentences), answer, solution, story.steps, template.__name__, graph)


def fingerprint(question: str) -> str:
    """Return a short hash by which a question is recognised."""
    return hashlib.sha256(question.encode()).hexdigest()[:16]


def training_stream(
    seed: int, banned: Collection[str] = (), lengths: tuple[int, ...] = LENGTHS
) -> Iterator[MiniProblem]:
    """Yield training problems for ever.

    Arguments:
        seed: seed of the stream.
        banned: fingerprints of questions that must not occur (all problem sets).
        lengths: the wanted numbers of steps to draw from.
    """
    rng = random.Random(seed)
    while True:
        problem = draw(rng, lengths=lengths)
        if fingerprint(problem.question) not in banned:
            yield problem


def problem_set(name: str, count: int = 500) -> list[dict[str, Any]]:
    """Make the records of a problem set; the same name gives the same records.

    Arguments:
        name: one of SEEDS; "mini-hard" is drawn from the held-out templates.
        count: number of problems.
    """
    rng = random.Random(SEEDS[name])
    chosen = HELD_OUT if name == "mini-hard" else TRAINED
    seen: set[str] = set()
    records: list[dict[str, Any]] = []
    while len(records) < count:
        problem = draw(rng, chosen)
        if problem.question not in seen:
            seen.add(problem.question)
            records.append(problem.record(f"{name}-{len(records) + 1:04d}"))
    return records


def write_problem_sets(folder: Path) -> None:
    """Write all problem sets as JSONL files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in SEEDS:
        lines = [json.dumps(record, separators=(",", ":")) for record in problem_set(name)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


def read_problem_set(path: Path) -> list[dict[str, Any]]:
    """Read a problem set file."""
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def banned_fingerprints(folder: Path) -> frozenset[str]:
    """Return the fingerprints of every question in the problem sets of a folder."""
    return frozenset(
        fingerprint(record["question"]) for name in SEEDS for record in read_problem_set(folder / f"{name}.jsonl")
    )
