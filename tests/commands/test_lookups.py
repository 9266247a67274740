"""Patches and series looked up, by everything that can refer to them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from bot.ids import EventId
from bot.notices.notice import NoticeKind
from bot.sample_patchwork.request import Response
from support.desk_rig import Desk
from support.rig import PROJECT, ROOM, Rig, a_series

SEED = Path(__file__).parents[1] / "samples" / "patch-2194095.json"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    rig = Rig(tmp_path)
    async with rig.running() as bot:
        await bot.settle()
        yield Desk(rig, bot)


async def test_show_a_patch(desk: Desk) -> None:
    posted = await desk.known(2)

    shown = await desk.ask(f"show {posted.patches[1]}")

    assert shown == snapshot("""\
🆕 [2/2] hw: Fix it, part 2
New · no reviews yet
Ada Sample · 2026-01-01
in hw: Fix it <https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both>
https://patchwork.example.org/project/qemu-devel/patch/20260101000000.1-2-ada@example.org/
• hw/a.c +1 −1
b4 shazam 20260101000000.1-2-ada@example.org
git-pw patch apply 2\
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

    assert "hw: Fix it\n" in (await desk.ask(f"show {posted.patches[0]}"))


async def test_show_a_series(desk: Desk) -> None:
    await desk.known(1)
    posted = desk.rig.post("hw/a.c", "hw/b.c", name="hw: More", patches=2, version=2)
    await desk.rig.poll(desk.bot, times=3)
    desk.rig.patchwork.set_state(posted.patches[0], "accepted")
    await desk.rig.poll(desk.bot)

    shown = await desk.ask(f"show https://patchwork.example.org/project/qemu-devel/list/?series={posted.series}")

    assert shown == snapshot("""\
👀 [v2 0/2] hw: More
Accepted 1 of 2, New 1 · no reviews yet
Ada Sample · 2 patches · +4 −4 in hw/
https://patchwork.example.org/project/qemu-devel/list/?series=2&state=*&archive=both
• 1/2 hw: More, part 1
• 2/2 hw: More, part 2 · New
b4 shazam 20260101000300.2-0-ada@example.org
git-pw series apply 2\
""")


async def test_a_number_is_a_patch_and_else_a_series(desk: Desk) -> None:
    desk.rig.patchwork.start_ids_at(1000)
    first = await desk.known(1, "hw: One")
    for _ in range(3):
        desk.rig.post("hw/a.c", name="hw: Two")
    desk.rig.patchwork.delete_patch(first.patches[0])

    assert "hw: One · 0 of 1\n" in (await desk.ask(f"show {first.series}"))
    assert "hw: Two\n" in (await desk.ask(f"show {first.series + 1}"))


async def test_the_message_id_of_a_cover_letter_shows_its_series(desk: Desk) -> None:
    posted = await desk.known(patches=2, name="hw: Two")
    cover = desk.rig.patchwork.rows.covers[posted.cover or 0].msgid

    for named in (cover, f"https://lore.kernel.org/qemu-devel/{cover}/"):
        assert "hw: Two\n" in (await desk.ask(f"show {named}"))


