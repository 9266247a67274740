"""What the bot hears, over a real homeserver."""

import asyncio
import contextlib

import pytest

from bot.errors import LoggedOut, StoreError
from bot.ids import NoticeKey, TxnId
from bot.matrix.requests import MatrixRequest
from bot.matrix.session_memory import InMemorySession
from bot.matrix.session_update import MessageReceived, SessionUpdate
from support.chat_contract import a_message, a_reaction
from support.matrix_rig import Account, LateClient, WrongClock, listening
from support.person import Person


@pytest.fixture
def memory() -> InMemorySession:
    return InMemorySession()


async def test_what_people_say_is_heard_in_order(account: Account, memory: InMemorySession, ann: Person) -> None:
    async with listening(account, memory) as bot:
        room = await account.room_of(ann, bot.client)

        events = [await ann.say(room, body) for body in ("one", "two", "three")]

        await bot.until(lambda: len(memory.messages) == 3)
    assert memory.bodies() == ["one", "two", "three"]
    assert [heard.event for heard in memory.messages] == events
    assert {heard.sender for heard in memory.messages} == {ann.user}


async def test_what_was_said_before_the_first_start_is_no_command(
    account: Account, memory: InMemorySession, ann: Person
) -> None:
    async with account.logged_in() as client:
        room = await account.room_of(ann, client)
    await ann.say(room, "old")

    async with listening(account, memory) as bot:
        await ann.say(room, "new")
        await bot.until(lambda: bool(memory.messages))

    assert memory.bodies() == ["new"]


async def test_what_was_said_before_we_came_is_no_command(
    account: Account, memory: InMemorySession, ann: Person
) -> None:
    async with listening(account, memory, invite_from=[]) as bot:
        room = await ann.create_room(public=True)
        for number in range(60):
            await ann.say(room, f"before {number}")

        await bot.client.join(room)
        await ann.say(room, "after")
        await bot.until(lambda: bool(memory.messages))

    assert memory.bodies() == ["after"]


async def test_notices_edits_reactions_and_our_own_words_are_not_heard(
    account: Account, memory: InMemorySession, ann: Person
) -> None:
    async with listening(account, memory) as bot:
        room = await account.room_of(ann, bot.client)
        event = await ann.say(room, "a command")
        await ann.edit(room, event, "another command")
        await ann.send(room, {"msgtype": "m.notice", "body": "a bot"})
        await ann.send(
            room, {"m.relates_to": {"rel_type": "m.annotation", "event_id": event, "key": "x"}}, "m.reaction"
        )
        await bot.client.send(room, TxnId("r1"), a_reaction(event))

        await ann.say(room, "the end")
        await bot.until(lambda: "the end" in memory.bodies())

    assert memory.bodies() == ["a command", "the end"]


async def test_a_reply_is_heard_without_what_it_quotes(account: Account, memory: InMemorySession, ann: Person) -> None:
    async with listening(account, memory) as bot:
        room = await account.room_of(ann, bot.client)
        card = await ann.say(room, "a card")
        relation = {"m.in_reply_to": {"event_id": card}}
        await ann.say(room, "> <@bot:hs> a card\n> of two lines\n\n!pw why", **{"m.relates_to": relation})
        thread = {"rel_type": "m.thread", "event_id": card, "is_falling_back": True, **relation}
        await ann.say(room, "!pw show", **{"m.relates_to": thread})

        await bot.until(lambda: len(memory.messages) == 3)

    _, reply, threaded = memory.messages
    assert (reply.body, reply.replies_to, reply.thread) == ("!pw why", card, None)
    assert (threaded.body, threaded.replies_to, threaded.thread) == ("!pw show", None, card)


async def test_what_was_said_while_we_were_away_is_heard_once_and_in_order(
    account: Account, memory: InMemorySession, ann: Person
) -> None:
    """More than one answer holds: the gap is filled."""
    async with listening(account, memory) as bot:
        room = await account.room_of(ann, bot.client)
        await ann.say(room, "before")
        await bot.until(lambda: memory.bodies() == ["before"])
    said = [f"missed {number}" for number in range(125)]
    for body in said:
        await ann.say(room, body)

    async with listening(account, memory) as bot:
        await bot.until(lambda: len(memory.messages) > 125)

    assert memory.bodies() == ["before", *said]


async def test_what_could_not_be_kept_is_asked_for_again(
    account: Account, memory: InMemorySession, ann: Person
) -> None:
    def full_disk(update: SessionUpdate) -> None:
        if update.of(MessageReceived):
            raise StoreError("the disk is full")

    memory.before_save = full_disk
    async with listening(account, memory) as bot:
        room = await account.room_of(ann, bot.client)
        await ann.say(room, "do it")
        with pytest.raises(StoreError):
            await bot.task
    memory.before_save = lambda _: None

    async with listening(account, memory):
        pass

    assert memory.bodies() == ["do it"]


