"""What is kept for digests, when each is due, and when something last happened to a patch."""

import sqlalchemy as sa
from alembic import op

from bot.store.columns import Utc

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and add the column."""
    op.create_table(
        "digest",
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("since", Utc(), nullable=False),
        sa.Column("next_due_at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("room", "digest", name="pk_digest"),
    )
    op.create_index("ix_digest_next_due_at", "digest", ["next_due_at"], unique=False)
    op.create_table(
        "digest_entry",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.JSON(), nullable=False),
        sa.Column("added_at", Utc(), nullable=False),
        sa.Column("told_at", Utc(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_digest_entry"),
        sa.UniqueConstraint(
            "room", "digest", "server", "kind", "object", name="uq_digest_entry_room_digest_server_kind_object"
        ),
    )
    op.create_index("ix_digest_entry_told_at", "digest_entry", ["told_at"], unique=False)
    op.add_column("patch", sa.Column("changed_at", Utc(), nullable=True))