async def test_a_series_that_the_bot_never_read_shows_its_present_states(tmp_path: Path) -> None:
    """What its mails say is the state they came in, not the one they are in."""
    rig = Rig(tmp_path)
    posted = rig.post("hw/a.c", name="hw: Fix it", patches=2)
    rig.patchwork.set_state(posted.patches[0], "accepted")
    async with rig.running() as bot:
        shown = await Desk(rig, bot).ask(f"show https://patchwork.example.org/series/{posted.series}/")

    assert "hw: Fix it\n" in shown
    assert "\nAccepted 1 of 2, New 1 ·" in shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("show 999", snapshot("There is no patch or series 999 on sample.")),
        ("show https://patchwork.example.org/patch/999/", snapshot("There is no patch 999 on sample.")),
        ("show https://patchwork.example.org/series/999/", snapshot("There is no series 999 on sample.")),
        (
            "show nobody@example.org",
            snapshot(
                "No watched project on sample has a patch or cover letter with the message-id nobody@example.org."
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
I do not watch patchwork.kernel.org, so I cannot look up ids there; a message-id would do.
Watched: sample (patchwork.example.org).\
"""
            ),
        ),
        (
            "show https://patchwork.example.org/cover/5/",
            snapshot("There is no cover letter 5 on sample."),
        ),
        (
            "show something",
            snapshot("""\
“something” is not a patch id, a message-id or a link.
Example: !pw show 2194095\
"""),
        ),
        (
            "show",
            snapshot("""\
Which one? Name it, or type this in reply to a card.
Example: !pw show 2194095\
"""),
        ),
    ],
)
async def test_what_cannot_be_shown_says_why(desk: Desk, text: str, said: str) -> None:
    assert await desk.ask(text) == said


async def test_in_an_outage_the_bots_own_copy_is_shown(desk: Desk) -> None:
    posted = await desk.known(2)
    desk.break_down()

    assert await desk.ask(f"show {posted.patches[0]}") == snapshot("""\
🆕 [1/2] hw: Fix it, part 1
New · no reviews yet
Ada Sample · 2026-01-01
in [0/2] hw: Fix it <https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both>
https://patchwork.example.org/project/qemu-devel/patch/20260101000000.1-1-ada@example.org/
• hw/a.c +1 −1
b4 shazam 20260101000000.1-1-ada@example.org
git-pw patch apply 1
sample does not respond (HTTP 502, since 2026-01-01 00:03 UTC); this is the bot's copy, as of 2026-01-01 00:01 UTC.\
""")
    assert await desk.ask(f"show {desk.msgid(posted.patches[1])}") == snapshot("""\
🆕 [2/2] hw: Fix it, part 2
New · no reviews yet
Ada Sample · 2026-01-01
in [0/2] hw: Fix it <https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both>
https://patchwork.example.org/project/qemu-devel/patch/20260101000000.1-2-ada@example.org/
• hw/a.c +1 −1
b4 shazam 20260101000000.1-2-ada@example.org
git-pw patch apply 2
sample does not respond (HTTP 502, since 2026-01-01 00:03 UTC); this is the bot's copy, as of 2026-01-01 00:01 UTC.\
""")
    assert await desk.ask(f"show https://patchwork.example.org/series/{posted.series}/") == snapshot("""\
🆕 [0/2] hw: Fix it
New · no reviews yet
Ada Sample · 2 patches · +2 −2 in hw/
https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both
• 1/2 hw: Fix it, part 1
• 2/2 hw: Fix it, part 2
b4 shazam 20260101000000.1-0-ada@example.org
git-pw series apply 1
sample does not respond (HTTP 502, since 2026-01-01 00:03 UTC); this is the bot's copy, as of 2026-01-01 00:01 UTC.\
""")


async def test_in_an_outage_what_is_not_known_says_so(desk: Desk) -> None:
    desk.break_down()

    assert await desk.ask("show 5") == snapshot(
        "sample does not respond (HTTP 502, since 2026-01-01 00:00 UTC), and the bot has no copy of it."
    )


async def test_a_server_that_refuses_is_named(desk: Desk) -> None:
    desk.break_down(403)

    assert await desk.ask("show 5") == snapshot(
        "sample does not respond (HTTP 403 (text/html), not from Patchwork itself; set contact or user_agent, or ask the server's administrator to let the bot pass, since 2026-01-01 00:00 UTC), and the bot has no copy of it."  # noqa: E501  # as it is said
    )


@pytest.mark.parametrize(
    "answer",
    [
        Response(302, {"location": "https://elsewhere.example.org/"}, b""),
        Response(403, {"content-type": "application/json"}, b'{"detail":"Invalid token."}'),
        Response(404, {"content-type": "text/html"}, b"<html>Not found</html>"),
        Response(410, {"content-type": "application/json"}, b'{"detail":"Gone"}'),
        Response(200, {"content-type": "text/html"}, b"<html>Log in</html>"),
        Response(200, {"content-type": "application/json"}, b'{"id":99,"project":{"id":1,"link_name":"qemu-devel"}}'),
        Response(200, {"content-type": "application/json"}, b""),
    ],
)
@pytest.mark.parametrize("command", ["show", "series", "diff", "checks", "comments"])
async def test_nothing_but_the_servers_own_word_makes_the_bot_say_that_something_is_not_there(
    desk: Desk, command: str, answer: Response
) -> None:
    desk.rig.patchwork.fault = lambda _: answer

    said = await desk.ask(f"{command} 5")

    assert said.startswith("sample does not respond (")
    assert said.endswith("and the bot has no copy of it.")


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
        assert shown.split("\n")[3] == f"https://patchwork.example.org/patch/{posted.patches[0]}/"
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


async def test_a_real_patch_is_the_same_however_it_is_referred_to(tmp_path: Path) -> None:
    rig = Rig(tmp_path, {ROOM: ("path:migration/",)}, incomplete_after_minutes=0)
    async with rig.running() as bot:
        await bot.settle()
        rig.patchwork.add_recorded(json.loads(SEED.read_text()))
        await rig.poll(bot, times=4)
        card = rig.chat.posted[-1].event
        desk = Desk(rig, bot)
        msgid = "20260206-colo_unit_test_multifd-v6-11-27779dda139d@web.de"
        here = "https://patchwork.example.org"

        shown = await desk.ask("show 2194095")

        assert shown == snapshot("""\
🆕 [v6 11/18] colo: Fix crash during device vmstate load
New · 👍 reviewed
Lukas Straub · 2026-02-06
in [v6] migration: Add COLO multifd support and COLO migration unit test <https://patchwork.example.org/project/qemu-devel/list/?series=491328&state=*&archive=both>
https://patchwork.example.org/project/qemu-devel/patch/20260206-colo_unit_test_multifd-v6-11-27779dda139d@web.de/
• migration/colo.c +6 −0
b4 shazam 20260206-colo_unit_test_multifd-v6-11-27779dda139d@web.de
git-pw patch apply 2194095\
""")
        for ref in (
            "sample:2194095",
            msgid,
            f"<{msgid}>",
            f"id:{msgid}",
            f"mid:{msgid}",
            f"Message-ID:<{msgid}>",
            f"{here}/project/qemu-devel/patch/{msgid}/",
            f"{here}/patch/2194095/",
            f"{here}/api/patches/2194095/?format=api",
            f"{here}/api/1.3/patches/2194095/",
            f"http://patchwork.ozlabs.org/project/qemu-devel/patch/{msgid}/mbox/",
            f"https://lore.kernel.org/qemu-devel/{msgid}/T/#u",
            f"https://lore.kernel.org/r/{msgid}",
        ):
            assert await desk.ask(f"show {ref}") == shown, ref
        assert (await desk.reply("show", to=card))[0] == shown
        assert (await desk.reply("show", thread=card))[0] == shown
        answer = rig.chat.posted[-1].event
        assert (await desk.reply("show", to=answer))[0] == shown
        assert (await desk.reply("show", to=EventId("$other"), thread=card))[0] == shown
