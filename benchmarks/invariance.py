"""Whether the embedded engine samples the same bits in batches of 1, 7 and 256 rows, over as many tokens as wanted.

    python -m benchmarks.invariance [--model mini-s] [--tokens 1000000]

The same samples in shuffled orders, an eighth of them in batches of 1; exit code 1 when any row differs.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from typing import Any

from ttc_core import models, registry
from ttc_core.engines.embedded import Embedded
from ttc_core.jobs import GenerateJob
from ttc_core.types import Problem

ROWS, ALONE = 512, 8


def drain(engine: Embedded, jobs: list[Any]) -> dict[int, Any]:
    """All replies, by ticket."""
    engine.submit(jobs)
    replies: dict[int, Any] = {}
    while len(replies) < len(jobs):
        replies |= {reply.ticket: reply for reply in engine.poll()}
    return replies


def invariance(model: str, problems: list[Problem], total: int) -> dict[str, int]:
    """Sample at least `total` tokens and count the rows that differ from those of the largest batch."""
    folder = models.find(model).folder
    engines = {batch: Embedded(model, folder, batch=batch) for batch in (256, 7, 1)}
    tokens = rows = different = 0
    while tokens < total:
        seeds = [rows + i for i in range(ROWS)]
        replies = {}
        for batch, engine in engines.items():
            jobs = [
                GenerateJob(s, (engine.prompt(problems[s % len(problems)]),), seed=s * 2654435761, until="end")
                for s in (seeds if batch != 1 else seeds[::ALONE])
            ]
            random.Random(rows + batch).shuffle(jobs)
            replies[batch] = drain(engine, list(jobs))
            tokens += sum(len(reply.tokens) for reply in replies[batch].values())
        for batch in (7, 1):
            different += sum(
                (reply.tokens, reply.logprob, reply.finish) != (other.tokens, other.logprob, other.finish)
                for ticket, reply in replies[batch].items()
                for other in (replies[256][ticket],)
            )
        rows += len(seeds)
    return {"tokens": tokens, "rows": rows, "rows_that_differ": different}


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="mini-s")
    parser.add_argument("--tokens", type=int, default=1_000_000)
    options = parser.parse_args()
    report = invariance(options.model, list(registry.get("dataset", "mini-validation")()), options.tokens)
    print(json.dumps(report, indent=2))
    sys.exit(int(report["rows_that_differ"] > 0))


if __name__ == "__main__":
    main()
