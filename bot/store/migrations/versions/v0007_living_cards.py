"""Cards are edited as their series lives, and replies and edits hang on what was said before."""

import sqlalchemy as sa
from alembic import op

from bot.store.columns import Utc

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    card: list[sa.Column[object]] = [
        sa.Column("form", sa.Text(), nullable=False, server_default="card"),
        sa.Column("shown", sa.Text(), nullable=True),
        sa.Column("edits", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("edited_at", Utc(), nullable=True),
        sa.Column("urgent_since", Utc(), nullable=True),
        sa.Column("counts_since", Utc(), nullable=True),
        sa.Column("counts_last", Utc(), nullable=True),
        sa.Column("touched_at", Utc(), nullable=True),
        sa.Column("ended", sa.Text(), nullable=True),
    ]
    for column in card:
        op.add_column("card", column)
    op.create_index("ix_card_server_kind_object", "card", ["server", "kind", "object"], unique=False)
    op.create_index("ix_card_urgent_since", "card", ["urgent_since"], unique=False)
    op.create_index("ix_card_counts_since", "card", ["counts_since"], unique=False)
    op.create_index("ix_card_notice_key", "card", ["notice_key"], unique=False)
    op.add_column("notice", sa.Column("of", sa.Text(), nullable=True))
    op.create_index("ix_notice_of", "notice", ["of"], unique=False)
    op.add_column("series", sa.Column("former", sa.BigInteger(), nullable=True))
    op.create_index("ix_series_server_former", "series", ["server", "former"], unique=False)
