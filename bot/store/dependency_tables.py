"""The table of what submissions need according to their mails. Times are UTC."""

import sqlalchemy as sa

from bot.store.columns import Utc, metadata

dependency = sa.Table(  # of a submission, whether or not what it needs is known
    "dependency",
    metadata,
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),  # "series", or "patch" for a patch without a series
    sa.Column("object", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("needs", sa.Text, primary_key=True),  # "series/12", "patch/34" or "mail/MSGID"
    sa.Column("host", sa.Text, primary_key=True),  # of the address that has the id; "" if it is the server's own
    sa.Column("place", sa.Integer, nullable=False),  # in its mail
    sa.Column("read_at", Utc, nullable=False),
    sa.Index(None, "server", "needs"),
    sa.Index(None, "read_at"),
)
