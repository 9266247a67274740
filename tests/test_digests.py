"""What rooms see of digests, in virtual time."""

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from bot.app import Bot
from bot.clock import VirtualClock
from bot.commands.rights import MemoryRoomRights
from bot.delivery.chat import PostedMessage
from bot.errors import Temporary
from bot.ids import EventId, RoomId, SeriesId, ServerName, UserId
from bot.review_queue import QueueRow, QueueScope, ReviewQueue
from bot.sample_patchwork.request import Response
from bot.store.inbox_book import InboxMessage
from bot.store.store import Store
from support.rig import PROJECT, ROOM, Rig, a_series
from support.titles import title_of

pytestmark = pytest.mark.slow

WORKDAYS = 'path:migration/ digest:"Mon-Fri 09:00"'
SERVER = ServerName("sample")
ANN = UserId("@ann:hs")  # a moderator
CHAT = RoomId("!chat:hs")  # her direct chat


def rig_at(folder: Path, start: str, *configured: str) -> Rig:
    return Rig(
        folder,
        subscribe={ROOM: configured} if configured else {},
        room_rights=MemoryRoomRights(levels={(ROOM, ANN): 50}),
        clock=VirtualClock(datetime.fromisoformat(f"{start}+00:00")),
        direct=frozenset({CHAT}),
    )


@dataclass
class Days:
    """A bot whose days pass."""

    rig: Rig
    bot: Bot
    said: int = 0

    async def say(self, text: str, room: RoomId = ROOM) -> str:
        """The answer to *text*."""
        self.said += 1
        now = self.rig.clock.now()
        before = len(self.rig.chat.posted)
        await self.bot.receive(InboxMessage(room, EventId(f"${now:%s}-{self.said}"), ANN, f"!pw {text}", now))
        await self.bot.settle()
        return "\n---\n".join(post.message.body for post in self.rig.chat.posted[before:])

    async def at(self, *moments: str) -> None:
        """Let time pass to each of these (UTC) in turn, with all that is to be done then."""
        for moment in moments:
            self.rig.clock.advance((datetime.fromisoformat(f"{moment}+00:00") - self.rig.clock.now()).total_seconds())
            await self.bot.settle()

    async def post(self, name: str, *paths: str, patches: int = 1) -> None:
        """A series arrives and is read."""
        self.rig.post(*(paths or ("migration/ram.c",)), name=name, patches=patches)
        await self.bot.settle()


@asynccontextmanager
async def days(rig: Rig) -> AsyncIterator[Days]:
    async with rig.running() as bot:
        await bot.settle()
        yield Days(rig, bot)


def told(rig: Rig, room: RoomId = ROOM) -> list[tuple[str, list[str]]]:
    """When each digest came (UTC), and the series in it."""
    return [
        (f"{post.at:%a %H:%M}", [title_of(name) for name in re.findall("(?m)^• (.*?) <", post.message.body)])
        for post in rig.chat.posted
        if post.room == room and post.message.tag.kind == "digest"
    ]


def short(text: str) -> str:
    """*text* with the addresses of series as SERIES/number."""
    return re.sub(
        rf"https://patchwork\.example\.org/project/{PROJECT}/list/\?series=(\d+)[^\">]*both", r"SERIES/\1", text
    )


def digests(rig: Rig) -> list[PostedMessage]:
    return [post for post in rig.chat.posted if post.message.tag.kind == "digest"]


async def set_zone(store: Store, zone: str, room: RoomId = ROOM) -> None:
    async with store.transaction() as tx:
        await tx.subscriptions.set(room, "timezone", zone)


