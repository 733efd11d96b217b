"""Alembic's entry point; it uses the connection from `bot.storage.schema`."""

from __future__ import annotations

from alembic import context

from bot.storage.columns import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
