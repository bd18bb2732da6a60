"""What a stored step takes: bytes a node, and the time to open a tree of more than 5,000 of them.

    python -m benchmarks.storage [--budget 1024] [--times 20] [--out FILE]

The tree is one beam search of mini-s with mini-implicit on a problem of `mini-test`. A node's bytes are those of its
table's pages with all indexes, as SQLite counts them when the search has ended, and after `db vacuum`. The tree is
opened as a page does it (`runs.nodes`), in CPU and in elapsed time, each the median; elapsed is what other work on the
machine lengthens. Writes one JSON document; exit code 1 where a node takes more than 120 bytes or opening 50 ms of CPU.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.faults import kept
from ttc_core import runs
from ttc_core.store import upkeep
from ttc_core.store.database import database
from ttc_core.types import RunSpec

BYTES, MS = 120, 50
COLUMNS = ("id", "parent", "text", "tokens", "state", "why", "spec", "answer", "scores", "confidences")


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", type=int, default=1024)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    os.environ["TTC_EXAMPLES"] = "0"  # the database begins empty
    with tempfile.TemporaryDirectory() as folder:
        report = measure(Path(folder) / "x.db", args.budget, args.times)
    kept(report, args.out)
    return int(report["bytes_a_node_vacuumed"] > BYTES or report["open_cpu_ms"] > MS)


def measure(path: Path, budget: int, times: int) -> dict[str, Any]:
    """Search, and look at what is stored."""
    url = f"sqlite:///{path}"
    runs.ensure_database(db=url)
    problem = runs.problems("mini-test")[0]
    asked = RunSpec(problem.question, "beam_search", budget, 0, {}, "mini-test", problem.id)
    run_id = runs.start(asked, db=url)
    runs.execute([run_id], db=url)
    nodes = runs.get(run_id, db=url).nodes
    grown = _bytes(path) / nodes
    upkeep.vacuum(database(url))
    cpu, elapsed = [], []
    for _ in range(times):
        begun = time.process_time(), time.perf_counter()
        found = runs.nodes(run_id, db=url).nodes
        cpu.append(1000 * (time.process_time() - begun[0]))
        elapsed.append(1000 * (time.perf_counter() - begun[1]))
    database(url).close()
    tree = {"nodes": len(found), "steps": sum(node.steps for node in found)}
    sizes = {"bytes_a_node": round(grown, 1), "bytes_a_node_vacuumed": round(_bytes(path) / nodes, 1)}
    times_ = {"open_cpu_ms": round(median(cpu), 1), "open_elapsed_ms": round(median(elapsed), 1)}
    return {**tree, **sizes, "of_columns": _columns(path), **times_, "load_average": round(os.getloadavg()[0], 2)}


def _bytes(path: Path) -> int:
    """Of the pages of the nodes' table and its indexes, read without the program."""
    of = "SELECT sum(pgsize) FROM dbstat WHERE name IN (SELECT name FROM sqlite_master WHERE tbl_name = 'nodes')"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return int(connection.execute(of).fetchone()[0])


def _columns(path: Path) -> dict[str, float]:
    """Mean bytes of the values of the wider columns."""
    sums = ", ".join(f"avg(coalesce(length(CAST({name} AS BLOB)), 0))" for name in COLUMNS)
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        means = connection.execute(f"SELECT {sums} FROM nodes").fetchone()
        return {name: round(float(value), 1) for name, value in zip(COLUMNS, means, strict=True)}


if __name__ == "__main__":
    sys.exit(main())
