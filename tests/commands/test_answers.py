"""What people are answered, over a real database and a sample Patchwork."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from bot import __version__
from bot.app import Bot
from bot.commands import answer, show
from bot.demo.sample.http import Response
from bot.demo.sample.patchwork import Posted
from bot.errors import StoreError
from bot.ids import EventId, UserId
from bot.notices.outbox import NoticeKind
from bot.store.inbox import InboxBook, Said
from rig import PROJECT, ROOM, Rig, a_series


def a_message(text: str, number: int = 1) -> Said:
    return Said(ROOM, EventId(f"$said{number}"), UserId("@ada:hs"), text, datetime(2026, 11, 23, tzinfo=UTC))


@dataclass
class Desk:
    """Somebody who asks in a room where nothing else is said."""

    rig: Rig
    bot: Bot
    asked: int = 0

    async def ask(self, text: str) -> str:
        """The answer to `!pw` *text*; "" where there was none."""
        before = len(self.rig.chat.posted)
        self.asked += 1
        await self.bot.hear(a_message(f"!pw {text}", self.asked))
        await self.bot.settle()
        return "\n---\n".join(post.message.body for post in self.rig.chat.posted[before:])

    async def known(self, patches: int = 1, name: str = "hw: Fix it") -> Posted:
        """A series that the bot has read, and that no room wants."""
        posted = self.rig.post("hw/a.c", name=name, patches=patches)
        await self.rig.poll(self.bot, times=3)
        assert self.rig.chat.posted == []
        return posted

    def break_down(self, status: int = 502) -> None:
        """From now on the server answers nothing else."""
        self.rig.patchwork.fault = lambda _: Response(status, {"content-type": "text/html"}, b"<html>")

    def msgid(self, patch: int) -> str:
        """The message-id of a patch."""
        return self.rig.patchwork.rows.patches[patch].msgid


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    rig = Rig(tmp_path)
    async with rig.running() as bot:
        await bot.settle()
        yield Desk(rig, bot)


async def test_help_tells_of_what_the_bot_answers(desk: Desk) -> None:
    listed = await desk.ask("help")

    assert "• !pw show REF — a patch or a series, by id, message-id or link\n" in listed
    verbs = {line.split()[2] for line in listed.split("\n") if line.startswith("• ")}
    assert verbs == desk.bot.answerer._handlers.keys()
    assert (await desk.ask("help S")).startswith("!pw show REF — a patch or a series, by id, message-id or link\n")


async def test_version(desk: Desk) -> None:
    assert await desk.ask("version") == f"patchwork-matrix-bot {__version__}"


async def test_show_a_patch(desk: Desk) -> None:
    posted = await desk.known(2)

    shown = await desk.ask(f"show {posted.patches[1]}")

    assert shown == snapshot("""\
[2/2] hw: Fix it, part 2
https://patchwork.example.org/project/qemu-devel/patch/20260101000000.1-2-ada@example.org/
Ada Sample · 2026-01-01
in hw: Fix it <https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both>
New
• hw/a.c +1 −1
b4 am 20260101000000.1-2-ada@example.org\
""")
    for ref in (
        f"sample:{posted.patches[1]}",
        f"SAMPLE:{posted.patches[1]}",
        desk.msgid(posted.patches[1]),
        f"<{desk.msgid(posted.patches[1])}>",
        f"https://patchwork.example.org/patch/{posted.patches[1]}/",
        f"https://patchwork.example.org/project/qemu-devel/patch/{desk.msgid(posted.patches[1])}/",
        f"https://lore.kernel.org/qemu-devel/{desk.msgid(posted.patches[1])}/T/#u",
        f"https://elsewhere.example/project/qemu/patch/{desk.msgid(posted.patches[1])}/",
    ):
        assert await desk.ask(f"show {ref}") == shown


async def test_show_a_patch_that_the_bot_never_read(desk: Desk) -> None:
    posted = desk.rig.post("hw/a.c", name="hw: Fix it")

    assert (await desk.ask(f"show {posted.patches[0]}")).startswith("hw: Fix it\n")


async def test_show_a_series(desk: Desk) -> None:
    await desk.known(1)
    posted = desk.rig.post("hw/a.c", "hw/b.c", name="hw: More", patches=2, version=2)
    await desk.rig.poll(desk.bot, times=3)
    desk.rig.patchwork.set_state(posted.patches[0], "accepted")
    await desk.rig.poll(desk.bot)

    shown = await desk.ask(f"show https://patchwork.example.org/project/qemu-devel/list/?series={posted.series}")

    assert shown == snapshot("""\
