"""A wall in front of a Patchwork server: named with what to do, wherever it stands, and nothing is lost by it."""

import re
from pathlib import Path

import pytest

from bot.sample_patchwork.request import Response
from support.operator_view import ready, told
from support.rig import Rig

pytestmark = pytest.mark.slow

TO_DO = "set contact or user_agent, or ask the server's administrator to let the bot pass"
PAGE = b"<!DOCTYPE html><html><title>Making sure you're not a bot!</title><a href=/login>Log in</a></html>"


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def a_wall(rig: Rig, where: str, status: int) -> None:
    """Whatever is asked of the server at *where* is answered by a wall."""
    answer = Response(status, {"content-type": "text/html; charset=utf-8"}, PAGE)
    rig.patchwork.fault = lambda path: answer if re.search(where, path) else None


@pytest.mark.parametrize("status", [200, 403, 404, 503])
@pytest.mark.parametrize(
    "where", [r"/events/$", r"/series/\d+/$", r"/patches/\d+/$", r"/patches/\d+/$|mbox", r"/mbox/$", "/"]
)
async def test_a_wall_is_named_wherever_it_stands_and_nothing_is_lost(rig: Rig, where: str, status: int) -> None:
    async with rig.running() as bot:
        await rig.poll(bot, times=2)
        a_wall(rig, where, status)
        rig.post("migration/ram.c", patches=1 if where == r"/patches/\d+/$" else 2)
        await rig.poll(bot, times=4)

        assert TO_DO in await told(bot)
        assert any(TO_DO in sentence for sentences in await ready(bot) for sentence in sentences)
        assert len(rig.titles()) == (where == r"/mbox/$")

        rig.patchwork.fault = lambda _: None
        await rig.poll(bot, times=5)
        rig.post("migration/ram.c", patches=2, name="Another")
        await rig.poll(bot, times=2)
        assert len(rig.titles()) == 2
        assert TO_DO not in await told(bot)
        assert await ready(bot) == ((), ())


@pytest.mark.parametrize("status", [200, 403, 404, 503])
@pytest.mark.parametrize("where", ["/", r"/projects/", r"/api/1\.3/$"])
async def test_a_wall_at_the_first_start_says_nothing_of_version_and_projects(
    rig: Rig, where: str, status: int
) -> None:
    a_wall(rig, where, status)
    async with rig.running() as bot:
        await rig.poll(bot, times=3)

        assert TO_DO in await told(bot)
        assert any(TO_DO in sentence for sentence in (await ready(bot))[0])
        assert "has no project" not in await told(bot)
        assert {server.api for server in (await bot.overview.condition()).servers} <= {"", "1.3"}

        rig.patchwork.fault = lambda _: None
        await rig.poll(bot, times=4)
        rig.post("migration/ram.c")
        await rig.poll(bot, times=2)
        assert rig.titles() == ["A series"]
        assert await ready(bot) == ((), ())


async def test_what_a_wall_alone_says_is_not_there_is_waited_for(rig: Rig) -> None:
    async with rig.running() as bot:
        await rig.poll(bot, times=2)
        a_wall(rig, r"/series/\d+/$", 404)
        rig.post("migration/ram.c")
        await rig.poll(bot, times=30)
        assert rig.titles() == []
        assert TO_DO in await told(bot)

        rig.patchwork.fault = lambda _: None
        await rig.poll(bot, times=16)
        assert rig.titles() == ["A series"]
