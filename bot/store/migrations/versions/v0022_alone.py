"""The rooms that everybody else left, so that the bot leaves them after a restart too."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("room", sa.Column("alone", sa.Boolean(), nullable=False, server_default=sa.false()))