hw: More
https://patchwork.example.org/project/qemu-devel/list/?series=2&state=*&archive=both
Ada Sample · 2 patches · v2
+4 −4 in 2 files: hw/
Accepted 1 · New 1
Patches
• [v2,1/2] hw: More, part 1 · Accepted
• [v2,2/2] hw: More, part 2
b4 am 20260101000300.2-0-ada@example.org\
""")


async def test_a_number_is_a_patch_and_else_a_series(desk: Desk) -> None:
    desk.rig.patchwork.start_ids_at(1000)
    first = await desk.known(1, "hw: One")
    for _ in range(3):
        desk.rig.post("hw/a.c", name="hw: Two")
    desk.rig.patchwork.delete_patch(first.patches[0])

    assert (await desk.ask(f"show {first.series}")).startswith("hw: One · 0 of 1\n")
    assert (await desk.ask(f"show {first.series + 1}")).startswith("hw: Two\n")


async def test_the_message_id_of_a_cover_letter_shows_its_series(desk: Desk) -> None:
    posted = await desk.known(patches=2, name="hw: Two")
    cover = desk.rig.patchwork.rows.covers[posted.cover or 0].msgid

    for named in (cover, f"https://lore.kernel.org/qemu-devel/{cover}/"):
        assert (await desk.ask(f"show {named}")).startswith("hw: Two\n")


async def test_a_series_of_unknown_states_claims_none(tmp_path: Path) -> None:
    """What its mails say is the state they came in, not the one they are in."""
    rig = Rig(tmp_path)
    posted = rig.post("hw/a.c", name="hw: Fix it", patches=2)
    rig.patchwork.set_state(posted.patches[0], "accepted")
    async with rig.running() as bot:
        shown = await Desk(rig, bot).ask(f"show https://patchwork.example.org/series/{posted.series}/")

    assert shown.startswith("hw: Fix it\n")
    assert "New" not in shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("show 999", snapshot("There is no patch or series 999 on sample.")),
        ("show https://patchwork.example.org/patch/999/", snapshot("There is no patch 999 on sample.")),
        ("show https://patchwork.example.org/series/999/", snapshot("There is no series 999 on sample.")),
        (
            "show nobody@example.org",
            snapshot(
                """\
There is no patch or cover letter with the message-id nobody@example.org in what is watched on sample.\
"""
            ),
        ),
        (
            "show kernel:5",
            snapshot("""\
There is no server “kernel” here.
Watched: sample (patchwork.example.org).\
"""),
        ),
        (
            "show https://patchwork.kernel.org/patch/5/",
            snapshot(
                """\
patchwork.kernel.org is not watched here; of other servers, only message-ids can be looked for.
Watched: sample (patchwork.example.org).\
"""
            ),
        ),
        (
            "show https://patchwork.example.org/cover/5/",
            snapshot("Cover letters cannot be looked up by id. Name the series, or one of its patches."),
        ),
        (
            "show something",
            snapshot("""\
“something” is not a patch id, a message-id or a link.
Example: !pw show 2194095\
"""),
        ),
        ("show", snapshot("REF is missing. Usage: !pw show REF — for example: !pw show 2194095")),
        ("shwo 5", snapshot("There is no command “shwo”. Did you mean “show”?")),
        ("@room <b>", snapshot("There is no command “@\u2060room”. Type “!pw help” for a list.")),
    ],
)
async def test_what_cannot_be_shown_says_why(desk: Desk, text: str, said: str) -> None:
    assert await desk.ask(text) == said


async def test_in_an_outage_the_bots_own_copy_is_shown(desk: Desk) -> None:
    posted = await desk.known(2)
    desk.break_down()

    assert await desk.ask(f"show {posted.patches[0]}") == snapshot("""\
[1/2] hw: Fix it, part 1
https://patchwork.example.org/project/qemu-devel/patch/20260101000000.1-1-ada@example.org/
Ada Sample · 2026-01-01
in hw: Fix it <https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both>
New
• hw/a.c +1 −1
b4 am 20260101000000.1-1-ada@example.org
sample cannot be asked (HTTP 502); this is the bot's own copy.\
""")
    assert await desk.ask(f"show {desk.msgid(posted.patches[1])}") == snapshot("""\
[2/2] hw: Fix it, part 2
https://patchwork.example.org/project/qemu-devel/patch/20260101000000.1-2-ada@example.org/
Ada Sample · 2026-01-01
in hw: Fix it <https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both>
New
• hw/a.c +1 −1
b4 am 20260101000000.1-2-ada@example.org
sample cannot be asked (HTTP 502); this is the bot's own copy.\
""")
    assert await desk.ask(f"show https://patchwork.example.org/series/{posted.series}/") == snapshot("""\
hw: Fix it
https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both
Ada Sample · 2 patches
+2 −2 in 1 file: hw/
New 2
Patches
• [1/2] hw: Fix it, part 1
• [2/2] hw: Fix it, part 2
b4 am 20260101000000.1-0-ada@example.org
sample cannot be asked (HTTP 502); this is the bot's own copy.\
""")


async def test_in_an_outage_what_is_not_known_says_so(desk: Desk) -> None:
    desk.break_down()

    assert await desk.ask("show 5") == snapshot("sample cannot be asked (HTTP 502), and the bot has no copy of it.")


