"""Search trees in the table `nodes`: what a node's row holds, and what it leaves to the row above it.

A node below another one mostly continues its solution, sampled in the same way and scored by the same verifier. Its row
then holds its own scores, and nothing of those of its path. That rests on a rule of searches: a node is scored before
those below it, and once.
"""

from __future__ import annotations

import functools
import gc
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ContextDecorator
from dataclasses import dataclass, field, fields
from operator import itemgetter
from typing import Any, get_args

from sqlalchemy import Connection, String, Text, select, type_coerce
from sqlalchemy.dialects import postgresql, sqlite

from ttc_core.errors import StoreFault
from ttc_core.store.columns import (
    escape,
    pack_long,
    pack_marked,
    pack_tokens,
    unescape,
    unpack_long,
    unpack_marked,
    unpack_tokens,
)
from ttc_core.store.schema import NodeRow, table
from ttc_core.types import ROOT, Finish, Node, State

nodes = table(NodeRow)
FINISH: tuple[Finish, ...] = get_args(Finish)
STATE: tuple[State, ...] = get_args(State)
_FINISH, _STATE = FINISH * len(STATE), [state for state in STATE for _ in FINISH]  # by the number in the table
# How the scores of a path are had: the node's own; those of the parent's path and then its own; as they stand.
ANEW, CONTINUED, SPELLED = 0, 1, 2
ONE_STEP, EMPTY = "step:1:1", "\x10"  # in `spec`: what is stored as "", and what stands for ""; `escape` makes neither
MOST_OWN = 4  # so often at most
_OWN = "\x10."  # in `why`: the parent's id and a dot; `escape` never puts a dot behind that character
MOST_SCORES = 1 << 26  # of all paths of a tree: each takes 8 bytes
MOST_ASKED = 500  # rows named one by one in a question to the database
_ID = itemgetter(0)
_FIELDS = [getattr(Node, each.name).__set__ for each in fields(Node)]

_PLAIN = {"parent": String, "text": Text, "why": Text, "spec": Text, "answer": Text}  # read without SQLAlchemy's help
_NODES = select(*(
    type_coerce(nodes.c[name], _PLAIN[name]) if name in _PLAIN else nodes.c[name]
    for name in ("id", "parent", "text", "state", "tokens", "steps", "answer", "logprob", "scores", "confidences",
                 "why", "spec")
))  # fmt: skip
_HANDED_ON = select(nodes.c.id, type_coerce(nodes.c.spec, Text), nodes.c.scores)

Floats = tuple[float, ...]
Numbers = tuple[int, Floats, Floats, Floats]
Above = tuple[Floats, str]  # what rows may leave to that of their parent: path_scores and spec
TOP: Above = ((), "")  # nothing is left to a row that is not there


@dataclass(frozen=True, slots=True)
class Grown:
    """New or changed nodes of a run, by its key; of an id's nodes the last one counts.

    recorded: nodes of the run that are stored, by id; what is left to a parent is left to one of these or of `nodes`.
    """

    run: int
    revision: int
    nodes: Iterable[Node]
    recorded: Mapping[str, Node] = field(default_factory=dict)


def put(connection: Connection, trees: Iterable[Grown]) -> None:
    """Insert or replace nodes."""
    rows = []
    for tree in trees:
        latest = {node.id: node for node in tree.nodes}
        for node in latest.values():
            above = _parent(node.id)
            rows.append(_row(tree.run, tree.revision, node, latest.get(above) or tree.recorded.get(above)))
    if rows:
        connection.execute(_UPSERTS[connection.dialect.name], rows)


class _Uncollected(ContextDecorator):
    """Without looking for garbage, as long as any thread is inside: thousands of nodes are made and none is dropped."""

    def __init__(self) -> None:
        self._turn, self._inside, self._looked = threading.Lock(), 0, True

    def __enter__(self) -> None:
        with self._turn:
            if not self._inside:
                self._looked = gc.isenabled()
                gc.disable()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._turn:
            self._inside -= 1
            if not self._inside and self._looked:
                gc.enable()


_uncollected = _Uncollected()


@_uncollected
def recorded(connection: Connection, run: int, since: int = 0) -> list[Node]:
    """The nodes of a run, by its key, that changed after revision `since`, in the order of their paths.

    That is "r.2" before "r.10", and a parent before its children.
    """
    wanted = _NODES.where(nodes.c.run == run)
    if since <= 0:
        return _tree(connection.execute(wanted).all(), {})
    rows = connection.execute(wanted.where(nodes.c.revision > since)).all()
    return _tree(rows, _above(connection, run, {row[0] for row in rows}))


def _row(run: int, revision: int, node: Node, above: Node | None) -> dict[str, Any]:
    """above: the node whose id is the beginning of this one's, None where it is not known to be stored."""
    path: tuple[int, *tuple[Floats, ...]] = (SPELLED, node.path_scores)
    if node.path_scores == node.scores:
        path = (ANEW,)
    elif above is not None and node.path_scores == above.path_scores + node.scores:
        path = (CONTINUED,)
    spec = None if above is not None and node.spec == above.spec else escape(node.spec) or EMPTY
    return {
        "run": run,
        "id": node.id,
        "revision": revision,
        "parent": None if node.parent == _parent(node.id) else node.parent,
        "text": node.text,
        "tokens": pack_tokens(node.tokens),
        "steps": node.steps,
        "state": len(FINISH) * STATE.index(node.state) + FINISH.index(node.finish),
        "why": _shortened(node.why, _parent(node.id)),
        "spec": "" if spec == ONE_STEP else spec,
        "answer": node.answer,
        "logprob": node.logprob,
        "scores": pack_marked(path[0], node.scores, node.carry, *path[1:]),
        "confidences": pack_long(node.confidences),
    }


