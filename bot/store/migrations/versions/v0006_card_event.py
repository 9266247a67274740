"""Cards remember their event, for what was said is forgotten after a week and cards are replied to for months."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, filled with what is still known."""
    op.add_column("card", sa.Column("event", sa.Text(), nullable=True))
    op.execute("UPDATE card SET event = (SELECT notice.event FROM notice WHERE notice.key = card.notice_key)")
