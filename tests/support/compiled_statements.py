"""Statements that are compiled once for all engines of a test session.

Each engine keeps what it compiled for itself, and most tests open a store of their own, which would compile the same
statements again: a third of the time of tests that use a store.
"""

from typing import Any

import sqlalchemy as sa

_MOST = 5_000


class _CompiledStatements(dict[tuple[Any, ...], Any]):
    """What was compiled, by statement and kind of database; SQLAlchemy's keys start with the engine's own dialect."""

    def __repr__(self) -> str:
        """Short, for tracebacks that show variables."""
        return f"<{len(self)} statements>"

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        return super().get(_for_any_engine(key), default)

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        if len(self) >= _MOST:
            self.clear()
        super().__setitem__(_for_any_engine(key), compiled)


def _for_any_engine(key: tuple[Any, ...]) -> tuple[Any, ...]:
    dialect, *statement = key
    return (dialect.name, dialect.driver, *statement)


_compiled = _CompiledStatements()


def share() -> None:
    """Let all engines of this process use what one of them compiled."""
    if not sa.event.contains(sa.Engine, "engine_connect", _use_shared):
        sa.event.listen(sa.Engine, "engine_connect", _use_shared)


def _use_shared(connection: sa.Connection) -> None:
    connection.execution_options(compiled_cache=_compiled)
