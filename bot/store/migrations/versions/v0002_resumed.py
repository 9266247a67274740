"""Rooms count how often they let us again, so that a refusal that comes late suspends nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the count."""
    op.add_column("room", sa.Column("resumed", sa.Integer(), nullable=False, server_default="0"))
