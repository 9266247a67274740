"""What the projects' MAINTAINERS do for rooms, and what becomes of them."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from aiohttp import web
from inline_snapshot import snapshot

from bot.app import Bot
from bot.ids import ProjectName, RoomId, ServerName
from bot.maintainers_files import MaintainersFiles
from bot.maintainers_files import MaintainersSources as Shelved
from bot.notices.notice import NoticeKind
from bot.sample_patchwork.mail import NewPatch, NewSeries
from bot.subscriptions.registry import Audience
from support.rig import PROJECT, ROOM, Rig

DAY_SECONDS = 24 * 3600
OTHER = RoomId("!other:hs")
FILE = """
Migration
M: Peter Sample <peterx@example.org>
F: migration/
X: migration/rdma.c

Memory
R: David Sample <david@example.org>
F: system/memory.c
K: \\bkmalloc\\b
"""


@dataclass
class Shelf:
    """A bot whose projects have a MAINTAINERS file."""

    rig: Rig
    file: Path

    def write(self, text: str) -> None:
        """Change the file."""
        self.file.write_text(text)

    async def a_day_later(self, bot: Bot) -> None:
        """The file is read again."""
        self.rig.clock.advance(DAY_SECONDS + 1)
        await bot.settle()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    file = tmp_path / "MAINTAINERS"
    file.write_text(FILE)
    rig = Rig(tmp_path, {ROOM: ("maint:Migration",), OTHER: ("maint:david@example.org",)}, maintainers=str(file))
    return Shelf(rig, file)


async def test_a_section_is_asked_for_by_its_name_or_by_the_address_of_who_looks_after_it(shelf: Shelf) -> None:
    rig = shelf.rig
    async with rig.running() as bot:
        await rig.poll(bot)
        rig.post("migration/ram.c", name="migration: Fix it")
        rig.post("migration/rdma.c", name="migration/rdma: Not theirs")
        rig.post("system/memory.c", name="memory: Fix it")
        await rig.poll(bot)

    assert rig.titles(ROOM) == ["migration: Fix it"]
    assert rig.titles(OTHER) == ["memory: Fix it"]


async def test_a_keyword_is_looked_for_in_the_patch_itself(shelf: Shelf) -> None:
    diff = "--- a/hw/usb.c\n+++ b/hw/usb.c\n@@ -1 +1 @@\n-p = malloc(5);\n+p = kmalloc(5);\n"
    async with shelf.rig.running() as bot:
        await shelf.rig.poll(bot)
        patches = tuple(NewPatch(f"usb: Part {number}", diff) for number in (1, 2))
        shelf.rig.patchwork.post_series(PROJECT, NewSeries(name="usb: Use kernel memory", patches=patches, cover=True))
        await shelf.rig.poll(bot)

    assert shelf.rig.titles(OTHER) == ["usb: Use kernel memory"]


async def test_a_changed_section_is_told_where_it_is_followed_and_holds_from_then_on(shelf: Shelf) -> None:
    rig = shelf.rig
    async with rig.running() as bot:
        await rig.poll(bot)
        shelf.write(FILE.replace("F: migration/\n", "F: migration/\nF: docs/migration.rst\n"))
        await shelf.a_day_later(bot)
        rig.post("docs/migration.rst", name="docs: Say it")
        await rig.poll(bot)

    told, card = (post.message for post in rig.chat.posted)
    assert told.body == snapshot(
        """\
MAINTAINERS of qemu-devel: Migration has changed
• now also F: docs/migration.rst\
"""
    )
    assert told.html == snapshot(
        "<p>MAINTAINERS of qemu-devel: <code>Migration</code> has changed</p><ul><li>now also <code>F: docs/migration.rst</code></li></ul>"  # noqa: E501  # as it is said
    )
    assert (told.tag.kind, told.tag.project) == (NoticeKind.SECTION, PROJECT)
    assert card.body.startswith("🆕 docs: Say it")
    assert rig.titles(OTHER) == []


async def test_a_section_that_is_gone_is_told(shelf: Shelf) -> None:
    rig = shelf.rig
    async with rig.running() as bot:
        await rig.poll(bot)
        shelf.write(FILE.partition("Memory")[0])
        await shelf.a_day_later(bot)

    assert rig.chat.bodies(OTHER) == snapshot(
        [
            """\
