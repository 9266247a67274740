"""The outbox knows whom an answer is for, so that one person cannot take the messages of all."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and put it into the index by which the oldest notices are found."""
    op.add_column("notice", sa.Column("asked_by", sa.Text()))
    op.drop_index("ix_notice_state_room_lane_id", "notice")
    columns = ["state", "room", "lane", "asked_by", "id"]
    op.create_index("ix_notice_state_room_lane_asked_by_id", "notice", columns)
