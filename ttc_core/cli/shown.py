"""How results look: one JSON document, or lines for people."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from ttc_core.runs_views import MOST_NOTE, RunView


def write_json(document: Any) -> None:
    """One JSON document on stdout. Lone surrogates in model text are escaped, infinities are null."""
    sys.stdout.write(json.dumps(_finite(document), indent=2, ensure_ascii=True, allow_nan=False) + "\n")


def write_lines(lines: Iterable[str]) -> None:
    """Lines on stdout, whatever its encoding can hold, without what could drive a terminal."""
    encoding = sys.stdout.encoding or "utf-8"
    for line in lines:
        sys.stdout.write(printable(line).encode(encoding, "replace").decode(encoding) + "\n")


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Columns wide enough for their cells; numbers right-aligned."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(head), *cells]) for i in range(len(head))]
    right = [bool(rows) and all(isinstance(row[i], int | float | None) for row in rows) for i in range(len(head))]
    return [
        "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True)).rstrip()
        for line in [list(head), *cells]
    ]


def solved(view: RunView) -> dict[str, Any]:
    """What `solve` and `extend` print with --json."""
    found = view.outcome.candidates if view.outcome is not None else ()
    return {
        "run_id": view.id,
        "from": None if view.parent is None else {"run_id": view.parent, "node": view.parent_node},
        "status": view.status,
        "answer": view.answer,
        "correct": view.correct,
        "graded_by": view.graded_by,
        "nodes": view.nodes,
        "note": view.note,
        "budget": view.spec.budget,
        "unspent": view.unspent,
        "usage": usage(view),
        "candidates": [{"answer": c.answer, "score": c.score, "weight": c.weight} for c in found],
        "excluded": view.outcome.excluded if view.outcome is not None else 0,
        "error": view.error,
    }


def usage(view: RunView) -> dict[str, Any]:
    """All costs, the policy's forwarded tokens among them."""
    return {**asdict(view.usage), "policy_tokens": view.usage.policy_tokens}


def solved_lines(view: RunView) -> list[str]:
    """The same for people."""
    unknown = f" (ungraded: {view.graded_by} came to no verdict)" if view.graded_by else ""
    verdict = {True: " (right)", False: f" (wrong, it is {_line(view.spec.answer or '')})", None: unknown}[view.correct]
    u = view.usage
    lines = [
        f"run        {view.id}  {view.status}",
        f"question   {_line(view.spec.question)}",
        *([f"from       {view.parent}:{view.parent_node}"] if view.parent and view.parent_node else []),
        f"answer     {'none' if view.answer is None else _line(view.answer)}{verdict}",
        *([f"note       {_line(view.note, MOST_NOTE)}"] if view.note else []),
        f"nodes      {view.nodes}",
        f"cost       {u.generations} of {view.spec.budget} generations, {u.policy_tokens:,} policy tokens, "
        f"{u.verifier_tokens:,} verifier tokens, {u.policy_flops + u.verifier_flops:.3g} FLOPs, "
        + (f"{u.seconds:.2f} s" if u.seconds else "seconds not measured"),
    ]
    if view.unspent:
        lines.append(f"unspent    {view.unspent} generations: the search ended before it needed them")
    if view.error:
        lines.append(f"error      {_line(view.error)}" + (f" ({_line(view.hint)})" if view.hint else ""))
    groups: dict[str | None, list[float]] = {}
    for c in view.outcome.candidates if view.outcome is not None else ():
        groups.setdefault(c.answer, []).append(c.weight)
    ranked = sorted(groups.items(), key=lambda group: (-group[1][0], -len(group[1])))
    rows = [["none" if a is None else _line(a), len(w), round(w[0], 4)] for a, w in ranked]
    return lines + (["", *table(["candidate", "votes", "weight"], rows)] if rows else [])


def printable(text: str) -> str:
    """Text without what could drive a terminal; lines stay lines."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


def _line(text: str, most: int = 100) -> str:
    """Text on one line, shortened, without control characters that could drive a terminal."""
    flat = "".join(c if c.isprintable() else " " for c in text)
    flat = " ".join(flat.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return _line(f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value), 60)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
