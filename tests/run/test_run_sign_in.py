"""`patchbot login`, `run` and `logout` without a password, as processes."""

import asyncio
import json
import os
import re
import signal
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiohttp import web

from bot.ids import RoomId
from support import authorization_server as faults
from support import preloaded
from support.authorization_server import AuthorizationServer, Held
from support.friend import Friend
from support.matrix_rig import Account
from support.oauth_rig import SigningBot
from support.person import Person
from support.rig import PROJECT, a_series
from support.run_rig import ROOT, Process, Stage, a_stage

SECRETS = re.compile(r"ma[tr]_[A-Za-z0-9_-]{10}")


@dataclass
class Desk:
    """An operator of a bot that has no password."""

    stage: Stage
    server: AuthorizationServer

    @property
    def name(self) -> str:
        """The bot's name, without the homeserver's."""
        return self.stage.me[1:].partition(":")[0]

    async def login(self) -> Process:
        """Start `patchbot login`."""
        log, config = self.stage.folder / "login.txt", self.stage._write_config()
        arguments = ("-m", "bot.cli", "login", "--config", str(config))
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        started = preloaded.started(*arguments, folder=self.stage.folder, environment=environment, output=log)
        return Process(await started, log)

    async def renewed(self, person: Person, room: RoomId, times: int = 1) -> None:
        """Talk in a room, so that the bot's syncs return, until it has renewed its tokens."""
        before = self.server.requests.count("refresh")
        async with asyncio.timeout(60):
            while self.server.requests.count("refresh") < before + times:
                await person.say(room, "hello")
                await asyncio.sleep(0.1)  # between two messages

    async def code(self, login: Process) -> str:
        """The code that it shows."""

        def shown() -> re.Match[str] | None:
            return re.search(r"the code (\w+)", login.said())

        await self.stage.until(lambda: shown() is not None)
        found = shown()
        assert found is not None
        return found[1]


@pytest.fixture
async def desk(oauth_account: Account, authorization: AuthorizationServer) -> AsyncIterator[Desk]:
    async with a_stage(oauth_account) as stage:
        yield Desk(stage, authorization)


@pytest.fixture
async def person(authorization: AuthorizationServer) -> AsyncIterator[Person]:
    async with Person(authorization.homeserver, authorization.sign_in) as person:
        yield person


async def test_a_bot_without_a_password_is_signed_in_in_a_browser_and_posts(desk: Desk, oauth_friend: Friend) -> None:
    """With tokens that live for some seconds, so that it renews them all the time."""
    desk.server.lifetime_seconds = 3
    login = await desk.login()
    code = await desk.code(login)
    next(grant for grant in desk.server.grants.values() if grant.user_code == code).user = desk.name

    assert await login.ended() == 0
    assert login.said().splitlines()[-1].startswith(f"Signed in as {desk.stage.me}, device ")

    person = oauth_friend.person
    room = await person.create_room(desk.stage.me, encrypted=True)
    desk.stage.rooms = {room: ("path:migration/",)}
    bot = await desk.stage.start(password=None)
    try:
        await desk.stage.until(lambda: desk.stage.has("server") and desk.stage.knows_rooms())
        await desk.renewed(person, room, 3)
        desk.stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it"))
        (body,) = await oauth_friend.reads(room, desk.stage.me)
        assert "migration: Fix it" in body
        assert await bot.stop() == 0
    finally:
        await bot.end()
    assert SECRETS.search(bot.said() + login.said()) is None
    assert stat.S_IMODE((desk.stage.folder / "oauth.json").stat().st_mode) == 0o600
    assert len(desk.server.sessions(desk.name)) == 1


async def test_an_interrupted_login_is_clean_and_goes_on_with_its_code(desk: Desk) -> None:
    login = await desk.login()
    code = await desk.code(login)
    login.process.send_signal(signal.SIGINT)

    assert await login.ended() == 130
    assert login.said().splitlines()[-1] == "Interrupted: `patchbot login` goes on where it was."
    assert "Traceback" not in login.said()

    again = await desk.login()
    assert await desk.code(again) == code
    (grant,) = desk.server.grants.values()
    grant.user = desk.name
    assert await again.ended() == 0


async def test_a_login_that_is_declined_ends_with_one_sentence(desk: Desk) -> None:
    login = await desk.login()
    await desk.code(login)
    (grant,) = desk.server.grants.values()
    grant.is_denied = True

    assert await login.ended() == 1
    assert login.said().splitlines()[-1] == ("the sign-in was denied in the browser; run `patchbot login` to try again")


