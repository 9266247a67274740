"""Signing in by OAuth 2.0, at a Synapse whose tokens an authorization server checks."""

import stat

import pytest

from bot.errors import ConfigError
from bot.matrix import requests
from support.authorization_server import AuthorizationServer
from support.matrix_rig import Account
from support.oauth_rig import SigningBot


@pytest.fixture
def bot(oauth_account: Account) -> SigningBot:
    return SigningBot(oauth_account)


async def test_a_person_signs_the_bot_in_with_a_code(bot: SigningBot, authorization: AuthorizationServer) -> None:
    authorization.consent = bot.name

    device = await bot.sign_in()

    async with bot.account.logged_in() as client:
        assert client.device == device
        answer = await client.ask(requests.who_am_i())
    assert (answer["user_id"], answer["device_id"]) == (bot.account.user, device)
    assert [session.device for session in authorization.sessions()] == [device]
    mode = (bot.account.folder / "oauth.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert any(f"{authorization.url}/link?code=" in line for line in bot.said)


async def test_tokens_are_renewed_while_the_bot_works(bot: SigningBot, authorization: AuthorizationServer) -> None:
    authorization.consent, authorization.lifetime_seconds = bot.name, 3
    await bot.sign_in()
    authorization.requests.clear()

    async with bot.account.logged_in() as client:
        while authorization.requests.count("refresh") < 3:
            answer = await client.sync(None, 500)
            assert answer.next_batch
        assert client._device is not None
        token = client._device.token

    assert bot.sign_ins.current is not None
    assert bot.sign_ins.current.access == token


async def test_an_account_without_sign_in_is_told_of_login(oauth_account: Account) -> None:
    with pytest.raises(ConfigError, match="run `patchbot login`"):
        async with oauth_account.logged_in():
            pass


async def test_another_account_is_refused_and_its_sign_in_ended(
    bot: SigningBot, authorization: AuthorizationServer
) -> None:
    other = SigningBot(Account(authorization.homeserver, bot.account.folder / "other", password=None))
    authorization.consent = other.name

    with pytest.raises(ConfigError, match=f"signed in as {other.account.user} instead of {bot.account.user}"):
        await bot.sign_in()

    assert authorization.sessions() == []
    assert not bot.sign_ins.is_signed_in
