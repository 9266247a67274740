"""Many series at once are one message, and what was missed is told after an honest line."""

import sqlalchemy as sa
from alembic import op

from bot.store.columns import Utc

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.add_column("server", sa.Column("polled_at", Utc(), nullable=True))
    op.create_index("ix_card_room_created_at", "card", ["room", "created_at"], unique=False)
    op.create_table(
        "flood_limit",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_flood_limit"),
    )
    op.create_table(
        "flood",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("opened", Utc(), nullable=False),
        sa.Column("last", Utc(), nullable=False),
        sa.Column("before", sa.Integer(), nullable=False),
        sa.Column("said", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_flood"),
    )
    op.create_table(
        "flooded",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("wanted", sa.JSON(), nullable=False),
        sa.Column("gathered_at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_flooded"),
        sa.UniqueConstraint("server", "kind", "object", "room", name="uq_flooded_server_kind_object_room"),
    )
    op.create_index("ix_flooded_key", "flooded", ["key"], unique=False)
    op.create_index("ix_flooded_gathered_at", "flooded", ["gathered_at"], unique=False)
    op.create_table(
        "absence",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("since", Utc(), nullable=False),
        sa.Column("until", Utc(), nullable=False),
        sa.Column("whose", sa.Text(), nullable=False),
        sa.Column("came", sa.Integer(), nullable=False),
        sa.Column("old", sa.Integer(), nullable=False),
        sa.Column("ended", Utc(), nullable=True),
        sa.PrimaryKeyConstraint("server", name="pk_absence"),
    )
