# ruff: noqa: E501  # the lines as they are said
"""Links to patches that people paste in rooms, and the lines that answer them."""

import itertools
import time
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from bot.commands.pasted_links import links_in
from bot.commands.recent_messages import RecentMessages
from bot.config import Settings
from bot.delivery.chat import PostedMessage
from bot.ids import EventId, RoomId, UserId
from bot.sample_patchwork.patchwork import NewCheck, PostedSeries
from bot.store.inbox_book import MAX_BODY, InboxMessage
from support.people_rig import ANN, BOB, People, a_rig, people
from support.rig import ROOM, Rig

HOUR = 3600.0
SITE = "https://patchwork.example.org"
COVER = "20260101000000.1-0-ada@example.org"
FIRST = "20260101000000.1-1-ada@example.org"
ELSEWHERE = RoomId("!elsewhere:hs")  # where nothing is subscribed
_numbers = itertools.count(1)


class ArchiveRig(Rig):
    """A rig whose project has an archive of its own."""

    def settings(self) -> Settings:
        """The settings, with the archive."""
        settings = super().settings()
        server, *others = settings.patchwork
        projects = tuple(
            project.model_copy(update={"archive_url": "https://lists.example.org/a/{msgid}/"})
            for project in server.projects
        )
        server = server.model_copy(update={"projects": projects})
        return settings.model_copy(update={"patchwork": (server, *others)})


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    """The people's rig, with an archive, over each kind of database."""
    plain = a_rig(tmp_path)
    rig = ArchiveRig(
        plain.folder, plain.subscribe, direct=plain.direct, room_rights=plain.room_rights, commands=plain.commands
    )
    if request.param == "postgresql":
        rig.url = str(request.getfixturevalue("migrated_postgres_url"))
    return rig


async def arrived(here: People, version: int = 1, patches: int = 2, name: str = "migration: Fix it") -> PostedSeries:
    """A version of a series arrives."""
    posted = here.rig.post("migration/ram.c", name=name, patches=patches, version=version)
    await here.rig.poll(here.bot)
    return posted


async def paste(
    here: People, text: str, who: UserId = BOB, room: RoomId = ROOM, thread: EventId | None = None
) -> list[PostedMessage]:
    """What the bot posts when somebody says something to the others."""
    before = len(here.rig.chat.posted)
    event = EventId(f"$pasted{next(_numbers)}")
    await here.bot.receive(InboxMessage(room, event, who, text, here.rig.clock.now(), thread))
    await here.bot.settle()
    return here.rig.chat.posted[before:]


async def bodies(here: People, text: str, who: UserId = BOB, room: RoomId = ROOM) -> list[str]:
    """The same, as plain text."""
    return [post.message.body for post in await paste(here, text, who, room)]


def subject(post: PostedMessage) -> tuple[object, ...]:
    """What the content of a message says that it is about."""
    tag = post.message.tag
    return tag.kind.value, tag.server, tag.project, tag.series, tag.patch, tag.version


def asked(rig: Rig) -> set[str]:
    """What the server was asked for, besides the polls."""
    return {path for _, path, _ in rig.patchwork.requests if path != "/api/1.3/events/"}


SPELLINGS = (
    f"{SITE}/patch/1/",
    f"{SITE}/patch/1/mbox/",
    f"{SITE}/patch/1/raw/",
    f"{SITE}/series/1/mbox/",
    f"{SITE}/api/1.3/series/1/",
    f"{SITE}/project/qemu-devel/list/?series=1&state=*&archive=both",
    f"{SITE}/project/qemu-devel/patch/{FIRST}/",
    f"{SITE}/project/qemu-devel/cover/{COVER}/",
    f"{SITE}/project/qemu-devel/patch/{FIRST}/mbox/",
    f"https://lore.kernel.org/qemu-devel/{FIRST}/T/#u",
    f"https://lore.kernel.org/r/{COVER}",
    f"https://patch.msgid.link/{FIRST}",
    f"https://lists.example.org/a/{COVER}/",
    f"look at <{SITE}/patch/1/>, please",
    f"[the series]({SITE}/series/1/), which is new",
    f"[{SITE}/series/1/]({SITE}/series/1/)",
    f"Did you see {SITE}/patch/1/?",
    f"(see {SITE}/series/1/).",
    f"**{SITE}/series/1/**",
    "HTTPS://PATCHWORK.EXAMPLE.ORG/series/1/",
)


