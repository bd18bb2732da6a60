"""A stored run as one JSON document and back: for files, other databases, and comparing two runs byte by byte."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict
from datetime import UTC, datetime
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

from ttc_core.errors import BadValue, UserError
from ttc_core.runs_views import MOST_NOTE, Document, RunView
from ttc_core.types import Candidate, Finish, Node, Outcome, RunSpec, State, Usage

FORMAT = "ttc-run-1"
T = TypeVar("T")
_HINTS: dict[Any, dict[str, Any]] = {c: get_type_hints(c) for c in (RunSpec, Usage, Node, Outcome, Candidate)}


def document(view: RunView, nodes: tuple[Node, ...]) -> Document:
    """The run and its nodes, which are in the order of their paths; equal runs give equal documents."""
    outcome = view.outcome
    return {
        "format": FORMAT,
        "id": view.id,
        "spec": {**_plain(asdict(view.spec)), "params": dict(view.spec.params)},
        "status": view.status,
        "created": _stamp(view.created),
        "started": _stamp(view.started),
        "finished": _stamp(view.finished),
        "error": view.error,
        "hint": view.hint,
        "correct": view.correct,
        "graded_by": view.graded_by,
        "note": view.note,
        "outcome": None if outcome is None else _plain(asdict(outcome)),
        "usage": _plain(asdict(view.usage)),
        "nodes": [_plain(asdict(node)) for node in nodes],
    }


def dumps(doc: Document) -> str:
    """The document's one spelling as text: sorted keys, ASCII, one node a line."""
    nodes = ",\n  ".join(_json(node) for node in doc["nodes"])
    rest = {key: value for key, value in doc.items() if key != "nodes"}
    head = ",\n ".join(f"{_json(key)}: {_json(rest[key])}" for key in sorted(rest))
    return f'{{{head},\n "nodes": [{nodes and f"{chr(10)}  {nodes}{chr(10)} "}]\n}}\n'


def checked_note(text: str) -> str:
    """A note without the space around it.

    Raises:
        BadValue: it is too long.
    """
    if len(text.strip()) > MOST_NOTE:
        raise BadValue(f"a note has at most {MOST_NOTE:,} characters, and this one {len(text.strip()):,}")
    return text.strip()


def same_search(doc: Document) -> Document:
    """What of the document is determined by its spec alone: without id, times, costs, restarts and note."""
    varying = ("id", "created", "started", "finished", "usage", "note")
    return {key: value for key, value in doc.items() if key not in varying}


def parse(doc: Any) -> tuple[str, RunSpec, dict[str, Any], Usage, list[Node]]:
    """Id, spec, further columns, usage and nodes of a document.

    Raises:
        UserError: naming the first place that is wrong.
    """
    if not isinstance(doc, dict) or doc.get("format") != FORMAT:
        raise UserError(f"this is no run document of the format {FORMAT!r}")
    try:
        spec = _made(RunSpec, "spec", doc["spec"])
        usage = _made(Usage, "usage", doc["usage"])
        nodes = [_made(Node, f"nodes[{i}]", node) for i, node in enumerate(_as("nodes", doc["nodes"], list))]
        row = {
            "status": _one_of("status", doc["status"], ("done", "failed", "stopped")),
            "created": _seconds("created", doc["created"]),
            "started": None if doc["started"] is None else _seconds("started", doc["started"]),
            "finished": None if doc["finished"] is None else _seconds("finished", doc["finished"]),
            "error": _as("error", doc["error"], str),
            "hint": _as("hint", doc["hint"], str),
            "correct": _as("correct", doc["correct"], bool | None),
            "graded_by": _as("graded_by", doc.get("graded_by"), str | None),
            "note": checked_note(_as("note", doc.get("note", ""), str)),
            "outcome": None if doc["outcome"] is None else _made(Outcome, "outcome", doc["outcome"]),
        }
        run_id = _as("id", doc["id"], str)
    except KeyError as error:
        raise UserError(f"the run document lacks {error}") from error
    _check_nodes(run_id, nodes)
    return run_id, spec, row, usage, nodes


def _check_nodes(run_id: str, nodes: list[Node]) -> None:
    if not run_id or not all(c.isascii() and (c.isalnum() or c in "-_") for c in run_id):
        raise UserError(f"{run_id!r} cannot be the id of a run", hint="letters, digits, - and _")
    if len({node.id for node in nodes}) != len(nodes):
        raise UserError("the run document has two nodes of the same id")
    for node in nodes:
        if not _NODE.fullmatch(node.id):
            raise UserError(f"{node.id!r} cannot be the id of a node", hint="r.0, r.0.12")
        _one_of(f"state of node {node.id}", node.state, get_args(State))
        _one_of(f"finish of node {node.id}", node.finish, get_args(Finish))
        if any(token < 0 for token in node.tokens):
            raise UserError(f"node {node.id} has a negative token")


def _made(cls: type[T], where: str, value: Any) -> T:
    """The frozen value of a class from its JSON spelling; fields with a default may be absent."""
    if not isinstance(value, dict):
        raise UserError(f"{where} must be an object")
    hints = _HINTS[cls]
    unknown = sorted(set(value) - set(hints))
    if unknown:
        raise UserError(f"{where} has the unknown field {unknown[0]!r}")
    typed = {name: _as(f"{where}.{name}", value[name], hints[name]) for name in hints if name in value}
    try:
        return cls(**typed)
    except TypeError as error:  # a field without a default is absent
        missing = str(error).rpartition(":")[2].strip()
        raise UserError(f"{where} lacks {missing}") from error


def _as(where: str, value: Any, wanted: Any) -> Any:
    """`value` of the JSON document as the type `wanted`.

    Raises:
        UserError: it is of another type.
    """
    options = get_args(wanted) if NoneType in get_args(wanted) else (wanted,)
    if value is None and NoneType in options:
        return None
    (kind,) = [o for o in options if o is not NoneType]
    name = getattr(kind, "__name__", str(kind))
    if name == "tuple":
        if isinstance(value, list):
            item = get_args(kind)[0]
            return tuple(_as(f"{where}[{i}]", v, item) for i, v in enumerate(value))
    elif kind is Candidate:
        return _made(Candidate, where, value)
    elif kind is list:
        if isinstance(value, list):
            return value
    elif name == "Mapping":
        if isinstance(value, dict):
            return value
    elif kind is float:
        if isinstance(value, str) and value in _SPELLED:
            return _SPELLED[value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    elif kind in (int, bool):
        if type(value) is kind and -_MOST <= value <= _MOST:
            return value
    elif isinstance(value, str):  # str and the literals, whose values are checked apart
        return value
    raise UserError(f"{where} has the wrong type: {str(value)[:40]!r}")


_NODE = re.compile(r"r(\.[!-\-/-~]{0,20}[0-9]{1,9}){0,5000}")  # a branch's name may hold digits
_MOST = 2**63 - 1  # what a database column holds

# JSON has no infinities; these stand for them
_SPELLED = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return value


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True, allow_nan=False)


def _stamp(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="microseconds")


def _seconds(where: str, value: Any) -> float:
    try:
        moment = datetime.fromisoformat(_as(where, value, str))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise UserError(f"{where} is no date and time: {value!r}") from error


def _one_of(where: str, value: Any, options: tuple[str, ...]) -> str:
    if value not in options:
        raise UserError(f"{where} must be one of {', '.join(options)}, not {value!r}")
    return str(value)
