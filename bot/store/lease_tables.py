"""Tables of the instances that share a PostgreSQL database; empty on SQLite. Times are of the database's clock, UTC."""

import sqlalchemy as sa

from bot.store.columns import Utc, metadata

lease = sa.Table(  # one row at most: who acts
    "lease",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),  # always 1
    sa.Column("holder", sa.Text, nullable=False),  # the instance; "": none ever
    sa.Column("host", sa.Text, nullable=False),  # its machine, for people
    sa.Column("epoch", sa.BigInteger, nullable=False),  # the number of take-overs
    sa.Column("taken_at", Utc, nullable=False),
    sa.Column("ends_at", Utc, nullable=False),
    sa.Column("keys", sa.JSON, nullable=False),  # what the instances must share, by name: hashes and public keys
    sa.Column("is_cut_off", sa.Boolean, nullable=False),  # whether the homeserver does not answer the holder
)

standby = sa.Table(  # who waits for the lease
    "standby",
    metadata,
    sa.Column("instance", sa.Text, primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("since", Utc, nullable=False),
    sa.Column("seen_at", Utc, nullable=False),
    sa.Column("reaches_homeserver", sa.Boolean),  # null: not tried, as the holder is not cut off
    sa.Index(None, "seen_at"),
)
