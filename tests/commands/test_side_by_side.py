"""Commands of different people are answered side by side: who waits for a server that hangs waits alone."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from bot import __version__
from bot.app import Bot
from bot.commands import answer_inbox as answer
from bot.commands.answer_inbox import Answerer, AnswerSettings
from bot.commands.answers.patch import said
from bot.commands.request import Answer, AnswerSubject, CommandRequest, Handler
from bot.commands.rights import MemoryRoomRights
from bot.config import CommandSettings
from bot.errors import StoreError
from bot.ids import EventId, ProjectName, RoomId, SubscriptionId, UserId
from bot.patchwork.client import RequestLimits
from bot.query.query import Query
from bot.room_registry import Rooms
from bot.sample_patchwork.server import SampleTransport
from bot.store.inbox_book import InboxBook, InboxMessage
from support.rig import ROOM, Rig

ADA, BOB, EVE = UserId("@ada:hs"), UserId("@bob:hs"), UserId("@eve:hs")
TEN = [UserId(f"@person{number}:hs") for number in range(10)]
VERSION = f"patchwork-matrix-bot {__version__}"


class HangingServer(SampleTransport):
    """The sample Patchwork, whose answers never come while it hangs."""

    hangs = False
    in_flight = 0
    most_in_flight = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, or leave the request without one."""
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.hangs:
                await asyncio.Event().wait()
            return await super().handle_async_request(request)
        finally:
            self.in_flight -= 1


async def until(claim: Callable[[], bool]) -> None:
    """Let the bot go on until *claim* holds."""
    while not claim():  # noqa: ASYNC110  # what makes it true has no event
        await asyncio.sleep(0)


