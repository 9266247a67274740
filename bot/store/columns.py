"""Naming convention of constraints, and column types shared by all tables."""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Utc(sa.TypeDecorator[datetime]):
    """An aware UTC datetime, stored as naive; SQLite has no zones and PostgreSQL would convert to its own."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  # its signature
        """Return *value* as naive UTC.

        Raises:
            ValueError: *value* is naive, so its zone is unknown.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone is not stored")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  # its signature
        """Return *value* as aware UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


LONG_AGO = sa.literal(datetime(1970, 1, 1, tzinfo=UTC), Utc())  # earlier than any stored time
Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite generates ids only for INTEGER columns