async def test_a_working_week_across_the_end_of_summer_time(tmp_path: Path) -> None:
    rig = rig_at(tmp_path, "2026-10-22T12:00")  # a Thursday; the clocks are put back on Sunday
    async with days(rig) as bot:
        await bot.say("set timezone Europe/Berlin")
        await bot.say(f"sub {WORKDAYS}")
        await bot.post("on Thursday")
        await bot.at("2026-10-23T06:59:59", "2026-10-23T07:00", "2026-10-23T07:01")
        await bot.post("on Friday", patches=2)
        await bot.at("2026-10-24T07:00", "2026-10-24T12:00")
        await bot.post("on Saturday")
        await bot.post("elsewhere", "hw/a.c")
        await bot.at("2026-10-25T08:00", "2026-10-26T07:59:59", "2026-10-26T08:00", "2026-10-27T08:00")
        await bot.at("2026-10-28T12:00")
        await bot.post("on Wednesday")
        await bot.at("2026-10-29T07:59:59", "2026-10-29T08:00", "2026-10-30T08:00", "2026-10-31T08:00")

    assert told(rig) == [
        ("Fri 07:00", ["on Thursday"]),
        ("Mon 08:00", ["on Friday", "on Saturday"]),
        ("Thu 08:00", ["on Wednesday"]),
    ]
    assert [post for post in rig.chat.posted if post.message.tag.kind == "card"] == []


async def test_two_that_were_missed_are_told_once_and_then_it_goes_on(tmp_path: Path) -> None:
    rig = rig_at(tmp_path, "2026-11-26T12:00", WORKDAYS)  # a Thursday
    async with days(rig) as bot:
        await bot.post("before")
    rig.clock.advance(timedelta(days=4, hours=2).total_seconds())
    async with days(rig) as bot:  # Friday and Monday are missed
        await bot.post("after")
        await bot.at("2026-12-01T08:59:59", "2026-12-01T09:00")

    assert told(rig) == [("Mon 14:00", ["before"]), ("Tue 09:00", ["after"])]
    assert rig.chat.bodies(ROOM)[0].startswith("Digest: 1 series, Thu 2026-11-26 12:00 to Mon 2026-11-30 14:00 UTC\n")


async def test_what_comes_while_it_is_overdue_is_in_the_next(tmp_path: Path) -> None:
    """However often the bot is started, and whatever the homeserver does."""
    rig = rig_at(tmp_path, "2026-11-26T12:00", WORKDAYS)
    async with days(rig) as bot:
        await bot.post("first")
    for moment in ("2026-11-27T09:00", "2026-11-27T09:00:01", "2026-11-27T10:00"):
        async with days(rig) as bot:
            rig.chat.after_send = lambda _: Temporary("the answer is lost")
            await bot.at(moment)
            await bot.post("second")
            rig.chat.after_send = lambda _: None
    async with days(rig) as bot:
        await bot.at("2026-11-27T12:00", "2026-11-30T09:00")

    assert [names for _, names in told(rig)] == [["first"], ["second", "second", "second"]]


async def test_a_digest_that_cannot_be_written_is_told_later(tmp_path: Path) -> None:
    rig = rig_at(tmp_path, "2026-11-26T12:00", WORKDAYS)
    async with days(rig) as bot:
        await bot.post("first")
        with closing(sqlite3.connect(rig.folder / "bot.db")) as database, database:
            database.execute("CREATE TRIGGER broken BEFORE UPDATE ON digest BEGIN SELECT RAISE(ABORT, 'broken'); END")
        await bot.at("2026-11-27T09:00")
        with closing(sqlite3.connect(rig.folder / "bot.db")) as database, database:
            database.execute("DROP TRIGGER broken")
        assert rig.chat.posted == []
        await bot.at("2026-11-27T09:01", "2026-11-27T09:02")

    assert told(rig) == [("Fri 09:01", ["first"])]


