"""What rooms see of the versions of a series, in virtual time."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from inline_snapshot import snapshot

from bot.app import Bot
from bot.errors import Permanent, Temporary
from bot.ids import RoomId
from bot.sample_patchwork.diffs import Hunk, git_diff, rename_diff, sample_diff
from bot.sample_patchwork.mail import Mail, NewPatch, NewSeries
from bot.sample_patchwork.patchwork import PostedSeries
from support.rig import PROJECT, ROOM, Rig

pytestmark = pytest.mark.slow

OTHER = RoomId("!other")
NAME = "migration: Fix it all"


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def a_version(version: int, *added: str, path: str = "migration/ram.c", name: str = NAME) -> NewSeries:
    """A version of the series, a patch for each line that is added; "one!" is another try at "one"."""
    patches = [NewPatch(f"migration: Step {each.strip('!')}", sample_diff(path, added=each)) for each in added]
    return NewSeries(name=name, patches=patches, version=version)


async def send(rig: Rig, bot: Bot, series: NewSeries, *, days: float = 0) -> PostedSeries:
    """Some *days* later the series arrives, and all that follows from it is done."""
    await rig.pass_quietly(bot, days * 86_400)
    posted = rig.patchwork.post_series(PROJECT, series)
    await rig.poll(bot)
    await edits(rig, bot)
    return posted


def cover_of(rig: Rig, posted: PostedSeries) -> str:
    """The message-id of the cover letter."""
    assert posted.cover is not None
    return rig.patchwork.rows.covers[posted.cover].msgid


async def edits(rig: Rig, bot: Bot) -> None:
    """What is urgent is shown."""
    for _ in range(2):
        rig.clock.advance(5)
        await bot.settle()


def heads(rig: Rig, room: RoomId = ROOM) -> list[str]:
    """The cards as they stand: the first line, and that on the former version, with the ends of the links to others."""
    edits = {post.message.edits: post.message.html for post in rig.chat.edits(room)}
    roots = (post for post in rig.chat.posted if post.room == room and post.message.edits is None)
    return [_head(edits.get(post.event, post.message.html)) for post in roots]


def _head(html: str) -> str:
    lines = html.partition("</p>")[0].split("<br>")
    told = [lines[0], *(line for line in lines[1:] if line.startswith(("since ", "partial reroll")))]
    linked = re.sub(r'<a href="[^"]*?(series=\d+|%24\d+)[^"]*">(v[\d.]+)</a>', r"\2 {\1}", " / ".join(told))
    return re.sub("<[^>]*>", "", linked).replace("%24", "$")


async def test_versions_link_each_other_and_the_old_card_is_edited_once(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        await send(rig, bot, a_version(5, "one", "two", "three", "four"))

        await send(rig, bot, a_version(6, "one", "two!", "three!", "five"), days=6)

    assert heads(rig) == snapshot(
        [
            "♻️ [v5 0/4] migration: Fix it all → v6 {$2}",
            "🆕 [v6 0/4] migration: Fix it all / since v5 {$1} (6 days): 2 of 4 changed, 1 new, 1 dropped",
        ]
    )
    assert [(edit.message.edits, edit.message.tag.version) for edit in rig.chat.edits(ROOM)] == [("$1", 5)]


async def test_the_log_tells_of_new_versions_only_where_a_room_has_a_card(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        with structlog.testing.capture_logs() as logs:
            await send(rig, bot, a_version(1, "x", "y", name="Nobody's", path="hw/net/e1000.c"))
            await send(rig, bot, a_version(2, "x", "z", name="Nobody's", path="hw/net/e1000.c"), days=1)
            await send(rig, bot, a_version(1, "one", "two"))
            await send(rig, bot, a_version(2, "one", "two!"), days=1)
            await send(rig, bot, a_version(3, "one", "two", path="hw/net/rocker.c"), days=1)

    linked = [(each["former"], each["series"]) for each in logs if each["event"] == "version.linked"]
    assert linked == [(3, 4), (4, 5)]


async def test_a_version_that_a_room_did_not_ask_for_is_linked_on_patchwork(rig: Rig) -> None:
    rig.subscribe = {ROOM: ("path:migration/",), OTHER: ("path:migration/", "path:hw/")}
    async with rig.running() as bot:
        await bot.settle()
        await send(rig, bot, a_version(5, "one"))

        await send(rig, bot, a_version(6, "one!", path="hw/net/e1000.c"), days=1)

    assert heads(rig, ROOM) == snapshot(["♻️ [v5 1/1] migration: Step one → v6 {series=2}"])
    assert heads(rig, OTHER) == snapshot(
        [
            "♻️ [v5 1/1] migration: Step one → v6 {$3}",
            "🆕 [v6 1/1] migration: Step one / since v5 {$1} (1 day): changed",
        ]
    )


async def test_a_former_version_without_a_card_is_linked_on_patchwork(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        await send(rig, bot, a_version(1, "one", path="hw/net/e1000.c"))

        await send(rig, bot, a_version(2, "one"), days=0.5)

    assert heads(rig) == snapshot(["🆕 [v2 1/1] migration: Step one / since v1 {series=1} (less than a day): changed"])
    assert rig.chat.edits(ROOM) == []


async def test_both_versions_at_once_link_each_other_in_the_end(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        rig.patchwork.post_series(PROJECT, a_version(1, "one"))
        rig.patchwork.post_series(PROJECT, a_version(2, "one!"))

        await rig.poll(bot)
        await edits(rig, bot)

    assert heads(rig) == snapshot(
        [
            "♻️ [1/1] migration: Step one → v2 {$2}",
            "🆕 [v2 1/1] migration: Step one / since v1 {$1} (less than a day): changed",
        ]
    )
    assert len(rig.chat.edits(ROOM)) <= 2


async def test_the_old_card_is_not_called_superseded_before_the_new_one_is_there(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        await send(rig, bot, a_version(1, "one"))
        rig.chat.before_send = lambda _: Temporary("down")
        await send(rig, bot, a_version(2, "one!"), days=1)
        rig.chat.before_send = lambda _: None
        before = heads(rig)

        rig.clock.advance(900)
        await edits(rig, bot)
        await edits(rig, bot)

    assert before == ["🆕 [1/1] migration: Step one"]
    assert heads(rig) == snapshot(
        [
            "♻️ [1/1] migration: Step one → v2 {$2}",
            "🆕 [v2 1/1] migration: Step one / since v1 {$1} (1 day): changed",
        ]
    )
    assert len(rig.chat.edits(ROOM)) == 1


async def test_a_new_card_that_no_room_takes_leaves_the_old_one_a_link_to_patchwork(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        await send(rig, bot, a_version(1, "one"))
        rig.chat.before_send = lambda _: Permanent("too large")
        rig.patchwork.post_series(PROJECT, a_version(2, "one!"))
        await rig.poll(bot)
        rig.chat.before_send = lambda _: None

        await edits(rig, bot)

    assert heads(rig) == snapshot(["♻️ [1/1] migration: Step one → v2 {series=2}"])


async def test_a_partial_reroll_supersedes_nothing(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        first = await send(rig, bot, a_version(5, *"abc"))
        reroll = Mail(
            subject="[PATCH v5.1 2/3] migration: Step b",
            msgid="reroll@example.org",
            date=rig.clock.now().replace(tzinfo=None),
            diff=sample_diff("migration/ram.c", added="another b"),
            references=(cover_of(rig, first),),
        )
        rig.patchwork.receive(PROJECT, reroll)
        await rig.poll(bot, times=32)
        await edits(rig, bot)

    assert heads(rig) == snapshot(
        [
            "🆕 [v5 0/3] migration: Fix it all",
            "🆕 [v5.1 2/3] migration: Step b · 1 of 3 / partial reroll of v5 {$1}: 2/3",
        ]
    )


@pytest.mark.parametrize(
    ("case", "second"),
    [
        ("another submitter", replace(a_version(2, "one"), submitter="Bob <bob@example.org>")),
        ("another name and diff", a_version(2, "other", name="migration: Another work")),
        ("sent again", a_version(1, "one")),
    ],
)
async def test_what_is_no_new_version_leaves_the_old_card_as_it_is(rig: Rig, case: str, second: NewSeries) -> None:
    async with rig.running() as bot:
        await bot.settle()
        await send(rig, bot, a_version(1, "one"))

        await send(rig, bot, second, days=1)

    assert not any("→ " in head or " / since" in head for head in heads(rig)), case


async def test_a_renamed_version_is_known_by_its_diffs(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        await send(rig, bot, a_version(1, "one", "two"))

        await send(rig, bot, a_version(2, "one", "two", name="migration: A better name"), days=3)

    assert heads(rig) == snapshot(
        [
            "♻️ [0/2] migration: Fix it all → v2 {$2}",
            "🆕 [v2 0/2] migration: A better name / since v1 {$1} (3 days): no patch changed",
        ]
    )


async def test_a_renamed_version_is_known_by_the_thread_that_it_replies_to(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        first = await send(rig, bot, a_version(1, "one", "two"))

        second = a_version(2, "one!", "two!", name="migration: A better name").replying_to(cover_of(rig, first))
        await send(rig, bot, second, days=3)

    assert heads(rig) == snapshot(
        [
            "♻️ [0/2] migration: Fix it all → v2 {$2}",
            "🆕 [v2 0/2] migration: A better name / since v1 {$1} (3 days): all 2 changed",
        ]
    )


async def test_a_cover_letter_that_comes_late_tells_what_its_series_follows(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        await send(rig, bot, a_version(1, "one", "two"))
        await rig.pass_quietly(bot, 86_400)
        cover, *patches = rig.patchwork.mails_of(a_version(2, "other", "another"))
        for mail in patches:
            rig.patchwork.receive(PROJECT, mail)
        await rig.poll(bot, times=2)
        before = heads(rig)
        rig.patchwork.receive(PROJECT, cover)

        await rig.poll(bot, times=40)

    assert not any("→ " in head or " / since" in head for head in before)
    assert heads(rig) == snapshot(
        [
            "♻️ [0/2] migration: Fix it all → v2 {$2}",
            "🆕 [v2 0/2] migration: Fix it all / since v1 {$1} (1 day): 2 new, 2 dropped",
        ]
    )


async def test_diffs_that_only_rename_prove_nothing(rig: Rig) -> None:
    def moving(version: int, name: str) -> NewSeries:
        patches: Sequence[NewPatch] = [NewPatch("Move it", rename_diff(f"migration/{name}", f"migration/{name}.new"))]
        return NewSeries(name=f"migration: Move {name}", patches=patches, version=version)

    async with rig.running() as bot:
        await bot.settle()
        await send(rig, bot, moving(1, "one.c"))

        await send(rig, bot, moving(2, "two.c"))

    assert heads(rig) == ["🆕 [1/1] Move it", "🆕 [v2 1/1] Move it"]


async def test_versions_go_on_after_a_restart(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        await send(rig, bot, a_version(1, "one"))
    async with rig.running() as bot:
        await send(rig, bot, a_version(2, "one!"), days=1)
    async with rig.running() as bot:
        await send(rig, bot, a_version(3, "one!!"), days=1)

    assert heads(rig) == snapshot(
        [
            "♻️ [1/1] migration: Step one → v2 {$2}",
            "♻️ [v2 1/1] migration: Step one → v3 {$4}",
            "🆕 [v3 1/1] migration: Step one / since v2 {$2} (1 day): changed",
        ]
    )


async def test_a_card_pairs_patches_by_their_diffs_even_under_another_name(rig: Rig) -> None:
    def patches(*rows: tuple[str, str, int]) -> NewSeries:
        made = [
            NewPatch(f"migration: {name}", git_diff(path, Hunk(1, "".join(f"+{path} {n}\n" for n in range(count)))))
            for name, path, count in rows
        ]
        return NewSeries(name=NAME, patches=made, version=1 if rows[0][0] == "Add it" else 2)

    async with rig.running() as bot:
        await bot.settle()
        first = [("Add it", "migration/a.c", 20), ("Use it", "migration/b.c", 20), ("Test it", "migration/c.c", 20)]
        await send(rig, bot, patches(*first))

        second = [("Test it", "migration/c.c", 20), ("Add that", "migration/a.c", 22), ("Use it", "migration/b.c", 20)]
        await send(rig, bot, patches(*second), days=4)

    assert heads(rig)[-1].endswith(" / since v1 {$1} (4 days): 1 of 3 changed, 1 moved")
