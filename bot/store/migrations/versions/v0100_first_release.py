"""The tables of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0100"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables in an empty database."""
    _servers()
    _notices()
    _rooms()
    _following()
    _queues()
    _snoozes()
    _instances()
    _dependencies()


def _servers() -> None:
    """Create the tables of servers and submissions."""
    op.create_table(
        "server",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("highest_event", sa.BigInteger(), nullable=False),
        sa.Column("rebuilds", sa.Integer(), server_default="0", nullable=False),
        sa.Column("polled_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_server"),
    )
    op.create_table(
        "project",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("baseline_event", sa.BigInteger(), nullable=False),
        sa.Column("baseline_date", sa.Text(), nullable=True),
        sa.Column("baseline_patch", sa.BigInteger(), nullable=False),
        sa.Column("baseline_series", sa.BigInteger(), nullable=False),
        sa.Column("known_since", sa.DateTime(), nullable=False),
        sa.Column("unread_from", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("server", "name", name="pk_project"),
    )
    op.create_table(
        "seen_event",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seen_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("server", "id", name="pk_seen_event"),
    )
    op.create_table(
        "pending",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.DateTime(), nullable=False),
        sa.Column("due", sa.DateTime(), nullable=False),
        sa.Column("deadline", sa.DateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("unreadable_since", sa.DateTime(), nullable=True),
        sa.Column("missing_since", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("server", "kind", "id", name="pk_pending"),
    )
    op.create_table(
        "sweep",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("archived", sa.BigInteger(), nullable=True),
        sa.Column("named_at", sa.DateTime(), nullable=True),
        sa.Column("below", sa.BigInteger(), nullable=True),
        sa.Column("patches", sa.JSON(), nullable=False),
        sa.Column("series", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("server", name="pk_sweep"),
    )
    op.create_table(
        "state",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("server", "slug", name="pk_state"),
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
        sa.Column("evaluated_at", sa.DateTime(), nullable=False),
        sa.Column("former", sa.BigInteger(), nullable=True),
        sa.Column("submitter", sa.Text(), server_default="", nullable=False),
        sa.Column("cover_id", sa.BigInteger(), nullable=True),
        sa.Column("cover_name", sa.Text(), server_default="", nullable=False),
        sa.Column("trailers", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("server", "id", name="pk_series"),
    )
    op.create_index("ix_series_cover", "series", ["cover"], unique=False)
    op.create_index("ix_series_evaluated_at", "series", ["evaluated_at"], unique=False)
    op.create_index("ix_series_server_former", "series", ["server", "former"], unique=False)
    op.create_index("ix_series_server_submitter_id", "series", ["server", "submitter", "id"], unique=False)
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
        sa.Column("read_at", sa.DateTime(), nullable=False),
        sa.Column("former_state", sa.Text(), nullable=True),
        sa.Column("state_changed_at", sa.DateTime(), nullable=True),
        sa.Column("commit_ref", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.DateTime(), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("server", "id", name="pk_patch"),
    )
    op.create_index("ix_patch_msgid", "patch", ["msgid"], unique=False)
    op.create_index("ix_patch_read_at", "patch", ["read_at"], unique=False)
    op.create_index("ix_patch_server_series", "patch", ["server", "series"], unique=False)
    op.create_table(
        "patch_check",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("patch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("received_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("server", "patch", "user", "context", name="pk_patch_check"),
    )
    op.create_index("ix_patch_check_received_at", "patch_check", ["received_at"], unique=False)
    op.create_table(
        "comment",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("object", sa.BigInteger(), nullable=False),
        sa.Column("posted", sa.Boolean(), nullable=False),
        sa.Column("seen_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("server", "kind", "id", name="pk_comment"),
    )
    op.create_index("ix_comment_seen_at", "comment", ["seen_at"], unique=False)
    op.create_index("ix_comment_server_kind_object", "comment", ["server", "kind", "object"], unique=False)
    op.create_table(
        "early_update",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("patch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("received_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("server", "patch", "field", name="pk_early_update"),
    )
    op.create_table(
        "recheck",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        sa.Column("comments_since", sa.DateTime(), nullable=False),
        sa.Column("read_at", sa.DateTime(), nullable=True),
        sa.Column("next_at", sa.DateTime(), nullable=True),
        sa.Column("seen", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("server", "kind", "object", name="pk_recheck"),
    )
    op.create_index("ix_recheck_changed_at", "recheck", ["changed_at"], unique=False)
    op.create_index("ix_recheck_server_next_at", "recheck", ["server", "next_at"], unique=False)
    op.create_table(
        "recheck_request",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_recheck_request"),
    )
    op.create_index("ix_recheck_request_server_made_at", "recheck_request", ["server", "made_at"], unique=False)
    op.create_table(
        "maintainers",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("read_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("server", "project", name="pk_maintainers"),
    )


def _notices() -> None:
    """Create the tables of cards, notices, digests, floods and retries."""
    op.create_table(
        "card",
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("notice_key", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=True),
        sa.Column("why", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("form", sa.Text(), server_default="card", nullable=False),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("edits", sa.Integer(), server_default="0", nullable=False),
        sa.Column("edited_at", sa.DateTime(), nullable=True),
        sa.Column("urgent_since", sa.DateTime(), nullable=True),
        sa.Column("counts_since", sa.DateTime(), nullable=True),
        sa.Column("counts_last", sa.DateTime(), nullable=True),
        sa.Column("touched_at", sa.DateTime(), nullable=True),
        sa.Column("due_at", sa.DateTime(), nullable=True),
        sa.Column("rings", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("ended", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("room", "server", "kind", "object", name="pk_card"),
    )
    op.create_index("ix_card_created_at", "card", ["created_at"], unique=False)
    op.create_index("ix_card_due_at", "card", ["due_at"], unique=False)
    op.create_index("ix_card_notice_key", "card", ["notice_key"], unique=False)
    op.create_index("ix_card_room_created_at", "card", ["room", "created_at"], unique=False)
    op.create_index("ix_card_server_kind_object", "card", ["server", "kind", "object"], unique=False)
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
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("next_at", sa.DateTime(), nullable=False),
        sa.Column("first_tried", sa.DateTime(), nullable=True),
        sa.Column("first_device", sa.Text(), nullable=True),
        sa.Column("event", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("settled_at", sa.DateTime(), nullable=True),
        sa.Column("of", sa.Text(), nullable=True),
        sa.Column("asked_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_notice"),
        sa.UniqueConstraint("key", name="uq_notice_key"),
        sa.UniqueConstraint("txn", name="uq_notice_txn"),
    )
    op.create_index("ix_notice_created_at", "notice", ["created_at"], unique=False)
    op.create_index("ix_notice_of", "notice", ["of"], unique=False)
    op.create_index(
        "ix_notice_state_room_lane_asked_by_id", "notice", ["state", "room", "lane", "asked_by", "id"], unique=False
    )
    op.create_table(
        "queued_change",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("card", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("patch", sa.BigInteger(), nullable=True),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("comment", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_queued_change"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_queued_change_card_id", "queued_change", ["card", "id"], unique=False)
    op.create_table(
        "digest",
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.Column("next_due_at", sa.DateTime(), nullable=False),
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
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.Column("posted_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_digest_entry"),
        sa.UniqueConstraint(
            "room", "digest", "server", "kind", "object", name="uq_digest_entry_room_digest_server_kind_object"
        ),
    )
    op.create_index("ix_digest_entry_posted_at", "digest_entry", ["posted_at"], unique=False)
    op.create_table(
        "flood",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("opened", sa.DateTime(), nullable=False),
        sa.Column("last", sa.DateTime(), nullable=False),
        sa.Column("before", sa.Integer(), nullable=False),
        sa.Column("is_posted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_flood"),
    )
    op.create_table(
        "flood_entry",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_flood_entry"),
        sa.UniqueConstraint("server", "kind", "object", "room", name="uq_flood_entry_server_kind_object_room"),
    )
    op.create_index("ix_flood_entry_added_at", "flood_entry", ["added_at"], unique=False)
    op.create_index("ix_flood_entry_key", "flood_entry", ["key"], unique=False)
    op.create_table(
        "catch_up",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.Column("until", sa.DateTime(), nullable=False),
        sa.Column("whose", sa.Text(), nullable=False),
        sa.Column("came", sa.Integer(), nullable=False),
        sa.Column("old", sa.Integer(), nullable=False),
        sa.Column("ended", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("server", name="pk_catch_up"),
    )
    op.create_table(
        "retry",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("server", sa.Text(), nullable=True),
        sa.Column("room", sa.Text(), nullable=True),
        sa.Column("work", sa.JSON(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_retry"),
    )
    op.create_index("ix_retry_kind_key", "retry", ["kind", "key"], unique=False)
    op.create_index("ix_retry_server_next_at", "retry", ["server", "next_at"], unique=False)


def _rooms() -> None:
    """Create the tables of the account, its rooms, messages and subscriptions."""
    op.create_table(
        "encrypted_room",
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("room", name="pk_encrypted_room"),
    )
    op.create_table(
        "flood_limit",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_flood_limit"),
    )
    op.create_table(
        "act",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("value_id", sa.BigInteger(), nullable=True),
        sa.Column("began_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_act"),
        sa.UniqueConstraint("room", "event", "server", name="uq_act_room_event_server"),
    )
    op.create_table(
        "act_patch",
        sa.Column("act", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("patch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("series", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("old", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("act", "patch", name="pk_act_patch"),
    )
    op.create_table(
        "token",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("account_id", sa.BigInteger(), nullable=True),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("given_at", sa.DateTime(), nullable=False),
        sa.Column("absent_since", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("person", "server", name="pk_token"),
    )
    op.create_index("ix_token_room", "token", ["room"], unique=False)
    op.create_table(
        "inbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(), nullable=False),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.Column("thread", sa.Text(), nullable=True),
        sa.Column("replies_to", sa.Text(), nullable=True),
        sa.Column("sealed", sa.Text(), nullable=True),
        sa.Column("encrypted", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("reaction", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_inbox"),
        sa.UniqueConstraint("room", "event", name="uq_inbox_room_event"),
    )
    op.create_index("ix_inbox_answered_sender_id", "inbox", ["answered", "sender", "id"], unique=False)
    op.create_table(
        "invitation",
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("inviter", sa.Text(), nullable=False),
        sa.Column("direct", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("room", name="pk_invitation"),
    )
    op.create_table(
        "person_address",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("person", "address", name="pk_person_address"),
    )
    op.create_table(
        "room",
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("direct", sa.Boolean(), nullable=False),
        sa.Column("suspended", sa.Boolean(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("resumed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("left", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("alone", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("skipped_until", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("room", name="pk_room"),
        sa.UniqueConstraint("name", name="uq_room_name"),
    )
    op.create_table(
        "room_mute",
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("room", name="pk_room_mute"),
    )
    op.create_table(
        "room_setting",
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("room", "key", name="pk_room_setting"),
    )
    op.create_table(
        "session",
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("since", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("user", name="pk_session"),
    )
    op.create_table(
        "subscription",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.Column("muted_until", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_subscription"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_subscription_person", "subscription", ["person"], unique=False)
    op.create_index("ix_subscription_room", "subscription", ["room"], unique=False)


def _following() -> None:
    """Create the tables of what people follow, of what rooms snooze, and of reminders."""
    op.create_table(
        "direct_chat",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("person", name="pk_direct_chat"),
    )
    op.create_index("ix_direct_chat_room", "direct_chat", ["room"], unique=False)
    op.create_table(
        "follow",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_follow"),
        sa.UniqueConstraint("person", "server", "kind", "object", name="uq_follow_person_server_kind_object"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_follow_server_kind_object", "follow", ["server", "kind", "object"], unique=False)
    op.create_table(
        "follow_reaction",
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("follow", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("room", "event", name="pk_follow_reaction"),
    )
    op.create_index("ix_follow_reaction_follow", "follow_reaction", ["follow"], unique=False)


def _queues() -> None:
    """Create the tables of queues."""
    op.create_table(
        "mail_comment",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("object", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(), nullable=False),
        sa.Column("trailers", sa.JSON(), nullable=False),
        sa.Column("read_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("server", "kind", "id", name="pk_mail_comment"),
    )
    op.create_index("ix_mail_comment_server_kind_object", "mail_comment", ["server", "kind", "object"], unique=False)
    op.create_index("ix_mail_comment_read_at", "mail_comment", ["read_at"], unique=False)
    op.create_table(
        "mail_read",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("read_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("server", "kind", "object", name="pk_mail_read"),
    )
    op.create_index("ix_mail_read_read_at", "mail_read", ["read_at"], unique=False)
    op.create_table(
        "queue_room",
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("used_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("room", name="pk_queue_room"),
    )
    op.create_table(
        "listed_row",
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("room", "number", name="pk_listed_row"),
    )


def _snoozes() -> None:
    """Create the table of what is snoozed."""
    op.create_table(
        "snooze",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.Column("until", sa.DateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_snooze"),
        sa.UniqueConstraint("room", "server", "kind", "object", name="uq_snooze_room_server_kind_object"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_snooze_server_kind_object", "snooze", ["server", "kind", "object"], unique=False)
    op.create_index("ix_snooze_until", "snooze", ["until"], unique=False)
    op.create_table(
        "nudge",
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("next_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("room", name="pk_nudge"),
    )
    op.create_index("ix_nudge_next_at", "nudge", ["next_at"], unique=False)
    op.create_table(
        "nudged",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("person", "server", "kind", "object", name="pk_nudged"),
    )
    op.create_table(
        "unfurl",
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("room", "server", "kind", "object", name="pk_unfurl"),
    )
    op.create_index("ix_unfurl_at", "unfurl", ["at"], unique=False)


def _instances() -> None:
    """Create the tables of instances that share the database."""
    op.create_table(
        "lease",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", sa.DateTime(), nullable=False),
        sa.Column("ends_at", sa.DateTime(), nullable=False),
        sa.Column("keys", sa.JSON(), nullable=False),
        sa.Column("is_cut_off", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lease"),
    )
    op.create_table(
        "standby",
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.Column("seen_at", sa.DateTime(), nullable=False),
        sa.Column("reaches_homeserver", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("instance", name="pk_standby"),
    )
    op.create_index("ix_standby_seen_at", "standby", ["seen_at"], unique=False)


def _dependencies() -> None:
    """Create the table of what submissions need."""
    op.create_table(
        "dependency",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("needs", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("read_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("server", "kind", "object", "needs", "host", name="pk_dependency"),
    )
    op.create_index("ix_dependency_server_needs", "dependency", ["server", "needs"], unique=False)
    op.create_index("ix_dependency_read_at", "dependency", ["read_at"], unique=False)
