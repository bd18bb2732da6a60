"""Nodes leave to their parent what is the parent's, their states are numbers, and no index follows their changes."""

import struct
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

BIG_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
FINISH = ("step", "end", "length", "error")
STATE = ("open", "kept", "pruned", "final", "failed")
SPECS = {"step:1:1": "", "": "\x10"}  # the most frequent one is stored as nothing
ANEW, CONTINUED, SPELLED = 0, 1, 2
PLAIN = ("run", "id", "revision", "parent", "text", "tokens", "steps", "why", "answer", "logprob", "confidences")


def upgrade() -> None:
    """Write all nodes anew, into a table that takes the place of the old one."""
    old = sa.table("nodes", *map(sa.column, (*PLAIN, "finish", "state", "spec", "scores")))
    op.create_table(
        "nodes_new",
        sa.Column("run", BIG_KEY, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("parent", sa.String(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("tokens", sa.LargeBinary(), nullable=True),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("logprob", sa.Float(), nullable=True),
        sa.Column("scores", sa.LargeBinary(), nullable=True),
        sa.Column("confidences", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["run"], ["runs.key"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run", "id"),
        sqlite_with_rowid=False,
    )
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.execute("LOCK TABLE nodes IN ACCESS EXCLUSIVE MODE")  # nothing may come after it was copied
    new = sa.Table("nodes_new", sa.MetaData(), autoload_with=connection)
    keys: list[int] = list(connection.execute(sa.select(sa.column("key")).select_from(sa.table("runs"))).scalars())
    for run in keys:
        rows = connection.execute(sa.select(old).where(old.c.run == run)).mappings().all()
        made = _leaner(sorted(rows, key=lambda row: row["id"]))
        if made:
            connection.execute(sa.insert(new), made)
    op.drop_table("nodes")
    op.rename_table("nodes_new", "nodes")
    if connection.dialect.name == "postgresql":
        op.execute("ALTER INDEX nodes_new_pkey RENAME TO nodes_pkey")
        op.execute("ALTER TABLE nodes RENAME CONSTRAINT nodes_new_run_fkey TO nodes_run_fkey")


def _leaner(rows: list[Any]) -> list[dict[str, Any]]:
    """rows: those of one run, a parent before its children."""
    paths: dict[str, tuple[float, ...]] = {}
    specs: dict[str, str] = {}
    made = []
    for row in rows:
        above = row["id"].rpartition(".")[0]
        scores, path, carry = _scores(row["scores"])
        marked: tuple[Any, ...] = (SPELLED, scores, carry, path)
        if path == scores:
            marked = (ANEW, scores, carry)
        elif above in paths and path == paths[above] + scores:
            marked = (CONTINUED, scores, carry)
        paths[row["id"]], specs[row["id"]] = path, row["spec"]
        made.append({
            **{name: row[name] for name in PLAIN},
            "state": len(FINISH) * STATE.index(row["state"]) + FINISH.index(row["finish"]),
            "spec": None if row["spec"] == specs.get(above) else SPECS.get(row["spec"], row["spec"]),
            "scores": _packed(*marked),
        })  # fmt: skip
    return made


def _scores(packed: bytes | None) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Scores, path scores and carry of a row as it was: lengths of two bytes, the scores above, a mark for a path."""
    if not packed:
        return (), (), ()
    *lengths, whole = struct.unpack_from("<4H", packed)
    values = struct.unpack_from(f"<{sum(lengths)}d", packed, 8)
    scores, above, carry = (values[sum(lengths[:i]) : sum(lengths[: i + 1])] for i in range(3))
    return scores, above if whole else above + scores, carry


def _packed(mark: int, *lists: tuple[float, ...]) -> bytes | None:
    """As `columns.pack_marked` packs it at this revision."""
    lengths = list(map(len, lists))
    if not any(lengths) and not mark:
        return None
    long = max(lengths) > 255
    head = struct.pack(f"<B{len(lists)}{'H' if long else 'B'}", mark | 128 * long, *lengths)
    return head + struct.pack(f"<{sum(lengths)}d", *(value for values in lists for value in values))
