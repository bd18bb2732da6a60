"""Between rows and the workbench's values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from ttc_core.runs_views import RunView
from ttc_core.store.columns import pack_floats, pack_long, pack_tokens, unpack_floats, unpack_long, unpack_tokens
from ttc_core.types import Candidate, Node, Outcome, RunSpec, Usage

Row = Mapping[Any, Any]  # a row by column name
USAGE = tuple(f.name for f in fields(Usage))
NODE = ("id", "parent", "text", "finish", "tokens", "steps", "answer", "logprob", "scores", "confidences", "state",
        "why", "spec")  # fmt: skip


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
    )


def node_row(run: int, revision: int, node: Node) -> dict[str, Any]:
    """Columns of a Node. The scores of a path hold those of its last node, so these are written once."""
    above_count = len(node.path_scores) - len(node.scores)
    shared = above_count >= 0 and node.path_scores[above_count:] == node.scores
    above = node.path_scores[:above_count] if shared else node.path_scores
    whole = () if shared else (1.0,)  # marks that `above` is the whole path
    return {
        "run": run,
        "id": node.id,
        "revision": revision,
        "parent": None if node.parent == _path_parent(node.id) else node.parent,
        "text": node.text,
        "tokens": pack_tokens(node.tokens),
        "steps": node.steps,
        "finish": node.finish,
        "state": node.state,
        "why": node.why,
        "spec": node.spec,
        "answer": node.answer,
        "logprob": node.logprob,
        "scores": pack_floats(node.scores, above, node.carry, whole),
        "confidences": pack_long(node.confidences),
    }


def tree_nodes(rows: Iterable[Sequence[Any]]) -> list[Node]:
    """The inverse of `node_row` for rows of NODE, without names: a tree has thousands, and every step counts."""
    found = []
    for node_id, parent, text, finish, tokens, steps, answer, logprob, packed, confidences, state, why, spec in rows:
        scores, above, carry, whole = unpack_floats(packed, 4)
        node = Node(
            node_id,
            node_id.rpartition(".")[0] if parent is None else parent,
            text,
            finish,
            unpack_tokens(tokens),
            steps,
            answer,
            logprob,
            scores,
            above if whole else above + scores,
            carry,
            unpack_long(confidences) if confidences else (),
            state,
            why,
            spec,
        )
        found.append(node)
    return found


def by_path(found: Iterable[Node]) -> list[Node]:
    """Nodes in the order of their paths: "r.2" before "r.10", a parent before its children."""
    keys: dict[str, str] = {}

    def key(node: Node) -> str:
        """A text that sorts as the path does; that of its parent is known, where that came before."""
        above, dot, last = node.id.rpartition(".")
        before = (keys.get(above) or "\0".join(map(_part, above.split(".")))) + "\0" if dot else ""
        keys[node.id] = before + _part(last)
        return keys[node.id]

    return sorted(found, key=key)


def _part(name: str) -> str:
    """One step of a path: numbers come before all else, shorter ones first."""
    return f"0{len(name):03}{name}" if name.isdecimal() else f"1{name}"


def _path_parent(node_id: str) -> str:
    return node_id.rpartition(".")[0]


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
