"""Alembic's entry: run the migrations on the connection that `store.migrate.upgrade` hands over.

The caller owns the transaction, so that a schema is created or changed entirely or not at all.
"""

from alembic import context

from ttc_core.store.schema import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
