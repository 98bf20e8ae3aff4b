"""Ends that can be moved (home, quality, moved_at, announced) and labels by folder (dropped_at, rating.label).

All may be null, which is what older rows have: never moved, never dropped, the home is the folder of the file.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("clip", sa.Column("home", sa.Text(), nullable=True))
    op.add_column("clip", sa.Column("quality", sa.Text(), nullable=True))
    op.add_column("clip", sa.Column("moved_at", sa.Double(), nullable=True))
    op.add_column("clip", sa.Column("dropped_at", sa.Double(), nullable=True))
    op.add_column("clip", sa.Column("announced", sa.JSON(), nullable=True))
    op.add_column("rating", sa.Column("label", sa.Text(), nullable=True))
