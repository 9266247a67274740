"""Changes wait until they are told together, below their card."""

import sqlalchemy as sa
from alembic import op

from bot.store.columns import Utc

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "queued_change",
        sa.Column("id", _Id, autoincrement=True, nullable=False),
        sa.Column("card", sa.Text(), nullable=False),
        sa.Column("seen_at", Utc(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("patch", sa.BigInteger(), nullable=True),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("comment", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_queued_change"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_queued_change_card_id", "queued_change", ["card", "id"], unique=False)
