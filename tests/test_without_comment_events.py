"""A Patchwork without comment events (API 1.2 and older): rooms hear of comments and reviews all the same."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.app import Bot
from bot.ids import RoomId, ServerName
from bot.notices.markup import Allowed, written
from bot.notices.status import status
from bot.sample_patchwork.patchwork import PostedSeries as Arrived
from support.broken_rows import fail
from support.rig import ROOM, Rig
from support.store_rig import ask

pytestmark = pytest.mark.slow

REVIEWS = RoomId("!reviews:hs")
OTHER = RoomId("!other:hs")
REVIEW = "Looks good.\n\nReviewed-by: Bruno Muster <bruno@example.org>\n"
VERSIONS = ("1.0", "1.1", "1.2", "1.3")
OLD = pytest.mark.parametrize("newest", ["1.1", "1.2"])


def a_rig(folder: Path, newest: str, subscribe: dict[RoomId, tuple[str, ...]]) -> Rig:
    """A bot that watches a server whose newest API is that."""
    rig = Rig(folder, subscribe=subscribe, poll_seconds=1800)
    rig.patchwork.api_versions = tuple(version for version in VERSIONS if version <= newest)
    rig.patchwork.old_events = newest < "1.2"
    return rig


async def arrived(rig: Rig, bot: Bot, *paths: str, patches: int = 2) -> Arrived:
    """A series that the bot has read."""
    await bot.settle()
    posted = rig.post(*paths or ("migration/ram.c",), name="migration: Fix it", patches=patches)
    await rig.poll(bot)
    return posted


async def hours(rig: Rig, bot: Bot, number: int) -> None:
    await rig.poll(bot, times=2 * number)


def said(rig: Rig, room: RoomId = ROOM, kind: str = "reply") -> list[str]:
    """The first messages of a kind in a room, without edits."""
    posts = (post for post in rig.chat.posted if post.room == room and post.message.edits is None)
    return [post.message.body for post in posts if post.message.tag.kind == kind]


def shown(rig: Rig, room: RoomId = ROOM) -> Sequence[str]:
    return rig.chat.shown(room)


@OLD
async def test_a_review_by_mail_moves_the_card_and_fires_is_reviewed(tmp_path: Path, newest: str) -> None:
    subscribe: dict[RoomId, tuple[str, ...]] = {
        ROOM: ("path:migration/",),
        REVIEWS: ("path:migration/ is:reviewed",),
        OTHER: ("path:docs/ is:reviewed",),
    }
    rig = a_rig(tmp_path, newest, subscribe)

    async with rig.running() as bot:
        posted = await arrived(rig, bot)
        rig.patchwork.add_comment(posted.patches[0], REVIEW)
        assert "👍" not in shown(rig)[0]
        await hours(rig, bot, 3)

    assert "reviewed" in shown(rig)[0]
    assert len(said(rig, REVIEWS, "card")) == 1
    assert "reviewed" in shown(rig, REVIEWS)[0]
    assert said(rig, OTHER, "card") == []


@OLD
async def test_a_review_is_waited_for_where_there_is_no_card(tmp_path: Path, newest: str) -> None:
    rig = a_rig(tmp_path, newest, {REVIEWS: ("path:migration/ is:reviewed",)})

    async with rig.running() as bot:
        posted = await arrived(rig, bot)
        await hours(rig, bot, 10)
        assert said(rig, REVIEWS, "card") == []
        rig.patchwork.add_cover_comment(posted.cover or 0, REVIEW)
        await hours(rig, bot, 10)

    assert len(said(rig, REVIEWS, "card")) == 1


async def test_comments_are_told_as_an_event_would_have_them_told(tmp_path: Path) -> None:
    told: dict[str, tuple[list[str], list[str]]] = {}
    for newest in VERSIONS[1:]:
        folder = tmp_path / newest
        folder.mkdir()
        rig = a_rig(folder, newest, {ROOM: ("path:migration/ on:new,comment",), OTHER: ("path:hw/ on:comment",)})
        async with rig.running() as bot:
            posted = await arrived(rig, bot)
            other = await arrived(rig, bot, "hw/a.c")
            rig.patchwork.add_comment(posted.patches[0], REVIEW)
            rig.patchwork.add_comment(posted.patches[1], "> Fix it\nWhy?\n", submitter="Ada Beispiel <ada@example.org>")
            rig.patchwork.add_cover_comment(other.cover or 0, "Thanks.")
            await hours(rig, bot, 5)
        told[newest] = said(rig), [*said(rig, OTHER, "card"), *said(rig, OTHER)]

    assert told["1.1"][0] == told["1.2"][0] == told["1.3"][0]
    assert [len(each) for each in told["1.3"]] == [len(each) for each in told["1.1"]] == [1, 2]
    assert told["1.2"][1][1] == told["1.3"][1][1]


@OLD
async def test_each_comment_is_told_once_also_over_restarts(tmp_path: Path, newest: str) -> None:
    rig = a_rig(tmp_path, newest, {ROOM: ("path:migration/ on:new,comment",)})

    async with rig.running() as bot:
        posted = await arrived(rig, bot)
        rig.patchwork.add_comment(posted.patches[0], "First.\n")
        await hours(rig, bot, 2)
    for text in ("Second.\n", "Third.\n"):
        async with rig.running() as bot:
            rig.patchwork.add_comment(posted.patches[1], text)
            await hours(rig, bot, 4)

    assert [body.count(word) for word in ("First", "Second", "Third") for body in ["\n".join(said(rig))]] == [1, 1, 1]


async def test_when_the_server_learns_to_raise_comment_events_nothing_is_told_twice(tmp_path: Path) -> None:
    rig = a_rig(tmp_path, "1.2", {ROOM: ("path:migration/ on:new,comment",)})

    async with rig.running() as bot:
        posted = await arrived(rig, bot)
        rig.patchwork.add_comment(posted.patches[0], "First.\n")
        await hours(rig, bot, 2)
        rig.patchwork.api_versions = VERSIONS
        await hours(rig, bot, 26)
        rig.patchwork.add_comment(posted.patches[0], "Second.\n")
        await hours(rig, bot, 1)
        assert bot.overview._parts.watches[0]._poller.api_version == "1.3"

    assert [body.count(word) for word in ("First", "Second") for body in ["\n".join(said(rig))]] == [1, 1]


async def test_a_comment_that_cannot_be_saved_costs_itself_only_and_is_told_later(tmp_path: Path) -> None:
    rig = a_rig(tmp_path, "1.2", {ROOM: ("path:migration/ on:new,comment",)})

    async with rig.running() as bot:
        first, second = [await arrived(rig, bot, patches=1) for _ in range(2)]
        lost = rig.patchwork.add_comment(first.patches[0], "First.\n")
        rig.patchwork.add_comment(second.patches[0], "Second.\n")
        mend = fail(rig.settings().store.url.get_secret_value(), "INSERT ON comment", f"NEW.id = {lost}")
        rig.patchwork.requests.clear()
        await hours(rig, bot, 2)
        asked = sum(path.endswith(("/comments/", "/mbox/")) for _, path, _ in rig.patchwork.requests)
        counted = sum(
            requests for _, requests in await ask(bot.store, lambda tx: tx.rechecks.requests(ServerName("sample")))
        )
        before = "\n".join(said(rig))
        assert [incident.name for incident in bot.store.incidents] == ["comments on patch 1 of sample"]
        mend()
        await hours(rig, bot, 2)

    assert ("First" in before, "Second" in before) == (False, True)
    assert "\n".join(said(rig)).count("First") == 1
    assert 0 < counted <= asked


async def test_what_arrived_beside_something_that_cannot_be_saved_is_looked_at_too(tmp_path: Path) -> None:
    rig = a_rig(tmp_path, "1.2", {ROOM: ("path:migration/",)})

    async with rig.running() as bot:
        await bot.settle()
        lost, found = (rig.post("migration/ram.c") for _ in range(2))
        mend = fail(rig.settings().store.url.get_secret_value(), "INSERT ON series", f"NEW.id = {lost.series}")
        await rig.poll(bot)
        mend()
        rig.patchwork.add_comment(found.patches[0], REVIEW)
        await hours(rig, bot, 3)

    assert "reviewed" in shown(rig)[0]


async def test_nothing_is_looked_for_where_no_room_sees_it(tmp_path: Path) -> None:
    rig = a_rig(tmp_path, "1.2", {ROOM: ("path:docs/", "path:hw/ is:reviewed", "path:net/ on:comment")})

    async with rig.running() as bot:
        await arrived(rig, bot)
        rig.patchwork.requests.clear()
        await hours(rig, bot, 9)

    assert [path for _, path, _ in rig.patchwork.requests if path.endswith(("/comments/", "/mbox/"))] == []


@OLD
async def test_status_says_how_old_the_oldest_look_for_comments_is(tmp_path: Path, newest: str) -> None:
    rig = a_rig(tmp_path, newest, {ROOM: ("path:migration/",)})

    async with rig.running() as bot:
        await arrived(rig, bot)
        await hours(rig, bot, 5)
        condition = await bot.overview.condition()
        told, _ = written(status(condition, for_operator=False), Allowed(()))

    assert (
        f"sample (API {newest}) does not announce comments, so the bot looks for them; the oldest check was 1 h ago "
        "(2026-01-01 04:30 UTC)."
    ) in told