def _shortened(why: str, above: str) -> str:
    """`why` as it is stored: escaped, and the ids of siblings without what is their parent's."""
    stored = escape(why)
    plain = above.startswith(ROOT) and above.isprintable()  # no part of what `escape` makes
    seldom = stored.count(f"{above}.") <= MOST_OWN
    return stored.replace(f"{above}.", _OWN) if plain and seldom else stored


def _spec(stored: str) -> str:
    return unescape(stored) if stored not in ("", EMPTY) else "" if stored else ONE_STEP


def _tree(rows: Iterable[Sequence[Any]], known: dict[str, Above]) -> list[Node]:
    """The inverse of `_row`. A tree has thousands, and every step counts. known: what is above them; grows."""
    keys: dict[str, str] = {}
    found = []
    numbers, ids, total = _Once(_numbers), _Once(unpack_tokens), 0  # equal steps are frequent
    for row in sorted(rows, key=_ID):  # a parent's id begins its children's
        node_id, parent, text, state, tokens, steps, answer, logprob, packed, confidences, why, spec = row
        above, dot, last = node_id.rpartition(".")
        _, scores, _, carry = packed_numbers = numbers[packed]
        path, spec = known[node_id] = _handed_on(known.get(above, TOP), spec, packed_numbers)
        total += len(path)
        if total > MOST_SCORES:
            raise StoreFault(f"a tree with more than {MOST_SCORES:,} scores on all its paths")
        # a text that sorts as the path does; that of the parent is known, where that came before
        before = keys.get(above) or "\0".join(map(_part, above.split(".")))
        keys[node_id] = f"{before}\0{_part(last)}" if dot else _part(last)
        if why:
            why = unescape(why.replace(_OWN, f"{above}.", MOST_OWN))
        node = _node(
            node_id,
            above if parent is None else unescape(parent),
            unescape(text),
            _FINISH[state],
            ids[tokens],
            steps,
            answer and unescape(answer),
            logprob,
            scores,
            path,
            carry,
            unpack_long(confidences) if confidences else (),
            _STATE[state],
            why,
            spec,
        )
        found.append(node)
    return sorted(found, key=lambda node: keys[node.id])


def _node(*values: Any) -> Node:
    """A node of its fields in order; the `__init__` of a frozen dataclass takes more than twice as long."""
    node = Node.__new__(Node)
    for put_field, value in zip(_FIELDS, values, strict=True):
        put_field(node, value)
    return node


class _Once(dict[bytes | None, Any]):
    """What a function makes of a key, made once."""

    def __init__(self, make: Callable[[bytes | None], Any]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: bytes | None) -> Any:
        self[key] = made = self._make(key)
        return made


def _handed_on(above: Above, spec: str | None, numbers: Numbers) -> Above:
    """What a row hands on to those below it, from what the row above handed on and its own columns."""
    mark, scores, spelled, _ = numbers
    path = above[0] + scores if mark == CONTINUED else scores if mark == ANEW else spelled
    return path, above[1] if spec is None else _spec(spec)


def _numbers(packed: bytes | None) -> Numbers:
    """How the path's scores are had, the node's scores, those of the path where they stand there, and the carry."""
    mark, scores, carry, *spelled = unpack_marked(packed, 3 if packed and packed[0] & 127 == SPELLED else 2)
    if mark > SPELLED:
        raise ValueError(f"scores of an unknown kind: {mark}")
    return mark, scores, spelled[0] if spelled else (), carry


def _above(connection: Connection, run: int, ids: Collection[str]) -> dict[str, Above]:
    """What the rows above these nodes hand on to them, without those that are among them."""
    asked: set[str] = set()
    for node_id in ids:
        above = _parent(node_id)
        if above in ids:
            continue
        while above and above not in asked and len(asked) <= MOST_ASKED:
            asked.add(above)
            above = _parent(above)
    if not asked:
        return {}
    wanted = _HANDED_ON.where(nodes.c.run == run)
    if len(asked) <= MOST_ASKED:
        wanted = wanted.where(nodes.c.id.in_(asked))
    found: dict[str, Above] = {}
    for node_id, spec, packed in sorted(connection.execute(wanted).all(), key=_ID):
        found[node_id] = _handed_on(found.get(_parent(node_id), TOP), spec, _numbers(packed))
    return {node_id: above for node_id, above in found.items() if node_id not in ids}


def _parent(node_id: str) -> str:
    return node_id.rpartition(".")[0]


@functools.lru_cache(4096)
def _part(name: str) -> str:
    """One step of a path: numbers come before all else, shorter ones first."""
    return f"0{len(name):03}{name}" if name.isdecimal() else f"1{name}"


def _upsert(make: Callable[..., Any]) -> Any:
    statement = make(nodes)
    changed = {c.name: statement.excluded[c.name] for c in nodes.columns if not c.primary_key}
    return statement.on_conflict_do_update(index_elements=[nodes.c.run, nodes.c.id], set_=changed)


_UPSERTS = {"sqlite": _upsert(sqlite.insert), "postgresql": _upsert(postgresql.insert)}
