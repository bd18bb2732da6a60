"""`samples`: one problem a line, {"id", "question", "answer"?, "samples": [{"text"?, "answer"?, "correct"?, "score"?,
"step_scores"?, "tokens"?}]}. Unknown keys are kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ttc_core.importing import Asked, Imported, Place, graded, lines
from ttc_core.studies_pools import Solution
from ttc_core.types import Problem

PROBLEM_KEYS = ("id", "question", "answer", "samples")
SAMPLE_KEYS = ("text", "answer", "correct", "score", "step_scores", "tokens")
MAX_TOKENS = 2**31


def read(path: Path, dataset: str) -> Imported:
    """The problems of a file with their samples.

    Raises:
        UserError: with the number of the first line that is wrong.
    """
    found, asked = Imported(), Asked(dataset)
    for place, line in lines(path):
        answer = place.get(line, "answer", (str, int, float), None)
        problem = asked.problem(
            place,
            str(place.get(line, "id", (str, int))),
            place.get(line, "question", str),
            None if answer is None else str(answer),
        )
        found.problems.append(problem)
        found.extras.append({key: value for key, value in line.items() if key not in PROBLEM_KEYS})
        pool = place.get(line, "samples", list)
        found.pools.append([_sample(place.at(f"sample {i}"), problem, one) for i, one in enumerate(pool)])
    return found


def _sample(place: Place, problem: Problem, one: Any) -> Solution:
    if not isinstance(one, Mapping):
        raise place.wrong("not a JSON object")
    text = place.get(one, "text", str, None)
    said = place.get(one, "answer", (str, int, float), None)
    verdict = _verdict(place, one)
    tokens = place.whole(one, "tokens", 0)
    if not 0 <= tokens < MAX_TOKENS:
        raise place.wrong(f"'tokens' must be a number of tokens, not {tokens}")
    steps = place.numbers(one, "step_scores")
    score = place.get(one, "score", (int, float), steps[-1] if steps else None)
    answer, correct, noted = graded(problem, text, None if said is None else str(said), verdict)
    extra = {key: value for key, value in one.items() if key not in SAMPLE_KEYS} | dict(noted)
    return Solution(answer, correct, None if score is None else float(score), steps, tokens, True, text, extra)


def _verdict(place: Place, one: Mapping[str, Any]) -> bool | None:
    """Whether the sample is right, said as true or false, or 1 or 0."""
    if one.get("correct") in (0, 1):
        return bool(one["correct"])
    said: bool | None = place.get(one, "correct", bool, None)
    return said
