"""A statement in one trip to SQLite's thread, against the four that its library makes."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bench.table import Row, in_turns
from bot.store.engine import connect

STATEMENTS = 300  # in each transaction
ROUNDS = 15
_SELECT = sa.text("SELECT 1 UNION SELECT 2")


def rows() -> Iterator[Row]:
    """Ours against theirs."""
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        ours = connect(f"sqlite:///{Path(folder, 'ours.db')}")
        theirs = create_async_engine(f"sqlite+aiosqlite:///{Path(folder, 'theirs.db')}")

        def run(engine: AsyncEngine) -> int:
            return runner.run(_transaction(engine))

        turns = in_turns({"ours": lambda _: run(ours), "theirs": lambda _: run(theirs)}, ROUNDS)
        for engine in (ours, theirs):
            runner.run(engine.dispose())
        yield Row("a statement", "aiosqlite's cursors", turns.faster("ours", "theirs"), "× faster")


async def _transaction(engine: AsyncEngine) -> int:
    async with engine.begin() as connection:
        for _ in range(STATEMENTS):
            (await connection.execute(_SELECT)).all()
    return STATEMENTS
