"""Syncs that somebody else has made huge, deep or odd, at a real homeserver: everybody else is still heard."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from bot.clock import VirtualClock
from bot.errors import Temporary
from bot.ids import EventId, RoomId, UserId
from bot.incidents import Incidents
from bot.matrix import answer_reader
from bot.matrix.client import MatrixClient
from bot.matrix.model import Content, Event, JoinedRoom, SyncAnswer, TimelineGap
from bot.matrix.requests import MatrixRequest
from bot.matrix.room_state import with_states
from bot.matrix.session import Session
from bot.matrix.session_memory import InMemorySession
from bot.matrix.session_update import MessageReceived, SessionUpdate
from bot.matrix.sync_outcome import SyncContext, SyncOutcome, outcome
from bot.matrix.timeline_gaps import TimelineGaps
from support.fault_proxy import FaultProxy, Rewritten, html_502, proxied
from support.homeserver import Homeserver
from support.matrix_rig import Account, LeapClock, an_event, listening
from support.person import Person

FAT_ROOMS = 3
FAT_EVENTS = 630
FAT_BYTES = 60_000
INVITATIONS = tuple(f"!evil{number}:evil" for number in range(4))
STATE_BYTES = 11 * 1024 * 1024


@pytest.fixture
async def proxy(homeserver: Homeserver) -> AsyncIterator[FaultProxy]:
    async with proxied(homeserver) as proxy:
        yield proxy


@pytest.fixture
def memory() -> InMemorySession:
    return InMemorySession()


def reasons(session: Session) -> dict[tuple[str, str], str]:
    return {(each.kind, each.name): each.reason for each in session.incidents}


async def fat_room(person: Person, bot: str) -> RoomId:
    """A room with 12 MB of state, to which the bot is invited; as much as Synapse makes at once."""
    state = [
        {"type": "m.room.name", "state_key": str(number), "content": {"name": "x" * FAT_BYTES}}
        for number in range(FAT_EVENTS // FAT_ROOMS)
    ]
    answer = await person.ask("POST", "/createRoom", {"invite": [bot], "initial_state": state})
    return RoomId(answer["room_id"])


async def test_rooms_with_much_state_do_not_deafen_the_bot_not_even_after_a_restart(
    account: Account, memory: InMemorySession, ann: Person
) -> None:
    """All of their state comes in one sync."""
    async with account.logged_in() as client:
        other = await account.room_of(ann, client)
        fat = [await fat_room(ann, client.user) for _ in range(FAT_ROOMS)]
        for room in fat:
            await client.join(room)

    for start in range(2):
        async with listening(account, memory) as bot:
            await ann.say(other, f"command {start}")
            await ann.say(fat[0], f"here, too {start}")
            await bot.until(lambda: len(memory.messages) == 2 * (start + 1))  # noqa: B023  # awaited at once

            assert bot.session.rooms.keys() == {other, *fat}
            assert bot.session.outages() == ()


async def test_invitations_with_much_state_do_not_deafen_the_bot_and_are_declined(
    account: Account, memory: InMemorySession, ann: Person, proxy: FaultProxy
) -> None:
    account.url = proxy.url
    async with listening(account, memory, invite_from=["@*:hs.test"]) as bot:
        room, declined = await account.room_of(ann, bot.client), set[str]()
        rewritten = Rewritten(invite(bot.client.user))

        async def invited(proxy: FaultProxy, request: web.Request) -> web.StreamResponse:
            """Synapse knows nothing of the invitations that it seems to tell of."""
            if request.path.endswith("/leave"):
                declined.add(request.path.split("/")[-2])
                return web.json_response({})
            return await rewritten(proxy, request) if request.path.endswith("/sync") else await proxy.passed_on(request)

        proxy.break_down("/", invited)
        await ann.say(room, "one")
        await ann.say(room, "two")

        await bot.until(lambda: memory.bodies() == ["one", "two"] and not memory.membership.invitations)

        assert declined == set(INVITATIONS)
        assert bot.session.rooms.keys() == {room}


def invite(user: str) -> Callable[[dict[str, Any]], None]:
    """Four invitations from another server, with 11 MB of stripped state each."""
    topic = {"type": "m.room.topic", "state_key": "", "sender": "@eve:evil", "content": {"topic": "x" * FAT_BYTES}}
    content = {"membership": "invite"}
    ours = {"type": "m.room.member", "state_key": user, "sender": "@eve:evil", "content": content}
    events = [*[topic] * (STATE_BYTES // FAT_BYTES), ours]

    def change(answer: dict[str, Any]) -> None:
        rooms = answer.setdefault("rooms", {}).setdefault("invite", {})
        rooms |= {room: {"invite_state": {"events": events}} for room in INVITATIONS}

    return change


@pytest.mark.parametrize("levels", [1_000, 100_000])
async def test_deeply_nested_values_do_not_deafen_the_bot(
    account: Account, memory: InMemorySession, ann: Person, proxy: FaultProxy, levels: int
) -> None:
    account.url = proxy.url
    async with listening(account, memory) as bot:
        room = await account.room_of(ann, bot.client)
        await bot.until(lambda: room in bot.session.rooms)
        proxy.break_down("/sync", Rewritten(deepen(room, levels), times=3))
        await ann.say(room, "a command")
        await ann.say(room, "another")

        await bot.until(lambda: memory.bodies() == ["a command", "another"])

        assert bot.session.outages() == ()


def deepen(room: RoomId, levels: int) -> Callable[[dict[str, Any]], None]:
    """Put an event that is nested so deep before the others, wherever there are some."""
    content = {"algorithm": f"DEEP {levels}", "body": {"deep": f"DEEP {levels}"}}
    event: dict[str, Any] = {"event_id": "$deep", "origin_server_ts": 1}
    event |= {"type": "m.room.encrypted", "sender": "@eve:evil", "content": content, "unsigned": f"DEEP {levels}"}

    def change(answer: dict[str, Any]) -> None:
        rooms = answer.setdefault("rooms", {})
        rooms.setdefault("invite", {})[INVITATIONS[0]] = {"invite_state": {"events": [event]}}
        joined = rooms.setdefault("join", {}).setdefault(room, {}).setdefault("timeline", {})
        for place in (answer.setdefault("to_device", {}), answer.setdefault("account_data", {}), joined):
            place.setdefault("events", []).insert(0, event)

    return change


async def test_a_room_that_no_sync_can_be_read_with_is_synced_without_and_remembered(
    account: Account, memory: InMemorySession, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(account, memory) as bot:
        endless, other = [await account.room_of(ann, bot.client) for _ in range(2)]
        await bot.until(lambda: {endless, other} <= bot.session.rooms.keys())
    monkeypatch.setattr(answer_reader, "MAX_STREAMED_BYTES", 2_000_000)
    async with asyncio.TaskGroup() as group:
        for number in range(45):
            group.create_task(ann.send(endless, {"msgtype": "m.notice", "body": f"{number}" + "x" * FAT_BYTES}))

    async with listening(account, memory, clock=LeapClock()) as bot:
        await ann.say(other, "a command")
        await bot.until(lambda: memory.bodies() == ["a command"])
        assert reasons(bot.session)["sync.room_skipped", endless].startswith("the answer is larger than")
    assert list(memory.skipped) == [endless]

    async with listening(account, memory) as bot:
        await ann.say(other, "another")
        await bot.until(lambda: memory.bodies() == ["a command", "another"])
        assert ("sync.room_skipped", endless) in reasons(bot.session)


async def test_a_room_whose_gap_cannot_be_filled_does_not_hold_up_the_others_for_long(
    account: Account, memory: InMemorySession, ann: Person, proxy: FaultProxy
) -> None:
    account.url = proxy.url
    async with listening(account, memory) as bot:
        broken, other = [await account.room_of(ann, bot.client) for _ in range(2)]
        await bot.until(lambda: {broken, other} <= bot.session.rooms.keys())
    for number in range(55):
        await ann.say(broken, f"{number}")
    proxy.break_down("/messages", html_502)

    clock = LeapClock()
    async with listening(account, memory, clock=clock) as bot:
        await ann.say(other, "a command")
        await bot.until(lambda: "a command" in memory.bodies())

        assert ("sync.gap_skipped", broken) in reasons(bot.session)
        assert clock.leapt < 180  # seconds


class SlowClient(MatrixClient):
    """A client whose homeserver takes its time to tell what was missed."""

    async def redactions(self, gap: TimelineGap) -> tuple[Event, ...]:
        """What was taken back, after most of a minute."""
        assert isinstance(self._clock, VirtualClock)
        self._clock.advance(50)
        return (an_event("m.room.redaction", id=EventId(f"$of{gap.room}")),)


async def test_gaps_in_many_rooms_that_are_filled_slowly_do_not_hold_up_the_others_for_long(account: Account) -> None:
    """A member may talk in as many rooms as they like, faster than one answer holds."""
    clock, rooms = VirtualClock(), [RoomId(f"!{number}:hs") for number in range(30)]
    answer = SyncAnswer("s2", joined=tuple(JoinedRoom(room, (), (), True, "t1", None, None) for room in rooms))
    async with SlowClient(account.settings(), clock) as client:
        filled = await TimelineGaps(client, clock, client.user).filled(answer, "s1")
        skipped = [each.name for each in client.incidents]

    assert clock.monotonic() < 180  # seconds
    assert [len(each.timeline) for each in filled.joined] == [1] * 3 + [0] * 27
    assert skipped == rooms[3:]


async def test_a_homeserver_that_does_not_give_the_state_of_large_rooms_is_asked_twice() -> None:
    rooms = [RoomId(f"!{number}:hs") for number in range(30)]
    joined = (JoinedRoom(room, (), (), False, None, None, None, is_partial=True) for room in rooms)
    asked: list[str] = []

    async def ask(request: MatrixRequest) -> Content:
        asked.append(request.path)
        raise Temporary("no answer within 30 s")

    incidents = Incidents(VirtualClock())
    answer = await with_states(SyncAnswer("s2", joined=tuple(joined)), UserId("@bot:hs"), ask, incidents)

    assert len(asked) == 2
    assert [each.room for each in answer.joined] == rooms
    assert {each.name for each in incidents} == set(rooms)


@pytest.mark.parametrize("where", ["outcome", "store"])
async def test_an_event_whose_handling_fails_costs_itself_only(
    account: Account, memory: InMemorySession, ann: Person, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(account, memory) as bot:
        faulty, other = [await account.room_of(ann, bot.client) for _ in range(2)]
        await bot.until(lambda: {faulty, other} <= bot.session.rooms.keys())
    for room, body in ((faulty, "before"), (faulty, "poison"), (faulty, "behind"), (other, "a command")):
        await ann.say(room, body)

    def broken_outcome(known: SyncContext, answer: SyncAnswer) -> SyncOutcome:
        result = outcome(known, answer)
        refuse(result.update)
        return result

    def refuse(update: SessionUpdate) -> None:
        if any(message.body == "poison" for message in update.of(MessageReceived)):
            raise ZeroDivisionError("a fault of the program")

    if where == "outcome":
        monkeypatch.setattr("bot.matrix.sync_isolation.outcome", broken_outcome)
    else:
        memory.before_save = refuse

    async with listening(account, memory) as bot:
        await ann.say(other, "another")
        await bot.until(lambda: "another" in memory.bodies())

        assert sorted(memory.bodies()) == ["a command", "another", "before", "behind"]
        ((kind, name), reason), *_ = reasons(bot.session).items()
        assert (kind, name.partition(" ")[0]) == ("sync.event_failed", faulty)
        assert reason == "ZeroDivisionError: a fault of the program"
        assert {faulty, other} <= bot.session.rooms.keys()