async def test_a_token_that_the_homeserver_does_not_know_is_replaced(
    account: Account, memory: InMemorySession, ann: Person
) -> None:
    memory.since = "of another homeserver"

    async with listening(account, memory) as bot:
        room = await account.room_of(ann, bot.client)
        await ann.say(room, "hello")
        await bot.until(lambda: bool(memory.messages))

    assert memory.bodies() == ["hello"]


async def test_a_device_that_somebody_logged_out_stops_with_a_clear_word(
    account: Account, memory: InMemorySession
) -> None:
    async with listening(account, memory) as bot:
        await log_out(account, bot.client.device)

        with pytest.raises(LoggedOut, match="M_UNKNOWN_TOKEN"):
            await bot.task


async def test_a_restarted_homeserver_is_listened_to_again(
    account: Account, memory: InMemorySession, ann: Person
) -> None:
    async with listening(account, memory) as bot:
        room = await account.room_of(ann, bot.client)
        with account.homeserver.away():
            while not bot.session.outages():  # noqa: ASYNC110  # nothing is kept that could be waited for
                await asyncio.sleep(0.01)  # between two looks

        await ann.say(room, "still there?")
        await bot.until(lambda: bool(memory.messages))
        assert (bot.session.outages(), bot.session.remarks()) == ((), ())

    assert memory.bodies() == ["still there?"]


async def test_a_machine_whose_clock_is_wrong_still_hears_and_finds(
    account: Account, memory: InMemorySession, ann: Person
) -> None:
    account.clock = WrongClock()
    async with listening(account, memory) as bot:
        room = await account.room_of(ann, bot.client)
        before = account.clock.now()
        event = await bot.client.send(room, TxnId("t1"), a_message())

        await ann.say(room, "!pw help")
        await bot.until(lambda: bool(memory.messages))

        assert await bot.client.find(room, NoticeKey("card/1"), before) == event


async def test_creators_of_rooms_are_admins_in_every_version(
    account: Account, memory: InMemorySession, ann: Person, bob: Person
) -> None:
    async with listening(account, memory) as bot:
        rooms = [await ann.create_room(account.user, bob.user, version=version) for version in ("10", "11", "12")]
        await bot.until(lambda: memory.membership.suspended == set() and len(bot.session.rooms) == 3)

        for room in rooms:
            known = bot.session.rooms[room]
            assert known.may_set(ann.user, "org.patchbot.subscription", 50)
            assert not known.may_set(bob.user, "org.patchbot.subscription", 50)
            assert known.joined_members == 2
            assert known.invited_members == 1


async def log_out(account: Account, device: str) -> None:
    async with account.client() as other:
        with contextlib.suppress(FileNotFoundError):
            (account.folder / "device.json").rename(account.folder / "kept.json")
        await other.log_in()
        auth = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": account.user},
            "password": account.password,
        }
        request = MatrixRequest("POST", "/_matrix/client/v3/delete_devices", {"devices": [device], "auth": auth})
        await other.ask(request)


@pytest.mark.parametrize("version", ["10", "11", "12"])
async def test_a_moderator_who_takes_a_card_back_is_heard(
    account: Account, memory: InMemorySession, ann: Person, version: str
) -> None:
    async with listening(account, memory) as bot:
        room = await ann.create_room(account.user, version=version)
        await bot.client.join(room)
        card = await bot.client.send(room, TxnId("t1"), a_message())

        await ann.redact(room, card)

        await bot.until(lambda: (room, card) in memory.redactions)


async def test_a_card_that_was_taken_back_long_ago_while_we_were_away_is_known(
    account: Account, memory: InMemorySession, ann: Person
) -> None:
    """Further back than words are heard, and than one answer reaches."""
    async with listening(account, memory) as bot:
        room = await account.room_of(ann, bot.client)
        card = await bot.client.send(room, TxnId("t1"), a_message())
        await ann.say(room, "before")
        await bot.until(lambda: bool(memory.messages))
    await ann.redact(room, card)
    for number in range(60):
        await ann.say(room, f"missed {number}")

    async with listening(account, memory, client=LateClient) as bot:
        await bot.until(lambda: (room, card) in memory.redactions)

    assert memory.bodies() == ["before"]


async def test_a_display_name_as_it_is_typed_is_a_mention_also_after_it_changed(account: Account, ann: Person) -> None:
    memory = InMemorySession()
    async with listening(account, memory) as bot:
        path = f"/_matrix/client/v3/profile/{account.user}/displayname"
        await bot.client.ask(MatrixRequest("PUT", path, {"displayname": "Patch Bot"}))
        room = await ann.create_room(account.user)
        await bot.until(lambda: room in bot.session.rooms)
        await ann.say(room, "Patch Bot: help")
        await bot.client.ask(MatrixRequest("PUT", path, {"displayname": "Patches"}))
        await bot.until(lambda: bot.session.rooms[room].own_name == "Patches")
        await ann.say(room, "@patches status")
        await bot.until(lambda: len(memory.messages) == 2)

    assert [each.body for each in memory.messages] == [f"{account.user}: help", f"{account.user} status"]
