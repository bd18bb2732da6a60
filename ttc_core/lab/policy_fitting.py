"""Fits the policy that `compute_optimal` follows: the best strategy at each budget in each bin of predicted difficulty.

Everything is chosen on validation problems with the program's own scheduler and engine and one fixed seed, so that the
same models give the same file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np

from ttc_core import policies, registry
from ttc_core.analysis import fitting
from ttc_core.analysis.measured import Measured
from ttc_core.lab.measures import BINS, Floats
from ttc_core.lab.searching import right, searched
from ttc_core.types import Node, NodeId, Problem

NAME, DATASET, PROBLEMS, MODEL, SEED = "mini", "mini-validation", 200, "mini-s", 0
PROBE, AGGREGATE = 4, "last"
BUDGETS = (1, 2, 4, 8, 16, 32, 64)
CANDIDATES: tuple[tuple[str, dict[str, Any]], ...] = (  # the cheaper first: all cost N generations, but not equal FLOPs
    ("single", {}),
    ("best_of_n", {"select": "majority"}),
    ("best_of_n", {"select": "weighted"}),
    ("dvts", {"width": 4}),
    ("beam_search", {"width": 4}),
)
LEAST = {"dvts": 4, "beam_search": 4}  # the first budget of a candidate: with less it has no beam of this width
MOST = {"single": 1}  # the last one: more it does not spend


def fit_policy(data: Path, verifier: str, pool: Executor, count: int = PROBLEMS) -> None:
    """Fit `data`/policies/mini.json for mini-s with this verifier on the first `count` problems.

    pool: of processes, a strategy at a time each; the file is the same however many there are.
    """
    probes = pool.submit(_difficulty, verifier, count)
    strategies = dict.fromkeys(strategy for strategy, _ in CANDIDATES)
    families = [
        pool.submit(_accuracy, strategy, verifier, count) for strategy in reversed(strategies)
    ]  # long ones first
    difficulty = probes.result()
    found = {place: values for family in families for place, values in family.result().items()}
    made_for = {"model": MODEL, "verifier": verifier, "probe": PROBE, "aggregate": AGGREGATE}
    measured = _measured(found, count)
    document = fitting.document(measured, difficulty, CANDIDATES, made_for, BINS)
    noted = fitting.noted(measured, difficulty, document["thresholds"])
    document["fitted"] = {"dataset": DATASET, "seed": SEED, **noted}
    policies.parse(NAME, document)
    folder = data / "policies"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{NAME}.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")


def _measured(found: Mapping[tuple[int, int], Floats], count: int) -> Measured:
    """What was found, by number of budget and candidate."""
    accuracy = np.full((len(_problems(count)), len(CANDIDATES), len(BUDGETS)), np.nan)
    for (budget, candidate), values in found.items():
        accuracy[:, candidate, budget] = values
    costs = np.tile(np.array(BUDGETS, float), (len(CANDIDATES), 1))
    labels, strategies = [label(*candidate) for candidate in CANDIDATES], [name for name, _ in CANDIDATES]
    ids = [problem.id for problem in _problems(count)]
    return Measured(ids, labels, [float(b) for b in BUDGETS], accuracy, costs, 0, strategies)


def _problems(count: int) -> Sequence[Problem]:
    found: Sequence[Problem] = registry.get("dataset", DATASET)()[:count]
    return found


def _difficulty(verifier: str, count: int) -> list[float | None]:
    """Predicted difficulty of each problem, from the solutions that `compute_optimal` would sample."""
    probes = searched(_problems(count), "best_of_n", PROBE, {"aggregate": AGGREGATE}, verifier, MODEL, SEED)
    return [policies.predicted(event.outcome.candidates) for event in probes]


def _accuracy(strategy: str, verifier: str, count: int) -> dict[tuple[int, int], Floats]:
    """Right (1) or wrong (0) on each problem, by number of budget and candidate, for the candidates of one strategy."""
    kept: dict[str, dict[NodeId, Node]] = {}  # a larger budget goes on from what a smaller one sampled
    problems, found = _problems(count), {}
    for i, budget in enumerate(BUDGETS):
        for j, (name, params) in enumerate(CANDIDATES):
            if name == strategy and LEAST.get(name, 1) <= budget <= MOST.get(name, budget):
                events = searched(problems, name, budget, params, verifier, MODEL, SEED, kept)
                found[i, j] = right(problems, events)
                print(f"N={budget} {label(name, params)}: {found[i, j].mean():.3f}", flush=True)
    return found


def label(strategy: str, params: Mapping[str, Any]) -> str:
    """Return a candidate's name in the file's table."""
    return " ".join([strategy, *(f"{key}={value}" for key, value in params.items())])
