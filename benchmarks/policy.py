"""The shipped policy followed on problems that it was not fitted on, beside one strategy for all.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.policy [--problems 200]

For every budget: accuracy of `compute_optimal` on mini-test with its standard error, the generations that it spent, and
on the same problems the accuracy of best-of-N weighted and DVTS with all of the budget, from the sample study. It is
written to `benchmarks/results/policy.json`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from ttc_core import registry, studies
from ttc_core.lab.searching import right, searched
from ttc_core.settings import REPOSITORY
from ttc_core.store.database import Database
from ttc_core.store.migrate import ensure
from ttc_core.store.transfer import copy_file

BUDGETS = (1, 2, 4, 8, 16, 32, 64)
RESULTS = REPOSITORY / "benchmarks" / "results" / "policy.json"
OTHERS = ("best_of_n select=weighted", "dvts width=4")


def main() -> None:
    """One line a budget."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=200)
    problems = registry.get("dataset", "mini-test")()[: parser.parse_args().problems]
    others = _others([problem.id for problem in problems])
    print(f"{len(problems)} problems: compute_optimal, spent, {', '.join(OTHERS)}")
    report = []
    for budget in BUDGETS:
        found = searched(problems, "compute_optimal", budget, {}, "mini-implicit")
        share = right(problems, found)
        error = share.std() / np.sqrt(len(share))
        spent = np.mean([one.usage.generations for one in found])
        beside = "   ".join(f"{others.get((name, budget), float('nan')):.3f}" for name in OTHERS)
        row = {"budget": budget, "right": share.mean(), "error": error, "spent": spent}
        report.append({name: round(float(value), 4) for name, value in row.items()})
        print(f"N = {budget:3}   {share.mean():.3f} ± {error:.3f}   {spent:5.1f}   {beside}", flush=True)
    RESULTS.write_text(json.dumps({"problems": len(problems), "budgets": report}, indent=1) + "\n")


def _others(ids: list[str]) -> dict[tuple[str, int], float]:
    """Accuracy of the other strategies by name and budget."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'studies.db'}"
        ensure(Database(url))
        with Database(url).write() as connection:
            copy_file(REPOSITORY / "data" / "studies" / "sample.db.xz", connection)
        frame = studies.outcomes("sample", db=url)
    of = frame[(frame["model"] == "mini-s") & frame["problem"].isin(ids) & frame["method"].isin(OTHERS)]
    return of.assign(right=of["correct"].astype(float)).groupby(["method", "budget"])["right"].mean().to_dict()


if __name__ == "__main__":
    main()
