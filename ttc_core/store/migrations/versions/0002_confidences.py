"""Nodes hold the confidence of each of their tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; what was sampled before has none."""
    op.add_column("nodes", sa.Column("confidences", sa.LargeBinary(), nullable=True))
