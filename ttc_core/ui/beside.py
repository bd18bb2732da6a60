"""Two searches compared in words."""

from __future__ import annotations

from ttc_core.runs_views import RunView
from ttc_core.types import Usage
from ttc_core.ui import words


def costs(used: Usage) -> dict[str, float]:
    """What two searches are compared by."""
    return {"policy tokens": used.policy_tokens, "FLOPs": used.policy_flops + used.verifier_flops}


def compared(one: RunView, other: RunView) -> str:
    """What two ended searches of one question came to, and what the first cost beside the second."""
    names = [words.method(view.spec.strategy) for view in (one, other)]
    if names[0] == names[1]:
        names = [f"{names[0]} on the left", "the one on the right"]
    verdicts = [{True: "right", False: "wrong", None: "ungraded"}[view.correct] for view in (one, other)]
    if one.answer is not None and one.answer == other.answer:
        said = f"Both answer {one.answer}" + ("" if one.correct is None else f", which is {verdicts[0]}")
    else:
        given = ["no answer" if view.answer is None else view.answer for view in (one, other)]
        said = f"{words.sentence(names[0])} answers {given[0]} ({verdicts[0]}), {names[1]} {given[1]} ({verdicts[1]})"
    mine, theirs = costs(one.usage), costs(other.usage)
    ratios = [f"{mine[what] / theirs[what]:.2g} times the {what}" for what in mine if theirs[what]]
    said += f", with {one.usage.generations} and {other.usage.generations} generations."
    return f"{said} {words.sentence(names[0])} took {' and '.join(ratios)}." if ratios else said
