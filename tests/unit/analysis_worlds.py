"""Studies made up for the tests of the analysis: outcomes with known truths."""

from __future__ import annotations

import numpy as np
import pandas as pd

METHODS = [
    ("best_of_n", "{}", "best_of_n"),
    ("best_of_n", '{"select": "majority"}', "best_of_n select=majority"),
    ("beam_search", '{"width": 4}', "beam_search width=4"),
    ("dvts", '{"width": 4}', "dvts width=4"),
    ("lookahead_search", '{"depth": 1}', "lookahead_search depth=1"),
]


def outcomes(correct, budgets, seeds=1, tokens=50):
    """One row a (problem, method, budget, seed) from `correct`, (P, M, B) or (P, M, B, seeds)."""
    correct = np.asarray(correct)
    correct = correct[..., None] if correct.ndim == 3 else correct
    p, m, b, s = (axis.ravel() for axis in np.indices(correct.shape))
    budget = np.asarray(budgets)[b]
    return pd.DataFrame(
        {
            "dataset": "made-up",
            "problem": [f"p{i:04}" for i in p],
            "model": "m",
            "verifier": "v",
            "strategy": [METHODS[i][0] for i in m],
            "params": [METHODS[i][1] for i in m],
            "method": [METHODS[i][2] for i in m],
            "budget": budget,
            "seed": s,
            "answer": "1",
            "correct": pd.array(correct.ravel().astype(bool), "boolean"),
            "score": 0.5,
            "generations": budget,
            "policy_prompt_tokens": 10,
            "policy_cached_tokens": 4,
            "policy_tokens": budget * tokens,
            "verifier_tokens": budget * tokens * (1 + (m == 2)),
            "policy_flops": budget * tokens * 2e6,
            "verifier_flops": budget * tokens * 1e6 * (1 + (m == 2)),
            "seconds": budget * 0.5,
            "failed": 0,
            "unspent": 0,
        }
    )


def noise(seed=0, problems=400, methods=5, budgets=7):
    """Methods that are all equal: (correct (P, M, B), easiness (P), budgets). Accuracy rises with the budget."""
    rng = np.random.default_rng(seed)
    easiness = rng.uniform(0.0, 0.6, problems)
    chance = easiness[:, None, None] + 0.05 * np.arange(budgets)
    return rng.random((problems, methods, budgets)) < chance, easiness, 2 ** np.arange(budgets)


def crossover(seed=0, problems=1000):
    """Best-of-N is best where it is easy, beam search where it is difficult: (correct, easiness, budgets)."""
    rng = np.random.default_rng(seed)
    easiness = rng.uniform(0, 1, problems)
    levels = np.arange(7)
    base = np.clip(easiness[:, None] * 0.8 + 0.03 * levels, 0, 1)
    beam = np.where(easiness[:, None] < 0.5, base + 0.2, base - 0.2)
    return rng.random((problems, 3, 7)) < np.stack([base, base - 0.02, beam], axis=1), easiness, 2**levels
