"""Tables of what queues need: the authors of comments, who uses queues, and the numbers of rows. Times are UTC."""

import sqlalchemy as sa

from bot.store.columns import Utc, metadata

mail_comment = sa.Table(  # comments that were read, whoever needed them
    "mail_comment",
    metadata,
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),  # "patch" or "cover"; ids are unique only within a kind
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("object", sa.BigInteger, nullable=False),  # the patch or cover letter
    sa.Column("name", sa.Text, nullable=False),  # of its author
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("sent_at", Utc, nullable=False),  # by its date, or when it was read if that is none
    sa.Column("trailers", sa.JSON, nullable=False),  # the kinds of trailers in it
    sa.Column("read_at", Utc, nullable=False),
    sa.Index(None, "server", "kind", "object"),
    sa.Index(None, "read_at"),
)

mail_read = sa.Table(  # patches and cover letters of which all comments were read
    "mail_read",
    metadata,
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("object", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("read_at", Utc, nullable=False),  # the last time
    sa.Index(None, "read_at"),
)

queue_room = sa.Table(  # rooms where somebody asked for the queue
    "queue_room",
    metadata,
    sa.Column("room", sa.Text, primary_key=True),
    sa.Column("used_at", Utc, nullable=False),
)

listed_row = sa.Table(  # the rows of the last list in a room, by the numbers that it showed
    "listed_row",
    metadata,
    sa.Column("room", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("server", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),  # "series", or "patch" for a patch without a series
    sa.Column("object", sa.BigInteger, nullable=False),
)
