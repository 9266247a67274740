"""The table of what rooms snooze. Times are UTC."""

import sqlalchemy as sa

from bot.store.columns import Id, Utc, metadata

snooze = sa.Table(  # submissions that a room does not want to see in its queues for now; ids are in notice keys
    "snooze",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("room", sa.Text, nullable=False),
    sa.Column("server", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),  # "series", or "patch" for a patch without a series
    sa.Column("object", sa.BigInteger, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("since", Utc, nullable=False),
    sa.Column("until", Utc),  # when it is back; null: when a certain version comes, or a comment
    sa.Column("version", sa.Integer),  # the version that it waits for; null: any
    sa.Column("reason", sa.Text, nullable=False, server_default=""),  # why it is back before its time; "": it is not
    sa.UniqueConstraint("room", "server", "kind", "object"),
    sa.Index(None, "server", "kind", "object"),
    sa.Index(None, "until"),
    sqlite_autoincrement=True,
)
