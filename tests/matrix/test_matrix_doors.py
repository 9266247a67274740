"""How the bot gets into rooms and out of them, over a real homeserver."""

import asyncio
from datetime import timedelta

import pytest

from bot.clock import VirtualClock
from bot.config import Settings
from bot.errors import Temporary
from bot.ids import RoomId, UserId
from bot.matrix.answer_reader import MatrixResponseTooLarge
from bot.matrix.client import MatrixClient
from bot.matrix.invite_rules import InviteRules
from bot.matrix.membership import Membership
from bot.matrix.rooms import Levels, Room
from bot.matrix.session_memory import InMemorySession
from bot.matrix.session_update import SessionUpdate, WelcomeDue
from bot.matrix.skipped_rooms import SkippedRooms
from support.matrix_rig import Account, Listener, listening
from support.person import Person


@pytest.fixture
def memory() -> InMemorySession:
    return InMemorySession()


async def test_an_invitation_is_accepted_and_answered_with_a_welcome(
    account: Account, memory: InMemorySession, ann: Person
) -> None:
    async with listening(account, memory) as bot:
        room = await ann.create_room(account.user)

        await bot.until(lambda: bool(memory.welcomes))
        assert account.user in await ann.members(room)

    assert memory.welcomes == [WelcomeDue(room, ann.user)]
    assert memory.membership.invitations == {}
    assert memory.membership.direct == set()


async def test_an_invitation_to_a_chat_of_two_makes_a_direct_room(
    account: Account, memory: InMemorySession, ann: Person
) -> None:
    async with listening(account, memory) as bot:
        room = await ann.create_room(account.user, direct=True)
        await bot.until(lambda: bool(memory.welcomes) and room in bot.session.rooms)

    assert memory.membership.direct == {room}
    async with listening(account, memory) as again:
        assert again.session.rooms[room].is_direct


async def test_an_invitation_of_somebody_else_is_declined(
    account: Account, memory: InMemorySession, ann: Person
) -> None:
    async with listening(account, memory, invite_from=["*:elsewhere.test"]) as bot:
        room = await ann.create_room(account.user)

        async def is_declined() -> bool:
            return await came_to(ann, room, account, "leave")

        assert await ann.until(is_declined)
        await bot.until(lambda: memory.membership.invitations == {})

    assert memory.welcomes == []


async def test_an_invitation_that_a_crash_left_over_is_accepted(
    account: Account, memory: InMemorySession, ann: Person
) -> None:
    async with account.logged_in() as client:
        room = await ann.create_room(account.user)
        answer = await client.sync(None, 0)
    memory.since = answer.next_batch
    memory.membership.invitations = {invitation.room: invitation for invitation in answer.invited}

    async with listening(account, memory) as bot:
        await bot.until(lambda: not memory.membership.invitations)

    assert account.user in await ann.members(room)


async def test_a_configured_room_is_joined_by_its_alias(account: Account, memory: InMemorySession, ann: Person) -> None:
    room = await ann.create_room(public=True, alias=ann.name)
    alias = f"#{ann.name}:hs.test"

    async with listening(account, memory, alias) as bot:
        await bot.until(lambda: bool(memory.membership.named))
        assert (bot.session.outages(), bot.session.remarks()) == ((), ())

    assert memory.membership.named == {alias: room}
    assert account.user in await ann.members(room)


@pytest.mark.parametrize("by_alias", [True, False])
async def test_a_configured_room_is_waited_for_until_somebody_invites(
    account: Account, memory: InMemorySession, ann: Person, by_alias: bool
) -> None:
    room = await ann.create_room(alias=ann.name)
    name = f"#{ann.name}:hs.test" if by_alias else room

    async with listening(account, memory, name, invite_from=[]) as bot:
        await needs_invitation(bot, ann, name)

        await ann.invite(room, account.user)
        await bot.until(lambda: bool(memory.membership.named))
        assert (bot.session.outages(), bot.session.remarks()) == ((), ())

    assert memory.membership.named == {name: room}


async def test_an_alias_that_leads_nowhere_is_told_and_looked_up_again_when_somebody_invites(
    account: Account, memory: InMemorySession, ann: Person
) -> None:
    alias = f"#later-{ann.name}:hs.test"

    async with listening(account, memory, alias) as bot:
        chat = await ann.create_room(account.user)
        await bot.until(
            lambda: any(said.startswith(f"{alias}: there is no such room yet") for said in bot.session.remarks())
        )
        room = await ann.create_room(account.user, alias=alias[1:].partition(":")[0])
        await bot.until(lambda: memory.membership.named == {alias: room})

    assert chat != room