MAINTAINERS of qemu-devel: Memory is gone, so subscriptions to it bring nothing more
• no longer F: system/memory.c, K: \\bkmalloc\\b
• no longer named: david@example.org\
"""
        ]
    )
    assert rig.chat.bodies(ROOM) == []


async def test_an_unchanged_file_is_read_every_day_and_says_nothing(shelf: Shelf) -> None:
    async with shelf.rig.running() as bot:
        await shelf.rig.poll(bot)
        await shelf.a_day_later(bot)
        await shelf.a_day_later(bot)

    assert shelf.rig.chat.posted == []


async def test_the_last_good_copy_is_kept_when_the_file_is_none_any_more_and_that_is_said(shelf: Shelf) -> None:
    rig = shelf.rig
    async with rig.running() as bot:
        await rig.poll(bot)
    shelf.write("<html>Please log in</html>")
    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c", name="migration: Fix it")
        await rig.poll(bot)
        condition = await bot.overview.condition()

    assert rig.titles(ROOM) == ["migration: Fix it"]
    told = f"MAINTAINERS of qemu-devel cannot be read from {shelf.file} (it has no F: line); "
    assert condition.remarks == (f"{told}the copy of 2026-01-01 00:01 UTC is used.",)


@pytest.mark.parametrize(
    ("status", "content_type", "text"),
    [
        (200, "text/html", f"<!DOCTYPE html><title>Log in</title><pre>{FILE}</pre>"),
        (200, "text/plain", f"<html>{FILE}</html>"),
        (302, "text/plain", FILE),
        (403, "text/plain", FILE),
        (404, "text/plain", FILE),
        (200, "text/plain", ""),
    ],
)
async def test_a_wall_before_the_address_of_a_file_keeps_the_last_good_copy(
    shelf: Shelf, status: int, content_type: str, text: str
) -> None:
    answers = [(200, "text/plain", FILE)]

    async def serve_file(_: web.Request) -> web.Response:
        status, content_type, text = answers[-1]
        return web.Response(status=status, content_type=content_type, text=text)

    app = web.Application()
    app.router.add_get("/MAINTAINERS", serve_file)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        shelf.rig.maintainers = f"http://{host}:{port}/MAINTAINERS"
        async with shelf.rig.running() as bot:
            await shelf.rig.poll(bot)
            answers.append((status, content_type, text))
            await shelf.a_day_later(bot)
            [remark] = (await bot.overview.condition()).remarks
            kept = bot.maintainers_files.of(ServerName("sample"), ProjectName(PROJECT))
    finally:
        await runner.cleanup()

    assert remark.endswith("the copy of 2026-01-01 00:01 UTC is used.")
    assert kept is not None
    assert [section.name for section in kept.sections] == ["Migration", "Memory"]


async def test_a_file_that_is_not_there_is_said_and_looked_for_again_within_the_hour(shelf: Shelf) -> None:
    rig = shelf.rig
    shelf.file.unlink()
    async with rig.running() as bot:
        await rig.poll(bot)
        told, *_ = (await bot.overview.condition()).remarks
        shelf.write(FILE)
        await rig.pass_quietly(bot, 3601)
        rig.post("migration/ram.c", name="migration: Fix it")
        await rig.poll(bot)

    assert told.endswith("(No such file or directory); there is no copy of it.")
    assert rig.titles(ROOM) == ["migration: Fix it"]


async def test_a_file_at_an_address_is_fetched_once_a_day(shelf: Shelf) -> None:
    rig, asked = shelf.rig, []

    async def serve_file(request: web.Request) -> web.Response:
        asked.append((request.path_qs, request.headers["User-Agent"]))
        return web.Response(text=FILE)

    app = web.Application()
    app.router.add_get("/tree/MAINTAINERS", serve_file)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        rig.maintainers = f"http://{host}:{port}/tree/MAINTAINERS?h=master"
        async with rig.running() as bot:
            await rig.poll(bot, times=5)
            rig.post("migration/ram.c", name="migration: Fix it")
            await rig.poll(bot)
    finally:
        await runner.cleanup()

    assert [path for path, _ in asked] == ["/tree/MAINTAINERS?h=master"]
    assert asked[0][1].startswith("patchwork-matrix-bot/")
    assert rig.titles(ROOM) == ["migration: Fix it"]


async def test_a_configured_query_that_names_what_nobody_knows_is_doubted_in_the_status(shelf: Shelf) -> None:
    shelf.rig.subscribe = {ROOM: ("path:migraton/", "maint:Memroy")}
    async with shelf.rig.running() as bot:
        await shelf.rig.poll(bot)
        condition = await bot.overview.condition()

    assert condition.remarks == (
        "room[0].subscribe[0]: path:migraton/ matches no file that was seen so far; did you mean path:migration?",
        "room[0].subscribe[1]: maint:Memroy is not a section of MAINTAINERS; did you mean maint:Memory?",
    )


async def test_a_path_that_a_patch_touched_is_known(shelf: Shelf) -> None:
    shelf.rig.subscribe = {ROOM: ("path:hw/usb/",)}
    async with shelf.rig.running() as bot:
        await shelf.rig.poll(bot)
        shelf.rig.post("hw/usc/core.c", name="like it")
        shelf.rig.post("hw/usb/core.c", name="usb: Fix it")
        await shelf.rig.poll(bot)
        await shelf.rig.poll(bot)
        condition = await bot.overview.condition()

    assert condition.remarks == ()


async def test_another_place_for_the_file_is_no_change_of_it(shelf: Shelf) -> None:
    rig = shelf.rig
    async with rig.running() as bot:
        await rig.poll(bot)
    other = shelf.file.with_name("OTHER")
    other.write_text(FILE.replace("F: migration/", "F: somewhere/else/"))
    rig.maintainers = str(other)
    async with rig.running() as bot:
        await rig.poll(bot)
        rig.post("somewhere/else/x.c", name="else: Fix it")
        await rig.poll(bot)

    assert rig.titles(ROOM) == ["else: Fix it"]


async def test_what_is_no_file_is_not_waited_for(shelf: Shelf) -> None:
    shelf.file.unlink()
    os.mkfifo(shelf.file)
    async with shelf.rig.running() as bot:
        await shelf.rig.poll(bot)
        told, *_ = (await bot.overview.condition()).remarks

    assert "is no file" in told


async def test_what_an_address_keeps_secret_is_not_told(shelf: Shelf) -> None:
    shelf.rig.maintainers = "http://127.0.0.1:9/MAINTAINERS?private_token=s3cret"
    async with shelf.rig.running() as bot:
        await shelf.rig.poll(bot)
        told, *_ = (await bot.overview.condition()).remarks

    assert told.startswith("MAINTAINERS of qemu-devel cannot be read from http://127.0.0.1:9/MAINTAINERS (")
    assert "s3cret" not in told


async def test_a_fault_in_the_file_of_one_project_does_not_stop_that_of_the_next(shelf: Shelf) -> None:
    async with shelf.rig.running() as bot:
        await bot.settle()
        [source] = bot.maintainers_files._sources
        read: list[str] = []

        async def content() -> bytes:
            read.append("second")
            return FILE.encode()

        async def fault() -> bytes:
            return "\ud800".encode()

        first = replace(source, project=ProjectName("another"), content=fault)
        maintainers_files = MaintainersFiles(
            Shelved(((source.server, source.project),), (first, replace(source, content=content))),
            bot.store,
            Audience(bot.rooms.index),
            shelf.rig.clock,
        )
        await maintainers_files.tick()

    assert read == ["second"]
    assert [(each.kind, each.name) for each in bot.store.incidents] == [
        ("maintainers.not_read", "MAINTAINERS of another on sample")
    ]
    assert maintainers_files.of(source.server, source.project) is not None


async def test_several_files_are_read_as_one(shelf: Shelf) -> None:
    rig, board = shelf.rig, shelf.file.with_name("BOARD")
    board.write_text("ACME BOARD\nM: Ada Sample <ada@example.org>\nF: board/acme/\n")
    rig.maintainers, rig.subscribe = [str(shelf.file), str(board)], {ROOM: ('maint:"acme board"', "maint:memory")}
    async with rig.running() as bot:
        await rig.poll(bot)
        for path in ("board/acme/a.c", "system/memory.c", "migration/ram.c"):
            rig.post(path, name=path)
        await rig.poll(bot)

    assert rig.titles(ROOM) == ["board/acme/a.c", "system/memory.c"]


async def test_a_file_of_several_that_cannot_be_read_is_named_and_none_is_used(shelf: Shelf) -> None:
    rig = shelf.rig
    rig.maintainers = [str(shelf.file), "/nowhere/MAINTAINERS"]
    async with rig.running() as bot:
        await rig.poll(bot)
        told, *_ = (await bot.overview.condition()).remarks

    assert f"cannot be read from {shelf.file}, /nowhere/MAINTAINERS (" in told
