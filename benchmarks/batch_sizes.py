"""Whether a seed gives the same tree, byte for byte, whatever the embedded engine's batch size.

    python -m benchmarks.batch_sizes [--problem mini-test-0021] [--budget 64] [--seed 5] [--batch 1 7 256]

Each search runs in a process of its own with TTC_BATCH set; compared is the run's document without id, times and costs.
Exit code 1 when any two differ.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ttc_core.runs_documents import dumps, same_search

STRATEGIES = ("best_of_n", "beam_search")


def searched(strategy: str, batch: int, options: argparse.Namespace) -> dict[str, object]:
    """The document of one search made in a fresh database with this batch size."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.json"
        environment = {**os.environ, "TTC_BATCH": str(batch), "TTC_DATABASE_URL": f"sqlite:///{folder}/runs.db"}
        ttc = [sys.executable, "-m", "ttc_core"]
        asked = ["--dataset", "mini-test", "--problem", options.problem, "--budget", str(options.budget)]
        solve = [*ttc, "solve", "--json", *asked, "--strategy", strategy, "--seed", str(options.seed)]
        done = subprocess.run(solve, env=environment, check=True, capture_output=True, text=True)
        run_id = json.loads(done.stdout)["run_id"]
        subprocess.run([*ttc, "show", run_id, "--export", str(path)], env=environment, check=True, capture_output=True)
        document: dict[str, object] = same_search(json.loads(path.read_text("utf-8")))
        return document


def main() -> None:
    """Compare and report, one strategy a line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--problem", default="mini-test-0021")
    parser.add_argument("--budget", type=int, default=64)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 7, 256])
    options = parser.parse_args()
    differ = False
    for strategy in STRATEGIES:
        documents = [searched(strategy, batch, options) for batch in options.batch]
        same = len({dumps(document) for document in documents}) == 1
        differ |= not same
        nodes = documents[0]["nodes"]
        count = len(nodes) if isinstance(nodes, list) else 0
        print(f"{strategy}: {count} nodes, batches {options.batch}: {'identical' if same else 'DIFFERENT'}")
    sys.exit(int(differ))


if __name__ == "__main__":
    main()
