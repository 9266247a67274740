"""The table of the links that were answered lately. Times are UTC."""

import sqlalchemy as sa

from bot.store.columns import Utc, metadata

unfurl = sa.Table(  # when a line about a submission was last posted in a room because somebody had pasted a link
    "unfurl",
    metadata,
    sa.Column("room", sa.Text, primary_key=True),
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),  # "series", or "patch" for a patch without a series
    sa.Column("object", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", Utc, nullable=False),
    sa.Index(None, "at"),
)
