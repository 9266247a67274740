"""Tables of the submissions that people follow. Times are UTC."""

import sqlalchemy as sa

from bot.store.columns import Id, Utc, metadata

direct_chat = sa.Table(  # the direct chat in which a person spoke to the bot last
    "direct_chat",
    metadata,
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("room", sa.Text, nullable=False),
    sa.Index(None, "room"),
)

follow = sa.Table(  # ids are never reused, because reactions have them
    "follow",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("server", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),  # "series", or "patch" for a patch without a series
    sa.Column("object", sa.BigInteger, nullable=False),  # the version that was followed; later ones belong to it
    sa.Column("since", Utc, nullable=False),
    sa.UniqueConstraint("person", "server", "kind", "object"),
    sa.Index(None, "server", "kind", "object"),
    sqlite_autoincrement=True,
)

follow_reaction = sa.Table(  # the reactions by which people follow; taking the last one back ends the follow
    "follow_reaction",
    metadata,
    sa.Column("room", sa.Text, primary_key=True),
    sa.Column("event", sa.Text, primary_key=True),
    sa.Column("follow", sa.BigInteger, nullable=False),
    sa.Index(None, "follow"),
)
