"""What is kept, and how long: two hundred days of a bot in virtual time, on every fourth of which something happens."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.app import Bot
from bot.ids import EventId, RoomId, UserId
from bot.sample_patchwork.patchwork import NewCheck
from bot.store.columns import metadata
from bot.store.inbox_book import InboxMessage
from bot.store.retention import delete_outdated
from support.rig import ROOM, Rig

pytestmark = pytest.mark.slow

DAYS = 200
EVERY = 4  # days
PAUSE = timedelta(days=EVERY).total_seconds()
DIGESTS = RoomId("!digests:hs")
FLOOD_EVERY = 20  # days
A_FLOOD = 12  # series
A_DAY = 1 / EVERY + A_FLOOD / FLOOD_EVERY  # series, on average
HALF_A_YEAR = int(A_DAY * 182) + A_FLOOD
AT_MOST = {
    "server": 1,
    "project": 1,
    "seen_event": 1_000 + 8 * 12 + 5 * A_FLOOD,  # the newest thousand, whatever their age, and a few days
    "pending": A_FLOOD,
    "series": HALF_A_YEAR,
    "patch": HALF_A_YEAR,
    "maintainers": 0,
    "early_update": 8 * 4,
    "patch_check": 31,
    "comment": HALF_A_YEAR,
    "card": HALF_A_YEAR,
    "notice": 9 * 12,
    "queued_change": 8,
    "session": 0,
    "room": 2,
    "encrypted_room": 0,
    "invitation": 0,
    "inbox": 9,
    "subscription": 0,
    "person_address": 0,
    "room_setting": 0,
    "room_mute": 0,
    "digest": 1,
    "digest_entry": HALF_A_YEAR,
    "flood_limit": 2,
    "flood": 2,
    "flood_entry": A_FLOOD * (182 // FLOOD_EVERY + 2),
    "catch_up": 1,
    "lease": 0,  # there is one instance
    "standby": 0,
    "act": 0,  # nobody changes patches here
    "act_patch": 0,
    "token": 0,
    "retry": 0,
    "sweep": 1,
    "state": 10,
    "recheck": 0,  # for the server raises comment events
    "recheck_request": 0,
    "mail_comment": HALF_A_YEAR,
    "mail_read": HALF_A_YEAR,
    "queue_room": 1,
    "listed_row": 500,
    "direct_chat": 0,
    "follow": HALF_A_YEAR,
    "follow_reaction": 0,
    "snooze": 0,
    "nudge": 0,
    "nudged": 0,
    "unfurl": 1,
    "dependency": HALF_A_YEAR,
}


@pytest.mark.timeout(900)
async def test_after_two_hundred_days_no_table_has_more_than_what_is_kept(tmp_path: Path) -> None:
    rig = Rig(
        tmp_path,
        subscribe={ROOM: ("path:migration/ on:new,state,comment",), DIGESTS: ('path:hw/ digest:"Mon-Sun 09:00"',)},
    )
    most: Counter[str] = Counter()
    async with rig.running() as bot:
        await rig.poll(bot)
        for day in range(0, DAYS, EVERY):
            await a_day(rig, bot, day)
            await delete_outdated(bot.store)
            most |= Counter(await counts(bot))

    assert set(AT_MOST) == {table.name for table in metadata.sorted_tables}
    assert {name: count for name, count in most.items() if count > AT_MOST[name]} == {}
    assert len(rig.patchwork.rows.patches) > most["patch"] > HALF_A_YEAR * 0.8  # as long as it is to be kept
    assert len(rig.chat.posted) > 3 * most["notice"] > 0


async def a_day(rig: Rig, bot: Bot, day: int) -> None:
    """One series with all that happens to it, some commands, and now and then an import."""
    await rig.pass_quietly(bot, PAUSE - 3 * rig.poll_seconds)
    posted = rig.post("migration/ram.c" if day // EVERY % 2 else "hw/a.c", name=f"day {day}")
    if day % FLOOD_EVERY == 0:
        for number in range(A_FLOOD):
            rig.post("migration/ram.c", name=f"import {day}, {number}")
    await type_in_room(rig, bot, "!pw version")
    await rig.poll(bot)
    await type_in_room(rig, bot, f"!pw follow {posted.series}")
    await type_in_room(rig, bot, "!pw queue")
    await type_in_room(rig, bot, f"https://patchwork.example.org/series/{posted.series}/", DIGESTS)
    [patch] = posted.patches
    rig.patchwork.set_state(patch, "accepted")
    rig.patchwork.add_comment(patch, "Well done.\n")
    rig.patchwork.add_check(patch, NewCheck("success", "build"))
    await rig.poll(bot, times=2)


async def type_in_room(rig: Rig, bot: Bot, text: str, room: RoomId = ROOM) -> None:
    event = EventId(f"${text}, {rig.clock.now()}")
    await bot.receive(InboxMessage(room, event, UserId("@ada:hs"), text, rig.clock.now()))


async def counts(bot: Bot) -> dict[str, int]:
    """How many rows each table has."""
    found: dict[str, int] = {}
    async with bot.store.transaction() as tx:
        for table in metadata.sorted_tables:
            rows = await tx.watch._connection.execute(sa.select(sa.func.count()).select_from(table))
            found[table.name] = rows.scalar_one()
    return found