async def test_all_spellings_of_a_link_lead_to_the_same_submission_without_a_request(rig: Rig) -> None:
    async with people(rig) as here:
        await arrived(here)
        rig.patchwork.requests.clear()
        lines: dict[str, list[str]] = {}
        for number, spelling in enumerate(SPELLINGS):
            lines[spelling] = await bodies(here, spelling, room=RoomId(f"!{number}:hs"))

    assert {spelling for spelling, said in lines.items() if len(said) != 1} == set()
    assert {said[0] for said in lines.values()} == snapshot(
        {
            "🆕 [0/2] migration: Fix it · Ada Sample · New · 2026-01-01",
            "🆕 [1/2] migration: Fix it, part 1 · Ada Sample · New · 2026-01-01",
        }
    )
    assert asked(rig) == set()


async def test_the_line_has_a_reply_in_the_thread_and_a_subject(rig: Rig) -> None:
    async with people(rig) as here:
        await here.say("sub path:migration/")
        posted = await arrived(here)
        rig.patchwork.set_state(posted.patches[0], "under-review")
        rig.patchwork.add_check(posted.patches[0], NewCheck("fail", "build"))
        rig.patchwork.add_comment(posted.patches[1], "Reviewed-by: Rey Viewer <rey@example.org>\n")
        await arrived(here, version=2)
        await rig.poll(here.bot, times=2)
        [whole] = await paste(here, f"{SITE}/series/{posted.series}/", room=ELSEWHERE)
        rig.clock.advance(HOUR)
        [one] = await paste(here, f"{SITE}/patch/{posted.patches[0]}/", room=ELSEWHERE, thread=EventId("$root"))

    assert whole.message.body == snapshot(
        "👀 [0/2] migration: Fix it · Ada Sample · New 1 of 2, Under Review 1 · 👍 1 of 2 reviewed · ❌ build · 2026-01-01 · v1, newest is v2"
    )
    assert whole.message.html == snapshot(
        '<p>👀 <a href="https://patchwork.example.org/project/qemu-devel/list/?series=1&amp;state=*&amp;archive=both">[0/2] migration: Fix it</a> · Ada Sample · <strong>New</strong> 1 of 2, Under Review 1 · 👍 1 of 2 reviewed · ❌ build · 2026-01-01 · v1, newest is v2</p>'
    )
    assert subject(whole) == snapshot(("unfurl", "sample", "qemu-devel", 1, None, 1))
    assert (whole.message.rings, whole.message.thread) == (False, None)
    assert one.message.body == snapshot(
        "👀 [1/2] migration: Fix it, part 1 · Ada Sample · Under Review · ❌ build · 2026-01-01 · v1, newest is v2"
    )
    assert subject(one) == snapshot(("unfurl", "sample", "qemu-devel", 1, 1, 1))
    assert one.message.thread == "$root"


async def test_a_submission_gets_one_line_an_hour_even_after_a_restart(rig: Rig) -> None:
    link = f"{SITE}/patch/1/"
    async with people(rig) as here:
        await arrived(here)
        assert len(await paste(here, link)) == 1
        assert await paste(here, f"again: {SITE}/series/1/", ANN) == []
        assert len(await paste(here, link, room=RoomId("!other:hs"))) == 1
    async with people(rig) as here:
        rig.clock.advance(HOUR - 1)
        assert await paste(here, link) == []
        rig.clock.advance(1)
        assert len(await paste(here, link)) == 1


async def test_there_is_no_line_near_the_card_but_fifty_messages_below_it(rig: Rig) -> None:
    link = f"{SITE}/series/1/"
    async with people(rig) as here:
        await here.say("sub path:migration/")
        await arrived(here)
        rig.clock.advance(1)
        assert await paste(here, link) == []
        rig.clock.advance(1)
        for number in range(48):
            await here.bot.receive(InboxMessage(ROOM, EventId(f"$c{number}"), ANN, "so it goes", rig.clock.now()))
            await here.bot.settle()
        assert await paste(here, link) == []  # the forty-ninth was the link before
        assert len(await paste(here, link)) == 1


async def test_after_a_restart_a_card_counts_as_near_for_a_day(rig: Rig) -> None:
    link = f"{SITE}/series/1/"
    async with people(rig) as here:
        await here.say("sub path:migration/")
        await arrived(here)
    rig.clock.advance(1)
    async with people(rig) as here:
        assert await paste(here, link) == []
        await rig.pass_quietly(here.bot, 25 * HOUR)
        assert len(await paste(here, link)) == 1