async def test_a_change_of_the_zone_moves_what_is_not_due_yet(tmp_path: Path) -> None:
    rig = rig_at(tmp_path, "2026-11-26T12:00")
    async with days(rig) as bot:
        subscribed = await bot.say(f"sub {WORKDAYS}")
        await bot.post("first")
        moved = await bot.say("set timezone Asia/Kathmandu")
        await bot.at("2026-11-27T03:14:59", "2026-11-27T03:15")
        await bot.post("second")
        back = await bot.say("set timezone America/New_York")
        await bot.at("2026-11-27T13:59:59", "2026-11-27T14:00")

    assert told(rig) == [("Fri 03:15", ["first"]), ("Fri 14:00", ["second"])]
    assert "\nNext digest: Fri 2026-11-27 09:00 UTC.\n" in subscribed
    assert moved == snapshot("""\
timezone is now Asia/Kathmandu (was UTC).
Next digest: Fri 2026-11-27 09:00 Asia/Kathmandu.
Undo: !pw set timezone UTC\
""")
    assert back.split("\n")[1] == "Next digest: Fri 2026-11-27 09:00 America/New_York."


async def test_where_somebody_wants_cards_there_is_no_digest(tmp_path: Path) -> None:
    rig = rig_at(tmp_path, "2026-11-26T12:00", WORKDAYS, "subject:urgent")
    async with days(rig) as bot:
        await bot.post("urgent fix")
        await bot.post("any fix")
        await bot.at("2026-11-27T09:00")

    assert rig.titles()[0] == "urgent fix"
    assert told(rig) == [("Fri 09:00", ["any fix"])]


async def test_a_series_is_in_each_digest_of_a_room_once(tmp_path: Path) -> None:
    """Also where more of it arrives later."""
    rig = rig_at(tmp_path, "2026-11-26T12:00", WORKDAYS, 'subject:fix digest:"Fri 16:00"')
    rig.incomplete_after_minutes = 0
    async with days(rig) as bot:
        first, *others = rig.patchwork.mails_of(a_series("migration/ram.c", name="fix", patches=2))
        for mail in (first, others[0]):
            rig.patchwork.receive(PROJECT, mail)
        await rig.poll(bot.bot, times=2)
        await bot.at("2026-11-27T09:00")
        rig.patchwork.receive(PROJECT, others[1])
        await rig.poll(bot.bot, times=2)
        await bot.at("2026-11-27T16:00", "2026-11-30T09:00")

    assert told(rig) == [("Fri 09:00", ["fix"]), ("Fri 16:00", ["fix"])]
    assert "1 of 2 patches" in digests(rig)[0].message.body
    assert "2 patches" in digests(rig)[1].message.body


async def test_what_was_kept_is_told_though_the_subscription_is_gone(tmp_path: Path) -> None:
    rig = rig_at(tmp_path, "2026-11-26T12:00")
    async with days(rig) as bot:
        await bot.say(f"sub {WORKDAYS}")
        await bot.post("before")
        await bot.say("unsub 1")
        await bot.post("after")
        await bot.at("2026-11-27T09:00", "2026-11-30T09:00")
        async with bot.bot.store.transaction() as tx:
            at = await tx.digests.next_of(ROOM)

    assert told(rig) == [("Fri 09:00", ["before"])]
    assert at is None


async def test_a_muted_room_is_told_with_the_first_digest_after(tmp_path: Path) -> None:
    rig = rig_at(tmp_path, "2026-11-26T12:00", WORKDAYS)
    async with days(rig) as bot:
        await bot.post("before")
        await bot.say("mute 24h")
        await bot.at("2026-11-27T09:00", "2026-11-27T13:00")
        await bot.post("after")
        await bot.at("2026-11-30T09:00")

    assert told(rig) == [("Mon 09:00", ["before", "after"])]


async def test_a_digest_rings_in_a_direct_chat(tmp_path: Path) -> None:
    rig = rig_at(tmp_path, "2026-11-26T12:00")
    async with days(rig) as bot:
        await bot.say(f"sub {WORKDAYS}", CHAT)
        await bot.post("first")
        await bot.at("2026-11-27T09:00")

    assert [post.message.rings for post in digests(rig)] == [True]


