"""What cannot be read is waited for: since when, and since when the server says that it is not there."""

import sqlalchemy as sa
from alembic import op

from bot.store.columns import Utc

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("pending", sa.Column("unreadable_since", Utc(), nullable=True))
    op.add_column("pending", sa.Column("missing_since", Utc(), nullable=True))
    op.add_column("project", sa.Column("unread_from", sa.Text(), nullable=True))
