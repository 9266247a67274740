"""Tables of the rechecks of comments that no event announces. Times are UTC."""

import sqlalchemy as sa

from bot.store.columns import Id, Utc, metadata

recheck = sa.Table(
    "recheck",
    metadata,
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),  # "series", or "patch" for a patch without a series
    sa.Column("object", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("changed_at", Utc, nullable=False),  # last change, initially the first read
    sa.Column("comments_since", Utc, nullable=False),  # comments sent earlier are not new
    sa.Column("read_at", Utc),  # last read of its comments; null: never
    sa.Column("next_at", Utc),  # next recheck; null: after another change
    sa.Column("seen", sa.Boolean, nullable=False),  # whether anybody sees the comments, as of the last recheck
    sa.Index(None, "server", "next_at"),
    sa.Index(None, "changed_at"),
)

recheck_request = sa.Table(  # the requests of the last hour
    "recheck_request",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("server", sa.Text, nullable=False),
    sa.Column("made_at", Utc, nullable=False),
    sa.Column("requests", sa.Integer, nullable=False),
    sa.Index(None, "server", "made_at"),
)
