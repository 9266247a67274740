"""Subscriptions are made in chat, by rooms and by persons, with their settings, addresses and mutes."""

import sqlalchemy as sa
from alembic import op

from bot.store.columns import Utc

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and remember the rooms that we left."""
    op.add_column("room", sa.Column("left", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "subscription",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column("added_at", Utc(), nullable=False),
        sa.Column("muted_until", Utc(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=("pk_subscription")),
        sqlite_autoincrement=True,
    )
    op.create_index(("ix_subscription_room"), "subscription", ["room"], unique=False)
    op.create_index(("ix_subscription_person"), "subscription", ["person"], unique=False)
    op.create_table(
        "person_address",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("person", "address", name=("pk_person_address")),
    )
    op.create_table(
        "room_setting",
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("room", "key", name=("pk_room_setting")),
    )
    op.create_table(
        "room_mute",
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("until", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("room", name=("pk_room_mute")),
    )
