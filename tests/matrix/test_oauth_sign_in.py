"""Signing in and out by OAuth 2.0, at a Synapse whose tokens an authorization server checks."""

import asyncio
import json
import re
import stat
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from aiohttp import web

from bot.errors import ConfigError, Permanent, Temporary
from bot.ids import TxnId
from bot.matrix import requests
from bot.matrix.crypto.account import stored_device_keys
from bot.matrix.identity import report, reset
from support import authorization_server as faults
from support.authorization_server import AuthorizationServer, Fault
from support.chat_contract import a_message
from support.fault_proxy import Fault as HomeserverFault
from support.fault_proxy import (
    FaultProxy,
    empty_object,
    garbage,
    html_403,
    html_502,
    limited,
    login_page,
    proxied,
)
from support.friend import Friend
from support.homeserver import Homeserver
from support.matrix_rig import Account, LeapClock
from support.oauth_rig import SigningBot


@pytest.fixture
def bot(oauth_account: Account) -> SigningBot:
    return SigningBot(oauth_account)


@pytest.fixture
def patient(bot: SigningBot, authorization: AuthorizationServer) -> SigningBot:
    """A bot, and a server, for whom waiting takes no time."""
    clock = LeapClock()
    bot.clock = bot.account.clock = clock
    authorization.now = lambda: time.time() + clock.leapt
    return bot


async def test_a_person_signs_the_bot_in_with_a_code(bot: SigningBot, authorization: AuthorizationServer) -> None:
    authorization.consent = bot.name

    device = await bot.sign_in()

    async with bot.account.logged_in() as client:
        assert client.device == device
        answer = await client.ask(requests.who_am_i())
    assert (answer["user_id"], answer["device_id"]) == (bot.account.user, device)
    assert [session.device for session in authorization.sessions(bot.name)] == [device]
    mode = (bot.account.folder / "oauth.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


async def test_the_person_reads_the_page_and_the_code(bot: SigningBot, authorization: AuthorizationServer) -> None:
    authorization.consent = bot.name

    await bot.sign_in()

    (grant,) = authorization.grants.values()
    assert bot.said == [
        f"Open this page, sign in as {bot.account.user}, and allow the bot to use the account:",
        f"\n    {authorization.url}/link?code={grant.user_code}\n",
        f"The page shows the code {grant.user_code}, which is valid for 20 minutes. Waiting…",
    ]


async def test_a_server_may_want_the_code_typed(bot: SigningBot, authorization: AuthorizationServer) -> None:
    authorization.consent, authorization.gives_complete_page = bot.name, False

    await bot.sign_in()

    assert f"\n    {authorization.url}/link\n" in bot.said
    assert any(line.startswith("The page asks for the code ") for line in bot.said)


async def test_the_code_is_asked_for_until_the_person_agrees(
    patient: SigningBot, authorization: AuthorizationServer
) -> None:
    polls = 0

    async def agreed_at_the_fifth(_: web.Request, answer: faults.Answer) -> web.StreamResponse:
        nonlocal polls
        polls += 1
        if polls == 5:
            (grant,) = authorization.grants.values()
            grant.user = patient.name
        return await answer()

    authorization.suffer("poll", *[agreed_at_the_fifth] * 5)

    await patient.sign_in()

    assert authorization.requests.count("poll") == 5


async def test_slow_down_is_obeyed(patient: SigningBot, authorization: AuthorizationServer) -> None:
    authorization.consent = patient.name
    times: list[float] = []

    async def slow_down(_: web.Request, __: faults.Answer) -> web.StreamResponse:
        times.append(authorization.now())
        return web.json_response({"error": "slow_down"}, status=400)

    async def seen(_: web.Request, answer: faults.Answer) -> web.StreamResponse:
        times.append(authorization.now())
        return await answer()

    authorization.suffer("poll", slow_down, slow_down, seen)

    await patient.sign_in()

    assert [round(later - earlier) for earlier, later in pairwise(times)] == [6, 11]


async def test_a_code_that_nobody_uses_ends_with_a_reason(
    patient: SigningBot, authorization: AuthorizationServer
) -> None:
    authorization.code_seconds = 60

    with pytest.raises(Permanent, match="the code has expired before somebody used it; run `patchbot login`"):
        await patient.sign_in()

    assert patient.sign_ins.pending is None


async def test_a_server_whose_code_expires_earlier_is_believed(
    patient: SigningBot, authorization: AuthorizationServer
) -> None:
    async def expire(_: web.Request, answer: faults.Answer) -> web.StreamResponse:
        (grant,) = authorization.grants.values()
        grant.expires_at = 0.0
        return await answer()

    authorization.suffer("poll", expire)

    with pytest.raises(Permanent, match="the code has expired"):
        await patient.sign_in()


async def test_a_person_who_declines_ends_it_with_a_reason(
    patient: SigningBot, authorization: AuthorizationServer
) -> None:
    async def decline(_: web.Request, answer: faults.Answer) -> web.StreamResponse:
        (grant,) = authorization.grants.values()
        grant.is_denied = True
        return await answer()

    authorization.suffer("poll", decline)

    with pytest.raises(Permanent, match="the sign-in was denied in the browser"):
        await patient.sign_in()

    assert authorization.sessions(patient.name) == []


PASSING: tuple[Fault, ...] = (
    faults.lost_request,
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
)


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: fault.__name__)
async def test_a_fault_while_the_person_is_asked_is_told_and_passes(
    patient: SigningBot, authorization: AuthorizationServer, fault: Fault
) -> None:
    authorization.consent = patient.name
    authorization.suffer("poll", fault)

    await patient.sign_in()

    assert any(line.startswith("The authorization server does not answer as it should (") for line in patient.said)
    assert len(authorization.sessions(patient.name)) == 1


