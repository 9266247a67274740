"""How `patchbot run` begins and ends."""

import asyncio
import stat
import time

from aiohttp import web

from support.fault_proxy import FaultProxy, proxied
from support.homeserver import Homeserver
from support.matrix_rig import Account
from support.person import Person
from support.rig import PROJECT, a_series
from support.run_rig import Stage, a_stage

STOP_SECONDS = 25  # the bot takes 8 at most, a machine that is busy some more, a request that is waited for 30


async def test_a_second_bot_over_the_same_folder_refuses_in_one_line(stage: Stage) -> None:
    async with stage.running() as first:
        second = await stage.start()

        assert await second.ended() == 1
        assert first.process.returncode is None

    assert second.said() == f"another patchbot is already running: it has locked {stage.folder / 'patchbot.lock'}\n"


async def test_what_the_bot_writes_is_for_its_owner_only(stage: Stage) -> None:
    stage.fresh = True
    async with stage.running() as bot:
        assert await bot.stop() == 0

    written = {"patchbot.lock", "device.json", "keys.json", "bot.db"}
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in stage.folder.iterdir() if path.name in written}
    assert modes == dict.fromkeys(written, 0o600)


async def test_a_wrong_password_ends_it_with_the_key_named(stage: Stage) -> None:
    bot = await stage.start(password="wrong")  # noqa: S106  # it is

    assert await bot.ended() == 2

    assert bot.said().splitlines()[-1].startswith(f"matrix.password: the homeserver refuses to log {stage.me} in")
    assert "Traceback" not in bot.said()


async def test_a_missing_secret_ends_it_with_one_line(stage: Stage) -> None:
    bot = await stage.start(password=None)

    assert await bot.ended() == 2

    assert bot.said() == (
        "matrix.password: is required to log in, but not set, and nobody signed in instead: run `patchbot login`, or "
        "put the password into PATCHBOT_MATRIX__PASSWORD or, in a file named matrix__password, into the secrets "
        "directory\n"
    )


async def test_a_bot_that_the_homeserver_logs_out_ends_with_a_clear_word(stage: Stage, ann: Person) -> None:
    room = await ann.create_room(stage.me)
    stage.rooms[room] = ("path:migration/",)

    async with stage.running() as bot:
        await stage.log_out()
        await ann.say(room, "a request that waits is answered, and the next one is refused")

        assert await bot.ended() == 1

    assert "has ended the session of" in bot.said().splitlines()[-1]
    assert "Traceback" not in bot.said()


async def test_a_homeserver_that_is_away_is_waited_for_and_told(homeserver: Homeserver, stage: Stage) -> None:
    with homeserver.away():
        bot = await stage.start()
        try:
            await stage.until(lambda: "homeserver.unavailable" in bot.said())
            homeserver.start()
            await stage.until(lambda: stage.has("server"))

            assert await bot.stop() == 0
            assert f"cannot connect to 127.0.0.1:{homeserver.port}: " in bot.said()
            assert " next_try='20" in bot.said()
        finally:
            await bot.end()


async def test_a_bot_that_waits_for_its_homeserver_can_be_stopped(homeserver: Homeserver, stage: Stage) -> None:
    with homeserver.away():
        bot = await stage.start()
        try:
            await stage.until(lambda: "homeserver.unavailable" in bot.said())

            assert await bot.stop() == 0
        finally:
            await bot.end()


async def test_what_is_due_at_the_end_is_sent_and_acknowledged(
    homeserver: Homeserver, account: Account, ann: Person
) -> None:
    names = [f"migration: Fix number {number}" for number in range(1, 5)]
    opened = asyncio.Event()

    async def gate(proxy: FaultProxy, request: web.Request) -> web.StreamResponse:
        await opened.wait()
        return await proxy.passed_on(request)

    async with proxied(homeserver) as proxy:
        account.url = proxy.url
        async with a_stage(account) as stage:
            room = await ann.create_room(stage.me)
            stage.rooms[room] = ("path:migration/",)
            async with stage.running() as bot:
                proxy.break_down("/send/m.room.message/", gate)
                for name in names:
                    stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name=name))
                await stage.until(lambda: stage.has("notice WHERE lane = 1", len(names)) and proxy.suffered > 0)
                stopping = asyncio.ensure_future(bot.stop())
                await stage.until(lambda: "shutdown.draining" in bot.said())
                opened.set()

                assert await stopping == 0

            assert await stage.titles(ann, room) == names
            assert not stage.has("notice WHERE state != 'done'")


async def test_a_bot_whose_homeserver_hangs_ends_in_time(homeserver: Homeserver, account: Account, ann: Person) -> None:
    async def hang(proxy: FaultProxy, _: web.Request) -> web.StreamResponse:
        await proxy.until_closed()
        return web.Response()

    async with proxied(homeserver) as proxy:
        account.url = proxy.url
        async with a_stage(account) as stage:
            room = await ann.create_room(stage.me)
            stage.rooms[room] = ("path:migration/",)
            async with stage.running() as bot:
                await stage.until(lambda: stage.has("notice WHERE state = 'done'"))  # the welcome
                proxy.break_down("/", hang)
                stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it"))
                await stage.until(lambda: stage.has("notice WHERE lane = 1 AND state = 'tried'"))
                began = time.monotonic()

                assert await bot.stop() == 0
                assert time.monotonic() - began < STOP_SECONDS
