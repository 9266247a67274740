"""How far the sweeps of a server came, kept over restarts."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "sweep",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("archived", sa.BigInteger()),
        sa.Column("below", sa.BigInteger()),
        sa.Column("patches", sa.JSON(), nullable=False),
        sa.Column("series", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("server", name="pk_sweep"),
    )