async def test_a_server_that_refuses_is_named(desk: Desk) -> None:
    desk.break_down(403)

    assert await desk.ask("show 5") == snapshot("sample cannot be asked (HTTP 403), and the bot has no copy of it.")


async def test_api_1_1_finds_a_message_id_that_the_bot_has_seen(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.patchwork.api_versions = ("1.0", "1.1")
    async with rig.running() as bot:
        await bot.settle()
        desk = Desk(rig, bot)
        posted = await desk.known()
        desk.rig.patchwork.set_state(posted.patches[0], "accepted")

        shown = await desk.ask(f"show {desk.msgid(posted.patches[0])}")

        assert "\nAda Sample · 20" in shown
        assert "\nAccepted\n" in shown
        assert shown.split("\n")[1] == f"https://patchwork.example.org/patch/{posted.patches[0]}/"
        assert await desk.ask("show nobody@example.org") == snapshot(
            """\
sample cannot look for message-ids (API 1.1), and the bot has not seen this one.
Name the id of the patch.\
"""
        )


async def test_of_a_mail_in_two_projects_the_one_of_the_link_is_shown(tmp_path: Path) -> None:
    rig = Rig(tmp_path, projects=(PROJECT, "other"))
    rig.patchwork.add_project("other")
    mail = rig.patchwork.mails_of(a_series("hw/a.c"))[0]
    first, second = (rig.patchwork.receive(project, mail) for project in (PROJECT, "other"))
    assert first is not None
    assert second is not None
    async with rig.running() as bot:
        desk = Desk(rig, bot)

        await desk.ask(f"show https://patchwork.example.org/project/other/patch/{mail.msgid}/")

        assert [post.message.tag.patch for post in rig.chat.posted] == [second.id]


async def test_an_answer_says_what_it_is_about(desk: Desk) -> None:
    posted = await desk.known(2)

    await desk.ask(f"show {posted.patches[0]}")

    tag = desk.rig.chat.posted[-1].message.tag
    assert (tag.kind, tag.server, tag.project) == (NoticeKind.ANSWER, "sample", PROJECT)
    assert (tag.series, tag.patch, tag.version) == (posted.series, posted.patches[0], 1)


async def test_a_message_without_the_prefix_is_not_answered(desk: Desk) -> None:
    for number, text in enumerate(("show 5", "!pwx show 5", "hello !pw")):
        await desk.bot.hear(a_message(text, 100 + number))
        await desk.bot.settle()

    assert desk.rig.chat.posted == []


async def test_a_message_heard_twice_is_answered_once(desk: Desk) -> None:
    for _ in range(2):
        await desk.bot.hear(a_message("!pw help"))
        await desk.bot.settle()

    assert len(desk.rig.chat.posted) == 1


async def test_an_answer_is_written_once_though_the_process_stops_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path)
    answered = InboxBook.answered

    async def stop(self: InboxBook, said: Said) -> None:
        await answered(self, said)
        raise StoreError("the process stops here")

    async with rig.running() as bot:
        await bot.hear(a_message("!pw help"))
        with monkeypatch.context() as patched:
            patched.setattr(InboxBook, "answered", stop)
            with pytest.raises(StoreError):
                await bot.answerer.answer_all()
        async with bot.store.transaction() as tx:
            assert await tx.outbox.count() == {}

    for _ in range(2):
        async with rig.running() as bot:
            await bot.settle()
            assert len(rig.chat.posted) == 1


async def test_one_message_that_breaks_the_bot_does_not_silence_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(text: str) -> None:
        raise RuntimeError(text)

    with monkeypatch.context() as patched:
        patched.setattr(show, "read_ref", broken)

        assert await desk.ask("show 5") == "That did not work, by a fault of the bot. Its log says more."

    assert (await desk.ask("help")).startswith("What you can type:")


async def test_a_server_that_never_answers_does_not_keep_people_waiting(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(answer, "ANSWER_SECONDS", 0.01)
    monkeypatch.setattr(show.Show, "__call__", never)

    assert await desk.ask("show 5") == "There was no answer within 0.01 seconds. Please try again later."


async def test_in_a_direct_chat_commands_have_no_prefix(desk: Desk) -> None:
    manners = answer.Manners("!pw", frozenset({ROOM}), per_user_per_minute=20, per_room_per_minute=60)
    answerer = answer.Answerer(desk.bot.store, desk.bot.answerer._handlers, manners, desk.rig.clock, lambda: None)
    async with desk.bot.store.transaction() as tx:
        await tx.inbox.add(a_message("show something"))
        await tx.inbox.add(a_message("!pw show", 2))

    await answerer.answer_all()
    await desk.bot.settle()

    assert desk.rig.chat.bodies(ROOM) == [
        "“something” is not a patch id, a message-id or a link.\nExample: show 2194095",
        "REF is missing. Usage: show REF — for example: show 2194095",
    ]
