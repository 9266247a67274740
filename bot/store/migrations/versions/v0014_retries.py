"""What could not be handled for a fault in it alone is tried again."""

import sqlalchemy as sa
from alembic import op

from bot.store.columns import Utc

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "retry",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("server", sa.Text(), nullable=True),
        sa.Column("room", sa.Text(), nullable=True),
        sa.Column("work", sa.JSON(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_retry"),
    )
    op.create_index("ix_retry_kind_key", "retry", ["kind", "key"], unique=False)
    op.create_index("ix_retry_server_next_at", "retry", ["server", "next_at"], unique=False)
