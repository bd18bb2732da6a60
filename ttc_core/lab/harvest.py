"""Fresh problems with the small policy's own solutions: what verifiers and revisers are trained on."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from ttc_core.lab.model import Llama
from ttc_core.lab.problems import training_stream
from ttc_core.lab.rollouts import Rollout, roll

CHUNK = 1000
SEED = 71


Solver = Callable[[Llama, list[dict[str, Any]], int, int], list[list[Rollout]]]


def harvest(
    policy: Llama,
    banned: Collection[str],
    folder: Path,
    chunks: int,
    share: float = 1.0,
    samples: int = 4,
    solve: Solver = roll,
    first_seed: int = SEED,
) -> None:
    """Sample solutions of `chunks` times CHUNK training problems; chunks already there are skipped.

    Arguments:
        policy: the model whose solutions are wanted.
        banned: fingerprints of questions to leave out.
        folder: one file a chunk goes there.
        share: of the problems of a chunk.
        samples: solutions a problem, at temperature 1.
        solve: from policy, problems, number of solutions and seed to the solutions of each problem.
        first_seed: other seeds give other problems.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for chunk in range(chunks):
        path = folder / f"chunk-{chunk:03d}.json"
        if path.exists():
            continue
        stream = training_stream(first_seed * 1_000_003 + chunk, banned)
        problems = [asdict(problem) for problem in islice(stream, max(1, int(CHUNK * share)))]
        rollouts = solve(policy, problems, samples, first_seed + chunk)
        partial = path.with_suffix(".partial")
        rows = [[asdict(rollout) for rollout in row] for row in rollouts]
        partial.write_text(json.dumps({"problems": problems, "rollouts": rows}), "utf-8")
        partial.replace(path)
        print(f"harvest {chunk + 1} of {chunks}", flush=True)


def read_chunk(path: Path) -> tuple[list[dict[str, Any]], list[list[Rollout]]]:
    """Return the problems of a chunk and the solutions of each."""
    content = json.loads(path.read_text("utf-8"))
    return content["problems"], rollouts_of(content["rollouts"])


def rollouts_of(rows: list[list[dict[str, Any]]]) -> list[list[Rollout]]:
    """Return the solutions that rows of JSON objects describe."""
    lists = ("tokens", "ends", "right")
    return [[Rollout(**{**fields, **{name: tuple(fields[name]) for name in lists}}) for fields in row] for row in rows]
