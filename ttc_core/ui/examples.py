"""Samples on which a verifier was confident and mistaken, from the stored rows of a pool. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ttc_core.studies_pools import unpacked
from ttc_core.types import ROOT, child_id


def bucket(score: float, count: int) -> int:
    """Which of equally wide bars over [0, 1] a score is in; the last one includes 1."""
    return min(int(score * count), count - 1)


def mistakes(rows: Sequence[Mapping[str, Any]], at: int, count: int, most: int = 50) -> list[dict[str, Any]]:
    """Samples of one bar that came out against it, the most confident first, one of each answer to a problem.

    Arguments:
        rows: of `Chosen.rated_rows`.
        at: the bar, of `count`: in the upper half wrong samples are mistakes, in the lower half right ones.
        most: samples at most.

    Returns:
        problem, question, gold, answer, right, score, steps, times (samples of the bar with that answer), text, run
        (None where the tree was not kept) and node.
    """
    high = 2 * at + 1 > count
    found: dict[tuple[str, str | None], list[dict[str, Any]]] = {}
    for row in rows:
        for i, one in enumerate(unpacked(row)):
            if not one.valid or one.score is None or one.correct is not (not high) or bucket(one.score, count) != at:
                continue
            same = found.setdefault((row["problem_id"], one.answer), [])
            place = {"run": row["run"], "node": child_id(ROOT, i), "problem": row["problem_id"]}
            asked = {"question": row["question"], "gold": row["gold"], "answer": one.answer, "right": one.correct}
            same.append({**place, **asked, "score": one.score, "steps": list(one.steps), "text": one.text})
    sign = -1 if high else 1
    kept = [{**min(same, key=lambda s: sign * s["score"]), "times": len(same)} for same in found.values()]
    return sorted(kept, key=lambda s: (sign * s["score"], s["problem"]))[:most]
