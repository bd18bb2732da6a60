"""A run may go on from a step of another one: which step that is, and the text it begins with."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns; all runs before began with the question alone."""
    op.add_column("runs", sa.Column("parent_node", sa.String(), nullable=True))
    op.add_column("runs", sa.Column("prefix", sa.Text(), nullable=False, server_default="[]"))
    op.create_index("runs_by_parent", "runs", ["parent"])
