"""Comments are looked for again where no event tells of them: when, and how many requests that took."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from bot.store.columns import Utc

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_patch = sa.table(
    "patch",
    sa.column("server"),
    sa.column("id"),
    sa.column("series"),
    sa.column("read_at", Utc()),
    sa.column("changed_at", Utc()),
)


def upgrade() -> None:
    """Make the tables; what is known is due at once, and of its comments those are news that come from now on."""
    table = op.create_table(
        "recheck",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("changed_at", Utc(), nullable=False),
        sa.Column("comments_since", Utc(), nullable=False),
        sa.Column("read_at", Utc(), nullable=True),
        sa.Column("next_at", Utc(), nullable=True),
        sa.Column("seen", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("server", "kind", "object", name="pk_recheck"),
    )
    op.create_index("ix_recheck_server_next_at", "recheck", ["server", "next_at"])
    op.create_index("ix_recheck_changed_at", "recheck", ["changed_at"])
    op.create_table(
        "recheck_request",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("made_at", Utc(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_recheck_request"),
    )
    op.create_index("ix_recheck_request_server_made_at", "recheck_request", ["server", "made_at"])
    now = sa.literal(datetime.now(UTC), Utc())
    changed_at = sa.func.max(sa.func.coalesce(_patch.c.changed_at, _patch.c.read_at))
    columns = ["server", "kind", "object", "changed_at", "comments_since", "next_at", "seen"]
    for kind, number in (("series", _patch.c.series), ("patch", _patch.c.id)):
        is_of_kind = _patch.c.series.is_not(None) if kind == "series" else _patch.c.series.is_(None)
        known = sa.select(_patch.c.server, sa.literal(kind), number, changed_at, now, changed_at, sa.false())
        query = known.where(is_of_kind).group_by(_patch.c.server, number)
        op.execute(sa.insert(table).from_select(columns, query))
