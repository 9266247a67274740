"""Rooms that were ever encrypted."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "encrypted_room",
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("room", name="pk_encrypted_room"),
    )
