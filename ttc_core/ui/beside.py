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
        given = ["gives no answer" if view.answer is None else f"answers {view.answer}" for view in (one, other)]
        said = f"{words.sentence(names[0])} {given[0]} ({verdicts[0]}), {names[1]} {given[1]} ({verdicts[1]})"
    mine, theirs = costs(one.usage), costs(other.usage)
    spent = one.usage.generations, other.usage.generations
    each = "generation" if spent == (1, 1) else "generations"
    said += f", each with {spent[0]} {each}." if spent[0] == spent[1] else f", with {spent[0]} and {spent[1]} {each}."
    ratios = {what: _times(mine[what] / theirs[what]) for what in mine if theirs[what]}
    more = [f"{ratio} times the {what}" for what, ratio in ratios.items() if ratio != "1"]
    equal = [what for what, ratio in ratios.items() if ratio == "1"]
    told = [f"took {' and '.join(more)}"] if more else []
    told += [f"needed as many {' and '.join(equal)}"] if equal else []
    return f"{said} {words.sentence(names[0])} {' and '.join(told)} as {names[1]}." if told else said


def _times(ratio: float) -> str:
    """Two digits, or all of a whole number."""
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"
