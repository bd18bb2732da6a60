"""Verifiers from likelihoods and from two-token logits, calibrated to probabilities on the validation set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ttc_core.lab.measures import Floats, Scores, auc, expected_calibration_error, fit_logistic
from ttc_core.lab.model import Llama
from ttc_core.lab.rollouts import Rollout
from ttc_core.lab.sampling import log_probabilities, token_values
from ttc_core.lab.vocabulary import BAD, GOOD, prompt

FEATURES = ("sum_policy", "sum_ratio", "min_policy", "steps")
Pair = tuple[tuple[int, ...], tuple[int, ...]]


def pairs_of(problems: Sequence[dict[str, Any]], rollouts: Sequence[Sequence[Rollout]]) -> list[list[Pair]]:
    """Return (prompt, solution) of every rollout."""
    prompts = [tuple(prompt(problem["question"])) for problem in problems]
    return [[(prompts[r.problem], r.tokens) for r in row] for row in rollouts]


def step_features(policy: Sequence[float], reference: Sequence[float], ends: Sequence[int]) -> Floats:
    """Return the features of the implicit verifier at each step end, (steps, len(FEATURES)).

    Arguments:
        policy: log-probability (natural) of each solution token under the better model.
        reference: the same under the reference model.
        ends: position of the last token of each step.
    """
    better, base = np.cumsum(policy), np.cumsum(reference)
    sums = better[list(ends)]
    per_step = np.diff(sums, prepend=0.0)
    ratios = sums - base[list(ends)]
    return np.stack([sums, ratios, np.minimum.accumulate(per_step), np.arange(1, len(ends) + 1)], 1)


def implicit_features(
    policy: Llama, reference: Llama, problems: Sequence[dict[str, Any]], rollouts: Sequence[Sequence[Rollout]]
) -> list[list[Floats]]:
    """Return the step features of every rollout."""
    pairs = pairs_of(problems, rollouts)
    flat = [pair for row in pairs for pair in row]
    better = token_values(policy, flat, log_probabilities)
    base = token_values(reference, flat, log_probabilities)
    return [
        [step_features(better[pair], base[pair], r.ends) for pair, r in zip(row, rolls, strict=True)]
        for row, rolls in zip(pairs, rollouts, strict=True)
    ]


def distinct_steps(rollouts: Sequence[Sequence[Rollout]]) -> list[tuple[int, int, int]]:
    """Return (problem, rollout, step) of every step of distinct solutions."""
    places = []
    for index, row in enumerate(rollouts):
        seen = set()
        for number, rollout in enumerate(row):
            if rollout.tokens not in seen:
                seen.add(rollout.tokens)
                places += [(index, number, step) for step in range(len(rollout.ends))]
    return places


def calibrate_implicit(
    features: Sequence[Sequence[Floats]], rollouts: Sequence[Sequence[Rollout]]
) -> tuple[list[float], float]:
    """Fit P(right so far) on all steps of all rollouts; returns coefficients and intercept."""
    x = np.concatenate([f for row in features for f in row])
    y = np.concatenate([np.asarray(r.right, float) for row in rollouts for r in row])
    coefficients, intercept = fit_logistic(x, y)
    return [float(c) for c in coefficients], intercept


def implicit_scores(
    features: Sequence[Sequence[Floats]], coefficients: Sequence[float], intercept: float
) -> list[Scores]:
    """Return P(right so far) at each step end of every rollout."""
    weights = np.asarray(coefficients)
    return [[_sigmoid(f @ weights + intercept).tolist() for f in row] for row in features]


def verdicts(logits: Tensor, tokens: Tensor) -> Tensor:
    """Return logit(<good>) - logit(<bad>) at each position."""
    return logits[..., GOOD] - logits[..., BAD]


def verdict_margins(
    model: Llama, problems: Sequence[dict[str, Any]], rollouts: Sequence[Sequence[Rollout]]
) -> list[list[list[float]]]:
    """Return the verdict of a two-token verifier at each step end of every rollout."""
    pairs = pairs_of(problems, rollouts)
    values = token_values(model, [pair for row in pairs for pair in row], verdicts)
    return [
        [[values[pair][end] for end in r.ends] for pair, r in zip(row, rolls, strict=True)]
        for row, rolls in zip(pairs, rollouts, strict=True)
    ]


def calibrate_margins(
    margins: Sequence[Sequence[Sequence[float]]], labels: Sequence[Sequence[Sequence[bool]]]
) -> tuple[float, float]:
    """Fit scale and shift so that sigmoid(scale * margin + shift) is the share of right ones."""
    x = np.asarray([[m] for row in margins for steps in row for m in steps])
    y = np.asarray([float(v) for row in labels for steps in row for v in steps])
    coefficients, intercept = fit_logistic(x, y)
    return float(coefficients[0]), intercept


def margin_scores(margins: Sequence[Sequence[Sequence[float]]], scale: float, shift: float) -> list[Scores]:
    """Return calibrated probabilities of verdict margins."""
    return [[_sigmoid(scale * np.asarray(m) + shift).tolist() for m in row] for row in margins]


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-np.clip(x, -60, 60)))


def step_quality(rollouts: Sequence[Sequence[Rollout]], scores: Sequence[Scores]) -> dict[str, float]:
    """Return AUC and calibration error of step scores over the steps of distinct solutions.

    `first_error_auc` compares only steps whose predecessors are all right.
    """
    places = distinct_steps(rollouts)
    values = [scores[i][j][k] for i, j, k in places]
    labels = [rollouts[i][j].right[k] for i, j, k in places]
    fresh = [k == 0 or rollouts[i][j].right[k - 1] for i, j, k in places]
    return {
        "step_auc": auc(values, labels),
        "first_error_auc": auc(
            [v for v, f in zip(values, fresh, strict=True) if f], [y for y, f in zip(labels, fresh, strict=True) if f]
        ),
        "step_ece": expected_calibration_error(values, labels),
    }
