"""The analysis: how fast it is, whether its intervals cover, and whether choosing flatters on pure noise.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.analysis [speed] [coverage] [noise] [--studies 400]

speed      500 problems x 256 samples x 5 methods x 9 budgets x 5 bins: point estimates, 1,000 resamples of the pipeline
coverage   made-up studies of 500 problems with known chances: how often the 95 % intervals hold the truth
noise      five methods that are all equal: efficiency multiples and gains with and without cross-validation

The truth of a policy that is chosen from the data is the mean of its estimates over all made-up studies; efficiency's
is that of the true curves of policy and baseline. Each part replaces its own in `benchmarks/results/analysis.json`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.unit import analysis_worlds as worlds
from ttc_core.analysis import estimators, votes
from ttc_core.analysis.difficulty import easiness
from ttc_core.analysis.frontier import FOLDS, frontier
from ttc_core.analysis.measured import Measured, measured
from ttc_core.analysis.pipeline import Binning, crossing
from ttc_core.analysis.pool import Pool
from ttc_core.settings import REPOSITORY

RESULTS = REPOSITORY / "benchmarks" / "results" / "analysis.json"
PROBLEMS, SAMPLES, METHODS = 500, 256, 5
BUDGETS = [2**i for i in range(9)]


def main() -> None:
    """Run what is named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=["speed", "coverage", "noise", []], default=[])
    parser.add_argument("--studies", type=int, default=400)
    options = parser.parse_args()
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "speed": speed,
        "coverage": lambda: coverage(options.studies),
        "noise": lambda: noise(options.studies),
    }
    for name, part in parts.items():
        if not options.parts or name in options.parts:
            print(f"--- {name}")
            found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            RESULTS.write_text(json.dumps({**found, name: part()}, indent=1) + "\n")


# --- speed -----------------------------------------------------------------------------------------------------------


def speed() -> dict[str, Any]:
    """Median of 5 repetitions of each, in seconds of the clock and of the processor."""
    pools = [_pool(seed) for seed in range(METHODS)]
    correct, easy, _ = worlds.noise(problems=PROBLEMS, methods=METHODS, budgets=len(BUDGETS))
    outcomes = worlds.outcomes(correct, BUDGETS)
    found = measured(outcomes)

    def exact() -> None:
        for pool in pools:
            for metric in ("pass", "best"):
                estimators.estimate(pool, metric, BUDGETS)

    def points() -> None:
        exact()
        easiness(pools[0], "oracle"), easiness(pools[0], "predicted")
        frontier(measured(outcomes), Binning(easy), resamples=0)

    def voted(count: int, draws: int) -> None:
        for pool in pools[:count]:
            for metric in ("majority", "weighted"):
                estimators.estimate(pool, metric, BUDGETS, draws)

    def everything() -> None:
        points()
        voted(METHODS, 64)

    large = np.random.default_rng(0).random((10_000, 10_000)) < 0.1
    empty = np.zeros(large.shape, np.int8)
    huge = Pool([str(p) for p in range(len(large))], large, empty, empty, empty, np.ones_like(large))
    asked = {
        "pass and best of 5 pools at 9 budgets, difficulty, frontier in 5 bins": points,
        "of these pass and best": exact,
        f"1,000 resamples through the pipeline, {FOLDS} pairs of folds": lambda: frontier(found, Binning(easy)),
        "both votes of one pool, 64 drawn subsets a problem": lambda: voted(1, 64),
        f"both votes of one pool, {votes.DRAWS} drawn subsets": lambda: voted(1, votes.DRAWS),
        "both votes of 5 pools, 64 drawn subsets": lambda: voted(METHODS, 64),
        "pass, best and both votes of 5 pools, difficulty, frontier": everything,
        "pass of 10,000 problems x 10,000 samples": lambda: estimators.pass_at(huge, [1, 100, 5000, 10_000]),
    }
    return {what: timed(what, run) for what, run in asked.items()}


def timed(what: str, run: Callable[[], object], times: int = 5) -> dict[str, float]:
    """Print the median and the range of `times` repetitions, and the processor's time without what others took."""
    run()
    taken, used = [], []
    for _ in range(times):
        start, began = time.perf_counter(), time.process_time()
        run()
        taken.append(time.perf_counter() - start)
        used.append(time.process_time() - began)
    print(
        f"{statistics.median(taken):8.3f} s ({min(taken):.3f} to {max(taken):.3f}), processor "
        f"{statistics.median(used):.3f} s  {what}",
        flush=True,
    )
    return {"clock": round(statistics.median(taken), 3), "processor": round(statistics.median(used), 3)}


