"""`search_and_learn`: completions as huggingface/search-and-learn writes them, one problem a line.

Each has "problem" (or "question"), "answer"?, "unique_id"?, "completions", and as many "scores" (lists of step scores;
also one number or null) and "completion_tokens" where they are there; its DVTS writes -1 for all of these, not known.
The rest is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ttc_core.importing import Asked, Imported, Place, graded, lines
from ttc_core.studies_pools import Solution

KEYS = ("unique_id", "problem", "question", "answer", "completions", "scores", "completion_tokens")


def read(path: Path, dataset: str) -> Imported:
    """The problems of a file with their completions as samples.

    Raises:
        UserError: with the number of the first line that is wrong.
    """
    found, asked = Imported(), Asked(dataset)
    for place, line in lines(path):
        question = place.get(line, "problem" if "problem" in line else "question", str)
        name = str(place.get(line, "unique_id", (str, int), f"{dataset}-{len(found.problems)}"))
        problem = asked.problem(place, name, question, _answer(place, line))
        texts = place.get(line, "completions", list)
        scores = place.get(line, "scores", list, [[]] * len(texts))
        tokens = _tokens(place, line, len(texts))
        if not len(texts) == len(scores) == len(tokens):
            raise place.wrong(f"{len(texts)} completions have {len(scores)} scores and {len(tokens)} token counts")
        pool = []
        for i, (text, steps, count) in enumerate(zip(texts, scores, tokens, strict=True)):
            here = place.at(f"completion {i}")
            text = here.get({"completion": text}, "completion", str)
            steps = here.numbers({"scores": steps if isinstance(steps, list) else [steps]}, "scores")
            count = here.whole({"completion_tokens": count}, "completion_tokens", 0)
            answer, correct, noted = graded(problem, text, None, None)
            score = steps[-1] if steps else None
            pool.append(Solution(answer, correct, score, steps, max(0, count), True, text, dict(noted)))
        found.problems.append(problem)
        found.extras.append({key: value for key, value in line.items() if key not in KEYS})
        found.pools.append(pool)
    return found


def _answer(place: Place, line: Mapping[str, Any]) -> str | None:
    answer = place.get(line, "answer", (str, int, float), None)
    return None if answer is None else str(answer)


def _tokens(place: Place, line: Mapping[str, Any], completions: int) -> list[Any]:
    """The lengths of the completions; -1 in place of all of them says that nobody counted."""
    if line.get("completion_tokens") == -1:
        return [0] * completions
    return list(place.get(line, "completion_tokens", list, [0] * completions))
