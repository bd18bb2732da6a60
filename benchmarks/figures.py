"""How long figures of the sample study take: one, and all of them in all formats.

    python -m benchmarks.figures [--preset acl] [--resamples 1000]

Writes one JSON document; exit code 1 where one figure in one format takes 1 s or more, or all figures in all formats,
the study's tables included, 60 s or more. The tables of a study are computed once for all of its figures.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from ttc_core import registry, runs
from ttc_core.drawing.presets import preset
from ttc_core.export import tables, writing

MOST, MOST_ALL = 1.0, 60.0  # seconds


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="acl")
    parser.add_argument("--resamples", type=int, default=1000)
    args = parser.parse_args()
    os.environ["TTC_EXAMPLES"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        db = f"sqlite:///{Path(folder) / 'x.db'}"
        runs.ensure_database(db=db)
        report = measure(db, args.preset, args.resamples)
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return int(report["slowest"]["seconds"] >= MOST or report["all_seconds"] >= MOST_ALL)


def measure(db: str, size: str, resamples: int) -> dict:
    """Seconds of the study's tables, of each figure in each format, and of all of it."""
    begin = time.perf_counter()
    found = tables.of_study("sample", resamples=resamples, db=db)
    infos = {name: writing.info(name, found) for name in registry.names("figure")}
    made = time.perf_counter() - begin
    took = {}
    for name, info in infos.items():
        for form in writing.FORMATS:
            start = time.perf_counter()
            writing.files(info, form, preset(size))
            took[f"{name}.{form}"] = time.perf_counter() - start
    slowest = max(took, key=lambda file: took[file])
    return {
        "preset": size,
        "figures": len(infos),
        "tables_seconds": round(made, 2),
        "slowest": {"file": slowest, "seconds": round(took[slowest], 3)},
        "median_seconds": round(sorted(took.values())[len(took) // 2], 3),
        "all_seconds": round(time.perf_counter() - begin, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
