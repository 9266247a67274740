"""The one PostgreSQL server of a test session, and a database of it for each test that asks."""

from collections.abc import Iterator

import pytest

from postgres_server import PostgresServer


@pytest.fixture(scope="session")
def _postgres_of_the_session() -> Iterator[PostgresServer]:
    server = PostgresServer()
    server.start()
    yield server
    server.remove()


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
