"""The status page, as text."""

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from bot.clock import VirtualClock
from bot.health.status_page import page
from bot.ids import ProjectName, RoomId, ServerName
from bot.incidents import Incidents
from bot.notices.status import BotStatus, PollHealth, QueueStatus, RoomStatus, StatusDetails
from support.rig import ROOM, Rig
from support.status_rig import BOT, KERNEL, MORE, NOW, OZLABS


def words(html: str) -> list[str]:
    """What the page says, a line for each block."""
    body = re.sub(r"(?s)^.*<body>|<.*?style>", "", html)
    blocks = re.sub(r"</(p|h1|h2|li|tr)>", "\n", body)
    cells = re.sub(r"</t[dh]>", " | ", blocks)
    return [unescape(line).strip(" |") for line in re.sub(r"<[^>]*>", "", cells).splitlines() if line.strip()]


def test_the_page_says_how_everything_is() -> None:
    assert words(page(BOT, MORE)) == snapshot(
        [
            "patchwork-matrix-bot",
            "As of 2026-11-25 12:00:30 UTC; running since 2026-11-22 12:00 UTC.",
            "Not ready",
            "Polling kernel has failed since 2026-11-25 10:00 UTC (HTTP 502).",
            "No project on kernel can be watched.",
            "https://patchwork.kernel.example.org has no project netdevbpf.",
            "5 messages to be sent, the oldest since 2026-11-25 11:40 UTC.",
            "2 messages suspended: the bot may not post in their rooms.",
            "1 message dead: “patchbot outbox list” on the bot's machine says why.",
            "#closed:hs: needs an invitation.",
            "Patchwork servers",
            "Server | Project | Known since | Last poll (UTC) | Lag | Next poll (UTC)",
            "ozlabs | qemu-devel | 2026-11-16 | 2026-11-25 12:00:18 | 12 s | 2026-11-25 12:01:18",
            "ozlabs | qemu-ppc | 2026-11-25 | 2026-11-25 12:00:18 | 12 s | 2026-11-25 12:01:18",
            "kernel | none yet |  | never | 3 d | soon",
            "Outbox",
            "Messages | Count",
            "waiting up to 1 min | 3",
            "waiting up to 15 min | 1",
            "waiting up to 1 h | 1",
            "waiting longer than 1 h | 0",
            "suspended: their rooms do not let the bot speak | 2",
            "dead: the homeserver refused them for good | 1",
            "The oldest message has been waiting for 20 min.",
            "Rooms (4)",
            "Room | Subscriptions | Cards in 24 h | Notes",
            "#migration:hs !one:hs | 12 | 34",
            "!two:hs | 1 | 0 | direct chat",
            "!three:hs | 2 | 0 | left",
            "QEMU block #block:hs !four:hs | 0 | 0",
            "Versions",
            "What | Version",
            "bot | 1.2.3",
            "Python | 3.11.7",
            "database | 0019",
            "API of ozlabs | 1.3",
        ]
    )


def test_a_server_without_comment_events_is_named_on_the_page() -> None:
    old = replace(OZLABS, api="1.2", oldest_look=NOW - timedelta(hours=5))

    said = words(page(replace(BOT, servers=(old,)), MORE))

    assert [sentence for sentence in said if "comments" in sentence] == snapshot(
        [
            "ozlabs (API 1.2) does not announce comments, so the bot looks for them; the oldest check was 5 h ago (2026-11-25 07:00 UTC)."  # noqa: E501  # as it is said
        ]
    )


def test_a_bot_that_is_well_and_new_says_so() -> None:
    assert words(page(BotStatus("1.2.3", NOW, NOW, queue=QueueStatus()), StatusDetails())) == snapshot(
        [
            "patchwork-matrix-bot",
            "As of 2026-11-25 12:00:30 UTC; running since 2026-11-25 12:00 UTC.",
            "Ready",
            "Patchwork servers",
            "Server | Project | Known since | Last poll (UTC) | Lag | Next poll (UTC)",
            "Outbox",
            "Messages | Count",
            "suspended: their rooms do not let the bot speak | 0",
            "dead: the homeserver refused them for good | 0",
            "Rooms (0)",
            "None yet.",
            "Versions",
            "What | Version",
            "bot | 1.2.3",
        ]
    )


def test_a_database_that_is_away_is_told() -> None:
    told = words(page(replace(BOT, queue=None), StatusDetails()))

    assert "Unknown: the database does not answer." in told


