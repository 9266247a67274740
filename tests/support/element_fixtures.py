"""Users of Element."""

from collections.abc import AsyncIterator, Iterator

import pytest

from support.element import ElementHost, Elements
from support.homeserver import Homeserver


@pytest.fixture(scope="session")
def element_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ElementHost]:
    """One for all tests; each has its own clients."""
    host = ElementHost(tmp_path_factory.mktemp("element"))
    yield host
    host.close()


@pytest.fixture
async def elements(element_host: ElementHost, homeserver: Homeserver) -> AsyncIterator[Elements]:
    async with Elements(element_host, homeserver) as elements:
        yield elements
