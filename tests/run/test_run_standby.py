"""Two instances over one PostgreSQL database: one acts, the other one takes over, and nothing is lost or said twice."""

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator

import pytest

from bot import __version__
from bot.ids import RoomId
from bot.lease import LEASE_SECONDS
from support.friend import Friend
from support.person import WAIT_SECONDS, Person
from support.postgres_server import PostgresServer
from support.rig import PROJECT, a_series
from support.run_rig import Process, Stage
from support.standby_rig import LONGEST_SECONDS, Pair, Seat, a_pair
from support.titles import title_of

SOON_SECONDS = 5.0  # after an instance that gave up the lease
pytestmark = pytest.mark.timeout(400)


@pytest.fixture
async def pair(stage: Stage, postgres: PostgresServer, migrated_postgres_url: str) -> AsyncIterator[Pair]:
    async with a_pair(stage, postgres, migrated_postgres_url) as pair:
        yield pair


def post(stage: Stage, *names: str) -> None:
    """Let series arrive, with one patch each."""
    for name in names:
        stage.patchwork.post_series(PROJECT, a_series("migration/a.c", name=name, patches=1))


async def watched_room(stage: Stage, friend: Friend, *, encrypted: bool = False) -> RoomId:
    """A room with a subscription that shows each series."""
    room = await friend.person.create_room(stage.me, encrypted=encrypted)
    stage.rooms[room] = ("path:migration/",)
    return room


async def clear_titles(stage: Stage, person: Person, room: RoomId, count: int) -> list[str]:
    """The titles of the cards in a room, once there are *count*."""
    await stage.cards(person, room, count)
    return await stage.titles(person, room)


async def sealed_messages(friend: Friend, room: RoomId, stage: Stage, kind: str, count: int) -> list[str]:
    """The texts of a kind in an encrypted room, once there are *count*."""

    def found() -> list[str]:
        contents = friend.contents(room, stage.me)
        return [content["body"] for content in contents if content.get("org.patchbot", {}).get("kind") == kind]

    async with asyncio.timeout(WAIT_SECONDS):
        while len(found()) < count:
            await friend.look(500)
    return found()


def device_of(seat: Seat) -> str:
    """The device that an instance logged in with last."""
    return str(json.loads((seat.stage.folder / "device.json").read_bytes())["id"])


async def take_over(after: Seat) -> float:
    """The seconds until an instance has the lease."""
    return await after.until_logged("lease.taken", seconds=LONGEST_SECONDS)


async def test_a_killed_instance_is_followed_by_the_other_one(pair: Pair, stage: Stage, friend: Friend) -> None:
    clear, sealed = await watched_room(stage, friend), await watched_room(stage, friend, encrypted=True)
    first, second = pair.seats
    await pair.start_both()
    await second.until_logged("standby.prepared")
    post(stage, "before")
    await clear_titles(stage, friend.person, clear, 1)
    await friend.reads(sealed, stage.me)

    await first.running.kill()
    post(stage, "meanwhile")
    await friend.person.say(clear, "!pw version")
    await friend.say(sealed, "!pw version")
    seconds = await take_over(second)
    post(stage, "after")
    titles = await clear_titles(stage, friend.person, clear, 3)
    read = await sealed_messages(friend, sealed, stage, "card", 3)

    assert seconds < LEASE_SECONDS + 3
    assert [entry["device"] for entry in second.logged("device.ended")] == [device_of(first)]
    assert titles == ["before", "meanwhile", "after"]
    assert [title_of(body) for body in read] == titles
    assert len(await stage.said(friend.person, clear, "answer", 1)) == 1
    assert len(await sealed_messages(friend, sealed, stage, "answer", 1)) == 1


async def test_a_frozen_instance_says_nothing_when_it_goes_on(pair: Pair, stage: Stage, friend: Friend) -> None:
    clear = await watched_room(stage, friend)
    first, second = pair.seats
    await pair.start_both()
    post(stage, "before")
    await clear_titles(stage, friend.person, clear, 1)

    first.running.process.send_signal(signal.SIGSTOP)
    post(stage, "meanwhile")
    await take_over(second)
    await clear_titles(stage, friend.person, clear, 2)
    first.running.process.send_signal(signal.SIGCONT)

    assert await first.running.ended() == signal.SIGALRM
    post(stage, "after")
    assert len(await clear_titles(stage, friend.person, clear, 3)) == 3


