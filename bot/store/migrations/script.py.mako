"""${message}."""

import sqlalchemy as sa
from alembic import op

import bot.store.schema

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Bring the database here from ${down_revision or 'nothing'}."""
    ${upgrades if upgrades else "pass"}
