"""Makes a database refuse a row, as a fault of one row does."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

from support.postgres_server import rows

_SQLITE = "CREATE TRIGGER broken BEFORE {what} {when} BEGIN SELECT RAISE(ABORT, 'broken'); END"
_POSTGRES = """
    CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE 'broken' USING ERRCODE = '23514'; END $$;
    CREATE TRIGGER broken BEFORE {what} FOR EACH ROW {when} EXECUTE FUNCTION broken()
"""


def fail(url: str, what: str, when: str = "") -> Callable[[], None]:
    """Let *what* fail, such as "INSERT ON card", for the rows of a condition; what is returned mends it."""
    is_file = url.startswith("sqlite")
    execute(url, (_SQLITE if is_file else _POSTGRES).format(what=what, when=f"WHEN ({when})" if when else ""))
    return lambda: execute(url, "DROP TRIGGER broken" if is_file else "DROP FUNCTION broken CASCADE")


def execute(url: str, statement: str) -> None:
    """Run a statement past the bot."""
    if not url.startswith("sqlite"):
        rows(url, statement)
        return
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
        connection.execute(statement)


def change(url: str, table: str, values: str, where: str = "true") -> None:
    """Give rows other *values*, such as "kind = 'of a later version'"."""
    execute(url, f"UPDATE {table} SET {values} WHERE {where}")  # noqa: S608  # a test's own words
