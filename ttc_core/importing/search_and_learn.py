"""`search_and_learn`: completions as huggingface/search-and-learn writes them, one problem a line.

Each has "problem" (or "question"), "answer"?, "unique_id"?, "completions", and as many "scores" (lists of step scores)
and "completion_tokens" where they are there. The rest is kept.
"""

from __future__ import annotations

from pathlib import Path

from ttc_core.importing import Asked, Imported, graded, lines
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
        problem = asked.problem(place, name, question, place.get(line, "answer", str, None))
        texts = place.get(line, "completions", list)
        scores = place.get(line, "scores", list, [[]] * len(texts))
        tokens = place.get(line, "completion_tokens", list, [0] * len(texts))
        if not len(texts) == len(scores) == len(tokens):
            raise place.wrong(f"{len(texts)} completions have {len(scores)} scores and {len(tokens)} token counts")
        pool = []
        for i, (text, steps, count) in enumerate(zip(texts, scores, tokens, strict=True)):
            here = place.at(f"completion {i}")
            text = here.get({"completion": text}, "completion", str)
            steps = here.numbers({"scores": steps}, "scores")
            count = here.get({"completion_tokens": count}, "completion_tokens", int)
            answer, correct = graded(problem, text, None, None)
            pool.append(Solution(answer, correct, steps[-1] if steps else None, steps, max(0, count), True, text))
        found.problems.append(problem)
        found.extras.append({key: value for key, value in line.items() if key not in KEYS})
        found.pools.append(pool)
    return found
