"""How often a single search was leased without anything new coming of it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column."""
    op.add_column("runs", sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"))
