"""How one answer came out of chains of attempts: in a sentence, and in the numbers that it was chosen by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ttc_core.analysis.chains import paths
from ttc_core.chains import HIERARCHICAL
from ttc_core.runs_views import RunView
from ttc_core.selection import choose
from ttc_core.types import Candidate, Node, Outcome

WEIGHS = {
    "majority": "the number of attempts that gave it",
    "best": "the highest score of an attempt that gave it",
    "weighted": "the sum of the scores of the attempts that gave it",
}
Row = dict[str, Any]


def selection(view: RunView, nodes: Sequence[Node]) -> tuple[str, list[Row]]:
    """The sentence and a table whose chosen row is marked: of chains where the choice is hierarchical, else of answers.

    Both are empty while there is no answer.
    """
    outcome, how = view.outcome, str(view.spec.params.get("select"))
    if outcome is None or outcome.chosen is None:
        return "", []
    if how == HIERARCHICAL:
        rows = _chains(outcome, nodes)
        best = next((row for row in rows if row["chosen"]), None)
        return (_across(best, rows) if best else ""), rows
    said = f"All attempts of all chains count alike. An answer weighs {WEIGHS[how]}." if how in WEIGHS else ""
    return said, _answers(outcome)


def _chains(outcome: Outcome, nodes: Sequence[Node]) -> list[Row]:
    """What each chain chose by itself, the best first; a chain without a scored answer has no row."""
    number = {node.id: n for n, way in reversed(list(enumerate(paths(nodes), start=1))) for node in way}
    inside: dict[int, list[Candidate]] = {}
    for candidate in outcome.candidates:
        inside.setdefault(number.get(candidate.node, 0), []).append(candidate)
    rows = []
    for n, found in inside.items():
        own = choose(found, "weighted")
        for head in (one for one in own.candidates if one.node == own.chosen):
            alike = sum(one.answer == head.answer for one in found)
            row = {"chain": n, "its answer": head.answer, "attempts with it": f"{alike} of {len(found)}"}
            chosen = "★" if head.node == outcome.chosen else ""
            rows.append({**row, "weight": head.weight, "best score": head.score, "chosen": chosen})
    return sorted(rows, key=lambda row: (not row["chosen"], -row["best score"]))


def _across(best: Row, rows: Sequence[Row]) -> str:
    others = [row["best score"] for row in rows if row["its answer"] != best["its answer"]]
    against = f", against at most {max(others):.3f} for another answer" if others else ""
    return (
        f"Chain {best['chain']} gives the answer. Inside a chain an answer weighs the sum of its attempts' scores "
        f"({best['weight']:.3f} here), and the heaviest is the chain's. Across chains that answer is taken whose best "
        f"attempt scores highest: {best['best score']:.3f}{against}."
    )


def _answers(outcome: Outcome) -> list[Row]:
    """The different answers, the heaviest first."""
    groups: dict[str, list[Candidate]] = {}
    for candidate in outcome.candidates:
        if candidate.answer is not None:
            groups.setdefault(candidate.answer, []).append(candidate)
    rows = []
    scored = any(one.score is not None for one in outcome.candidates)
    for answer, found in groups.items():
        scores = [one.score for one in found if one.score is not None]
        row: Row = {"answer": answer, "attempts with it": len(found), "weight": found[0].weight}
        if scored:
            row["best score"] = max(scores, default=None)
        rows.append({**row, "chosen": "★" * (answer == outcome.answer)})
    return sorted(rows, key=lambda row: -float(row["weight"]))