async def test_a_series_stands_in_a_digest_as_it_is_then(tmp_path: Path) -> None:
    """And of several versions the newest alone, where it is known which follows which."""
    rig = rig_at(tmp_path, "2026-11-26T12:00", WORKDAYS)
    async with days(rig) as bot:
        await bot.post("migration: <Fix> it", patches=3)
        old = rig.post("migration/ram.c", name="ram: Speed up", patches=2)
        new = rig.post("migration/ram.c", name="ram: Speed up", patches=2, version=2)
        await bot.bot.settle()
        async with bot.bot.store.transaction() as tx:
            await tx.watch.link(SERVER, SeriesId(new.series), SeriesId(old.series))
        rig.patchwork.set_state(new.patches[0], "under-review")
        await bot.at("2026-11-27T09:00")

    [post] = digests(rig)
    assert (short(post.message.body), short(post.message.html).replace("<li>", "\n<li>")) == snapshot(
        (
            """\
Digest: 2 series, Thu 2026-11-26 12:00 to Fri 2026-11-27 09:00 UTC
• #1 🆕 [0/3] migration: <Fix> it <SERIES/1> · Ada Sample · 3 patches · New
• #2 👀 [v2 0/2] ram: Speed up <SERIES/3> · after v1 · Ada Sample · 2 patches · New 1 of 2, Under Review 1\
""",
            """\
<p><strong>Digest: 2 series, Thu 2026-11-26 12:00 to Fri 2026-11-27 09:00 UTC</strong></p><ul>
<li>#1 🆕 <a href="SERIES/1">[0/3] migration: &lt;Fix&gt; it</a> · Ada Sample · 3 patches · New</li>
<li>#2 👀 <a href="SERIES/3">[v2 0/2] ram: Speed up</a> · after v1 · Ada Sample · 2 patches · New 1 of 2, Under Review 1</li></ul>\
""",  # noqa: E501  # as it is sent
        )
    )
    assert post.message.tag.key == f"digest/Mon-Fri 09:00/2026-11-27T09:00Z/1/{ROOM}"


async def test_what_is_stale_is_told_as_long_as_it_is(tmp_path: Path) -> None:
    rig = rig_at(tmp_path, "2026-11-02T12:00", 'path:migration/ stale:14d digest:"Mon 09:00"')
    async with days(rig) as bot:
        forgotten = rig.post("migration/ram.c", name="forgotten")
        await bot.post("elsewhere", "hw/a.c")
        await bot.at("2026-11-10T12:00")
        await bot.post("younger")
        await bot.at("2026-11-16T09:00", "2026-11-23T09:00")
        rig.patchwork.set_state(forgotten.patches[0], "accepted")
        await bot.at("2026-11-25T12:00", "2026-11-30T09:00")

    assert told(rig) == [("Mon 09:00", ["forgotten"]), ("Mon 09:00", ["younger"])]
    assert short(digests(rig)[0].message.body) == snapshot("""\
Digest: 1 stale, Mon 2026-11-16 09:00 to Mon 2026-11-23 09:00 UTC
• #1 🆕 forgotten <SERIES/1> · Ada Sample · 1 patch · New · nothing since Mon 2026-11-02 12:00\
""")


async def test_a_digest_lists_pull_requests_as_such_whether_they_have_a_series_or_not(tmp_path: Path) -> None:
    rig = rig_at(tmp_path, "2026-10-16T08:00", 'is:pull digest:"Mon-Fri 09:00"')

    async with days(rig) as bot:
        for name, has_series in (("hw", True), ("net", False)):
            rig.patchwork.post_pull_request(PROJECT, name, "https://git.example.org/q.git", has_series=has_series)
        await bot.at("2026-10-16T08:10", "2026-10-16T09:01")

    assert re.sub("<.*?>", "<>", rig.chat.posted[-1].message.body) == snapshot("""\
Digest: 2 pull requests, Fri 2026-10-16 08:00 to Fri 2026-10-16 09:01 UTC
• #1 📦 [GIT PULL] hw <> · Ada Sample · pull request · New
• #2 📦 [PULL 0/1] net <> · Ada Sample · pull request · New\
""")


