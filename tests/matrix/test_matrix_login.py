"""Logging in, over a real homeserver."""

import json
import stat

import pytest

from bot.errors import ConfigError, LoggedOut, Temporary
from bot.ids import TxnId
from bot.matrix.requests import MatrixRequest
from support.chat_contract import a_message
from support.fault_proxy import proxied, soft_logout
from support.homeserver import Homeserver
from support.matrix_rig import Account
from support.person import Person


async def test_a_device_is_kept_where_only_the_bot_can_read_it(account: Account) -> None:
    async with account.logged_in() as first:
        device = first.device
    async with account.logged_in() as second:
        assert second.device == device

    file = account.folder / "device.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_bytes()).keys() == {"user", "id", "token"}
    assert {path.name for path in account.folder.iterdir()} == {"device.json", "keys.json", "crypto"}


async def test_a_kept_device_needs_no_password(account: Account) -> None:
    async with account.logged_in() as first:
        device = first.device
    account.password = None

    async with account.logged_in() as second:
        assert second.device == device


async def test_a_device_file_that_cannot_be_read_makes_a_new_device(account: Account) -> None:
    account.folder.mkdir()
    (account.folder / "device.json").write_text('{"user": "@b')

    async with account.logged_in() as client:
        assert client.device


async def test_a_device_of_another_account_is_not_used(account: Account, homeserver: Homeserver) -> None:
    async with Account(homeserver, account.folder).logged_in() as other:
        device = other.device

    async with account.logged_in() as client:
        assert client.device != device


async def test_a_device_that_is_gone_is_replaced_at_the_next_start(account: Account) -> None:
    async with account.logged_in() as client:
        device = client.device
        await client.ask(MatrixRequest("POST", "/_matrix/client/v3/logout", {}))

    async with account.logged_in() as client:
        assert client.device != device


async def test_a_refused_password_names_its_key_and_not_itself(account: Account) -> None:
    account.password = "battery staple"  # noqa: S105  # the wrong one

    with pytest.raises(ConfigError, match=r"^matrix\.password: ") as refused:
        async with account.logged_in():
            pass

    assert "battery" not in str(refused.value)


async def test_a_missing_password_is_named(account: Account) -> None:
    account.password = None

    with pytest.raises(ConfigError, match=r"^matrix\.password: is required"):
        async with account.logged_in():
            pass


async def test_an_access_token_is_a_device(account: Account) -> None:
    async with account.logged_in() as client:
        device = client.device
    account.access_token = json.loads((account.folder / "device.json").read_bytes())["token"]
    account.password = None
    (account.folder / "device.json").unlink()

    async with account.logged_in() as client:
        assert client.device == device


async def test_an_access_token_of_another_account_is_refused(account: Account, homeserver: Homeserver) -> None:
    other = Account(homeserver, account.folder / "other")
    async with other.logged_in():
        account.access_token = json.loads((other.folder / "device.json").read_bytes())["token"]

    with pytest.raises(ConfigError, match=rf"^matrix\.access_token: belongs to {other.user}, not to {account.user}$"):
        async with account.logged_in():
            pass


async def test_an_unknown_access_token_is_refused_without_being_shown(account: Account) -> None:
    account.access_token = "syt_secret"  # noqa: S105  # of nobody

    with pytest.raises(ConfigError, match=r"^matrix\.access_token: ") as refused:
        async with account.logged_in():
            pass

    assert "syt_secret" not in str(refused.value)


async def test_a_homeserver_that_is_down_may_come_back(account: Account) -> None:
    account.url = "http://127.0.0.1:9"

    with pytest.raises(Temporary):
        async with account.logged_in():
            pass


async def test_a_certificate_file_that_is_not_there_is_named(account: Account) -> None:
    account.ca_file = str(account.folder / "none.pem")

    with pytest.raises(ConfigError, match=r"^network\.ca_file: cannot be used: No such file"):
        account.client()


async def test_a_soft_logout_keeps_the_device_and_its_transaction_ids(
    account: Account, homeserver: Homeserver, ann: Person
) -> None:
    async with proxied(homeserver) as proxy:
        account.url = proxy.url
        async with account.logged_in() as client:
            room = await account.room_of(ann, client)
            device, first = client.device, await client.send(room, TxnId("t1"), a_message())
            proxy.break_down("/sync", soft_logout)
            with pytest.raises(Temporary):
                await client.sync(None, 0)
            proxy.heal()

            again = await client.send(room, TxnId("t1"), a_message())

            assert (client.device, again) == (device, first)
    assert await ann.bodies(room, account.user) == ["body of card/1"]


async def test_a_soft_logout_without_a_password_ends_the_session(account: Account, homeserver: Homeserver) -> None:
    async with account.logged_in():
        pass
    account.password = None
    async with proxied(homeserver) as proxy:
        account.url = proxy.url
        async with account.logged_in() as client:
            proxy.break_down("/sync", soft_logout)

            with pytest.raises(LoggedOut, match="the next start logs in again"):
                await client.sync(None, 0)