def _pool(seed: int) -> Pool:
    rng = np.random.default_rng(seed)
    share = rng.beta(0.7, 1.0, PROBLEMS)[:, None]
    size = (PROBLEMS, SAMPLES)
    answers = np.where(rng.random(size) < share, 0, rng.integers(-1, 40, size))
    names = [f"p{p:03}" for p in range(PROBLEMS)]
    every = np.ones(size, bool)
    return Pool(names, answers == 0, answers, rng.random(size), np.full(size, 50), every)


# --- made-up studies -------------------------------------------------------------------------------------------------


def _study(
    chances: Callable[[np.ndarray], np.ndarray], seed: int, problems: int = PROBLEMS
) -> tuple[Measured, Binning]:
    """A study of new problems. chances: from easiness (P) to the chance of each method at each budget (P, M, B)."""
    rng = np.random.default_rng([7, seed])
    easy = rng.uniform(0, 1, problems)
    chance = chances(easy)
    correct = (rng.random(chance.shape) < chance).astype(float)
    names = [f"p{p:04}" for p in range(problems)]
    methods = [f"m{m}" for m in range(chance.shape[1])]
    budgets = [float(2**b) for b in range(chance.shape[2])]
    return Measured(names, methods, budgets, correct, np.tile(budgets, (len(methods), 1)), 0, methods), Binning(easy)


def crossing_chances(easy: np.ndarray) -> np.ndarray:
    """Method 0 is best where it is easy, method 1 where it is difficult, method 2 never."""
    levels = np.arange(7)
    base = np.clip(0.7 * easy[:, None] + 0.04 * levels, 0, 1)
    other = np.where(easy[:, None] < 0.5, base + 0.1, base - 0.1)
    return np.clip(np.stack([base, other, base - 0.05], axis=1), 0, 1)


def equal_chances(easy: np.ndarray) -> np.ndarray:
    """Five methods that are all equal; accuracy rises with the budget."""
    return np.repeat((0.6 * easy[:, None] + 0.05 * np.arange(7))[:, None], METHODS, axis=1)


def coverage(studies: int) -> dict[str, Any]:
    """Share of studies whose interval holds the truth, by budget."""
    made = [frontier(*_study(crossing_chances, s), resamples=400, folds=4, seed=s) for s in range(studies)]
    easy = (np.arange(200_000) + 0.5) / 200_000
    true = crossing_chances(easy).mean(axis=0)
    policy = np.mean([f.optimal.mean for f in made], axis=0)
    budgets = np.array(made[0].budgets)
    efficiency = np.array([b / crossing(budgets, policy[None], true[0, [j]])[0] for j, b in enumerate(budgets)])
    truths = {"method 0": true[0], "optimal": policy, "gain": policy - true[0], "efficiency": efficiency}
    error = np.sqrt(0.95 * 0.05 / studies)
    print(f"{studies} studies; a true 95 % would come out within {0.95 - 2 * error:.3f} to {0.95 + 2 * error:.3f}")
    report: dict[str, Any] = {"studies": studies, "budgets": budgets.tolist(), "held": {}}
    for name, truth in truths.items():
        held = []
        for f in made:
            interval = {"method 0": f.methods, "optimal": f.optimal, "gain": f.gain, "efficiency": f.efficiency}[name]
            low, high = (x[0] if name == "method 0" else x for x in (interval.low, interval.high))
            held.append((low <= truth + 1e-12) & (truth - 1e-12 <= high))
        shares = np.mean(held, axis=0)
        report["held"][name] = shares.round(4).tolist()
        print(f"{name:11}", " ".join(f"{s:.3f}" for s in shares), f" mean {shares.mean():.3f}", end="")
        print("  truth", " ".join(f"{t:.2f}" for t in truth))
    return report


def noise(studies: int) -> dict[str, Any]:
    """Mean gain and median efficiency on pure noise; how often the interval holds 1."""
    report: dict[str, Any] = {"studies": studies}
    for crossed in (True, False):
        made = [
            frontier(*_study(equal_chances, s), resamples=200, folds=4, seed=s, crossed=crossed) for s in range(studies)
        ]
        gain = np.array([f.gain.mean for f in made])
        multiple = np.array([f.efficiency.mean for f in made])
        holds = np.mean([(f.efficiency.low <= 1) & (f.efficiency.high >= 1) for f in made], axis=0)
        name = "with cross-validation" if crossed else "without cross-validation"
        rows = {
            "mean gain": gain.mean(axis=0),
            "standard error": gain.std(axis=0) / np.sqrt(studies),
            "median multiple": np.median(multiple, axis=0),
            "interval holds 1": holds,
        }
        print(name)
        for word, row in rows.items():
            print(f"  {word:17}", " ".join(f"{x:7.4f}" for x in row))
        report[name] = {word: row.round(5).tolist() for word, row in rows.items()}
    return report


if __name__ == "__main__":
    main()
