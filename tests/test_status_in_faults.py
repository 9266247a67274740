"""`status` and /readyz in every fault: since when, what is tried next, and how much waits."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from inline_snapshot import snapshot
from pydantic import SecretStr

from bot.app import Bot
from bot.delivery.pacing import Pace
from bot.errors import Forbidden, Permanent, Temporary
from bot.ids import NoticeKey, RoomId, UserId
from bot.matrix.client import MatrixClient
from bot.matrix.invite_rules import InviteRules
from bot.matrix.session import Session
from bot.matrix.session_memory import InMemorySession
from bot.notices.markup import Allowed, written
from bot.notices.notice import Lane, Message, Notice, NoticeKind, Tag
from bot.notices.status import status
from bot.sample_patchwork.request import Response
from support.operator_view import ready, told
from support.rig import ROOM, Rig, a_series

HOUR = 3600.0
MINUTE = 60.0


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


async def test_a_bot_that_is_well_says_when_it_polled_and_nothing_else(rig: Rig) -> None:
    async with rig.running() as bot:
        await rig.poll(bot, times=2)

        assert await told(bot) == snapshot("• 🟢 sample — qemu-devel, looked 0 s ago")
        assert await ready(bot) == ((), ())


async def test_a_patchwork_that_is_down_since_when_and_when_it_is_polled_again(rig: Rig) -> None:
    rig.poll_seconds = 1
    async with rig.running() as bot:
        await rig.poll(bot, times=2)
        rig.patchwork.fault = lambda _: Response(503, {"retry-after": "600"}, b"")
        rig.clock.advance(HOUR)
        await bot.settle()

        assert await told(bot) == snapshot(
            "• 🔴 sample — qemu-devel: no answer for 0 s (HTTP 503), next try in 10 min; nothing is lost"
        )
        assert await ready(bot) == (
            ("Polling sample has failed since 2026-01-01 01:00 UTC (HTTP 503); next try at 2026-01-01 01:10:02 UTC.",),
            (),
        )

        asked = len(rig.patchwork.requests)
        rig.clock.advance(599)
        await bot.settle()
        assert len(rig.patchwork.requests) == asked
        rig.clock.advance(1)
        await bot.settle()
        assert len(rig.patchwork.requests) == asked + 1


async def test_the_next_try_is_the_first_tick_after_the_patience_asked_for(rig: Rig) -> None:
    async with rig.running() as bot:
        await rig.poll(bot)
        rig.patchwork.fault = lambda _: Response(503, {"retry-after": "61"}, b"")
        await rig.poll(bot)

        assert "next try at 2026-01-01 00:04:00 UTC" in (await ready(bot))[0][0]


async def test_a_project_that_the_server_does_not_have(rig: Rig) -> None:
    rig.projects = ("qemu-devle",)
    async with rig.running() as bot:
        await rig.poll(bot)

        assert await ready(bot) == snapshot(
            (
                ("No project on sample can be watched.",),
                (
                    "https://patchwork.example.org has no project qemu-devle, since 2026-01-01 00:01 UTC; asked again at 2026-01-01 00:02:00 UTC.",  # noqa: E501  # as it is said
                ),
            )
        )


async def test_a_project_that_vanished_is_not_said_to_be_polled(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        rig.post("docs/index.rst")
        await rig.poll(bot, times=2)
        gone = rig.patchwork._tables.projects.rows[1]
        rig.patchwork._tables.projects.remove(1)
        await rig.poll(bot, times=10)

        assert await told(bot) == snapshot("""\
• 🔴 sample — none of its projects can be watched now
https://patchwork.example.org has no project qemu-devel, since 2026-01-01 00:03 UTC; asked again at 2026-01-01 00:18:00 UTC.\
""")  # noqa: E501  # as it is said
        assert (await ready(bot))[0] == ("No project on sample can be watched.",)
        [server] = (await bot.overview.condition()).servers
        assert server.health.last_success == rig.clock.now() - timedelta(minutes=9)

        rig.patchwork._tables.projects.put(gone)
        await rig.poll(bot, times=15)
        assert "🟢 sample — qemu-devel, looked 0 s ago" in await told(bot)
        assert await ready(bot) == ((), ())


async def test_a_project_that_vanished_beside_others_says_since_when_and_when_it_is_asked_for(rig: Rig) -> None:
    rig.patchwork.add_project("two")
    rig.projects = ("qemu-devel", "two")
    async with rig.running() as bot:
        rig.patchwork.post_series("two", a_series("a.c"))
        await rig.poll(bot, times=2)
        rig.patchwork._tables.projects.remove(2)
        await rig.poll(bot, times=2)

        assert await told(bot) == snapshot("""\
