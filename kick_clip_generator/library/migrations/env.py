"""Runs the steps on the connection that `library.migrate` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

from kick_clip_generator.library.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