def test_an_instance_that_stands_by_says_for_whom() -> None:
    role = "The instance on bob has stood by since 2026-01-01 00:00 UTC; active is the one on ada."

    shown = words(page(BotStatus("1.0", NOW, NOW, role=role, stands_by=True), StatusDetails()))

    assert "Standing by" in shown
    assert role in shown
    assert "Ready" not in shown


def test_of_many_rooms_the_first_hundred_are_shown() -> None:
    rooms = tuple(RoomStatus(RoomId(f"!{number}:hs")) for number in range(1_000))

    told = words(page(BOT, replace(MORE, rooms=rooms)))

    assert sum(line.startswith("!") for line in told) == 100
    assert "Rooms (1000)" in told
    assert "… and 900 more" in told


def test_of_many_projects_and_remarks_the_first_are_shown() -> None:
    projects = tuple((ProjectName(f"p{number}"), NOW) for number in range(150))
    crowded = replace(BOT, servers=(replace(OZLABS, known_since=projects),), remarks=("A remark.",) * 150)

    told = words(page(crowded, MORE))

    assert "ozlabs | and 50 more" in told
    assert "… and 53 more" in told  # beside what waits, what is kept and what was given up


@given(st.text())
def test_what_others_wrote_stays_text(text: str) -> None:
    server = replace(KERNEL, name=ServerName(text), health=PollHealth(None, NOW, text), problems=(text,), api=text)
    html = page(
        replace(BOT, servers=(server, replace(OZLABS, known_since=((ProjectName(text), NOW),))), remarks=(text,)),
        replace(MORE, rooms=(RoomStatus(RoomId(text), text, state=text),)),
    )

    tags = {tag.split(" ")[0].strip("</>") for tag in re.findall(r"<[^>]*>", html)}
    assert tags <= KNOWN_TAGS
    assert "\x00" not in html


@pytest.mark.parametrize("hidden", ["\u202e", "\u2066", "\u200f", "\u200b", "\U000e0041", "\x1b[2J"])
def test_a_name_that_turns_the_direction_of_letters_turns_nothing_on_the_page(hidden: str) -> None:
    room = RoomStatus(RoomId(f"!{hidden}id"), f"#{hidden}name", state=f"{hidden}left")
    server = replace(KERNEL, health=PollHealth(None, NOW, f"{hidden}reason"), problems=(f"{hidden}problem",))

    html = page(replace(BOT, servers=(server,), remarks=(f"{hidden}remark",)), replace(MORE, rooms=(room,)))

    assert hidden not in html
    assert "remark" in html


class Presence:
    """A session that knows names of rooms, and nothing else."""

    incidents = Incidents(VirtualClock())

    def outages(self) -> tuple[str, ...]:
        """None."""
        return ()

    def remarks(self) -> tuple[str, ...]:
        """None."""
        return ()

    def room_names(self) -> dict[RoomId, tuple[str, ...]]:
        """A room with both names, one with an alias, one without any."""
        return {ROOM: ("QEMU migration", "#migration:hs"), RoomId("!b:hs"): ("#block:hs",), RoomId("!c:hs"): ()}


async def test_rooms_have_their_names_on_the_status_page(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with rig.running() as bot:
        await rig.poll(bot)
        before = await bot.overview.particulars()
        bot.overview.presence = Presence()
        async with bot.store.transaction() as tx:
            await tx.session.set_name("#configured:hs", RoomId("!c:hs"))
            await tx.session.set_name("#other:hs", ROOM)
        after = await bot.overview.particulars()

    assert [(room.name, room.alias, room.room) for room in before.rooms] == [("", "", ROOM)]
    assert [(room.name, room.alias, room.room) for room in after.rooms] == [
        ("QEMU migration", "#migration:hs", ROOM),
        ("#block:hs", "", "!b:hs"),
        ("#configured:hs", "", "!c:hs"),
    ]


async def test_cards_count_for_a_day_even_if_their_server_is_rebuilt_meanwhile(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with rig.running() as bot:
        await rig.poll(bot)
        rig.post("migration/ram.c", name="before")
        await rig.poll(bot)
        rig.rebuild_patchwork()
        await rig.poll(bot, times=2)
        rig.post("migration/ram.c", name="after")
        await rig.poll(bot)
        [room] = (await bot.overview.particulars()).rooms
        rig.clock.advance(86_401)
        [later] = (await bot.overview.particulars()).rooms

    assert rig.titles() == ["before", "after"]
    assert (room.cards, later.cards) == (2, 0)


KNOWN_TAGS = {
    *("!DOCTYPE", "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "ul", "li"),
    *("div", "table", "thead", "tbody", "tr", "th", "td", "bdi"),
}
