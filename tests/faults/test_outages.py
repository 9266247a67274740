"""Whatever a test does to the servers of the session, the tests after it find them running."""

import pytest

from support.homeserver import Homeserver
from support.person import Person
from support.postgres_server import PostgresServer


def fail() -> None:
    """As a test does."""
    raise AssertionError("what was hoped for did not come")


async def test_a_test_that_fails_while_the_homeserver_is_away_takes_no_other_with_it(homeserver: Homeserver) -> None:
    with pytest.raises(AssertionError, match="hoped for"), homeserver.away():
        fail()

    async with Person(homeserver) as person:
        assert await person.create_room()


async def test_a_homeserver_may_come_back_before_the_end_of_its_absence(homeserver: Homeserver) -> None:
    with homeserver.away():
        homeserver.start()
        async with Person(homeserver) as person:
            assert await person.create_room()

    async with Person(homeserver) as person:
        assert await person.create_room()


def test_a_test_that_fails_while_the_database_is_away_takes_no_other_with_it(postgres: PostgresServer) -> None:
    with pytest.raises(AssertionError, match="hoped for"), postgres.away():
        fail()

    assert postgres.execute("SELECT 1") == [(1,)]


def test_a_test_that_fails_leaves_the_database_of_another_alone(postgres: PostgresServer) -> None:
    with pytest.raises(AssertionError, match="hoped for"), postgres.database() as url, postgres.away():
        fail()

    left = [name for (name,) in postgres.execute("SELECT datname FROM pg_database")]
    assert not [name for name in left if f"/{name}?" in url]
