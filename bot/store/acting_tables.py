"""Tables of people's tokens, and of the changes that they had the bot make on Patchwork. Times are UTC."""

import sqlalchemy as sa

from bot.store.columns import Id, Utc, metadata

token = sa.Table(
    "token",
    metadata,
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("server", sa.Text, primary_key=True),
    sa.Column("sealed", sa.Text, nullable=False),  # encrypted with a key that is not in the database
    sa.Column("account", sa.Text),  # whose it is on the server; null: unknown
    sa.Column("account_id", sa.BigInteger),
    sa.Column("room", sa.Text, nullable=False),  # the person's direct chat
    sa.Column("given_at", Utc, nullable=False),
    sa.Column("absent_since", Utc),  # when the person or the bot left that chat; null: both are there
    sa.Index(None, "room"),
)

act = sa.Table(  # the commands that change patches, written before the first change is sent
    "act",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("room", sa.Text, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("server", sa.Text, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("field", sa.Text, nullable=False),  # "state", "delegate" or "archived"
    sa.Column("value", sa.Text, nullable=False),  # the new value, as the server shows it; "" is nobody, or not archived
    sa.Column("value_id", sa.BigInteger),  # of the new delegate
    sa.Column("began_at", Utc, nullable=False),
    sa.UniqueConstraint("room", "event", "server"),
)

act_patch = sa.Table(  # each patch of an act, with the value that it had
    "act_patch",
    metadata,
    sa.Column("act", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("patch", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("series", sa.BigInteger),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("old", sa.Text, nullable=False),  # as act.value
    sa.Column("step", sa.Text, nullable=False),  # how far it came: planned, sent, done, unchanged, failed
    sa.Column("reason", sa.Text, nullable=False),  # why it was not changed; "" if it was
)