class Conversation:
    """People who speak to a running bot; its answers are awaited as they are written, not as they are sent."""

    def __init__(self, rig: Rig, bot: Bot, handlers: Mapping[str, Handler] | None = None) -> None:
        self.rig = rig
        self.bot = bot
        self._wrote = asyncio.Event()
        settings = AnswerSettings(
            "!pw", UserId("@bot:hs"), frozenset(), per_user_per_minute=1_000, per_room_per_minute=1_000
        )
        own = handlers if handlers is not None else bot.answerer._handlers
        self.answerer = Answerer(bot.store, own, settings, rig.clock)
        bot.store.on_write({"notice", "inbox"}, self._wrote.set)
        self._count = 0

    async def say(self, who: UserId, *texts: str) -> None:
        """Somebody types commands."""
        async with self.bot.store.transaction() as tx:
            for text in texts:
                self._count += 1
                event = EventId(f"${self._count}")
                await tx.inbox.add(InboxMessage(ROOM, event, who, f"!pw {text}", self.rig.clock.now()))

    async def waiting(self) -> Counter[UserId]:
        """How many commands of whom are not answered."""
        async with self.bot.store.transaction() as tx:
            return Counter(message.sender for message in await tx.inbox.unanswered(limit=10_000))

    async def until_answered(self, who: UserId) -> None:
        """Return when nothing that somebody said waits."""
        while (await self.waiting())[who]:
            await self._wrote.wait()
            self._wrote.clear()

    async def answers(self) -> list[str]:
        """All answers, sent."""
        while (await self.bot.sender.deliver()).tried:
            pass
        return self.rig.chat.bodies(ROOM)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Commands are answered meanwhile."""
        task = asyncio.create_task(self.answerer.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    rig = Rig(tmp_path)
    rig.transport = HangingServer(rig.patchwork)
    return rig


@pytest.fixture
def server(rig: Rig) -> HangingServer:
    assert isinstance(rig.transport, HangingServer)
    return rig.transport


@pytest.fixture
async def bot(rig: Rig) -> AsyncIterator[Bot]:
    async with rig.running() as bot:
        await bot.settle()
        yield bot


async def test_ten_people_asking_a_hanging_server_do_not_delay_version(
    rig: Rig, bot: Bot, server: HangingServer
) -> None:
    here = Conversation(rig, bot)
    server.hangs = True
    async with here.running():
        for person in TEN:
            await here.say(person, "show 5")
        await here.say(EVE, "version", "help version", "subs")

        await here.until_answered(EVE)

        assert await here.waiting() == dict.fromkeys(TEN, 1)
    assert VERSION in await here.answers()


async def test_ten_people_asking_a_hanging_server_do_not_delay_find(rig: Rig, bot: Bot, server: HangingServer) -> None:
    here = Conversation(rig, bot)
    server.hangs = True
    async with here.running():
        for person in TEN:
            await here.say(person, "show 5")
        await here.say(EVE, "find path:hw/", "test path:hw/")

        await here.until_answered(EVE)

        assert await here.waiting() == dict.fromkeys(TEN, 1)


async def test_ten_people_asking_a_hanging_server_do_not_delay_its_poll(
    rig: Rig, bot: Bot, server: HangingServer
) -> None:
    here = Conversation(rig, bot)
    server.hangs = True
    async with here.running():
        for person in TEN:
            await here.say(person, "show 5")
        await until(lambda: server.in_flight > 0)
        server.hangs = False  # for what is asked from now on; what was asked before hangs for good
        rig.post("migration/ram.c", name="arrived meanwhile")

        await rig_poll(rig, bot)

        assert await here.waiting() == dict.fromkeys(TEN, 1)
        assert (server.in_flight, server.most_in_flight) == (1, 2)
    assert "arrived meanwhile" in (await here.answers())[0]


async def rig_poll(rig: Rig, bot: Bot) -> None:
    """One poll, and nothing else."""
    rig.clock.advance(rig.poll_seconds)
    for watch, _ in bot.watches:
        while await watch.tick():
            pass
        assert watch.health.failing_since is None


async def test_each_of_ten_people_asking_a_hanging_server_is_told_so_when_one_request_has_had_its_time(
    rig: Rig, bot: Bot, server: HangingServer
) -> None:
    """Those who wait for their turn are told that nobody was answered; who asks for what is kept gets the copy."""
    rig.post("hw/a.c", name="hw: Fix it")
    await rig.poll(bot, times=2)
    places = bot.answerer._handlers["show"].__self__._finder._places  # type: ignore[attr-defined]
    places[0].api._client._limits = RequestLimits(request_seconds=0.2, silent_seconds=0.1)
    server.hangs = True
    here = Conversation(rig, bot)
    for person in TEN:
        await here.say(person, "show 1" if person == TEN[9] else "show 5")

    await here.answerer.answer_all()

    answers = await here.answers()
    assert len(answers) == 10
    assert all("does not respond (no answer within 0." in text for text in answers)
    [copy] = [text for text in answers if "hw: Fix it" in text]
    assert "this is the bot's copy" in copy


# Who waits for whom


async def test_what_one_person_asks_waits_for_what_they_asked_before_and_keeps_nobody_else_waiting(
    rig: Rig, bot: Bot, server: HangingServer
) -> None:
    here = Conversation(rig, bot)
    server.hangs = True
    async with here.running():
        await here.say(ADA, "show 5", "version")
        await here.say(BOB, "version", "version")

        await here.until_answered(BOB)

        assert await here.waiting() == {ADA: 2}


class Handlers:
    """Answers a command when it is let, and notes how many are under way at the same time."""

    def __init__(self) -> None:
        self.begun: list[UserId] = []
        self.under_way = 0
        self.most = 0
        self.let = asyncio.Event()

    async def answer(self, asked: CommandRequest) -> Answer:
        """Wait, and answer."""
        self.begun.append(asked.message.sender)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.let.wait()
        finally:
            self.under_way -= 1
        return Answer(said("Here."))


async def test_four_quick_commands_are_under_way_at_once_in_the_order_in_which_they_came(rig: Rig, bot: Bot) -> None:
    handlers = Handlers()
    here = Conversation(rig, bot, {"version": handlers.answer})
    async with here.running():
        for person in TEN:
            await here.say(person, "version")
        await until(lambda: handlers.under_way == 4)
        handlers.let.set()
        for person in TEN:
            await here.until_answered(person)

    assert handlers.begun == TEN
    assert handlers.most == 4


async def test_more_who_wait_than_the_bot_keeps_in_mind_are_told_so_and_hold_nobody_up(
    rig: Rig, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer, "MOST_WAITING", 3)
    handlers = Handlers()
    here = Conversation(rig, bot, {"show": handlers.answer, "version": bot.answerer._handlers["version"]})
    async with here.running():
        for person in TEN[:3]:
            await here.say(person, "show 5")
        await until(lambda: handlers.under_way == 3)
        for person in TEN[3:]:
            await here.say(person, "show 5")
            await here.until_answered(person)
        await here.say(EVE, "version")
        await here.until_answered(EVE)

    assert await here.answers() == [answer.BUSY] * 7 + [VERSION]


async def test_more_people_than_are_read_at_once_hide_nobody_behind_them(rig: Rig, bot: Bot) -> None:
    """A batch of the inbox has fifty messages; those of people whose commands hang must not fill it."""
    handlers = Handlers()
    here = Conversation(rig, bot, {"show": handlers.answer, "version": bot.answerer._handlers["version"]})
    async with here.running():
        for number in range(60):
            await here.say(UserId(f"@crowd{number}:hs"), "show 5")
        await here.say(EVE, "version")

        await here.until_answered(EVE)

        assert len(await here.waiting()) == 60


# What goes wrong costs itself only


async def test_a_command_that_the_database_fails_is_answered_later_and_the_others_at_once(
    rig: Rig, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = InboxBook.answered

    async def fails_for_ada(book: InboxBook, message: InboxMessage) -> None:
        if message.sender == ADA:
            raise StoreError("the database went away")
        await answered(book, message)

    here = Conversation(rig, bot)
    for person in (ADA, BOB, EVE, ADA):
        await here.say(person, "version")
    with monkeypatch.context() as patched:
        patched.setattr(InboxBook, "answered", fails_for_ada)
        with pytest.raises(StoreError):
            await here.answerer.answer_all()
        assert await here.waiting() == {ADA: 2}

    await here.answerer.answer_all()

    assert await here.answers() == [VERSION] * 4


async def test_a_person_who_was_put_off_is_answered_while_others_still_wait(
    rig: Rig, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, failures = InboxBook.answered, [StoreError("the database went away")]

    async def fails_once(book: InboxBook, message: InboxMessage) -> None:
        if failures and message.sender == ADA:
            raise failures.pop()
        await answered(book, message)

    handlers = Handlers()
    here = Conversation(rig, bot, {"show": handlers.answer, "version": bot.answerer._handlers["version"]})
    monkeypatch.setattr(InboxBook, "answered", fails_once)
    async with here.running():
        await here.say(BOB, "show 5")
        await here.say(ADA, "version")
        await until(lambda: not failures)
        rig.clock.advance(answer.PUT_OFF_SECONDS)
        await here.say(EVE, "version")

        await here.until_answered(ADA)

        assert (await here.waiting())[BOB] == 1


async def test_an_answer_that_the_database_does_not_take_is_a_fault_and_is_not_tried_for_ever(
    rig: Rig, bot: Bot
) -> None:
    async def unkeepable(asked: CommandRequest) -> Answer:
        server = object() if asked.message.sender == ADA else "sample"  # which is no JSON
        return Answer(said("well"), about=AnswerSubject(server, ProjectName("p")))  # type: ignore[arg-type]  # the fault

    here = Conversation(rig, bot, {"version": unkeepable})
    await here.say(ADA, "version")
    await here.say(BOB, "version")

    with capture_logs() as logs:
        await here.answerer.answer_all()

    assert [each["event"] for each in logs if each["log_level"] == "error"] == ["command.failed"]
    assert sorted(await here.answers()) == [
        "That failed because of a bug in the bot. The operator can find details in the log.",
        "well",
    ]


async def test_commands_under_way_when_the_bot_stops_are_answered_once_after_it_starts_again(
    rig: Rig, server: HangingServer
) -> None:
    async with rig.running() as bot:
        await bot.settle()
        here = Conversation(rig, bot)
        server.hangs = True
        async with here.running():
            await here.say(ADA, "show 5")
            await here.say(BOB, "version")
            await here.until_answered(BOB)
            await until(lambda: server.in_flight > 0)
        assert await here.waiting() == {ADA: 1}
        assert server.in_flight == 0
    server.hangs = False
    for _ in range(2):
        async with rig.running() as bot:
            await bot.settle()

    assert sorted(rig.chat.bodies(ROOM)) == ["There is no patch or series 5 on sample.", VERSION]


# Changes beside each other


@pytest.fixture(params=["sqlite", "postgresql"])
def crowd(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    """A room where everybody may change subscriptions, over each kind of database."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("migrated_postgres_url")
    return Rig(
        tmp_path,
        subscribe={},
        room_rights=MemoryRoomRights(needed=0),
        commands=CommandSettings(per_user_per_minute=1_000, per_room_per_minute=1_000, max_per_room=1_000),
        url=url,
    )


