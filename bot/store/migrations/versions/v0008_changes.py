"""What is told of patches that are known: any field, checks, comments; and trailers of cover letters."""

import sqlalchemy as sa
from alembic import op

from bot.store.columns import Utc

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables and columns; what is told of a patch is one row a field."""
    told: list[sa.Column[object]] = [
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("patch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("told_at", Utc(), nullable=False),
    ]
    op.create_table("told", *told, sa.PrimaryKeyConstraint("server", "patch", "field", name="pk_told"))
    op.execute(
        "INSERT INTO told (server, patch, field, value, told_at) "
        "SELECT server, patch, 'state', state, told_at FROM told_state"
    )
    op.drop_table("told_state")
    _add_checks()
    _add_comments()
    op.add_column("patch", sa.Column("commit_ref", sa.Text(), nullable=True))
    op.add_column("series", sa.Column("cover_id", sa.BigInteger(), nullable=True))
    op.add_column("series", sa.Column("trailers", sa.JSON(), nullable=True))
    op.create_index("ix_series_cover", "series", ["cover"], unique=False)


def _add_checks() -> None:
    check: list[sa.Column[object]] = [
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("patch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("told_at", Utc(), nullable=False),
    ]
    key = sa.PrimaryKeyConstraint("server", "patch", "user", "context", name="pk_patch_check")
    op.create_table("patch_check", *check, key)
    op.create_index("ix_patch_check_told_at", "patch_check", ["told_at"], unique=False)


def _add_comments() -> None:
    comment: list[sa.Column[object]] = [
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("object", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.Column("seen_at", Utc(), nullable=False),
    ]
    op.create_table("comment", *comment, sa.PrimaryKeyConstraint("server", "kind", "id", name="pk_comment"))
    op.create_index("ix_comment_server_kind_object", "comment", ["server", "kind", "object"], unique=False)
