"""The renewal of tokens, ahead of time, stored before use, and whatever its answer suffers."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import pytest
from aiohttp import web

from bot.errors import ConfigError, StoreError, Temporary
from bot.matrix import http, requests
from bot.matrix.client import MatrixClient
from bot.matrix.oauth_tokens import SignInFile
from bot.matrix.session_memory import InMemorySession
from support import authorization_server as faults
from support.authorization_server import AuthorizationServer, Fault, Held
from support.fault_proxy import FaultProxy, proxied
from support.matrix_rig import Account, LeapClock, Listener, listening
from support.oauth_rig import SigningBot

LIFETIME = 300


class SkippingClock(LeapClock):
    """A clock whose wall time is ahead, too, by what was waited for: after it, tokens that are stored are old."""

    def now(self) -> datetime:
        """The time, with what was waited for."""
        return super().now() + timedelta(seconds=self.leapt)


@pytest.fixture
def clock() -> LeapClock:
    return SkippingClock()


@pytest.fixture
async def bot(oauth_account: Account, authorization: AuthorizationServer, clock: LeapClock) -> SigningBot:
    """A bot that signed in, and a server, for whom waiting takes no time."""
    bot = SigningBot(oauth_account, clock)
    oauth_account.clock = clock
    authorization.now = lambda: time.time() + clock.leapt
    authorization.consent = bot.name
    await bot.sign_in()
    authorization.requests.clear()
    return bot


@pytest.fixture
async def client(bot: SigningBot) -> AsyncIterator[MatrixClient]:
    async with bot.account.logged_in() as client:
        yield client


async def works(client: MatrixClient) -> bool:
    """Whether the homeserver accepts what the client sends."""
    return (await client.ask(requests.who_am_i()))["user_id"] == client.user


def renewals(authorization: AuthorizationServer) -> int:
    return authorization.requests.count("refresh")


async def test_a_token_is_renewed_before_it_expires(
    client: MatrixClient, authorization: AuthorizationServer, clock: LeapClock
) -> None:
    await clock.sleep(LIFETIME * 0.7)
    assert await works(client)
    assert renewals(authorization) == 0

    await clock.sleep(LIFETIME * 0.15)
    assert await works(client)
    assert await works(client)

    assert renewals(authorization) == 1
    (session,) = authorization.sessions(client.user[1:].partition(":")[0])
    assert [each.is_valid for each in authorization.access.values() if each.session is session] == [False, True]


async def test_new_tokens_are_stored_before_they_are_used(
    bot: SigningBot, client: MatrixClient, authorization: AuthorizationServer, clock: LeapClock
) -> None:
    await clock.sleep(LIFETIME)

    assert await works(client)

    current = bot.sign_ins.current
    assert current is not None
    assert client._device is not None
    assert current.access == client._device.token
    assert authorization.access[current.access].is_used


async def test_tokens_that_cannot_be_stored_are_not_used(
    bot: SigningBot,
    client: MatrixClient,
    authorization: AuthorizationServer,
    clock: LeapClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(_: SignInFile, __: object) -> None:
        raise StoreError("no space left on the device")

    await clock.sleep(LIFETIME)
    with monkeypatch.context() as patch:
        patch.setattr(SignInFile, "save", full)
        with pytest.raises(Temporary, match="the sign-in cannot be renewed: no space left on the device"):
            await works(client)
    assert not any(each.is_used for each in list(authorization.access.values())[1:])
    problem = client.sign_in_problem
    assert problem is not None
    assert "no space left" in problem[1]

    await clock.sleep(60)
    assert await works(client)

    assert client.sign_in_problem is None
    assert bot.sign_ins.current is not None


@pytest.mark.parametrize(
    "fault",
    [
        faults.lost_request,
        faults.lost_answer,
        faults.html_200,
        faults.html_403,
        faults.bad_gateway,
        faults.server_error,
        faults.limited,
        faults.garbage,
        faults.mistyped_refusal,
        faults.a_list,
        faults.endless,
        faults.redirect,
    ],
    ids=lambda fault: fault.__name__,
)
async def test_no_fault_of_a_renewal_ends_the_sign_in(
    client: MatrixClient, authorization: AuthorizationServer, clock: LeapClock, fault: Fault
) -> None:
    """Once while the old token is valid, and once after it has expired."""
    authorization.suffer("refresh", fault, fault)
    await clock.sleep(LIFETIME * 0.85)
    if fault is not faults.lost_answer:  # which revokes the old token
        assert await works(client)
        assert client.sign_in_problem
    await clock.sleep(LIFETIME)
    with pytest.raises(Temporary):
        await works(client)
    await clock.sleep(60)
    if fault is faults.lost_answer:
        with pytest.raises(Temporary):
            await works(client)
        await clock.sleep(60)

    assert await works(client)
    assert renewals(authorization) == 3


async def test_a_redirect_is_not_followed_and_tells_no_secret(
    client: MatrixClient, authorization: AuthorizationServer, clock: LeapClock
) -> None:
    authorization.suffer("refresh", faults.redirect)
    await clock.sleep(LIFETIME)

    with pytest.raises(Temporary, match=r"redirects to https://elsewhere\.invalid/\?grant_type") as error:
        await works(client)

    assert "mar_" not in str(error.value)


async def test_a_server_that_is_away_delays_nothing_while_the_token_is_valid(
    client: MatrixClient, authorization: AuthorizationServer, clock: LeapClock
) -> None:
    authorization.suffer("refresh", *[faults.lost_request] * 100)
    await clock.sleep(LIFETIME * 0.85)

    for _ in range(20):
        assert await works(client)

    assert renewals(authorization) == 1


async def test_a_server_that_asks_for_patience_gets_it(
    client: MatrixClient, authorization: AuthorizationServer, clock: LeapClock
) -> None:
    authorization.suffer("refresh", faults.limited)
    await clock.sleep(LIFETIME)

    for _ in range(3):
        with pytest.raises(Temporary, match="cannot be renewed: HTTP 429"):
            await works(client)
    assert renewals(authorization) == 1

    await clock.sleep(2)
    assert await works(client)


async def test_many_requests_share_one_renewal(
    client: MatrixClient, authorization: AuthorizationServer, clock: LeapClock
) -> None:
    await clock.sleep(LIFETIME)

    assert all(await asyncio.gather(*(works(client) for _ in range(20))))

    assert renewals(authorization) == 1


@dataclass
class Refusing:
    """A homeserver that does not know one token any more."""

    token: str
    is_soft: bool

    async def __call__(self, proxy: FaultProxy, request: web.Request) -> web.StreamResponse:
        """One request."""
        if request.headers["Authorization"] != f"Bearer {self.token}":
            return await proxy.passed_on(request)
        answer = {"errcode": "M_UNKNOWN_TOKEN", "error": "Token is not active", "soft_logout": self.is_soft}
        return web.json_response(answer, status=401)


@pytest.mark.parametrize("is_soft", [True, False])
async def test_a_token_that_the_homeserver_refuses_is_renewed_once(
    bot: SigningBot, authorization: AuthorizationServer, *, is_soft: bool
) -> None:
    async with proxied(authorization.homeserver) as proxy:
        bot.account.url = proxy.url
        async with bot.account.logged_in() as client:
            assert client._device is not None
            proxy.break_down("/whoami", Refusing(client._device.token, is_soft))

            assert all(await asyncio.gather(*(works(client) for _ in range(5))))

    assert renewals(authorization) == 1


async def test_a_homeserver_that_refuses_new_tokens_too_is_asked_again(
    client: MatrixClient, bot: SigningBot, authorization: AuthorizationServer
) -> None:
    device = bot.sign_ins.device
    authorization.homeserver.tell("delete_device", localpart=bot.name, device_id=device)

    with pytest.raises(Temporary, match=r"does not accept a new access token .*; if that lasts, sign in again with"):
        await works(client)

    authorization.homeserver.tell("upsert_device", localpart=bot.name, device_id=device)
    assert await works(client)


async def test_one_refusal_does_not_end_the_sign_in(
    client: MatrixClient, authorization: AuthorizationServer, clock: LeapClock
) -> None:
    authorization.suffer("refresh", faults.refused)
    await clock.sleep(LIFETIME)

    assert await works(client)


async def test_a_second_refusal_ends_the_sign_in_with_a_clear_word(
    bot: SigningBot, client: MatrixClient, authorization: AuthorizationServer, clock: LeapClock
) -> None:
    for session in authorization.sessions(bot.name):
        session.is_finished = True
    await clock.sleep(LIFETIME)

    with pytest.raises(ConfigError, match=r"has ended \(invalid_grant: .*\): sign in again with `patchbot login`; "):
        await works(client)

    assert renewals(authorization) == 2
    assert await bot.sign_in() == client._device_id


async def test_the_end_of_the_sign_in_is_told_before_the_token_expires(
    bot: SigningBot, client: MatrixClient, authorization: AuthorizationServer, clock: LeapClock
) -> None:
    for session in authorization.sessions(bot.name):
        session.is_finished = True
    await clock.sleep(LIFETIME * 0.85)

    with pytest.raises(ConfigError, match="sign in again"):
        await works(client)


async def test_a_renewal_that_arrives_late_does_not_end_the_sign_in(
    client: MatrixClient, authorization: AuthorizationServer, clock: LeapClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It replaces tokens that are stored by ones that nobody receives: the token before them still counts."""
    monkeypatch.setattr(http, "OAUTH_SECONDS", 0.3)
    late = Held(is_done=False)
    authorization.suffer("refresh", late)
    await clock.sleep(LIFETIME)
    with pytest.raises(Temporary, match=r"no answer from the authorization server within 0\.3 s"):
        await works(client)
    await clock.sleep(60)
    monkeypatch.undo()
    renewed = asyncio.Event()
    fresh = client._login.current

    async def held() -> object:  # between the new tokens and their first use
        device = await fresh()
        renewed.set()
        await late.release.wait()
        while not any(each.is_revoked for each in authorization.refresh.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # between two looks
        return device

    monkeypatch.setattr(client._login, "current", held)
    working = asyncio.create_task(works(client))
    await renewed.wait()
    late.release.set()

    assert await working

    assert len(authorization.sessions()) == 1


async def test_a_cancelled_request_does_not_lose_the_tokens(
    bot: SigningBot, authorization: AuthorizationServer, clock: LeapClock
) -> None:
    answered = Held(is_done=True)
    authorization.suffer("refresh", answered)
    async with bot.account.logged_in() as client:
        await clock.sleep(LIFETIME)
        working = asyncio.create_task(works(client))
        await answered.reached.wait()
        working.cancel()
        asyncio.get_running_loop().call_later(0.1, answered.release.set)  # while the client is being closed

    current = bot.sign_ins.current
    assert current is not None
    assert current.access == list(authorization.access)[-1]


async def test_a_renewal_that_never_ends_does_not_hold_up_the_end(
    bot: SigningBot, authorization: AuthorizationServer, clock: LeapClock
) -> None:
    answered = Held(is_done=True)
    authorization.suffer("refresh", answered)
    async with bot.account.logged_in() as client:
        await clock.sleep(LIFETIME)
        working = asyncio.create_task(works(client))
        await answered.reached.wait()
        working.cancel()
        began = time.monotonic()
    assert time.monotonic() - began < 4
    answered.release.set()

    await clock.sleep(60)
    async with bot.account.logged_in() as client:
        assert await works(client)


async def test_operators_beside_a_running_bot_take_no_tokens_from_it(
    bot: SigningBot, client: MatrixClient, authorization: AuthorizationServer, clock: LeapClock
) -> None:
    await clock.sleep(LIFETIME)

    async with bot.account.client() as operator:
        await operator.use_stored_device()
        assert await works(operator)
        assert renewals(authorization) == 1
        assert await works(client)
        assert renewals(authorization) == 1
        await clock.sleep(LIFETIME)
        assert await works(client)
        assert await works(operator)
    assert renewals(authorization) == 2


async def test_two_processes_that_renew_at_once_share_one_renewal(
    bot: SigningBot, client: MatrixClient, authorization: AuthorizationServer, clock: LeapClock
) -> None:
    await clock.sleep(LIFETIME)
    async with bot.account.client() as operator:
        await operator.use_stored_device()

        assert all(await asyncio.gather(works(operator), works(client)))

    assert renewals(authorization) == 1


async def test_a_server_elsewhere_is_given_no_tokens(
    bot: SigningBot, authorization: AuthorizationServer, clock: LeapClock
) -> None:
    await clock.sleep(LIFETIME)
    stored = bot.sign_ins
    assert stored.current is not None
    moved = stored.put("current", replace(stored.current, issuer="https://other.example.org/"))
    SignInFile(bot.account.folder, bot.account.user).save(moved)
    async with bot.account.client() as other:
        await other.use_stored_device()
        with pytest.raises(Temporary, match=r"signed in at https://other\.example\.org/; if that is meant"):
            await works(other)

    assert renewals(authorization) == 0


async def test_a_session_goes_on_over_renewals(
    bot: SigningBot, authorization: AuthorizationServer, clock: LeapClock
) -> None:
    async with listening(bot.account, InMemorySession(), clock=clock) as listener:
        for saves in range(listener.memory.saves, listener.memory.saves + 3):
            await clock.sleep(LIFETIME)
            await listener.until(partial(_has_saved, listener, saves))
            assert await works(listener.client)

    assert renewals(authorization) >= 3
    assert len(authorization.sessions(bot.name)) == 1


def _has_saved(listener: Listener, saves: int) -> bool:
    return listener.memory.saves > saves


async def test_status_names_a_renewal_that_fails(
    bot: SigningBot, authorization: AuthorizationServer, clock: LeapClock
) -> None:
    async with listening(bot.account, InMemorySession(), clock=clock) as listener:
        authorization.suffer("refresh", *[faults.lost_request] * 10)
        await clock.sleep(LIFETIME * 0.85)
        assert await works(listener.client)

        assert any(
            "sign-in at the homeserver has not been renewed since " in line for line in listener.session.remarks()
        )