async def test_the_moderators_of_a_room_turn_it_off(rig: Rig) -> None:
    async with people(rig) as here:
        await arrived(here)
        refused = await here.say("set unfurl off", BOB)
        off = await here.say("set unfurl off")
        silent = await paste(here, f"{SITE}/series/1/")
        listed = await here.say("settings")
        on = await here.say("set unfurl on")
        line = await paste(here, f"{SITE}/series/1/")
        in_chat = await here.chat("set unfurl off")

    assert refused.startswith("Only moderators")
    assert off == snapshot("""\
unfurl is now off (was on).
Undo: !pw set unfurl on\
""")
    assert silent == []
    assert "unfurl is off" in listed
    assert on == snapshot("""\
unfurl is now on (was off).
Undo: !pw set unfurl off\
""")
    assert len(line) == 1
    assert in_chat == snapshot("unfurl only applies to rooms; in a direct chat a link means show.")


async def test_what_is_unknown_quoted_or_elsewhere_gets_no_line_and_is_not_stored(rig: Rig) -> None:
    others = (
        f"{SITE}/patch/4711/",
        f"{SITE}/project/qemu-devel/patch/unknown@example.org/",
        f"{SITE}/project/other/patch/{FIRST}/",
        "https://patchwork.elsewhere.org/patch/1/",
        f"https://patchwork.elsewhere.org/project/qemu-devel/patch/{FIRST}/",
        f"https://elsewhere.example.org/?go={SITE}/patch/1/",
        "https://lore.kernel.org/patch/1/",
        "https://patchwork.example.org@elsewhere.org/patch/1/",
        f"> {SITE}/patch/1/\nI think so, too",
        f"{FIRST}",
        "patch 1",
        "https://",
        "http://[::1/patch/1/",
    )
    async with people(rig) as here:
        await arrived(here)
        rig.patchwork.requests.clear()
        said = {text: await bodies(here, text) for text in others}
        async with here.bot.store.reading() as tx:
            waiting = await tx.inbox.unanswered()

    assert {text: lines for text, lines in said.items() if lines} == {}
    assert waiting == []
    assert asked(rig) == set()


async def test_several_links_get_one_message_about_three_submissions_at_most(rig: Rig) -> None:
    async with people(rig) as here:
        for number in range(4):
            await arrived(here, patches=1, name=f"migration: Step {number}")
        [said] = await paste(
            here, " ".join(f"{SITE}/patch/{number}/ {SITE}/series/{number}/" for number in (4, 1, 2, 3))
        )

    assert said.message.body == snapshot("""\
🆕 migration: Step 3 · Ada Sample · New · 2026-01-01
🆕 migration: Step 0 · Ada Sample · New · 2026-01-01
🆕 migration: Step 1 · Ada Sample · New · 2026-01-01\
""")
    assert subject(said) == snapshot(("unfurl", None, None, None, None, None))


async def test_a_flood_of_links_costs_little_and_answers_what_came_first(rig: Rig) -> None:
    async with people(rig) as here:
        await arrived(here)
        flood = " ".join(f"{SITE}/patch/{number}/" for number in range(1, 3_000))[:64_000]
        nothing = "https://" * 8_000
        [said] = await paste(here, flood)
        assert await paste(here, nothing) == []
        assert await paste(here, f"{SITE}/patch/{'1' * 60_000}/") == []

    assert said.message.body.count("\n") == 0


async def test_a_title_with_hidden_directions_is_shown_harmlessly(rig: Rig) -> None:
    async with people(rig) as here:
        await arrived(here, patches=1, name="fix \u202e<b>txt.exe</b> @room\u2066")
        [said] = await paste(here, f"{SITE}/patch/1/")

    assert not set("\u202e\u2066") & set(said.message.body + said.message.html)
    assert said.message.body == snapshot("🆕 fix <b>txt.exe</b> @\u2060room · Ada Sample · New · 2026-01-01")
    assert said.message.html == snapshot(
        '<p>🆕 <a href="https://patchwork.example.org/project/qemu-devel/patch/20260101000000.1-1-ada@example.org/">fix &lt;b&gt;txt.exe&lt;/b&gt; @\u2060room</a> · Ada Sample · <strong>New</strong> · 2026-01-01</p>'
    )