async def test_a_room_that_threw_us_out_is_suspended_until_it_invites_again(
    account: Account, memory: InMemorySession, ann: Person
) -> None:
    async with listening(account, memory) as bot:
        room = await ann.create_room(account.user)
        await bot.until(lambda: bool(memory.welcomes))

        await ann.kick(room, account.user)
        await bot.until(lambda: memory.membership.suspended == {room})
        await ann.invite(room, account.user)
        await bot.until(lambda: memory.membership.suspended == set())

    assert account.user in await ann.members(room)


async def test_a_configured_public_room_that_threw_us_out_is_not_entered_unasked(
    account: Account, memory: InMemorySession, ann: Person
) -> None:
    room = await ann.create_room(public=True, alias=ann.name)
    alias = f"#{ann.name}:hs.test"
    async with listening(account, memory, alias) as bot:
        await bot.until(lambda: bool(memory.membership.named))
        await ann.kick(room, account.user)
        await needs_invitation(bot, ann, alias)

    async with listening(account, memory, alias) as bot:
        await needs_invitation(bot, ann, alias)

    assert account.user not in await ann.members(room)


async def test_power_that_comes_back_resumes_a_room(account: Account, memory: InMemorySession, ann: Person) -> None:
    async with listening(account, memory) as bot:
        room = await ann.create_room(account.user)
        await bot.until(lambda: room in bot.session.rooms)
        memory.membership.suspended.add(room)  # as the outbox does when sending is forbidden

        await ann.set_levels(room, events_default=10)

        await bot.until(lambda: memory.membership.suspended == set())


@pytest.mark.parametrize(("old", "new"), [("10", "12"), ("12", "12")])
async def test_a_replaced_room_is_followed(
    account: Account, memory: InMemorySession, ann: Person, old: str, new: str
) -> None:
    async with listening(account, memory) as bot:
        room = await ann.create_room(account.user, version=old, public=True)
        await bot.until(lambda: room in bot.session.rooms)

        replacement = await ann.upgrade(room, new)
        await bot.until(lambda: bool(memory.moves))

    assert memory.moves == [(room, replacement)]
    assert account.user in await ann.members(replacement)


async def test_a_replacement_that_needs_an_invitation_is_waited_for(
    account: Account, memory: InMemorySession, ann: Person
) -> None:
    async with listening(account, memory) as bot:
        room = await ann.create_room(account.user)
        await bot.until(lambda: room in bot.session.rooms)
        replacement = await ann.upgrade(room)
        await told(bot, ann, f"{room} was replaced by {replacement}: needs an invitation")

        await ann.invite(replacement, account.user)
        await bot.until(lambda: bool(memory.moves))

    assert memory.moves == [(room, replacement)]


async def test_a_replacement_that_does_not_know_the_room_is_not_followed(
    account: Account, memory: InMemorySession, ann: Person, bob: Person
) -> None:
    """Else a room's owner could send the bot, and what it says, into any public room."""
    elsewhere = await bob.create_room(public=True)
    async with listening(account, memory) as bot:
        room = await ann.create_room(account.user)
        await bot.until(lambda: room in bot.session.rooms)

        await ann.set_state(room, "m.room.tombstone", {"body": "come along", "replacement_room": elsewhere})
        await bob.until(lambda: came_and_went(bob, elsewhere, account))

    assert memory.moves == []


async def test_a_room_where_we_are_alone_is_left(account: Account, memory: InMemorySession, ann: Person) -> None:
    async with listening(account, memory) as bot:
        room = await ann.create_room(account.user)
        await bot.until(lambda: room in bot.session.rooms)

        await ann.leave(room)
        await bot.until(lambda: room not in bot.session.rooms)

        assert memory.membership.suspended == set()


async def test_a_room_that_everybody_left_is_left_after_a_restart(
    account: Account, memory: InMemorySession, ann: Person
) -> None:
    """A homeserver gives the number of members after it changed only, and not to a session that begins later."""
    async with listening(account, memory, client=Staying) as bot:
        room = await ann.create_room(account.user)
        await bot.until(lambda: room in bot.session.rooms)
        await ann.leave(room)
        await bot.until(lambda: room in memory.membership.alone)

    async with listening(account, memory) as bot:
        await bot.until(lambda: room not in bot.session.rooms and memory.membership.alone == set())
    async with account.logged_in() as client:
        assert (await client.sync(None, 0, full_state=True)).joined == ()


