"""Turns at a real homeserver that limits the bot, as all do."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.clock import SystemClock
from bot.delivery.pacing import Pace
from bot.delivery.sender import Sender
from bot.ids import RoomId
from bot.matrix.client import MatrixClient
from bot.notices.notice import Lane, NoticeState
from bot.store.store import Store
from support.homeserver import Homeserver
from support.matrix_rig import Account
from support.person import WAIT_SECONDS, Person
from support.store_rig import a_notice

PER_SECOND = 5.0  # 25 times Synapse's default
ROOMS, CARDS, ANSWERS = 10, 30, 60


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Homeserver]:
    """A homeserver with limits."""
    (tmp_path / "synapse").mkdir()
    server = Homeserver.install(tmp_path / "synapse", PER_SECOND)
    server.start()
    yield server
    server.close()


async def deliver_all_cards(store: Store, client: MatrixClient) -> None:
    """Send until no card waits."""
    clock = SystemClock()
    sender = Sender(store, client, clock, Pace.full(PER_SECOND, 8, clock.monotonic()))
    async with asyncio.timeout(WAIT_SECONDS):
        delivery = asyncio.create_task(sender.run())
        while await waiting_cards(store):
            await clock.sleep(0.1)  # between two looks
        sender.stop()
        delivery.cancel()
        await asyncio.gather(delivery, return_exceptions=True)


async def waiting_cards(store: Store) -> int:
    async with store.transaction() as tx:
        return sum(notice.key.startswith("card/") for notice in await tx.outbox.unsent())


async def test_a_flood_of_answers_at_a_homeserver_with_limits_lets_the_cards_of_ten_rooms_through(
    limited: Homeserver, tmp_path: Path
) -> None:
    store = await Store.open(f"sqlite:///{tmp_path / 'bot.db'}", SystemClock())
    async with Person(limited) as ann, Account(limited, tmp_path / "data").logged_in() as client:
        rooms = [await room_of(ann, client) for _ in range(ROOMS)]
        loud = await room_of(ann, client)
        asked = [a_notice(f"answer/{number}", loud, Lane.ANSWER, asked_by=ann.user) for number in range(ANSWERS)]
        async with store.transaction() as tx:
            await tx.outbox.add(asked)
            await tx.outbox.add([a_notice(f"card/{number}", rooms[number % ROOMS]) for number in range(CARDS)])

        await deliver_all_cards(store, client)

        shown = [await ann.bodies(room, client.user) for room in rooms]
        answered = await ann.bodies(loud, client.user)
        async with store.transaction() as tx:
            counts = await tx.outbox.count()
    await store.close()
    assert shown == [[f"body of card/{number}" for number in range(place, CARDS, ROOMS)] for place in range(ROOMS)]
    assert 1 <= len(answered) <= CARDS / 2  # a third of the cards at most, but for those under way
    assert NoticeState.DEAD not in counts


async def room_of(person: Person, client: MatrixClient) -> RoomId:
    room = await person.create_room(client.user)
    await client.join(room)
    return room
