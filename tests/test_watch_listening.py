"""Comments and trailers are asked for where somebody wants to know, in the whole bot, and nowhere else."""

from pathlib import Path

import pytest

from bot.app import Bot
from bot.ids import PatchId, RoomId, ServerName
from bot.notices.notice import NoticeKind
from bot.patchwork.model import Person, Trailer, TrailerKind
from bot.patchwork.updates import MailKind
from bot.query.options import OnKind
from bot.sample_patchwork.patchwork import PostedSeries
from support.rig import ROOM, Rig
from support.store_rig import ask

REVIEWED = "Reviewed-by: Rey Viewer <rey@example.com>\n"
REY = Trailer(TrailerKind.REVIEWED, "rey@example.com")
SERVER = ServerName("sample")


async def posted(rig: Rig, bot: Bot, *paths: str) -> PostedSeries:
    """A series of two that the bot has read; what was asked for that is forgotten."""
    await bot.settle()
    series = rig.post(*paths, patches=2)
    await rig.poll(bot, times=2)
    rig.patchwork.requests.clear()
    return series


async def asked_after(rig: Rig, bot: Bot, patch: int) -> list[str]:
    """What is asked for beside the events when somebody comments on a patch."""
    rig.patchwork.add_comment(patch, REVIEWED)
    await rig.poll(bot, times=4)
    paths = [path.removeprefix("/api/1.3") for _, path, _ in rig.patchwork.requests]
    return [path for path in paths if path != "/events/"]


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("path:migration/", ["/covers/1/", "/covers/1/comments/", "/series/1/mbox/"]),
        ("path:docs/", []),
        ("path:docs/ is:reviewed", ["/covers/1/", "/covers/1/comments/", "/series/1/mbox/"]),
        ("path:docs/ -is:reviewed", ["/covers/1/", "/covers/1/comments/", "/series/1/mbox/"]),
        ("path:docs/ on:comment", []),
        (
            "path:migration/ on:comment",
            ["/patches/1/comments/", "/covers/1/", "/covers/1/comments/", "/series/1/mbox/"],
        ),
    ],
)
async def test_only_what_somebody_wants_to_know_is_asked_for(tmp_path: Path, query: str, asked: list[str]) -> None:
    rig = Rig(tmp_path, subscribe={ROOM: (query,)})

    async with rig.running() as bot:
        series = await posted(rig, bot, "migration/a.c")

        assert await asked_after(rig, bot, series.patches[0]) == asked
        patch = await ask(bot.store, lambda tx: tx.watch.patch(SERVER, series.patches[0]))

    assert patch is not None
    assert patch.trailers == ({REY} if "/series/1/mbox/" in asked else frozenset())


@pytest.mark.parametrize(
    ("query", "is_used"),
    [("path:migration/", True), ("path:docs/", False), ('path:migration/ digest:"Mon 09:00"', True)],
)
async def test_a_queue_needs_the_authors_of_comments_in_the_rooms_where_it_is_used(
    tmp_path: Path, query: str, is_used: bool
) -> None:
    rig = Rig(tmp_path, subscribe={ROOM: (query,)})

    async with rig.running() as bot:
        bot.rooms.listeners.queues[ROOM] = rig.clock.now()
        series = await posted(rig, bot, "migration/a.c")
        asked = await asked_after(rig, bot, series.patches[0])
        known = await ask(bot.store, lambda tx: tx.comments.of(SERVER, MailKind.PATCH, series.patches))

    assert ("/patches/1/comments/" in asked) == is_used
    people = [each.person for mail in known.values() for each in mail.comments]
    assert people == [Person("Rey Viewer", "rey@example.com") if is_used else None]
    assert all(post.message.tag.kind != NoticeKind.REPLY for post in rig.chat.posted)


async def test_a_digest_of_a_queue_needs_the_authors_of_comments(tmp_path: Path) -> None:
    rig = Rig(tmp_path, subscribe={ROOM: ("path:docs/", 'path:migration/ as:queue digest:"Mon 09:00"')})

    async with rig.running() as bot:
        series = await posted(rig, bot, "migration/a.c")

        assert "/patches/1/comments/" in await asked_after(rig, bot, series.patches[0])


async def test_a_card_that_is_edited_no_more_needs_no_trailers(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    async with rig.running() as bot:
        series = await posted(rig, bot, "migration/a.c")
        async with bot.store.transaction() as tx:
            await tx.cards.move(ROOM, RoomId("!new:hs"))  # which ends those that were sent

        assert await asked_after(rig, bot, series.patches[0]) == []


async def test_who_unsubscribed_hears_nothing_more(tmp_path: Path) -> None:
    rig = Rig(tmp_path, subscribe={ROOM: ("path:migration/ on:comment",)})

    async with rig.running() as bot:
        series = await posted(rig, bot, "hw/a.c")
        for subscription in bot.rooms.index.subscriptions:
            bot.rooms.index.remove(subscription.id)

        assert not bot.rooms.index.has_subscriptions_to([OnKind.COMMENT])
        assert await asked_after(rig, bot, PatchId(series.patches[0])) == []
