"""Invitations that are not what they claim to be, over a real homeserver behind a proxy that rewrites its answers."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from aiohttp import web

from bot.clock import SystemClock
from bot.ids import RoomId, UserId
from bot.matrix import membership as doors
from bot.matrix.client import Deadlines
from bot.matrix.model import Invitation
from bot.matrix.session_memory import DatabaseSession, InMemorySession
from bot.matrix.session_update import RoomBecameDirect, RoomSuspended, SessionUpdate
from bot.query.parser import parse
from bot.store.store import Store
from support.fault_proxy import Fault, FaultProxy, proxied
from support.homeserver import Homeserver
from support.matrix_rig import Account, an_update, listening
from support.new_database import put_new_database
from support.person import Person

FORMER = RoomId("!former:hs.test")


class StoredAlso(InMemorySession):
    """A memory that keeps everything in a database, too."""

    def __init__(self, stored: DatabaseSession) -> None:
        super().__init__()
        self.stored = stored

    async def save(self, update: SessionUpdate) -> None:
        """Store it in both."""
        await self.stored.save(update)
        await super().save(update)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    put_new_database(tmp_path / "memory.db")
    store = await Store.open(f"sqlite:///{tmp_path / 'memory.db'}", SystemClock())
    yield store
    await store.close()


async def a_former_chat(store: Store, memory: DatabaseSession, person: UserId) -> None:
    """A direct chat of *person* with a subscription, which the bot is out of."""
    async with store.transaction() as tx:
        await tx.subscriptions.add(FORMER, person, parse("path:net/"), person)
    await memory.save(an_update(RoomBecameDirect(FORMER), RoomSuspended(FORMER)))


async def chats_of_subscriptions(store: Store) -> set[RoomId]:
    async with store.transaction() as tx:
        return {each.room for each, _ in (await tx.subscriptions.load_all()).subscriptions}


def claiming(inviter: UserId) -> Fault:
    """A homeserver that was sent invitations with a membership that is made up: of *inviter*, and to a direct chat."""

    async def fault(proxy: FaultProxy, request: web.Request) -> web.StreamResponse:
        answer = await proxy.told(request)
        for told in answer.get("rooms", {}).get("invite", {}).values():
            for event in told["invite_state"]["events"]:
                if event["type"] == "m.room.member" and event["content"]["membership"] == "invite":
                    event["sender"] = inviter
                    event["content"]["is_direct"] = True
        return web.json_response(answer)

    return fault


async def came_to(person: Person, room: RoomId, account: Account, membership: str) -> bool:
    told = await person.state(room, "m.room.member", account.user)
    return bool(told["membership"] == membership)


async def test_a_forged_invitation_moves_no_subscriptions_and_the_room_is_left_without_a_word(
    account: Account, ann: Person, eve: Person, homeserver: Homeserver, store: Store
) -> None:
    memory = StoredAlso(DatabaseSession(store, account.user))
    await a_former_chat(store, memory.stored, ann.user)
    async with proxied(homeserver) as proxy:
        account.url = proxy.url
        async with listening(account, memory, invite_from=[ann.user]) as bot:
            proxy.break_down("/sync", claiming(ann.user))
            room = await eve.create_room(account.user, direct=True)

            async def is_left() -> bool:
                return await came_to(eve, room, account, "leave")

            assert await eve.until(is_left)
            await bot.until(lambda: not memory.membership.invitations)

            assert [each.kind for each in bot.session.incidents] == ["invitation.refused"]
    assert (memory.notices, memory.membership.direct, memory.messages, memory.membership.suspended) == (
        {},
        set(),
        [],
        set(),
    )
    assert await chats_of_subscriptions(store) == {FORMER}
    assert await eve.messages(room, account.user) == []


async def test_the_same_forged_invitation_is_declined_the_second_time_without_coming_in(
    account: Account, ann: Person, eve: Person, homeserver: Homeserver
) -> None:
    memory = InMemorySession()
    async with proxied(homeserver) as proxy:
        account.url = proxy.url
        async with listening(account, memory, invite_from=[ann.user]) as bot:
            proxy.break_down("/sync", claiming(ann.user))
            room = await eve.create_room(account.user)

            async def memberships() -> list[str]:
                events = [each for each in await eve.timeline(room) if each.get("state_key") == account.user]
                return [each["content"]["membership"] for each in events]

            async def is_left() -> bool:
                return (await memberships())[-1] == "leave"

            await eve.until(is_left)
            await bot.until(lambda: not memory.membership.invitations)
            await eve.invite(room, account.user)
            await eve.until(is_left)

            assert await memberships() == ["invite", "join", "leave", "invite", "leave"]


@pytest.mark.parametrize("version", ["10", "11", "12"])
async def test_a_genuine_invitation_brings_the_subscriptions_of_the_former_chat(
    account: Account, ann: Person, store: Store, version: str
) -> None:
    memory = StoredAlso(DatabaseSession(store, account.user))
    await a_former_chat(store, memory.stored, ann.user)
    async with listening(account, memory, invite_from=[ann.user]) as bot:
        room = await ann.create_room(account.user, direct=True, version=version)

        async def has_come() -> bool:
            return await came_to(ann, room, account, "join")

        await ann.until(has_come)
        await ann.say(room, "help")
        await bot.until(lambda: bool(memory.messages))

    assert memory.membership.direct == {room}
    assert memory.welcomed == {room}
    assert memory.bodies() == ["help"]
    assert await chats_of_subscriptions(store) == {room}


async def test_an_invitation_is_looked_up_where_no_sync_tells_of_it(account: Account, ann: Person, eve: Person) -> None:
    """A crash may come between the join and the sync that shows it; then the membership is asked for."""
    memory = InMemorySession()
    async with account.logged_in() as client:
        rooms = {person: await person.create_room(account.user, direct=True) for person in (ann, eve)}
        for room in rooms.values():
            await client.join(room)
        memory.since = (await client.sync(None, 0)).next_batch
    memory.membership.invitations = {room: Invitation(room, ann.user, direct=True) for room in rooms.values()}

    async with listening(account, memory, invite_from=[ann.user]) as bot:
        await bot.until(lambda: not memory.membership.invitations)

    assert memory.welcomed == {rooms[ann]}
    assert memory.membership.direct == {rooms[ann]}
    assert await came_to(eve, rooms[eve], account, "leave")


async def test_an_invitation_whose_join_hangs_holds_up_no_other(
    account: Account, ann: Person, homeserver: Homeserver
) -> None:
    memory = InMemorySession()
    account.deadlines = Deadlines(join_seconds=600)
    async with proxied(homeserver) as proxy:
        account.url = proxy.url
        async with listening(account, memory) as bot:
            room = await ann.create_room()

            async def hanging(proxy: FaultProxy, request: web.Request) -> web.StreamResponse:
                if not unquote(request.path).endswith(room):
                    await proxy.until_closed()
                return await proxy.passed_on(request)

            proxy.break_down("/join/", hanging)
            stuck = [await ann.create_room(account.user) for _ in range(doors.AT_ONCE - 1)]
            await bot.until(lambda: set(stuck) == set(memory.membership.invitations))
            await ann.invite(room, account.user)

            await bot.until(lambda: room in memory.welcomed)
            assert set(stuck) == set(memory.membership.invitations)


async def test_whoever_may_set_a_tombstone_cannot_make_the_bot_join_a_room_nor_miss_the_true_replacement(
    account: Account, ann: Person, eve: Person
) -> None:
    memory = InMemorySession()
    async with listening(account, memory, invite_from=[ann.user]) as bot:
        room = await ann.create_room(account.user, eve.user)
        await eve.join(room)
        events = (await ann.state(room, "m.room.power_levels"))["events"]
        await ann.set_levels(room, events=events | {"m.room.tombstone": 0})
        await bot.until(lambda: room in bot.session.rooms)
        content = {"predecessor": {"room_id": room}}
        told = await eve.ask("POST", "/createRoom", {"preset": "public_chat", "creation_content": content})
        elsewhere = RoomId(told["room_id"])

        await eve.set_state(room, "m.room.tombstone", {"body": "come along", "replacement_room": elsewhere})
        await ann.say(room, "Where to?")
        await bot.until(lambda: bot.session.rooms[room].replacement == elsewhere)
        successor = await ann.upgrade(room)
        await ann.invite(successor, account.user)
        await bot.until(lambda: bool(memory.moves))

    assert memory.moves == [(room, successor)]
    assert account.user not in str(await eve.timeline(elsewhere))
