"""One homeserver for all tests here; each test makes its own accounts."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from homeserver import Homeserver
from matrix_rig import Account
from person import Person


@pytest.fixture(scope="session")
def homeserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Homeserver]:
    server = Homeserver.install(tmp_path_factory.mktemp("synapse"))
    server.start()
    yield server
    server.close()


@pytest.fixture
async def ann(homeserver: Homeserver) -> AsyncIterator[Person]:
    async with Person(homeserver) as person:
        yield person


@pytest.fixture
async def bob(homeserver: Homeserver) -> AsyncIterator[Person]:
    async with Person(homeserver) as person:
        yield person


@pytest.fixture
def account(homeserver: Homeserver, tmp_path: Path) -> Account:
    return Account(homeserver, tmp_path / "data")
