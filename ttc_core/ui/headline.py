"""What a study says in one chart and four sentences, computed from its documents. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ttc_core.drawing.info import GREY, OPTIMAL, Info, Panel, Series, Style, budgets, labelled, shares, styles
from ttc_core.ui import words


def at(document: Mapping[str, Any]) -> int:
    """Index of the budget the headline speaks of: of those that most methods have, the largest."""
    means = [curve["mean"] for curve in document["curves"].values()]
    known = [sum(mean[i] is not None for mean in means) for i in range(len(document["budgets"]))]
    return max(i for i, number in enumerate(known) if number == max(known))


def saving(document: Mapping[str, Any], i: int) -> tuple[str, str]:
    """As a number and as a sentence: how much less the compute-optimal policy needs than the baseline at a budget."""
    budget, baseline = document["budgets"][i], labelled(document["baseline"])
    found = document["efficiency"].get(str(budget))
    if found is None:
        return "–", f"{baseline[0].upper() + baseline[1:]} was not run at {words.short(budget)} generations."
    spent, least, most = (None if v is None else budget / v for v in (found["mean"], found["high"], found["low"]))
    interval = "" if least is None or most is None else f" (95 % interval {least:.1f} to {most:.1f})"
    bound = {"at least": "at most ", "at most": "more than ", "": ""}[found["bound"]]
    times = f"{found['bound']} {found['mean']:.1f}".strip()
    sentence = (
        f"Compute-optimal scaling needs {bound}{spent:.1f} generations{interval} for what {baseline} reaches with "
        f"{words.short(budget)}: {times} times less."
    )
    return f"{'≥ ' if found['bound'] == 'at least' else '≤ ' if bound else ''}{found['mean']:.1f}×", sentence


def choices(document: Mapping[str, Any], i: int) -> tuple[str, str]:
    """The same: what is chosen on easy and on hard questions, and what that is worth at equal budget."""
    chosen, gain = [labelled(name) for name in document["policy"][i]], document["gain"]
    first, last = chosen[0], chosen[-1]
    what = (
        f"the same is best on easy and hard questions: {first}"
        if len(set(chosen)) == 1
        else f"easy questions want {first}, hard ones {last}"
    )
    number = worth = ""
    if gain["mean"][i] is not None and gain["low"][i] is not None:
        points = [100 * gain[end][i] for end in ("mean", "low", "high")]
        number = f"{points[0]:+.1f} pts"
        worth = f"; choosing is worth {points[0]:+.1f} points of accuracy ({points[1]:+.1f} to {points[2]:+.1f})"
    return number or "–", f"At {words.short(document['budgets'][i])} generations {what}{worth}."


def overtakes(document: Mapping[str, Any]) -> tuple[str, str] | None:
    """The same: from which budget on beam search is above the baseline in the hardest bin; None without beam search."""
    hardest, budgets, bins = document["by_bin"][-1], document["budgets"], len(document["by_bin"])
    baseline = hardest[document["baseline"]]
    found: list[tuple[int, float, str]] = []  # index of that budget, minus the lead there, the method
    searched = [name for name in hardest if name.startswith("beam_search")]
    for name in searched:
        both = enumerate(zip(hardest[name], baseline, strict=True))
        lead = [(i, a - b) for i, (a, b) in both if a is not None and b is not None]
        behind = [n for n, (_, points) in enumerate(lead, start=1) if points <= 0]
        ahead = lead[behind[-1] :] if behind else lead
        found += [(ahead[0][0], -ahead[0][1], name)] if ahead else []
    if not searched:
        return None
    where = f"on the hardest questions (bin {bins} of {bins})"
    if not found:
        return "–", f"Beam search is not ahead of {labelled(document['baseline'])} {where} at the largest budget."
    i, _, name = min(found)
    known = [n for n, value in enumerate(hardest[name]) if value is not None]
    least = ", the least it was run with" if known[0] == i > 0 else ""
    shares = f"{100 * hardest[name][i]:.0f} % right against {100 * baseline[i]:.0f} %"
    return words.short(budgets[i]), (
        f"From {words.short(budgets[i])} generations on{least}, {labelled(name)} is ahead of "
        f"{labelled(document['baseline'])} {where}: {shares}. Measured to {words.short(budgets[known[-1]])}."
    )


def exchanged(document: Mapping[str, Any], name: str) -> tuple[str, str]:
    """The same: where the small model beats the larger one at equal FLOPs, at the first R that the study reaches."""
    [*known] = (r for r, _ in enumerate(document["ratios"]) if not document["bins"][0]["stars"][r]["beyond"])
    r = known[0] if known else len(document["ratios"]) - 1
    gains = [of["stars"][r]["gain"] for of in document["bins"]]
    won = [str(b + 1) for b, gain in enumerate(gains) if gain["low"] is not None and gain["low"] > 0]
    lost = [str(b + 1) for b, gain in enumerate(gains) if gain["high"] is not None and gain["high"] < 0]
    said = [
        f"{word} in {'bins' if len(bins) > 1 else 'bin'} {' and '.join(bins)}"
        for word, bins in (("better", won), ("worse", lost))
        if bins
    ] or ["neither surely better nor worse in any bin"]
    rest = len(gains) - len(won) - len(lost)
    more = f", undecided in {'the other ' if rest < len(gains) else ''}{rest}" if 0 < rest < len(gains) else ""
    sentence = (
        f"For the FLOPs of {name}, {document['larger']:.3g} times larger and answering once, the small model with "
        f"search is {', '.join(said)} of {len(gains)} from easy to hard{more} (R = {document['ratios'][r]['ratio']:g})."
    )
    return f"{document['larger']:.3g}×", sentence


def chart(document: Mapping[str, Any], i: int) -> Info:
    """The policy against the baseline and the majority, and the saving as a line between the first two."""
    shown = [document["baseline"], *_majority(document), OPTIMAL]
    style = styles([name for name in document["curves"] if name != OPTIMAL])
    series = []
    for name in shown:
        curve = document["curves"][name]
        banded = (curve["low"], curve["high"]) if name in (OPTIMAL, document["baseline"]) else ((), ())
        series.append(Series(labelled(name), document["budgets"], curve["mean"], style[name], *banded))
    found, reached = document["efficiency"].get(str(document["budgets"][i])), document["curves"][document["baseline"]]
    if found is not None and reached["mean"][i] is not None:
        ends = [document["budgets"][i] / found["mean"], document["budgets"][i]]
        series.insert(0, Series("saving", ends, [reached["mean"][i]] * 2, Style(GREY, "dash"), kind="guide"))
    return Info("headline", [Panel("", budgets(document["budgets"]), shares("accuracy"), series)], "")


def _majority(document: Mapping[str, Any]) -> Sequence[str]:
    found = [name for name in document["curves"] if name.startswith("best_of_n") and "select=majority" in name]
    return [name for name in found[:1] if name != document["baseline"]]
