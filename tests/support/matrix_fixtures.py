"""A homeserver, people, and a bot that runs between them and a Patchwork server."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from support.friend import Friend, befriended
from support.homeserver import Homeserver
from support.matrix_rig import Account
from support.person import Person
from support.run_rig import Stage, a_stage


@pytest.fixture(scope="session")
def _homeserver_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Homeserver]:
    server = Homeserver.install(tmp_path_factory.mktemp("synapse"))
    yield server
    server.close()


@pytest.fixture
def homeserver(_homeserver_of_the_session: Homeserver) -> Homeserver:
    """One for all tests, running, whatever the test before did to it; each test makes its own accounts."""
    _homeserver_of_the_session.start()
    return _homeserver_of_the_session


@pytest.fixture
async def ann(homeserver: Homeserver) -> AsyncIterator[Person]:
    async with Person(homeserver) as person:
        yield person


@pytest.fixture
async def bob(homeserver: Homeserver) -> AsyncIterator[Person]:
    async with Person(homeserver) as person:
        yield person


@pytest.fixture
async def eve(homeserver: Homeserver) -> AsyncIterator[Person]:
    async with Person(homeserver) as person:
        yield person


@pytest.fixture
async def friend(ann: Person, tmp_path: Path, homeserver: Homeserver) -> AsyncIterator[Friend]:
    """Ann, with a device that encrypts."""
    async with befriended(ann, tmp_path / "friend", homeserver.url) as friend:
        yield friend


@pytest.fixture
def account(homeserver: Homeserver, tmp_path: Path) -> Account:
    return Account(homeserver, tmp_path / "data")


@pytest.fixture
async def stage(account: Account) -> AsyncIterator[Stage]:
    async with a_stage(account) as stage:
        yield stage