@pytest.mark.parametrize("place", ["registration", "device"])
@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: fault.__name__)
async def test_a_fault_before_there_is_a_code_ends_it_with_a_reason(
    bot: SigningBot, authorization: AuthorizationServer, place: str, fault: Fault
) -> None:
    authorization.suffer(place, fault)

    with pytest.raises(Temporary):
        await bot.sign_in()

    assert not bot.sign_ins.is_signed_in


async def test_tokens_that_were_lost_on_their_way_need_another_code(
    patient: SigningBot, authorization: AuthorizationServer
) -> None:
    authorization.consent = patient.name
    authorization.suffer("poll", faults.lost_answer)

    device = await patient.sign_in()

    assert "That code is not valid any more; here is another one." in patient.said
    assert {session.device for session in authorization.sessions(patient.name)} == {device}


async def test_a_server_that_rejects_its_own_codes_is_not_asked_for_ever(
    patient: SigningBot, authorization: AuthorizationServer
) -> None:
    authorization.suffer("poll", *[faults.refused] * 3)

    with pytest.raises(Permanent, match="rejects its own codes"):
        await patient.sign_in()


async def test_a_server_that_knows_only_the_unstable_scope_is_asked_with_that(
    bot: SigningBot, authorization: AuthorizationServer
) -> None:
    authorization.consent, authorization.scopes = bot.name, ("urn:matrix:org.matrix.msc2967.client:",)

    device = await bot.sign_in()

    (session,) = authorization.sessions(bot.name)
    unstable = "urn:matrix:org.matrix.msc2967.client:"
    assert session.scope == f"{unstable}api:* {unstable}device:{device}"


async def test_another_account_is_refused_and_its_sign_in_ended(
    bot: SigningBot, authorization: AuthorizationServer
) -> None:
    other = SigningBot(Account(authorization.homeserver, bot.account.folder / "other", password=None))
    authorization.consent = other.name

    with pytest.raises(ConfigError, match=f"signed in as {other.account.user} instead of {bot.account.user}"):
        await bot.sign_in()

    assert authorization.sessions(other.name) == []
    assert not bot.sign_ins.is_signed_in


async def test_another_account_costs_nothing_of_the_sign_in_before(
    bot: SigningBot, authorization: AuthorizationServer
) -> None:
    authorization.consent = bot.name
    device = await bot.sign_in()
    other = SigningBot(Account(authorization.homeserver, bot.account.folder / "other", password=None))
    authorization.consent = other.name

    with pytest.raises(ConfigError):
        await bot.sign_in()

    async with bot.account.logged_in() as client:
        assert client.device == device


@pytest.mark.parametrize("fault", [empty_object, garbage, html_502, login_page, html_403, limited])
async def test_a_homeserver_that_does_not_say_whose_token_it_is_ends_nothing(
    bot: SigningBot, authorization: AuthorizationServer, fault: HomeserverFault
) -> None:
    authorization.consent = bot.name
    async with proxied(authorization.homeserver) as proxy:
        bot.account.url = proxy.url
        proxy.break_down("/whoami", fault)
        with pytest.raises(Temporary):
            await bot.sign_in()
        with pytest.raises(Temporary):
            async with bot.account.logged_in():
                pass
        proxy.heal()

        device = await bot.sign_in()

        assert "Going on with a sign-in that was interrupted." in bot.said
        assert [session.device for session in authorization.sessions(bot.name)] == [device]


