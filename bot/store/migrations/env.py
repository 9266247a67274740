"""Runs migrations on the connection that `bot.store.migrate` provides."""

from alembic import context

from bot.store import schema  # noqa: F401  # the tables enter themselves
from bot.store.columns import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