• 🟢 sample — qemu-devel, looked 0 s ago
https://patchwork.example.org has no project two, since 2026-01-01 00:03 UTC; asked again at 2026-01-01 00:06:00 UTC.\
""")  # as it is said


async def test_a_wall_before_the_whole_server_is_named_with_what_to_do(rig: Rig) -> None:
    async with rig.running() as bot:
        await rig.poll(bot, times=2)
        rig.patchwork.fault = lambda _: Response(200, {"content-type": "text/html"}, b"<html>Are you human?</html>")
        await rig.poll(bot)

        assert await told(bot) == snapshot(
            "• 🔴 sample — qemu-devel: no answer for 0 s (HTTP 200 with a login page or a bot challenge (text/html); set contact or user_agent, or ask the server's administrator to let the bot pass), next try in 1 min; nothing is lost"  # noqa: E501  # as it is said
        )
        assert (await ready(bot))[0][0].startswith("Polling sample has failed since ")
        assert "set contact or user_agent" in (await ready(bot))[0][0]


async def test_a_series_that_cannot_be_read_is_named_until_it_can(rig: Rig) -> None:
    async with rig.running() as bot:
        await rig.poll(bot, times=2)
        rig.patchwork.fault = lambda path: (
            Response(302, {"location": "https://elsewhere/"}, b"") if path.endswith("/series/1/") else None
        )
        rig.post("migration/ram.c", name="one")
        await rig.poll(bot, times=2)
        failing, early = await told(bot), rig.titles()
        rig.patchwork.fault = lambda _: None
        await rig.poll(bot, times=3)

        assert failing.partition("\n")[2] == snapshot(
            "series 1 of sample: redirects to https://elsewhere/; configure that address (fetch.object_unreadable, last at 2026-01-01 00:04 UTC, 2 times since 2026-01-01 00:03 UTC)."  # noqa: E501  # as it is said
        )
        assert (early, rig.titles()) == ([], ["one"])
        assert "series 1" not in await told(bot)


async def test_a_homeserver_that_is_down_keeps_what_is_to_be_said_and_says_when_it_goes(rig: Rig) -> None:
    async with rig.running() as bot:
        await rig.poll(bot)
        rig.chat.before_send = lambda _: Temporary("HTTP 502")
        rig.post("migration/ram.c", name="one")
        rig.post("migration/ram.c", name="two")
        await rig.poll(bot)

        [waiting] = (await ready(bot))[1]
        assert waiting == snapshot(
            "2 messages to be sent, the oldest since 2026-01-01 00:02 UTC; the next one goes at 2026-01-01 00:02:02 UTC."  # noqa: E501  # as it is said
        )
        assert waiting in await told(bot)


async def test_a_homeserver_that_cannot_be_reached_since_when_and_when_it_is_asked_again(rig: Rig) -> None:
    settings = rig.settings()
    nowhere = settings.matrix.model_copy(update={"homeserver": "http://127.0.0.1:9", "password": SecretStr("secret")})
    rules = InviteRules(UserId("@bot:hs.example.org"), (), (), "!pw")
    async with MatrixClient(settings.model_copy(update={"matrix": nowhere}), rig.clock) as client:
        session = Session(client, InMemorySession(), rig.clock, rules)
        trying = asyncio.ensure_future(session.log_in())
        async with asyncio.timeout(120):
            while "since" not in session.outages()[0]:  # noqa: ASYNC110  # the session tells nobody
                await asyncio.sleep(0)  # its turn
        [outage] = session.outages()
        trying.cancel()

    assert outage.startswith("The homeserver has not answered as it should since 2026-01-01 00:00 UTC (")
    assert outage.endswith("); asked again at 2026-01-01 00:00:01 UTC.")


async def test_a_queue_that_a_limit_holds_back_says_when_it_goes_on_and_how_to_lift_it(rig: Rig) -> None:
    async with rig.running() as bot:
        await rig.poll(bot)
        rig.chat.before_send = lambda _: Temporary("HTTP 429", timedelta(minutes=5))
        rig.post("migration/ram.c", name="one")
        await rig.poll(bot, times=3)

        waiting, limit = (await told(bot)).splitlines()[1:]
        assert waiting == snapshot(
            "1 message to be sent, the oldest since 2026-01-01 00:02 UTC; the next one goes at 2026-01-01 00:07:00 UTC."
        )
        assert limit.startswith("The homeserver limits how many messages an account may send. ")


# Messages that wait for ten minutes although they may be sent


async def test_a_sender_that_is_stuck_is_told_after_ten_minutes_and_forgotten_when_it_sends(rig: Rig) -> None:
    async with rig.running() as bot:
        await rig.poll(bot)
        rig.clock.advance(HOUR)
        await write(bot, ROOM)
        early = (await ready(bot))[0]
        rig.clock.advance(10 * MINUTE)
        late = (await ready(bot))[0]
        await bot.settle()

        assert early == ()
        assert late == (
            "No message has been sent since 2026-01-01 01:01 UTC, although 1 waits and the rate limit allows it.",
        )
        assert await ready(bot) == ((), ())


async def test_sends_that_all_fail_are_told_after_ten_minutes_with_the_reason(rig: Rig) -> None:
    async with rig.running() as bot:
        await rig.poll(bot)
        rig.chat.before_send = lambda _: Temporary("HTTP 502")
        await write(bot, ROOM)
        await rig.poll(bot, times=9)
        early = (await ready(bot))[0]
        await rig.poll(bot, times=3)

        assert early == ()
        [outage] = (await ready(bot))[0]
        assert outage == snapshot(
            "No message has been sent since 2026-01-01 00:02 UTC, although 1 waits and the rate limit allows it (HTTP 502)."  # noqa: E501  # as it is said
        )


async def test_a_room_whose_sends_fail_is_no_outage_while_others_get_their_messages(rig: Rig) -> None:
    other = RoomId("!other:hs")
    async with rig.running() as bot:
        await rig.poll(bot)
        rig.chat.before_send = lambda room: Temporary("HTTP 500") if room == ROOM else None
        await write(bot, ROOM)
        for _ in range(5):
            await rig.poll(bot, times=6)
            await write(bot, other)
            await bot.settle()

        assert (await ready(bot))[0] == ()


async def test_messages_that_may_not_be_sent_are_no_outage_however_long_they_wait(rig: Rig) -> None:
    async with rig.running() as bot:
        await rig.poll(bot)
        rig.chat.before_send = lambda _: Forbidden("HTTP 403")
        await write(bot, ROOM)
        await rig.poll(bot, times=30)
        suspended = (await ready(bot))[0]
        rig.chat.before_send = lambda _: Temporary("HTTP 429", timedelta(hours=1))
        await write(bot, RoomId("!other:hs"))
        await rig.poll(bot, times=30)
        limited = (await ready(bot))[0]
        rig.clock.advance(31 * MINUTE)  # the pause is just over
        over = (await ready(bot))[0]

        assert (suspended, limited, over) == ((), (), ())


async def test_what_waited_for_a_room_counts_from_when_the_room_lets_the_bot_again(rig: Rig) -> None:
    async with rig.running() as bot:
        await rig.poll(bot)
        rig.chat.before_send = lambda _: Forbidden("HTTP 403")
        await write(bot, ROOM)
        await rig.poll(bot, times=30)
        async with bot.store.transaction() as tx:
            await tx.session.resume(ROOM)

        assert (await ready(bot))[0] == ()


async def test_a_long_queue_that_moves_as_fast_as_the_limit_allows_is_no_outage(rig: Rig) -> None:
    async with rig.running() as bot:
        await rig.poll(bot)
        bot.sender._pace = Pace.full(1 / 90, 1, rig.clock.monotonic())
        await write(bot, ROOM, 20)
        for _ in range(20):
            await rig.poll(bot)
            assert (await ready(bot))[0] == ()

        assert 5 < len(rig.titles()) < 20


async def write(bot: Bot, room: RoomId, count: int = 1) -> None:
    """Put messages for a room into the outbox."""
    async with bot.store.transaction() as tx:
        for number in range(count):
            tag = Tag(NoticeKind.ANSWER, NoticeKey(f"answer/{room}/{tx.now}/{number}"))
            await tx.outbox.add([Notice(room, Lane.CARD, Message("hello", "hello", tag))])


async def test_a_room_that_lets_the_bot_speak_no_more(rig: Rig) -> None:
    async with rig.running() as bot:
        await rig.poll(bot)
        rig.chat.before_send = lambda _: Forbidden("HTTP 403")
        rig.post("migration/ram.c", name="one")
        rig.post("migration/ram.c", name="two")
        await rig.poll(bot, times=3)

        assert await ready(bot) == snapshot(
            ((), ("2 messages suspended, the oldest since 2026-01-01 00:02 UTC: the bot may not post in their rooms.",))
        )


async def test_messages_that_were_given_up(rig: Rig) -> None:
    async with rig.running() as bot:
        await rig.poll(bot)
        rig.chat.before_send = lambda _: Permanent("HTTP 413")
        rig.post("migration/ram.c", name="one")
        await rig.poll(bot)

        assert await ready(bot) == snapshot(
            (
                (),
                (
                    "1 message dead, the last at 2026-01-01 00:02 UTC: “patchbot outbox list” on the bot's machine says why.",  # noqa: E501  # the same
                ),
            )
        )


async def test_a_database_that_is_broken_is_told_since_its_first_refusal(rig: Rig, tmp_path: Path) -> None:
    async with rig.running() as bot:
        await rig.poll(bot)
        with closing(sqlite3.connect(tmp_path / "bot.db")) as other:
            other.executescript("ALTER TABLE notice RENAME TO mislaid; ALTER TABLE server RENAME TO gone")
        await ready(bot)
        rig.clock.advance(HOUR)
        [(watch, _)] = bot.watches
        await watch.tick()
        found, _ = await ready(bot)
        with closing(sqlite3.connect(tmp_path / "bot.db")) as other:
            other.executescript("ALTER TABLE mislaid RENAME TO notice; ALTER TABLE gone RENAME TO server")
        rig.clock.advance(HOUR)
        await bot.settle()

        assert [sentence.replace(str(tmp_path), "FOLDER") for sentence in found] == snapshot(
            [
                "The database has not responded since 2026-01-01 00:01 UTC (the database FOLDER/bot.db cannot be used: no such table: notice); retrying.",  # noqa: E501  # the same
                "Polling sample has failed since 2026-01-01 01:01 UTC (the database FOLDER/bot.db cannot be used: no such table: server); next try at 2026-01-01 01:02:00 UTC.",  # noqa: E501  # the same
            ]
        )
        assert await ready(bot) == ((), ())


async def test_an_absence_that_is_still_read_up(rig: Rig) -> None:
    async with rig.running() as bot:
        await rig.poll(bot, times=2)
    rig.clock.advance(6 * HOUR)
    for number in range(130):
        rig.post("migration/ram.c", name=f"number {number}")

    async with rig.running() as bot:
        [(watch, _)] = bot.watches
        assert await watch.tick()

        assert (await ready(bot))[1] == snapshot(
            (
                "sample: what came between 2026-01-01 00:02 UTC and 2026-01-01 06:02 UTC is still being read (50 series so far), and will be posted then.",  # noqa: E501  # the same
            )
        )
        await bot.settle()
        assert (await ready(bot))[1] == ()


async def test_a_flood_that_goes_on_is_told_to_operators_only(rig: Rig) -> None:
    async with rig.running() as bot:
        await rig.poll(bot, times=2)
        for number in range(11):
            rig.post("migration/ram.c", name=f"number {number}")
        await rig.poll(bot)
        condition = await bot.overview.condition()

        assert condition.floods == snapshot(
            ("!room:hs: a flood from sample since 2026-01-01 00:03 UTC; its series are listed when it is over.",)
        )
        assert str(ROOM) in written(status(condition, for_operator=True), Allowed(()))[0]
        assert str(ROOM) not in written(status(condition, for_operator=False), Allowed(()))[0]
