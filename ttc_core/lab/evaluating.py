"""The numbers of the cards: a policy alone, and verifiers choosing among its solutions."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ttc_core.lab import measures
from ttc_core.lab.calibrating import step_quality
from ttc_core.lab.measures import Floats, Scores
from ttc_core.lab.model import Llama
from ttc_core.lab.rollouts import Rollout, roll

Rolls = list[list[Rollout]]
TEST_SEED, BIN_SEED, VALIDATION_SEED = 11, 12, 13
BUDGETS = (1, 4, 16, 64)
DIGITS = 4


def cached_rollouts(
    path: Path, model: Llama, problems: Sequence[dict[str, Any]], count: int, seed: int, temperature: float = 1.0
) -> Rolls:
    """Sample solutions of a problem set once and keep them in a file."""
    if path.exists():
        rolls: Rolls = pickle.loads(path.read_bytes())  # noqa: S301 - written below
        return rolls
    rolls = roll(model, problems, count, seed, temperature)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(rolls))
    return rolls


def pass_rates(rolls: Rolls) -> Floats:
    """Return the share of right solutions of each problem."""
    return np.asarray([np.mean([r.correct for r in row]) for row in rolls])


def interval(values: Floats) -> dict[str, float]:
    """Return mean and 95 % bootstrap interval over problems."""
    mean, low, high = measures.bootstrap(values)
    return {"mean": round(mean, DIGITS), "low": round(low, DIGITS), "high": round(high, DIGITS)}


def by_bin(values: Floats, bins: Sequence[Any]) -> list[float]:
    """Return the mean of each difficulty bin, easiest first."""
    return [round(float(values[part].mean()), DIGITS) for part in bins]


def policy_numbers(sampled: Rolls, greedy: Rolls, bins: Sequence[Any]) -> dict[str, Any]:
    """Return pass@1 at temperature 1 and of greedy decoding, overall and by bin (bins from other samples)."""
    rates = pass_rates(sampled)
    right = [r for row in sampled for r in row if r.correct]
    return {
        "problems": len(sampled),
        "samples": len(sampled[0]),
        "pass@1": interval(rates),
        "pass@1_by_bin": by_bin(rates, bins),
        "greedy": interval(pass_rates(greedy)),
        "right_answers_through_a_wrong_step": round(float(np.mean([not all(r.right) for r in right])), DIGITS),
    }


def verifier_numbers(rolls: Rolls, scores: Sequence[Scores], bins: Sequence[Any]) -> dict[str, Any]:
    """Return how well a verifier tells right from wrong and what choosing by its last score gives.

    Arguments:
        rolls: solutions of each problem.
        scores: the verifier's score of each step of each.
        bins: problem indices by difficulty.
    """
    last = [[steps[-1] for steps in row] for row in scores]
    perfect = [[float(all(r.right)) for r in row] for row in rolls]
    selection: dict[str, Any] = {}
    for n in (n for n in BUDGETS if n <= len(rolls[0])):
        shares = {name: measures.selected(name, rolls, last, n) for name in measures.SELECTORS}
        selection[str(n)] = {name: interval(v) | {"by_bin": by_bin(v, bins)} for name, v in shares.items()}
        gain = shares["weighted"] - shares["majority"]
        selection[str(n)]["weighted_minus_majority"] = interval(gain)
    quality = {name: round(value, DIGITS) for name, value in step_quality(rolls, scores).items()}
    return {
        "problems": len(rolls),
        "samples": len(rolls[0]),
        "within_problem_auc": round(measures.within_problem_auc(rolls, last), DIGITS),
        "within_problem_auc_of_a_perfect_prefix_checker": round(measures.within_problem_auc(rolls, perfect), DIGITS),
        **quality,
        "selection": selection,
    }


def prefix_auc_within_problems(rolls: Rolls, scores: Sequence[Scores]) -> float:
    """Return the mean over problems of the AUC of final scores for "every step is right"."""
    values = []
    for row, row_scores in zip(rolls, scores, strict=True):
        distinct = {r.tokens: (s[-1], all(r.right)) for r, s in zip(row, row_scores, strict=True)}
        value = measures.auc([s for s, _ in distinct.values()], [c for _, c in distinct.values()])
        if not np.isnan(value):
            values.append(value)
    return round(float(np.mean(values)), DIGITS)


def flops_per_token(parameters: int) -> int:
    """Return the floating-point operations of one token, two per parameter."""
    return 2 * parameters


def summary_line(name: str, numbers: Mapping[str, Any]) -> str:
    """Return one line of a report table: a number with its interval."""
    return f"| {name} | {numbers['mean']:.3f} | {numbers['low']:.3f} to {numbers['high']:.3f} |"
