"""Runs name the grader of their answers, and the version that graded them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns; what ran before was read as numbers, by a version that is not known."""
    op.add_column("runs", sa.Column("grader", sa.String(), nullable=False, server_default="numeric"))
    op.add_column("runs", sa.Column("graded_by", sa.String(), nullable=True))
