"""A bot that is asked to end does so in time, whatever is the matter with the others."""

import asyncio

import pytest

from support.fault_proxy import (
    Fault,
    cut,
    drip,
    dropped_after_commit,
    garbage,
    hang,
    html_502,
    limited_by_header,
    proxied,
)
from support.homeserver import Homeserver
from support.matrix_rig import Account
from support.person import Person
from support.postgres_server import PostgresServer
from support.rig import PROJECT, a_series
from support.run_rig import Process, Stage, a_stage

STOP_SECONDS = 25  # the bot takes 8 at most, a machine that is busy some more, a request that is waited for 30
WAITING = "notice WHERE lane = 1 AND state = 'tried'"


async def end(bot: Process) -> None:
    """Ask it to end, and see that it does, well and without a trace of a fault of its own."""
    async with asyncio.timeout(STOP_SECONDS):
        assert await bot.stop() == 0
    assert "Traceback" not in bot.said()


def post(stage: Stage) -> None:
    stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it"))


@pytest.mark.parametrize("fault", [hang, drip, html_502, limited_by_header])
async def test_a_bot_whose_patchwork_fails_ends_in_time(stage: Stage, fault: Fault) -> None:
    async with proxied(stage.patchwork_url) as proxy:
        stage.patchwork_url = proxy.url
        async with stage.running() as bot:
            proxy.break_down("/", fault)
            await stage.until(lambda: proxy.suffered > 0)

            await end(bot)


@pytest.mark.parametrize("fault", [html_502, garbage, cut, hang, dropped_after_commit, limited_by_header, drip])
async def test_a_bot_ends_in_time_whatever_is_the_matter(
    homeserver: Homeserver, account: Account, ann: Person, fault: Fault
) -> None:
    async with proxied(homeserver) as proxy:
        account.url = proxy.url
        async with a_stage(account) as stage:
            room = await ann.create_room(stage.me)
            stage.rooms[room] = ("path:migration/",)
            async with stage.running() as bot:
                await stage.until(lambda: stage.has("notice WHERE state = 'done'"))  # the welcome
                proxy.break_down("/send/", fault)
                post(stage)
                await stage.until(lambda: stage.has(WAITING))

                await end(bot)
            async with stage.running():
                proxy.heal()
                await stage.cards(ann, room, 1)

        assert await stage.titles(ann, room) == ["migration: Fix it"]


async def test_a_bot_whose_database_is_gone_ends_in_time(
    stage: Stage, ann: Person, postgres: PostgresServer, postgres_url: str
) -> None:
    stage.database = postgres_url
    room = await ann.create_room(stage.me)
    stage.rooms[room] = ("path:migration/",)
    async with stage.running() as bot:
        with postgres.away():
            post(stage)
            await stage.until(lambda: "server.unavailable" in bot.said() or "job='poll sample'" in bot.said())

            await end(bot)
    async with stage.running():
        await stage.cards(ann, room, 1)

    assert await stage.titles(ann, room) == ["migration: Fix it"]
