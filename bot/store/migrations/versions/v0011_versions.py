"""Which series one may be a new version of is found by its submitter."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the submitter's address in one case, and look by it."""
    op.add_column("series", sa.Column("submitter", sa.Text(), nullable=False, server_default=""))
    op.execute("UPDATE series SET submitter = substr(lower(submitter_email), 1, 255)")
    op.create_index("ix_series_server_submitter_id", "series", ["server", "submitter", "id"], unique=False)