async def test_a_digest_tells_what_was_renamed_moved_superseded_and_deleted_since(tmp_path: Path) -> None:
    rig = rig_at(tmp_path, "2026-10-16T08:00", 'path:migration/ digest:"Mon-Fri 09:00"')
    async with days(rig) as bot:
        for name in ("renamed", "moved", "deleted", "as it was"):
            await bot.post(name)
        await bot.at("2026-10-16T08:10")
        rig.patchwork.add_project("other")
        series = rig.patchwork._tables.series
        rig.patchwork.rename_series(1, "has a new name")
        series.put(replace(series.rows[2], project=max(rig.patchwork.rows.projects)))
        rig.patchwork.delete_patch(3)
        series.remove(3)
        await bot.at("2026-10-16T09:00")

    told_of = rig.chat.posted[-1].message.body.replace("https://patchwork.example.org/project/other", "OTHER")
    assert short(told_of) == snapshot("""\
Digest: 4 series, Fri 2026-10-16 08:00 to Fri 2026-10-16 09:00 UTC
• #1 🆕 has a new name <SERIES/1> · Ada Sample · 1 patch · qemu-devel · New
• #2 🆕 moved <OTHER/list/?series=2&state=*&archive=both> · Ada Sample · 1 patch · moved to other · New
• #3 deleted · Ada Sample · 1 patch · qemu-devel · no longer on the server
• #4 🆕 as it was <SERIES/4> · Ada Sample · 1 patch · qemu-devel · New\
""")


async def test_a_digest_of_a_version_that_is_superseded_says_so(tmp_path: Path) -> None:
    rig = rig_at(tmp_path, "2026-10-16T08:00", 'path:migration/ version:1 digest:"Mon-Fri 09:00"')
    async with days(rig) as bot:
        await bot.post("migration: Fix it")
        await bot.at("2026-10-16T08:10")
        rig.post("migration/ram.c", name="migration: Fix it", version=2)
        await bot.at("2026-10-16T08:20", "2026-10-16T09:00")

    assert short(rig.chat.posted[-1].message.body) == snapshot("""\
Digest: 1 series, Fri 2026-10-16 08:00 to Fri 2026-10-16 09:00 UTC
• #1 ♻️ migration: Fix it <SERIES/1> · Ada Sample · 1 patch · New · → v2\
""")


async def test_a_digest_comes_though_the_server_does_not_answer(tmp_path: Path) -> None:
    rig = rig_at(tmp_path, "2026-10-16T08:00", 'path:migration/ digest:"Mon-Fri 09:00"')
    async with days(rig) as bot:
        await bot.post("one")
        await bot.post("two")
        await bot.at("2026-10-16T08:10")
        rig.patchwork.fault = lambda path: Response(502, {}, b"") if "/series/" in path else None
        await bot.at("2026-10-16T09:00")

    assert told(rig) == [("Fri 09:00", ["one", "two"])]


def queues(rig: Rig) -> list[PostedMessage]:
    """The queues that were posted."""
    return [post for post in rig.chat.posted if post.message.tag.kind == "queue"]