async def test_a_change_waits_for_a_renewal_of_another_process(
    bot: SigningBot, authorization: AuthorizationServer
) -> None:
    authorization.consent = bot.name
    await bot.sign_in()
    async with bot.context() as around, bot.context() as other:
        async with other.file.exclusive(other.clock):
            changing = asyncio.create_task(around.change(lambda sign_ins: replace(sign_ins, is_device_lost=True)))
            await asyncio.sleep(0)
            before = other.file.load()
            assert before.current is not None
            other.file.save(before.put("current", replace(before.current, access="renewed")))
        await changing

    assert bot.sign_ins.is_device_lost
    assert bot.sign_ins.current == replace(before.current, access="renewed")


async def test_another_accounts_sign_in_that_cannot_be_ended_is_told(
    bot: SigningBot, authorization: AuthorizationServer
) -> None:
    other = SigningBot(Account(authorization.homeserver, bot.account.folder / "other", password=None))
    authorization.consent = other.name
    authorization.suffer("revocation", faults.bad_gateway)

    with pytest.raises(ConfigError, match="that sign-in goes on: end it on the account's page"):
        await bot.sign_in()

    assert not bot.sign_ins.is_signed_in


async def test_the_same_device_is_signed_in_again_and_encrypts_on(
    bot: SigningBot, authorization: AuthorizationServer, oauth_friend: Friend
) -> None:
    authorization.consent = bot.name
    device = await bot.sign_in()
    async with bot.account.logged_in() as client:
        room = await bot.account.room_of(oauth_friend.person, client, encrypted=True)
        await client.send(room, TxnId("t1"), a_message())
        owner = client.owner
    keys = stored_device_keys(bot.account.folder, owner.user, owner.device)
    for session in authorization.sessions(bot.name):
        authorization.finish(session)
    with pytest.raises(
        ConfigError, match=r"has ended .*: sign in again with `patchbot login`; the device and its keys"
    ):
        async with bot.account.logged_in():
            pass

    assert await bot.sign_in() == device

    async with bot.account.logged_in() as client:
        await client.send(room, TxnId("t2"), a_message("card/2"))
        trust = await report(client.ask, client.owner, bot.account.folder)
        assert client.device == f"{device}~2"  # whose transaction ids the homeserver forgot
    assert trust.is_good
    assert trust.device == device
    assert stored_device_keys(bot.account.folder, owner.user, owner.device) == keys
    assert await oauth_friend.reads(room, bot.account.user, 2) == ["body of card/1", "body of card/2"]


async def test_a_device_whose_keys_are_lost_is_replaced_by_a_sign_in(
    bot: SigningBot, authorization: AuthorizationServer, oauth_friend: Friend
) -> None:
    authorization.consent = bot.name
    device = await bot.sign_in()
    async with bot.account.logged_in() as client:
        room = await bot.account.room_of(oauth_friend.person, client, encrypted=True)
        await client.send(room, TxnId("t1"), a_message())
    for file in (bot.account.folder / "crypto").iterdir():
        file.unlink()
    for _ in range(2):
        with pytest.raises(ConfigError, match="lost: sign in again with `patchbot login`, which makes a new device"):
            async with bot.account.logged_in():
                pass

    new = await bot.sign_in()

    assert new != device
    assert [session.device for session in authorization.sessions(bot.name)] == [new]
    async with bot.account.logged_in() as client:
        await client.send(room, TxnId("t2"), a_message("card/2"))
        assert (await report(client.ask, client.owner, bot.account.folder)).is_good


async def test_a_new_identity_is_approved_on_the_homeservers_page(
    bot: SigningBot, authorization: AuthorizationServer, oauth_friend: Friend
) -> None:
    authorization.consent = bot.name
    await bot.sign_in()
    page = re.escape(f"{authorization.url}/account/?action=org.matrix.cross_signing_reset")

    async with bot.account.logged_in() as client:
        room = await bot.account.room_of(oauth_friend.person, client, encrypted=True)
        await client.send(room, TxnId("t1"), a_message())
        with pytest.raises(Permanent, match=f"on its own page: {page}; approve it there, and then run `patchbot keys"):
            await reset(client.ask, client.owner, bot.account.folder)
        assert (await report(client.ask, client.owner, bot.account.folder)).is_good
        authorization.homeserver.tell("allow_cross_signing_reset", localpart=bot.name)
        before = (await report(client.ask, client.owner, bot.account.folder)).identity
        await reset(client.ask, client.owner, bot.account.folder)
        after = await report(client.ask, client.owner, bot.account.folder)

    assert after.is_good
    assert after.identity != before


