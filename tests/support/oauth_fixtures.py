"""A homeserver at which people and bots sign in by OAuth 2.0, and the authorization server beside it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from support.authorization_server import AuthorizationServer, served
from support.friend import Friend, befriended
from support.homeserver import Homeserver, a_free_port
from support.matrix_rig import Account
from support.person import Person


@pytest.fixture(scope="session")
def _oauth_homeserver_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Homeserver]:
    address = f"http://127.0.0.1:{a_free_port()}"
    server = Homeserver.install(tmp_path_factory.mktemp("oauth-synapse"), authorization_server=address)
    yield server
    server.close()


@pytest.fixture
def oauth_homeserver(_oauth_homeserver_of_the_session: Homeserver) -> Homeserver:
    """One for all tests, running; each test makes its own accounts."""
    _oauth_homeserver_of_the_session.start()
    return _oauth_homeserver_of_the_session


@pytest.fixture
async def authorization(oauth_homeserver: Homeserver) -> AsyncIterator[AuthorizationServer]:
    """The authorization server of that homeserver."""
    async with served(AuthorizationServer(oauth_homeserver, oauth_homeserver.authorization_server)) as server:
        yield server


@pytest.fixture
async def oauth_friend(authorization: AuthorizationServer, tmp_path: Path) -> AsyncIterator[Friend]:
    """Somebody there, with a device that encrypts."""
    homeserver = authorization.homeserver
    async with Person(homeserver, authorization.sign_in) as person:
        token = authorization.sign_in(person.name, "FRIEND")
        async with befriended(person, tmp_path / "friend", homeserver.url, token=token) as friend:
            yield friend


@pytest.fixture
def oauth_account(oauth_homeserver: Homeserver, tmp_path: Path) -> Account:
    """A bot's account there, without a password."""
    account = Account(oauth_homeserver, tmp_path / "data", password=None)
    account.folder.mkdir()
    return account
