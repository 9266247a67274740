"""What the rooms show after kills and outages: everything, once, in order."""

import pytest

from support.fault_proxy import FirstAnswersHeld, proxied
from support.homeserver import Homeserver
from support.matrix_rig import Account
from support.person import Person
from support.rig import PROJECT, a_series
from support.run_rig import Stage, a_stage

KILLS = 20
SEND = "/send/m.room.message/"


def post(stage: Stage, name: str) -> None:
    """A series for the room arrives."""
    stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name=name, patches=2))


@pytest.mark.timeout(900)
async def test_a_bot_killed_twenty_times_between_send_and_acknowledgement_posts_each_card_once(
    homeserver: Homeserver, account: Account, ann: Person
) -> None:
    names = [f"migration: Fix number {number}" for number in range(1, KILLS + 1)]
    fault = FirstAnswersHeld()
    async with proxied(homeserver) as proxy:
        account.url = proxy.url
        async with a_stage(account) as stage:
            stage.flood = 0  # for on a fast machine, they all come within a minute
            room = await ann.create_room(stage.me)
            stage.rooms[room] = ("path:migration/",)
            async with stage.running():
                await stage.until(lambda: stage.has("notice WHERE state = 'done'"))  # the welcome
            proxy.break_down(SEND, fault)
            for number, name in enumerate(names, start=1):
                post(stage, name)
                await _start_and_kill(stage, fault, number)

            async with stage.running():
                await stage.until(lambda: stage.has("notice WHERE state = 'done'", KILLS + 1))

            assert len(fault.held) == KILLS
            assert await stage.titles(ann, room) == names


async def _start_and_kill(stage: Stage, fault: FirstAnswersHeld, number: int) -> None:
    """Run the bot until the homeserver has the card and the bot does not know."""
    bot = await stage.start()
    try:
        await stage.until(lambda: len(fault.held) == number)
    finally:
        await bot.kill()


async def test_what_comes_while_the_homeserver_is_away_is_posted_once_and_in_order(
    homeserver: Homeserver, stage: Stage, ann: Person
) -> None:
    names = [f"migration: Fix number {number}" for number in range(1, 6)]
    room = await ann.create_room(stage.me)
    stage.rooms[room] = ("path:migration/",)

    async with stage.running() as bot:
        post(stage, names[0])
        await stage.cards(ann, room, 1)
        with homeserver.away():
            for name in names[1:]:
                post(stage, name)
            await stage.until(lambda: stage.has("notice WHERE state != 'done'", len(names) - 1))
            await stage.until(lambda: stage.has("notice WHERE state = 'tried'"))
            await stage.until(lambda: "homeserver.unavailable" in bot.said())
        await stage.cards(ann, room, len(names))
        await stage.until(lambda: not stage.has("notice WHERE state != 'done'"))

    assert await stage.titles(ann, room) == names