async def test_signing_out_ends_the_sign_in_and_keeps_the_keys(
    bot: SigningBot, authorization: AuthorizationServer
) -> None:
    authorization.consent = bot.name
    device = await bot.sign_in()
    async with bot.account.logged_in() as client:
        owner = client.owner

    assert await bot.sign_out() == 1

    assert authorization.sessions(bot.name) == []
    assert not re.search("ma[tr]_", (bot.account.folder / "oauth.json").read_text())
    assert stored_device_keys(bot.account.folder, owner.user, owner.device) is not None
    assert await bot.sign_in() == device


async def test_signing_out_ends_a_sign_in_whose_renewal_was_lost(
    bot: SigningBot, authorization: AuthorizationServer
) -> None:
    authorization.consent = bot.name
    await bot.sign_in()
    authorization.suffer("refresh", faults.lost_answer)
    with pytest.raises(Temporary):
        await bot.sign_out()

    await bot.sign_out()

    assert authorization.sessions(bot.name) == []


async def test_tokens_that_cannot_be_revoked_are_kept(bot: SigningBot, authorization: AuthorizationServer) -> None:
    authorization.consent = bot.name
    device = await bot.sign_in()
    authorization.suffer("revocation", faults.bad_gateway)

    with pytest.raises(Temporary):
        await bot.sign_out()

    async with bot.account.logged_in() as client:
        assert client.device == device


async def test_a_homeserver_without_oauth_wants_a_password(account: Account) -> None:
    bot = SigningBot(account)
    account.password = None

    with pytest.raises(Permanent, match=r"^this homeserver signs in with a password: set matrix\.password "):
        await bot.sign_in()


async def test_a_homeserver_that_is_down_is_not_taken_for_one_without_oauth(
    bot: SigningBot, oauth_homeserver: Homeserver, authorization: AuthorizationServer
) -> None:
    authorization.consent = bot.name
    async with proxied(oauth_homeserver) as proxy:
        bot.account.url = proxy.url
        proxy.break_down("auth_metadata", html_502)

        with pytest.raises(Temporary, match="the homeserver's answer on its authorization server is HTTP 502"):
            await bot.sign_in()

        proxy.heal()
        assert await bot.sign_in()


async def test_metadata_at_the_path_of_before_are_found(
    bot: SigningBot, oauth_homeserver: Homeserver, authorization: AuthorizationServer
) -> None:
    async def unrecognized(_: FaultProxy, __: web.Request) -> web.StreamResponse:
        return web.json_response({"errcode": "M_UNRECOGNIZED", "error": "Unrecognized request"}, status=404)

    authorization.consent = bot.name
    async with proxied(oauth_homeserver) as proxy:
        bot.account.url = proxy.url
        proxy.break_down("/v1/auth_metadata", unrecognized)

        await bot.sign_in()

    assert authorization.sessions(bot.name)[0].scope.startswith("urn:matrix:org.matrix.msc2967.client:api:*")


async def test_metadata_that_lead_over_the_open_network_are_refused(
    bot: SigningBot, oauth_homeserver: Homeserver, authorization: AuthorizationServer
) -> None:
    async def exposed(_: FaultProxy, __: web.Request) -> web.StreamResponse:
        return web.json_response({**authorization.metadata, "token_endpoint": "http://account.example.org/token"})

    async with proxied(oauth_homeserver) as proxy:
        bot.account.url = proxy.url
        proxy.break_down("auth_metadata", exposed)

        with pytest.raises(
            Permanent, match=r"no usable token_endpoint: http://account\.example\.org/token is not an https"
        ):
            await bot.sign_in()


async def test_an_access_token_that_ends_without_a_refresh_token_is_refused(
    bot: SigningBot, authorization: AuthorizationServer
) -> None:
    async def without_refresh_token(_: web.Request, answer: faults.Answer) -> web.StreamResponse:
        response = await answer()
        assert isinstance(response, web.Response)
        assert isinstance(response.body, bytes)
        content = json.loads(response.body)
        del content["refresh_token"]
        return web.json_response(content)

    authorization.consent = bot.name
    authorization.suffer("poll", without_refresh_token)

    with pytest.raises(Permanent, match="no refresh token"):
        await bot.sign_in()

    assert authorization.sessions(bot.name) == []
    assert not bot.sign_ins.is_signed_in


async def test_an_account_without_a_sign_in_is_told_of_login(oauth_account: Account) -> None:
    with pytest.raises(ConfigError, match="run `patchbot login`"):
        async with oauth_account.logged_in():
            pass


async def test_no_secret_of_the_sign_in_is_in_a_description(
    bot: SigningBot, authorization: AuthorizationServer
) -> None:
    authorization.consent = bot.name
    await bot.sign_in()

    async with bot.account.logged_in() as client:
        described = repr([bot.sign_ins, client._device, client.owner, client._login.device])

    assert not re.search("ma[tr]_", described)