def index_of(rooms: Rooms) -> dict[SubscriptionId, tuple[RoomId, Query]]:
    """Who listens."""
    return {each.id: (each.room, each.query) for each in rooms.index.subscriptions}


def changes(rng: random.Random) -> Sequence[str]:
    """What somebody types about subscriptions that others change as well."""
    number = rng.randint(1, 6)
    path = f"path:hw/{rng.randint(1, 9)}.c"
    return rng.sample([f"sub {path}", f"edit {number} {path}", f"unsub {number}", f"mute {number}", "unmute 2"], 4)


async def test_changes_of_many_people_at_once_leave_the_index_as_the_store_has_it(crowd: Rig) -> None:
    rng = random.Random(6)  # noqa: S311  # no secret
    async with crowd.running() as bot:
        here = Conversation(crowd, bot)
        for person in TEN:
            await here.say(person, *changes(rng))

        await here.answerer.answer_all()

        followed = index_of(bot.rooms)
        assert not bot.rooms.listeners.are_stale
        await bot.remember()
        assert followed == index_of(bot.rooms)
        assert followed
        assert len(await here.answers()) == 40


async def test_a_change_that_may_have_been_made_unheard_is_remembered_though_another_one_ends_well(
    crowd: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The doubt of one change was lost when the change of somebody else ended beside it."""
    add, failed = InboxBook.answered, asyncio.Event()

    async def fails_for_ada(book: InboxBook, message: InboxMessage) -> None:
        await add(book, message)
        if message.sender == ADA and not failed.is_set():
            failed.set()
            raise StoreError("gone")

    async with crowd.running() as bot:
        here = Conversation(crowd, bot)
        monkeypatch.setattr(InboxBook, "answered", fails_for_ada)
        await here.say(ADA, "sub path:hw/")
        await here.say(BOB, "sub path:docs/")
        with pytest.raises(StoreError):
            await here.answerer.answer_all()

        assert bot.rooms.listeners.are_stale
