"""Charts of a bot that runs as a process of its own, and is killed while it posts one."""

from contextlib import ExitStack
from typing import Any

import pytest

from bot.ids import RoomId
from support.fault_proxy import FirstAnswersHeld, proxied
from support.person import Person
from support.postgres_server import PostgresServer
from support.rig import PROJECT, a_series
from support.run_rig import Stage

UPLOAD, SEND = "/media/v3/upload", "/send/m.room.message/"


async def a_room(stage: Stage, ann: Person) -> RoomId:
    """A room with the bot, which knows a series."""
    room = await ann.create_room(stage.me)
    stage.rooms[room] = ("path:docs/",)
    async with stage.running():
        stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it"))
        await stage.until(lambda: stage.has("series"))
        await stage.until(lambda: stage.has("notice WHERE state = 'done'"))  # the welcome
    return room


async def charts(stage: Stage, ann: Person, room: RoomId) -> list[dict[str, Any]]:
    return await stage.said(ann, room, "chart", 1)


@pytest.mark.parametrize("place", [UPLOAD, SEND], ids=["upload", "send"])
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_a_bot_killed_while_it_posts_a_chart_posts_it_once(
    stage: Stage, ann: Person, request: pytest.FixtureRequest, place: str, database: str
) -> None:
    """The homeserver has the picture, or the message, and the bot is killed before it knows."""
    with ExitStack() as stack:
        if database == "postgresql":
            server: PostgresServer = request.getfixturevalue("postgres")
            stage.database = stack.enter_context(server.database())
        room = await a_room(stage, ann)
        held = FirstAnswersHeld()
        async with proxied(stage.account.homeserver) as proxy:
            stage.account.url = proxy.url
            bot = await stage.start()
            try:
                await stage.until(stage.knows_rooms)
                proxy.break_down(place, held)
                await ann.say(room, "!pw chart path:migration/ 30d")
                await stage.until(lambda: bool(held.held))
            finally:
                await bot.kill()
        stage.account.url = stage.account.homeserver.url

        async with stage.running():
            await charts(stage, ann, room)
            await ann.say(room, "!pw version")
            await stage.said(ann, room, "answer", 1)
            [content] = await charts(stage, ann, room)

    assert content["msgtype"] == "m.image"
    assert "Came: 1\n" in content["body"]
    assert content["info"]["mimetype"] == "image/png"
