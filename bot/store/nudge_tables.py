"""Tables of the reminders that people get of their own unanswered patches. Times are UTC."""

import sqlalchemy as sa

from bot.store.columns import Utc, metadata

nudge = sa.Table(  # direct chats with the setting, and when to look for unanswered patches next
    "nudge",
    metadata,
    sa.Column("room", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("next_at", Utc, nullable=False),
    sa.Index(None, "next_at"),
)

nudged = sa.Table(  # the submissions of which people were reminded; they are reminded of each version once
    "nudged",
    metadata,
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),  # "series", or "patch" for a patch without a series
    sa.Column("object", sa.BigInteger, primary_key=True, autoincrement=False),
)
