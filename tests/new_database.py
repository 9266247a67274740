"""A database of the newest version with nothing in it: to migrate to it takes longer than most tests."""

import tempfile
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from bot.store import migrate


def put_new_database(file: Path) -> None:
    """Make one at *file*, unless there is a database already."""
    if not file.exists():
        file.touch(mode=0o600)
        file.write_bytes(_new_database())


@cache
def _new_database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "bot.db")
        engine = sa.create_engine(f"sqlite:///{file}")
        with engine.begin() as connection:
            migrate._migrate(connection)
        engine.dispose()
        return file.read_bytes()
