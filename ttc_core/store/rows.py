"""Between rows and the workbench's values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from ttc_core.runs_views import RunView
from ttc_core.types import Candidate, Outcome, RunSpec, Usage

Row = Mapping[Any, Any]  # a row by column name
USAGE = tuple(f.name for f in fields(Usage))


def spec_row(spec: RunSpec) -> dict[str, Any]:
    """Columns of a RunSpec."""
    return {
        "question": spec.question,
        "gold": spec.answer,
        "dataset": spec.dataset,
        "problem_id": spec.problem_id,
        "strategy": spec.strategy,
        "params": json.dumps(dict(spec.params), sort_keys=True),
        "budget": spec.budget,
        "seed": spec.seed,
        "model": spec.model,
        "verifier": spec.verifier,
        "temperature": spec.heat,
        "grader": spec.grader,
        "prefix": json.dumps(spec.prefix),
    }


def row_spec(row: Row) -> RunSpec:
    """The inverse of `spec_row`."""
    return RunSpec(
        question=row["question"],
        strategy=row["strategy"],
        budget=row["budget"],
        seed=row["seed"],
        params=json.loads(row["params"]),
        dataset=row["dataset"],
        problem_id=row["problem_id"],
        answer=row["gold"],
        model=row["model"],
        verifier=row["verifier"],
        temperature=row["temperature"],
        grader=row["grader"],
        prefix=tuple(json.loads(row["prefix"])),
    )


def usage_row(usage: Usage) -> dict[str, Any]:
    """Columns of a Usage."""
    return asdict(usage)


def row_usage(row: Row) -> Usage:
    """The inverse of `usage_row`."""
    return Usage(**{name: row[name] for name in USAGE})


def row_view(row: Row, candidates: Iterable[Row], now: float) -> RunView:
    """A row of `runs`, with its rows of `candidates`, as pages see it. now: seconds since 1970."""
    outcome = None
    if row["has_outcome"]:
        found = tuple(Candidate(c["node"], c["answer"], c["score"], c["weight"]) for c in candidates)
        outcome = Outcome(row["answer"], row["chosen"], found, row["excluded"])
    running = row["status"] == "running" and row["heartbeat"] is not None
    return RunView(
        id=row["id"],
        spec=row_spec(row),
        status=row["status"],
        created=_time(row["created"]) or datetime.fromtimestamp(0, UTC),
        started=_time(row["started"]),
        finished=_time(row["finished"]),
        error=row["error"],
        hint=row["hint"],
        answer=row["answer"],
        correct=row["correct"],
        outcome=outcome,
        usage=row_usage(row),
        nodes=row["nodes"],
        revision=row["revision"],
        heartbeat_age=max(0.0, now - row["heartbeat"]) if running else None,
        parent=row["parent"],
        parent_node=row["parent_node"],
        graded_by=row["graded_by"],
        note=row["note"],
    )


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
