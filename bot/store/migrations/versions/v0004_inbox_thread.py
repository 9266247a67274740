"""The inbox knows in which thread something was said, what it replies to, and quickly who waits for an answer."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the index."""
    op.add_column("inbox", sa.Column("thread", sa.Text()))
    op.add_column("inbox", sa.Column("replies_to", sa.Text()))
    op.create_index("ix_inbox_answered_sender_id", "inbox", ["answered", "sender", "id"])