async def test_an_instance_cut_off_from_the_database_stops_and_stands_by(
    pair: Pair, stage: Stage, friend: Friend
) -> None:
    clear = await watched_room(stage, friend)
    first, second = pair.seats
    await pair.start_both()

    first.to_database.cut()
    post(stage, "meanwhile")
    await first.until_logged("lease.unconfirmed", seconds=LONGEST_SECONDS)
    assert not second.logged("lease.taken")
    await take_over(second)
    await clear_titles(stage, friend.person, clear, 1)
    first.to_database.heal()
    await first.until_logged("standby.waiting")

    assert [entry["active"] for entry in first.logged("standby.waiting")]
    post(stage, "after")
    assert len(await clear_titles(stage, friend.person, clear, 2)) == 2


async def test_an_instance_that_ends_is_followed_at_once_and_follows_in_its_turn(
    pair: Pair, stage: Stage, friend: Friend
) -> None:
    sealed = await watched_room(stage, friend, encrypted=True)
    first, second = pair.seats
    await pair.start_both()
    await second.until_logged("standby.prepared")

    assert await first.running.stop() == 0
    assert await take_over(second) < SOON_SECONDS
    await friend.say(sealed, "!pw version")
    await sealed_messages(friend, sealed, stage, "answer", 1)
    await first.start()
    await first.until_logged("standby.prepared")
    await friend.say(sealed, "!pw version")
    await sealed_messages(friend, sealed, stage, "answer", 2)
    assert await second.running.stop() == 0
    assert await take_over(first) < SOON_SECONDS
    await friend.say(sealed, "!pw version")
    read = await sealed_messages(friend, sealed, stage, "answer", 3)

    assert read == [f"patchwork-matrix-bot {__version__}"] * 3
    assert not [seat for seat in pair.seats if seat.logged("device.ended")]


async def refusal(bot: Process) -> list[str]:
    """Why an instance refuses to stand by."""
    assert await bot.ended() == 2, bot.said()
    return [line for line in bot.said().splitlines() if not line.startswith("{")]


async def test_an_instance_with_other_keys_refuses_to_stand_by(pair: Pair, stage: Stage, ann: Person) -> None:
    room = await ann.create_room(stage.me)
    stage.rooms[room] = ("path:migration/",)
    first, second = pair.seats
    await pair.start_both()
    await second.running.kill()

    await second.stage.until(lambda: second.stage.has("lease WHERE keys::text LIKE '%identity%'"))
    (second.stage.folder / "keys.json").unlink()
    (second.stage.folder / "tokens.key").write_bytes(b"AAAA")
    missing = await refusal(await second.start())
    (second.stage.folder / "tokens.key").unlink()
    pair.share_keys(first, second)
    await second.start()
    await second.until_logged("standby.waiting")

    host = socket.gethostname()
    assert missing == [
        f"store.data_dir: keys.json is missing; copy it from the active instance, on {host}",
        f"store.data_dir: tokens.key holds another key of people's tokens; copy it from the active instance, on {host}",
    ]
    assert first.running.process.returncode is None


async def test_an_instance_that_cannot_log_in_refuses_to_stand_by(pair: Pair, stage: Stage, ann: Person) -> None:
    stage.rooms[await ann.create_room(stage.me)] = ("path:migration/",)
    _, second = pair.seats
    await pair.start_both()
    await second.running.kill()

    second.bot = await second.stage.start(password="wrong")  # noqa: S106  # it is

    [line] = await refusal(second.bot)
    assert line.startswith("matrix.password: the homeserver refuses to log")


async def test_an_instance_that_stands_by_is_well_and_says_so(pair: Pair, stage: Stage, ann: Person) -> None:
    room = await ann.create_room(stage.me)
    stage.rooms[room] = ("path:migration/",)
    for seat in pair.seats:
        seat.stage.admins = (ann.user,)
    first, second = pair.seats
    await pair.start_both()
    await first.until_logged("standby.found")

    live, ready, metrics = [await second.stage.page(path) for path in ("/livez", "/readyz", "/metrics")]
    checked = await second.stage.patchbot("healthcheck")
    active = await first.stage.page("/readyz")
    await ann.say(room, "!pw status")
    [status] = await stage.said(ann, room, "answer", 1)

    assert live == (200, "alive\n")
    assert ready[0] == 200
    assert ready[1].startswith("standing by\nThe instance on ")
    assert "patchbot_standby 1.0" in metrics[1]
    assert checked[0] == 0
    assert active[1].startswith("ready\nActive is the instance on ")
    assert " stands by." in status["body"]

    second.to_database.cut()
    await second.until_logged("standby.blind", seconds=LONGEST_SECONDS)
    assert (await second.stage.page("/readyz"))[0] == 503
    assert (await second.stage.patchbot("healthcheck"))[0] == 1
