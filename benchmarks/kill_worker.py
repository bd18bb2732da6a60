"""Kill a real worker at random moments of a search on the embedded engine, ten times, and see what is lost.

    python -m benchmarks.kill_worker [--kills 10] [--budget 256] [--strategy beam_search] [--seed 0]

Writes one JSON document: how many nodes were recorded at each kill, whether any recorded node was lost or changed its
text, whether the finished search equals an undisturbed one byte for byte, and what the kills cost in tokens.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ttc_core import runs
from ttc_core.runs_documents import dumps, same_search
from ttc_core.settings import REPOSITORY
from ttc_core.types import RunSpec


def main() -> int:
    """Run it; exit code 1 when anything was lost or differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--budget", type=int, default=256)
    parser.add_argument("--strategy", default="beam_search")
    parser.add_argument("--problem", default="mini-test-0001")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = measure(args, f"sqlite:///{Path(folder) / 'kill.db'}")
    print(json.dumps(report, indent=2))
    return 0 if report["lost"] == 0 and report["equal"] else 1


def measure(args: argparse.Namespace, url: str) -> dict[str, object]:
    """One search undisturbed, the same search with kills, compared."""
    runs.ensure_database(db=url)
    question = RunSpec("", args.strategy, args.budget, args.seed, dataset="mini-test", problem_id=args.problem)
    calm = runs.start(question, db=url)
    _work(url).wait()
    seconds = runs.get(calm, db=url).usage.seconds
    killed = runs.start(question, db=url)
    moments = random.Random(args.seed)
    recorded: dict[str, str] = {}
    counts, lost, recovery = [], 0, []
    for _ in range(args.kills):
        worker = _work(url)
        begun = runs.get(killed, db=url).revision
        at = time.monotonic()
        while runs.get(killed, db=url).revision <= begun + 2 and worker.poll() is None:  # freed, claimed, recorded
            time.sleep(0.005)
        recovery.append(round(time.monotonic() - at, 2))
        time.sleep(moments.uniform(0.0, seconds / args.kills))
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        now = {node.id: node.text for node in runs.nodes(killed, db=url).nodes}
        lost += sum(now.get(node_id) != text for node_id, text in recorded.items())
        recorded = now
        counts.append(len(now))
    _work(url).wait()
    one, other = (runs.get(run_id, db=url) for run_id in (calm, killed))
    return {
        "nodes": one.nodes,
        "seconds undisturbed": round(seconds, 2),
        "nodes recorded at each kill": counts,
        "seconds from each start to the first new record": recovery,
        "lost": lost,
        "status": other.status,
        "equal": _search(calm, url) == _search(killed, url),
        "generated tokens": [one.usage.generated_tokens, other.usage.generated_tokens],
        "prompt tokens computed": [one.usage.prompt_tokens_computed, other.usage.prompt_tokens_computed],
        "verifier tokens": [one.usage.verifier_tokens, other.usage.verifier_tokens],
    }


def _work(url: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "ttc_core", "worker", "--db", url], cwd=REPOSITORY)


def _search(run_id: str, url: str) -> str:
    return dumps({**same_search(runs.export_run(run_id, db=url)), "id": ""})


if __name__ == "__main__":
    sys.exit(main())
