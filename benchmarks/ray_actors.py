"""Two actors of a Ray cluster on this machine against one: how much faster the same study is done.

    python -m benchmarks.ray_actors [--actors 2] [--problems 40] [--times 3] [--out FILE]

Each time the study is carried out by one actor and by several, in turn, by `sweep --ray` on a cluster of its own, with
the embedded engine on SQLite. Writes one JSON document: tokens a second from the first lease to the last unit's end, so
without what starting takes, and the median of the ratios; seconds of the whole command beside it. Exit code 1 where a
study does not end well.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.faults import kept
from benchmarks.large_study import FILE
from ttc_core.settings import REPOSITORY

SAMPLES = 16


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--actors", type=int, default=2)
    parser.add_argument("--problems", type=int, default=40)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    os.environ["TTC_EXAMPLES"] = "0"  # databases begin empty
    pairs = []
    for _ in range(args.times):
        with tempfile.TemporaryDirectory() as folder:
            pairs.append([measure(Path(folder), n, args.problems) for n in (1, args.actors)])
    ratios = [round(several["tokens_per_second"] / one["tokens_per_second"], 2) for one, several in pairs]
    asked = {"actors": [1, args.actors], "problems": args.problems, "samples": SAMPLES, "processors": os.cpu_count()}
    kept({**asked, "runs": pairs, "ratios": ratios, "median_ratio": median(ratios)}, args.out)
    return int(any(run["left"] for pair in pairs for run in pair))


def measure(folder: Path, actors: int, problems: int) -> dict[str, Any]:
    """One sweep by so many actors; left: units that are not done."""
    path, file = folder / f"{actors}.db", folder / f"{actors}.toml"
    file.write_text(FILE.format(name="spread", problems=problems, samples=SAMPLES, block=2))
    command = [sys.executable, "-m", "ttc_core", "sweep", str(file), "--ray", "--actors", str(actors)]
    begun, load = time.monotonic(), os.getloadavg()[0]
    subprocess.run([*command, "--db", f"sqlite:///{path}"], cwd=REPOSITORY, stdout=subprocess.DEVNULL, check=True)
    seconds = time.monotonic() - begun
    asked = "SELECT sum(tokens), max(finished) - min(started), sum(status <> 'done') FROM units"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        tokens, worked, left = connection.execute(asked).fetchone()
    rate = {"tokens": tokens, "tokens_per_second": round(tokens / worked)}
    return {**rate, "seconds_with_start": round(seconds, 1), "left": left, "load_average_before": round(load, 2)}


if __name__ == "__main__":
    sys.exit(main())
