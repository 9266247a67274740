"""The states that a server has, and when a page was last asked for their names."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and add the column."""
    op.create_table(
        "state",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.PrimaryKeyConstraint("server", "slug", name="pk_state"),
    )
    op.add_column("sweep", sa.Column("named_at", sa.DateTime()))
