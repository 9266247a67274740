"""The whole bot at a homeserver's usual limit, in virtual time: what one person asks for delays the others little."""

from pathlib import Path

import pytest

from bot.app import Bot
from bot.delivery.chat import PostedMessage
from bot.delivery.pacing import Pace
from bot.ids import EventId, RoomId, UserId
from bot.notices.notice import NoticeKind
from bot.store.inbox_book import InboxMessage
from support.rig import Rig
from support.store_rig import a_notice

pytestmark = pytest.mark.slow

ADA = UserId("@ada:hs")
LOUD = RoomId("!loud:hs")
ROOMS = [RoomId(f"!{number}:hs") for number in range(10)]
CARDS = 200
MESSAGE_SECONDS, BURST = 5, 8


class Story:
    """A bot at the usual limit, and a person who sends it thirty commands a minute."""

    def __init__(self, rig: Rig, bot: Bot) -> None:
        self.rig, self.bot = rig, bot
        self.most_unsent = 0
        bot.sender._pace = Pace.full(1 / MESSAGE_SECONDS, BURST, rig.clock.monotonic())

    async def go_on(self, messages: int) -> None:
        """Time passes in which so many messages may be sent, but no longer than until all cards are."""
        for number in range(messages):
            if len(self.cards()) == CARDS:
                return
            if number % 6 == 0:
                await self.ask(15)
            await self.bot.sender.deliver()
            self.rig.clock.advance(MESSAGE_SECONDS)

    async def ask(self, commands: int) -> None:
        """The person says so much, and the bot answers what may be answered."""
        now = self.rig.clock.now()
        async with self.bot.store.transaction() as tx:
            for number in range(commands):
                await tx.inbox.add(InboxMessage(LOUD, EventId(f"${now}/{number}"), ADA, "!pw version", now))
        await self.bot.answerer.answer_all()
        async with self.bot.store.transaction() as tx:
            self.most_unsent = max(self.most_unsent, (await tx.outbox.unsent_answers()).people[ADA])

    async def find_series(self) -> None:
        """A poll finds series for all rooms."""
        async with self.bot.store.transaction() as tx:
            await tx.outbox.add([a_notice(f"card/{number}", ROOMS[number % len(ROOMS)]) for number in range(CARDS)])

    def cards(self) -> list[PostedMessage]:
        """Those that were sent."""
        return [post for post in self.rig.chat.posted if post.message.tag.kind is NoticeKind.CARD]


async def test_one_person_at_the_limit_does_not_delay_the_cards_of_ten_rooms(tmp_path: Path) -> None:
    """A series waits a minute for the poll; without the person, the first eight cards then go at once."""
    rig = Rig(tmp_path)
    async with rig.running() as bot:
        story = Story(rig, bot)
        await story.go_on(12)
        arrived = rig.clock.now()
        await story.go_on(60 // MESSAGE_SECONDS)
        await story.find_series()
        await story.go_on(2 * CARDS)

    assert len(story.cards()) == CARDS
    alone = [60 + max(0, number - BURST + 1) * MESSAGE_SECONDS for number in range(CARDS)]
    beside = [(post.at - arrived).total_seconds() for post in story.cards()]
    assert [(first, then) for first, then in zip(alone, beside, strict=True) if then > 2 * first] == []
    for place, room in enumerate(ROOMS):
        assert rig.chat.bodies(room) == [f"body of card/{number}" for number in range(place, CARDS, len(ROOMS))]
    assert len(rig.chat.bodies(LOUD)) > CARDS / 4  # the person is answered meanwhile
    assert story.most_unsent <= 21  # and what waits for them does not grow: a minute's commands, and a reaction
