"""The first tables."""

import sqlalchemy as sa
from alembic import op

from bot.store.columns import Utc

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables in an empty database."""
    op.create_table(
        "card",
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("notice_key", sa.Text(), nullable=False),
        sa.Column("why", sa.JSON(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("room", "server", "kind", "object", name=("pk_card")),
    )
    op.create_table(
        "inbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("sent_at", Utc(), nullable=False),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=("pk_inbox")),
        sa.UniqueConstraint("room", "event", name=("uq_inbox_room_event")),
    )
    op.create_table(
        "invitation",
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("inviter", sa.Text(), nullable=False),
        sa.Column("direct", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("room", name=("pk_invitation")),
    )
    op.create_table(
        "notice",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("txn", sa.Text(), nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("message", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("next_at", Utc(), nullable=False),
        sa.Column("first_tried", Utc(), nullable=True),
        sa.Column("first_device", sa.Text(), nullable=True),
        sa.Column("event", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("settled_at", Utc(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=("pk_notice")),
        sa.UniqueConstraint("key", name=("uq_notice_key")),
        sa.UniqueConstraint("txn", name=("uq_notice_txn")),
    )
    op.create_index(("ix_notice_state_room_lane_id"), "notice", ["state", "room", "lane", "id"], unique=False)
    op.create_table(
        "patch",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("series", sa.BigInteger(), nullable=True),
        sa.Column("msgid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("submitter_name", sa.Text(), nullable=False),
        sa.Column("submitter_email", sa.Text(), nullable=False),
        sa.Column("date", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("delegate", sa.Text(), nullable=True),
        sa.Column("check", sa.Text(), nullable=True),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=True),
        sa.Column("pull_url", sa.Text(), nullable=True),
        sa.Column("archive_url", sa.Text(), nullable=True),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("to", sa.JSON(), nullable=False),
        sa.Column("cc", sa.JSON(), nullable=False),
        sa.Column("trailers", sa.JSON(), nullable=False),
        sa.Column("read_at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("server", "id", name=("pk_patch")),
    )
    op.create_index(("ix_patch_msgid"), "patch", ["msgid"], unique=False)
    op.create_index(("ix_patch_server_series"), "patch", ["server", "series"], unique=False)
    op.create_table(
        "pending",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("first_seen", Utc(), nullable=False),
        sa.Column("due", Utc(), nullable=False),
        sa.Column("deadline", Utc(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("server", "kind", "id", name=("pk_pending")),
    )
    op.create_table(
        "project",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("baseline_event", sa.BigInteger(), nullable=False),
        sa.Column("baseline_date", sa.Text(), nullable=True),
        sa.Column("baseline_patch", sa.BigInteger(), nullable=False),
        sa.Column("baseline_series", sa.BigInteger(), nullable=False),
        sa.Column("known_since", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("server", "name", name=("pk_project")),
    )
    op.create_table(
        "room",
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("direct", sa.Boolean(), nullable=False),
        sa.Column("suspended", sa.Boolean(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("room", name=("pk_room")),
        sa.UniqueConstraint("name", name=("uq_room_name")),
    )
    op.create_table(
        "seen_event",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seen_at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("server", "id", name=("pk_seen_event")),
    )
    op.create_table(
        "series",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("submitter_name", sa.Text(), nullable=False),
        sa.Column("submitter_email", sa.Text(), nullable=False),
        sa.Column("date", sa.Text(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("received_total", sa.Integer(), nullable=False),
        sa.Column("received_all", sa.Boolean(), nullable=False),
        sa.Column("cover", sa.Text(), nullable=True),
        sa.Column("archive_url", sa.Text(), nullable=True),
        sa.Column("patches", sa.JSON(), nullable=False),
        sa.Column("judged_at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("server", "id", name=("pk_series")),
    )
    op.create_table(
        "server",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("highest_event", sa.BigInteger(), nullable=False),
        sa.Column("rebuilds", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name", name=("pk_server")),
    )
    op.create_table(
        "session",
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("since", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("user", name=("pk_session")),
    )
    op.create_table(
        "told_state",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("patch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("told_at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("server", "patch", name=("pk_told_state")),
    )
