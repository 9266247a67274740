"""Rooms that are too large to be read with the others are remembered, with when to try again."""

import sqlalchemy as sa
from alembic import op

from bot.store.columns import Utc

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("room", sa.Column("skipped_until", Utc(), nullable=True))