async def test_a_room_that_somebody_came_back_to_is_kept_after_a_restart(
    account: Account, memory: InMemorySession, ann: Person, bob: Person
) -> None:
    async with listening(account, memory, client=Staying) as bot:
        room = await ann.create_room(account.user, public=True)
        await bot.until(lambda: room in bot.session.rooms)
        await ann.leave(room)
        await bot.until(lambda: room in memory.membership.alone)
        await bob.join(room)
        await bot.until(lambda: memory.membership.alone == set())

    async with listening(account, memory) as bot:
        await bob.say(room, "Are you there?")
        await bot.until(lambda: "Are you there?" in memory.bodies())
        assert room in bot.session.rooms


async def came_to(person: Person, room: RoomId, account: Account, membership: str) -> bool:
    told = await person.state(room, "m.room.member", account.user)
    return bool(told["membership"] == membership)


async def came_and_went(person: Person, room: RoomId, account: Account) -> bool:
    memberships = [
        event["content"]["membership"]
        for event in await person.timeline(room)
        if event["type"] == "m.room.member" and event["state_key"] == account.user
    ]
    return memberships == ["join", "leave"]


async def told(bot: Listener, person: Person, beginning: str) -> None:
    async def is_told() -> bool:
        return any(sentence.startswith(beginning) for sentence in bot.session.remarks())

    await person.until(is_told)


async def needs_invitation(bot: Listener, person: Person, name: str) -> None:
    await told(bot, person, f"{name}: needs an invitation (")


class Staying(MatrixClient):
    """A client that cannot leave."""

    async def leave(self, room: RoomId) -> None:  # noqa: ARG002  # whichever it is
        """Wait for ever."""
        await asyncio.Event().wait()


class StuckOnce(MatrixClient):
    """A client whose first join fails."""

    def __init__(self, settings: Settings, clock: VirtualClock) -> None:
        super().__init__(settings, clock)
        self.failed = asyncio.Event()

    async def join(self, room: str, via: tuple[str, ...] = (), seconds: float | None = None) -> RoomId:  # noqa: ARG002
        """Come in, at the second time."""
        if self.failed.is_set():
            return RoomId(room)
        self.failed.set()
        raise Temporary("no answer")


async def test_a_wall_clock_that_is_set_back_by_a_year_keeps_the_bot_out_of_no_room(
    account: Account, memory: InMemorySession
) -> None:
    clock, room = VirtualClock(), RoomId("!room:hs.test")
    async with asyncio.timeout(120), StuckOnce(account.settings(), clock) as client, asyncio.TaskGroup() as group:
        doors = group.create_task(Membership(client, memory, clock, InviteRules(account.user, (), (room,))).run())
        await client.failed.wait()
        for _ in range(20):
            await asyncio.sleep(0)

        clock.set_back(timedelta(days=365))
        clock.advance(5)
        await memory.until(lambda: memory.membership.named == {room: room})
        doors.cancel()


async def test_a_wall_clock_that_is_set_back_by_a_year_makes_no_room_unread_for_longer_than_a_day(
    account: Account, memory: InMemorySession
) -> None:
    clock = VirtualClock()
    async with account.client() as client:
        skipped = SkippedRooms(client, memory, clock)
        await skipped.add(MatrixResponseTooLarge("too large", (("rooms", "join", "!room:hs.test"),)))
        before = skipped.rooms()
        await skipped.add(MatrixResponseTooLarge("too large", ((), ("to_device",))))

        clock.set_back(timedelta(days=365))

        assert (before, skipped.rooms()) == (("!room:hs.test",), ())


async def test_whoever_replaces_a_room_again_and_again_does_not_lead_the_bot_through_one_room_after_the_other(
    account: Account, memory: InMemorySession
) -> None:
    clock, ann, old = VirtualClock(), UserId("@ann:hs.test"), RoomId("!old:hs.test")
    entered: list[str] = []

    class Led(MatrixClient):
        async def join(self, room: str, via: tuple[str, ...] = (), seconds: float | None = None) -> RoomId:  # noqa: ARG002
            """Come in."""
            entered.append(room)
            return RoomId(room)

    async with asyncio.timeout(120), Led(account.settings(), clock) as client, asyncio.TaskGroup() as group:
        doors = Membership(client, memory, clock, InviteRules(account.user, ()))
        running = group.create_task(doors.run())
        for number in range(45):
            new = RoomId(f"!new{number}:hs.test")
            room = Room(old, "11", ann, levels=Levels(users={ann: 100}), replacement=new, replaced_by=ann)
            doors.apply(SessionUpdate(), {old: room})
            for _ in range(20):
                await asyncio.sleep(0)
            clock.advance(60)
        running.cancel()

    assert entered == ["!new0:hs.test", "!new15:hs.test", "!new30:hs.test"]
