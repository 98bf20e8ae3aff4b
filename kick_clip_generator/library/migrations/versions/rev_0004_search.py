"""Full-text search of transcripts; lists of clips from indexes that hold what filters ask for; missing files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kick_clip_generator.library.full_text import FULL_TEXT
from kick_clip_generator.library.list_indexes import LIST_INDEXES

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("clip", sa.Column("missing_at", sa.Double(), nullable=True))
    for name in ("ix_clip_score_id", "ix_clip_name_id", "ix_clip_stars_id"):
        op.drop_index(name, table_name="clip")
    for statement in (*LIST_INDEXES.values(), *FULL_TEXT[op.get_bind().dialect.name]):
        op.execute(statement)
    if op.get_bind().dialect.name == "sqlite":
        # Lines that are there already; PostgreSQL's index takes them by itself.
        op.execute("INSERT INTO transcript_text (transcript_text) VALUES ('rebuild')")
