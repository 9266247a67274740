"""A card is edited when that is due, in the way it was written."""

import sqlalchemy as sa
from alembic import op

from bot.store.columns import Utc

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add when that is, and whether it rings; what only served to find it goes."""
    op.add_column("card", sa.Column("due_at", Utc(), nullable=True))
    op.add_column("card", sa.Column("rings", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.drop_index("ix_card_urgent_since", table_name="card")
    op.drop_index("ix_card_counts_since", table_name="card")
    op.create_index("ix_card_due_at", "card", ["due_at"], unique=False)