async def test_a_queue_is_posted_at_its_local_time_over_the_change_of_clocks(tmp_path: Path) -> None:
    rig = rig_at(tmp_path, "2026-10-22T12:00")  # a Thursday; the clocks are put back on Sunday
    async with days(rig) as bot:
        await bot.say("set timezone Europe/Berlin")
        await bot.say('sub path:migration/ as:queue digest:"Mon-Fri 09:00"')
        await bot.at("2026-10-22T12:05")
        await bot.post("migration: Fix it", patches=2)
        await bot.post("docs: Fix it", "docs/index.rst")
        await bot.at("2026-10-23T06:59:59")
        before = len(queues(rig))
        await bot.at("2026-10-23T07:00", "2026-10-26T07:59:59", "2026-10-26T08:00")
        rig.patchwork.set_state(1, "accepted")
        rig.patchwork.set_state(2, "accepted")
        await bot.at("2026-10-26T09:00", "2026-10-27T08:00", "2026-10-28T08:00")
        shown = await bot.say("show #1")

    assert before == 0
    assert [post.message.tag.key for post in queues(rig)] == [
        f"queue/Mon-Fri 09:00/2026-10-23T07:00Z/1/{ROOM}",
        f"queue/Mon-Fri 09:00/2026-10-26T08:00Z/1/{ROOM}",
    ]
    assert [short(post.message.body) for post in queues(rig)] == snapshot(
        [
            """\
Queue: 1 to be reviewed
Needs review
• #1 [0/2] migration: Fix it <SERIES/1> · Ada Sample · 18 hours old · no reply for 18 hours\
""",
            """\
Queue: 1 to be reviewed
Needs review
• #1 [0/2] migration: Fix it <SERIES/1> · Ada Sample · 3 days old · no reply for 3 days\
""",
        ]
    )
    assert digests(rig) == []  # what arrives is not listed beside it
    assert all(post.message.tag.kind != "card" for post in rig.chat.posted)
    assert "migration: Fix it" in shown


async def test_a_queue_and_a_digest_of_the_same_time_are_two_lists_with_one_numbering(tmp_path: Path) -> None:
    configured = ('path:docs/ digest:"Mon-Fri 09:00"', 'turn:review path:migration/ digest:"Mon-Fri 09:00"')
    rig = rig_at(tmp_path, "2026-10-22T12:00", *configured)
    async with days(rig) as bot:
        await bot.post("migration: Fix it")
        await bot.post("docs: Fix it", "docs/index.rst")
        await bot.at("2026-10-23T09:00")
        rows = [(await bot.say(f"show #{number}")).partition("\n")[0] for number in (1, 2)]

    [queue], [digest] = queues(rig), digests(rig)
    assert "• #2 migration: Fix it" in queue.message.body
    assert "• #1 🆕 docs: Fix it" in digest.message.body
    assert ["docs: Fix it" in rows[0], "migration: Fix it" in rows[1]] == [True, True]


async def test_a_queue_that_fails_is_posted_at_the_next_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, failures = ReviewQueue.rows, iter([True])

    async def fails_once(queue: ReviewQueue, scope: QueueScope) -> list[QueueRow]:
        if next(failures, False):
            raise ValueError("a fault of ours")
        return await read(queue, scope)

    monkeypatch.setattr(ReviewQueue, "rows", fails_once)
    rig = rig_at(tmp_path, "2026-10-22T12:00", 'path:migration/ as:queue digest:"Mon-Fri 09:00"')
    async with days(rig) as bot:
        await bot.post("migration: Fix it")
        await bot.at("2026-10-23T09:00", "2026-10-23T10:00")

    assert next(failures, None) is None
    assert [post.message.body.partition(":")[0] for post in queues(rig)] == ["Queue"]


async def test_a_queue_that_is_too_long_ends_with_how_much_is_left(tmp_path: Path) -> None:
    rig = rig_at(tmp_path, "2026-10-22T12:00", 'path:migration/ as:queue digest:"Mon-Fri 09:00"')
    async with days(rig) as bot:
        for number in range(1, 101):
            rig.post("migration/ram.c", name=f"migration: Fix number {number} of very many that wait for somebody")
        await bot.at("2026-10-22T12:30", "2026-10-23T09:00")

    posted = [post.message.body for post in queues(rig)]
    assert [body.partition(":")[0] for body in posted] == ["Queue", "Queue, page 2", "Queue, page 3"]
    last = int(re.findall(r"• #(\d+) ", posted[-1])[-1])
    assert posted[-1].endswith(f"… and {100 - last} more.")