async def test_a_login_beside_a_running_bot_is_refused(desk: Desk) -> None:
    _agree(desk)
    await SigningBot(desk.stage.account).sign_in()
    bot = await desk.stage.start(password=None)
    try:
        await desk.stage.until(lambda: desk.stage.has("server"))
        login = await desk.login()
        assert await login.ended() == 1
        assert login.said().startswith("another patchbot is already running: ")
        status, said = await desk.stage.patchbot("logout", "--yes")
        assert (status, said.startswith("another patchbot is already running: ")) == (1, True)
    finally:
        await bot.end()


def _agree(desk: Desk) -> None:
    desk.server.consent = desk.name


async def test_a_login_beside_a_password_is_refused(desk: Desk) -> None:
    status, said = await desk.stage.patchbot("login", password="secret")  # noqa: S106  # any

    assert (status, said) == (2, "matrix.password: is set, and the bot signs in with that; remove it first\n")
    assert desk.server.requests == []


async def test_logging_out_ends_the_sign_in(desk: Desk) -> None:
    _agree(desk)
    await SigningBot(desk.stage.account).sign_in()

    status, said = await desk.stage.patchbot("logout")
    assert (status, said) == (2, "the bot cannot run until somebody signs in again; confirm with --yes\n")
    assert len(desk.server.sessions(desk.name)) == 1

    status, said = await desk.stage.patchbot("logout", "--yes")
    assert status == 0
    assert "The keys of its device and its identity are kept" in said
    assert desk.server.sessions(desk.name) == []

    status, said = await desk.stage.patchbot("logout", "--yes")
    assert (status, said) == (1, f"{desk.stage.me} is not signed in with `patchbot login`.\n")


async def test_a_sign_in_that_ends_stops_the_bot_with_a_clear_word(desk: Desk, person: Person) -> None:
    room = await person.create_room(desk.stage.me)
    _agree(desk)
    desk.server.lifetime_seconds = 2
    await SigningBot(desk.stage.account).sign_in()
    bot = await desk.stage.start(password=None)
    try:
        await desk.stage.until(lambda: desk.stage.has("server"))
        for session in desk.server.sessions(desk.name):
            session.is_finished = True
        await desk.renewed(person, room)

        assert await bot.ended() == 2
    finally:
        await bot.end()
    last = bot.said().splitlines()[-1]
    assert last.startswith(f"matrix.user_id: the sign-in of {desk.stage.me} has ended (invalid_grant")
    assert last.endswith("): sign in again with `patchbot login`; the device and its keys are kept")
    assert SECRETS.search(bot.said()) is None


async def test_a_bot_that_stops_during_a_renewal_keeps_its_tokens(desk: Desk, person: Person) -> None:
    room = await person.create_room(desk.stage.me)
    _agree(desk)
    desk.server.lifetime_seconds = 3
    await SigningBot(desk.stage.account).sign_in()
    bot = await desk.stage.start(password=None)
    try:
        await desk.stage.until(lambda: desk.stage.has("server"))
        renewal = Held(is_done=True)
        desk.server.suffer("refresh", renewal)
        await desk.renewed(person, room)
        await asyncio.wait_for(renewal.reached.wait(), 60)
        bot.process.send_signal(signal.SIGTERM)
        asyncio.get_running_loop().call_later(0.5, renewal.release.set)
        async with asyncio.timeout(25):
            assert await bot.ended() == 0
    finally:
        await bot.end()

    stored = json.loads((desk.stage.folder / "oauth.json").read_bytes())["current"]
    assert not desk.server.access[stored["access"]].is_revoked


async def test_a_login_at_a_server_that_is_down_says_so(desk: Desk) -> None:
    desk.server.suffer("registration", faults.bad_gateway)

    status, said = await desk.stage.patchbot("login")

    again = "; run `patchbot login` again later, it goes on where it was\n"
    assert (status, said) == (1, f"HTTP 502 from the authorization server{again}")


async def test_what_a_hostile_server_says_moves_no_terminal(desk: Desk) -> None:
    async def hostile(_: web.Request, __: faults.Answer) -> web.StreamResponse:
        words = {"error": "x\x1b[2J", "error_description": "\x1b]0;owned\x07 \u202e evil"}
        return web.json_response(words, status=400)

    desk.server.suffer("registration", hostile)

    status, said = await desk.stage.patchbot("login")

    assert status == 1
    assert said.rstrip("\n").isprintable()


async def test_check_config_knows_the_sign_in(desk: Desk) -> None:
    _, without = await desk.stage.patchbot("check-config")
    _agree(desk)
    await SigningBot(desk.stage.account).sign_in()
    _, with_it = await desk.stage.patchbot("check-config")
    _, with_both = await desk.stage.patchbot("check-config", password="secret")  # noqa: S106  # any

    assert "or a sign-in: run `patchbot login`." in without
    assert "patchbot login" not in with_it
    assert "somebody signed in with `patchbot login`, but matrix.password is set, and the bot uses that." in with_both
