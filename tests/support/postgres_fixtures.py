"""The one PostgreSQL server of a test session, and a database of it for each test that asks."""

from collections.abc import Iterator

import pytest

from support.new_database import migrate_postgres
from support.postgres_server import PostgresServer

_MIGRATED = "migrated"


@pytest.fixture(scope="session")
def _postgres_of_the_session() -> Iterator[PostgresServer]:
    server = PostgresServer()
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def _template(_postgres_of_the_session: PostgresServer) -> str:
    """A database of the newest version, to be copied."""
    server = _postgres_of_the_session
    server.start()
    server.execute(f"CREATE DATABASE {_MIGRATED}")
    migrate_postgres(server.url(_MIGRATED))
    return _MIGRATED


@pytest.fixture
def postgres(_postgres_of_the_session: PostgresServer) -> PostgresServer:
    """The server, running, whatever the test before did to it."""
    _postgres_of_the_session.start()
    return _postgres_of_the_session


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """The address of a new, empty database."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def migrated_postgres_url(postgres: PostgresServer, _template: str) -> Iterator[str]:
    """The address of a new database of the newest version: to migrate to it takes longer than most tests."""
    with postgres.database(_template) as url:
        yield url