async def test_links_over_the_limit_of_a_person_get_nothing_at_all(rig: Rig) -> None:
    rig.commands = rig.commands.model_copy(update={"per_user_per_minute": 2})
    async with people(rig) as here:
        for number in range(4):
            await arrived(here, patches=1, name=f"migration: Step {number}")
        rig.clock.advance(60)
        said = [await bodies(here, f"{SITE}/patch/{number}/") for number in (1, 2, 3, 4)]
        others = await bodies(here, f"{SITE}/patch/3/", ANN)

    assert [len(each) for each in said] == [1, 1, 0, 0]
    assert len(others) == 1


async def test_a_link_in_a_command_and_in_a_direct_chat_is_part_of_the_command(rig: Rig) -> None:
    async with people(rig) as here:
        await arrived(here)
        shown = await here.say(f"show {SITE}/series/1/")
        in_chat = await here.chat(f"{SITE}/series/1/")
        kinds = [post.message.tag.kind for post in here.answers]

    assert shown.splitlines()[0] == in_chat.splitlines()[0]
    assert kinds == ["answer", "answer"]


async def test_people_who_paste_the_same_link_at_once_get_one_line(rig: Rig) -> None:
    async with people(rig) as here:
        await arrived(here)
        before = len(rig.chat.posted)
        for number in range(8):
            who, event = UserId(f"@p{number}:hs"), EventId(f"$at-once{number}")
            await here.bot.receive(InboxMessage(ROOM, event, who, f"{SITE}/series/1/", rig.clock.now()))
        await here.bot.settle()

    assert len(rig.chat.posted) == before + 1


async def test_a_message_that_comes_twice_is_answered_once(rig: Rig) -> None:
    message = InboxMessage(ROOM, EventId("$twice"), BOB, f"{SITE}/series/1/", rig.clock.now())
    async with people(rig) as here:
        await arrived(here)
        before = len(rig.chat.posted)
        await here.bot.receive(message)
        await here.bot.settle()
    async with people(rig) as here:
        rig.clock.advance(2 * HOUR)
        await here.bot.receive(message)
        await here.bot.settle()

    assert len(rig.chat.posted) == before + 1


async def test_what_cannot_be_answered_is_dropped_without_its_text_in_the_log(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("broken")

    async with people(rig) as here:
        await arrived(here)
        monkeypatch.setattr("bot.commands.unfurling.unfurl_line", broken)
        assert await paste(here, f"our secret: {SITE}/series/1/") == []
        monkeypatch.undo()
        assert len(await paste(here, f"{SITE}/series/1/")) == 1

    logged = capsys.readouterr().out
    assert "unfurl.failed" in logged
    assert "our secret" not in logged


async def test_the_help_on_the_setting_is_found_by_what_people_call_it(rig: Rig) -> None:
    async with people(rig) as here:
        assert await here.say("help unfurl") == snapshot("""\
!pw set unfurl off — whether I answer links to patches that people paste with a line about each: on or off.
Without it: on. Only in a room. Now: !pw settings\
""")
        assert "set unfurl" in await here.say("help link previews")


def test_a_hostile_message_is_read_in_milliseconds() -> None:
    hosts = frozenset({"patchwork.example.org"})
    bodies = ("https://" * 2_048, "https://a " * 1_638, "(" * 8_192 + "https://" + "[" * 8_000, f"{SITE}/patch/" * 600)
    for body in bodies:
        started = time.process_time()
        assert links_in(body[:MAX_BODY], hosts, hosts) == []
        assert time.process_time() - started < 0.2


def test_the_rooms_that_are_quiet_for_longest_are_forgotten() -> None:
    recent = RecentMessages(0.0)
    for number in range(3_000):
        for _ in range(60):
            recent.count(RoomId(f"!{number}:hs"), float(number))

    assert recent.since(RoomId("!2999:hs"), 0.0) == 50
    assert recent.since(RoomId("!0:hs"), -1.0) == 0
    assert not recent.is_complete_since(100.0)
    assert recent.is_complete_since(2_000.0)


async def test_links_that_many_paste_in_any_order_get_one_line_each(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    async with people(rig) as here:
        for number in range(3):
            await arrived(here, patches=1, name=f"migration: Step {number}")
        before = len(rig.chat.posted)
        links = [f"{SITE}/patch/{number}/" for number in (1, 2, 3)]
        for number, order in enumerate(list(itertools.permutations(links)) * 5):
            who, event = UserId(f"@p{number}:hs"), EventId(f"$orders{number}")
            await here.bot.receive(InboxMessage(ROOM, event, who, " ".join(order), rig.clock.now()))
        await here.bot.settle()

    assert sum(post.message.body.count("\n") + 1 for post in rig.chat.posted[before:]) == 3
    assert "command.deferred" not in capsys.readouterr().out
