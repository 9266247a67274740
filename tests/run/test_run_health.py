"""What a running bot tells machines and operators."""

import asyncio
import re

from support.homeserver import Homeserver, a_free_port
from support.person import WAIT_SECONDS, Person
from support.rig import PROJECT, a_series
from support.run_rig import Stage

SINCE = r"since \d{4}-\d\d-\d\d \d\d:\d\d UTC"


async def _until_page(stage: Stage, path: str, status: int) -> str:
    """Ask again and again until the page has this status; its text."""
    async with asyncio.timeout(WAIT_SECONDS):
        while (found := await stage.page(path))[0] != status:  # noqa: ASYNC110  # another process changes it
            await asyncio.sleep(0.02)  # between two looks
    return found[1]


async def test_a_bot_tells_whether_it_is_ready_and_since_when_it_is_not(
    homeserver: Homeserver, stage: Stage, ann: Person
) -> None:
    stage.listen = f"127.0.0.1:{a_free_port()}"
    room = await ann.create_room(stage.me)
    stage.rooms |= {room: ("path:migration/",), "!closed:hs.test": ("path:docs/",)}

    async with stage.running(rooms=1):
        await stage.until(lambda: stage.has("notice WHERE state = 'done'"))  # the welcome
        ready = await _until_page(stage, "/readyz", 200)
        healthy = await stage.patchbot("healthcheck")
        with homeserver.away():
            away = await _until_page(stage, "/readyz", 503)
            unhealthy = await stage.patchbot("healthcheck")
            alive = await stage.page("/livez")
        await _until_page(stage, "/readyz", 200)
        metrics = await stage.page("/metrics")
        shown = await stage.page("/")

    assert ready.splitlines()[0] == "ready"
    assert "!closed:hs.test: " in ready
    assert healthy == (0, ready)
    assert re.match(rf"The homeserver has not answered as it should {SINCE} \(", away)
    assert unhealthy[0] == 1
    assert alive == (200, "alive\n")
    assert 'patchbot_polls_total{result="ok",server="sample"}' in metrics[1]
    assert re.search(r'patchbot_matrix_requests_total\{code="200",endpoint="sync"\} [1-9]', metrics[1])
    assert shown[0] == 200
    assert f"<tr><td>{room}</td>" in shown[1]
    assert "!closed:hs.test: " in shown[1]


async def test_a_homeserver_that_is_away_at_the_start_is_told_with_the_time_since_when(
    homeserver: Homeserver, stage: Stage
) -> None:
    stage.listen = f"127.0.0.1:{a_free_port()}"
    with homeserver.away():
        bot = await stage.start()
        try:
            await stage.until(lambda: "homeserver.unavailable" in bot.said())
            away = await _until_page(stage, "/readyz", 503)
            homeserver.start()
            ready = await _until_page(stage, "/readyz", 200)
        finally:
            await bot.end()

    assert re.match(rf"The homeserver has not answered as it should {SINCE} \(cannot connect to ", away)
    assert ready == "ready\n"


async def test_nobody_answers_a_healthcheck_where_no_bot_runs(stage: Stage) -> None:
    stage.fresh = True
    stage.listen = f"127.0.0.1:{a_free_port()}"
    bot = await stage.start()
    await bot.kill()

    status, said = await stage.patchbot("healthcheck")

    assert status == 1
    assert said.startswith(f"no bot responds at http://{stage.listen}/readyz: ")


async def test_a_healthcheck_of_a_bot_that_serves_nothing_names_the_key(stage: Stage) -> None:
    bot = await stage.start()
    await bot.kill()

    assert await stage.patchbot("healthcheck") == (2, 'web.listen: is "", so the bot serves no pages to ask\n')


async def test_status_tells_everybody_how_the_bot_is(stage: Stage, ann: Person) -> None:
    room = await ann.create_room(stage.me)
    stage.rooms[room] = ("path:migration/",)

    async with stage.running():
        await ann.say(room, "!pw status")
        (answer,) = await stage.said(ann, room, "answer", 1)

    assert re.match(r"🟢 All well · patchbot [\d.]+, up .*\n• 🟢 sample — ", answer["body"])
    assert answer["msgtype"] == "m.notice"


async def test_what_was_dropped_by_an_operator_beside_the_bot_is_never_said(stage: Stage, ann: Person) -> None:
    room = await ann.create_room(stage.me)
    stage.rooms[room] = ("path:migration/",)

    async with stage.running():
        await stage.until(lambda: stage.has("notice WHERE state = 'done'"))  # the welcome
        await ann.set_levels(room, events_default=50)
        stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Drop it"))
        await stage.until(lambda: stage.has("notice WHERE state = 'suspended'"))
        listed = await stage.patchbot("outbox", "list")
        number = listed[1].splitlines()[1].split()[0]
        dropped = await stage.patchbot("outbox", "drop", number, "--yes")
        await ann.set_levels(room, events_default=0)
        stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Keep it"))
        await stage.cards(ann, room, 1)

    assert "suspended" in listed[1]
    assert dropped[0] == 0
    assert await stage.titles(ann, room) == ["migration: Keep it"]
