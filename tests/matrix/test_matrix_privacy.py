"""Who is in a room, and the redaction of what was said there, at a homeserver."""

from bot.ids import EventId, RoomId
from bot.matrix.room_rights import MatrixRoomRights
from bot.matrix.session_memory import InMemorySession
from support.matrix_rig import Account, listening
from support.person import Person


async def test_the_others_in_a_room_are_those_who_joined_and_those_who_are_invited(
    account: Account, ann: Person, bob: Person
) -> None:
    async with listening(account, InMemorySession()) as bot:
        room = await ann.create_room(account.user)
        await bot.until(lambda: room in bot.session.rooms)
        room_rights = MatrixRoomRights([])
        room_rights.open(bot.client, bot.session)

        alone = await room_rights.companions(room)
        await ann.invite(room, bob.user)
        invited = await room_rights.companions(room)
        await bob.join(room)
        joined = await room_rights.companions(room)
        await bob.leave(room)

        assert alone == {ann.user}
        assert invited == joined == {ann.user, bob.user}
        assert await room_rights.companions(room) == {ann.user}


async def test_a_message_is_redacted_where_the_bot_may_and_once(account: Account, ann: Person) -> None:
    async with listening(account, InMemorySession()) as bot:
        room = await ann.create_room(account.user, version="11")
        await bot.until(lambda: room in bot.session.rooms)
        room_rights = MatrixRoomRights([])
        room_rights.open(bot.client, bot.session)
        first, second = EventId(await ann.say(room, "first")), EventId(await ann.say(room, "second"))

        assert not await room_rights.redact(room, first)
        users = (await ann.state(room, "m.room.power_levels"))["users"]
        await ann.set_levels(room, users=users | {account.user: 50})

        assert await room_rights.redact(room, second)
        assert await room_rights.redact(room, second)
        assert await bodies(ann, room, first, second) == ["first", None]


async def bodies(person: Person, room: RoomId, *events: EventId) -> list[object]:
    """What is left of messages."""
    found = [await person.ask("GET", f"/rooms/{room}/event/{event}") for event in events]
    return [event["content"].get("body") for event in found]
