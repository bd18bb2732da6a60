"""Studies: their problems, methods, work units, outcomes and pools of samples; runs name the study they belong to.

Written out in full, so that later changes of `schema.py` do not change what this revision creates.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables and add the column; what ran before belongs to no study."""
    op.create_table(
        "studies",
        sa.Column("key", BIG_KEY, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sa.UniqueConstraint("id"),
    )
    op.create_table(
        "study_methods",
        sa.Column("key", BIG_KEY, nullable=False),
        sa.Column("study", BIG_KEY, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("verifier", sa.String(), nullable=False),
        sa.Column("strategy", sa.String(), nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("temperature", sa.Float(), nullable=False),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.Column("pool", sa.BigInteger(), nullable=True),
        sa.Column("budgets", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["study"], ["studies.key"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("methods_by_study", "study_methods", ["study", "position"], unique=False)
    op.create_table(
        "study_problems",
        sa.Column("study", BIG_KEY, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("problem_id", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("gold", sa.Text(), nullable=True),
        sa.Column("grader", sa.String(), nullable=False),
        sa.Column("extra", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["study"], ["studies.key"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("study", "position"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "units",
        sa.Column("key", BIG_KEY, nullable=False),
        sa.Column("study", BIG_KEY, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("method", sa.BigInteger(), nullable=False),
        sa.Column("budget", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("heartbeat", sa.Float(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("started", sa.Float(), nullable=True),
        sa.Column("finished", sa.Float(), nullable=True),
        sa.Column("generations", sa.BigInteger(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("flops", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["study"], ["studies.key"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("units_by_status", "units", ["status", "study", "position"], unique=False)
    op.create_index("units_by_study", "units", ["study", "position"], unique=False)
    op.create_table(
        "outcomes",
        sa.Column("method", BIG_KEY, nullable=False),
        sa.Column("problem", sa.Integer(), nullable=False),
        sa.Column("budget", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("correct", sa.Boolean(), nullable=True),
        sa.Column("graded_by", sa.String(), nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("excluded", sa.Integer(), nullable=False),
        sa.Column("run", sa.String(), nullable=True),
        sa.Column("generations", sa.Integer(), nullable=False),
        sa.Column("prompt_tokens_computed", sa.BigInteger(), nullable=False),
        sa.Column("prompt_tokens_cached", sa.BigInteger(), nullable=False),
        sa.Column("generated_tokens", sa.BigInteger(), nullable=False),
        sa.Column("verifier_tokens", sa.BigInteger(), nullable=False),
        sa.Column("policy_flops", sa.Float(), nullable=False),
        sa.Column("verifier_flops", sa.Float(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("failed_samples", sa.Integer(), nullable=False),
        sa.Column("failed_scores", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["method"], ["study_methods.key"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("method", "problem", "budget", "seed"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pools",
        sa.Column("method", BIG_KEY, nullable=False),
        sa.Column("problem", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("answers", sa.Text(), nullable=False),
        sa.Column("groups", sa.LargeBinary(), nullable=True),
        sa.Column("correct", sa.LargeBinary(), nullable=True),
        sa.Column("scores", sa.LargeBinary(), nullable=True),
        sa.Column("steps", sa.LargeBinary(), nullable=True),
        sa.Column("tokens", sa.LargeBinary(), nullable=True),
        sa.Column("valid", sa.LargeBinary(), nullable=True),
        sa.Column("texts", sa.Text(), nullable=True),
        sa.Column("extra", sa.Text(), nullable=True),
        sa.Column("run", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["method"], ["study_methods.key"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("method", "problem", "seed"),
        sqlite_with_rowid=False,
    )
    op.add_column("runs", sa.Column("study", sa.BigInteger(), nullable=True))
    op.create_index("runs_by_study", "runs", ["study"], unique=False)
