"""When a series or a patch is judged, and how often it is news."""

from datetime import timedelta
from pathlib import Path

import pytest

from bot.clock import VirtualClock
from bot.ids import PatchId
from bot.patchwork.updates import FieldUpdate, PatchField
from bot.sample_patchwork.diffs import sample_diff
from bot.sample_patchwork.mail import Mail, NewPatch, NewSeries
from bot.sample_patchwork.patchwork import NewCheck
from support.poll_rig import a_patchwork, an_error, polling
from support.rig import PROJECT, Rig, a_series

pytestmark = pytest.mark.slow


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def mails_of(rig: Rig, *paths: str) -> tuple[Mail, ...]:
    """The mails of a series with a patch on each of *paths*, the cover first."""
    patches = tuple(NewPatch(f"migration: Part {n}", sample_diff(path)) for n, path in enumerate(paths, start=1))
    return rig.patchwork.mails_of(NewSeries(name="migration: Five", patches=patches))


async def test_an_incomplete_series_is_posted_after_its_time_with_what_is_there(rig: Rig) -> None:
    mails = mails_of(rig, *["migration/ram.c"] * 5)
    async with rig.running() as bot:
        await bot.settle()
        for mail in (mails[0], mails[1], mails[2], mails[4]):
            rig.patchwork.receive(PROJECT, mail)

        await rig.poll(bot, times=29)
        early = rig.titles()
        await rig.poll(bot, times=3)

    assert early == []
    assert rig.titles() == ["migration: Five · 3 of 5"]


async def test_a_straggler_that_makes_a_series_match_is_posted_once(rig: Rig) -> None:
    mails = mails_of(rig, "docs/a.rst", "docs/b.rst", "migration/ram.c")
    async with rig.running() as bot:
        await bot.settle()
        for mail in mails[:3]:
            rig.patchwork.receive(PROJECT, mail)
        await rig.poll(bot, times=40)
        before = rig.titles()

        rig.patchwork.receive(PROJECT, mails[3])
        await rig.poll(bot, times=40)

    assert before == []
    assert rig.titles() == ["migration: Five"]


async def test_a_straggler_elsewhere_posts_nothing(rig: Rig) -> None:
    mails = mails_of(rig, "migration/ram.c", "docs/a.rst", "docs/b.rst")
    async with rig.running() as bot:
        await bot.settle()
        for mail in mails[:3]:
            rig.patchwork.receive(PROJECT, mail)
        await rig.poll(bot, times=40)

        rig.patchwork.receive(PROJECT, mails[3])
        await rig.poll(bot, times=40)

    assert rig.titles() == ["migration: Five · 2 of 3"]


async def test_a_straggler_behind_a_hole_is_found_though_no_event_names_its_series(rig: Rig) -> None:
    mails = mails_of(rig, "docs/a.rst", "docs/b.rst", "migration/ram.c", "docs/d.rst")
    async with rig.running() as bot:
        await bot.settle()
        rig.patchwork.receive(PROJECT, mails[0])
        rig.patchwork.receive(PROJECT, mails[1])
        await rig.poll(bot, times=40)

        rig.patchwork.receive(PROJECT, mails[3])
        await rig.poll(bot, times=5)

    assert rig.titles() == ["migration: Five · 2 of 4"]


async def test_a_completed_series_is_read_again_until_it_has_all_patches(rig: Rig) -> None:
    """Patchwork up to 3.2.1 shows the event before what it tells of."""
    async with rig.running() as bot:
        await bot.settle()
        mails = mails_of(rig, "migration/a.c", "migration/b.c")
        rig.patchwork.receive(PROJECT, mails[0])
        rig.patchwork.receive(PROJECT, mails[1])
        late = rig.patchwork.begin(events_at_once=True)
        with late:
            rig.patchwork.receive(PROJECT, mails[2])
        await rig.poll(bot, times=2)
        early = rig.titles()

        late.commit()
        await rig.poll(bot, times=2)

    assert early == []
    assert rig.titles() == ["migration: Five"]


async def test_a_pull_request_is_news_of_its_own_after_the_grace() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        pull = patchwork.post_pull_request(PROJECT, "Block patches", "https://git.example.org/x.git", patches=3)
        await watched.poll()
        early = watched.patches
        await watched.poll(times=40)

    assert early == []
    assert watched.patches == [pull]
    assert watched.series == []


async def test_a_pull_request_and_the_series_of_its_patches_are_two_things() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        pull = patchwork.post_pull_request(PROJECT, "Block patches", "https://git.example.org/x.git", patches=2)
        series = NewSeries(
            name="Block patches",
            prefixes=("PULL",),
            cover=False,
            patches=[NewPatch("one", sample_diff("a.c")), NewPatch("two", sample_diff("b.c"))],
        )
        posted = patchwork.post_series(PROJECT, series.replying_to(patchwork.rows.patches[pull].msgid))
        await watched.poll(times=40)

    assert watched.patches == [pull]
    assert watched.series == [posted.series]


async def test_a_lone_patch_is_news_at_once(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()

        rig.post("migration/ram.c", name="migration: Alone")
        await rig.poll(bot)

    assert rig.titles() == ["migration: Alone"]


async def test_a_series_that_arrives_backwards_with_its_cover_last_is_posted_once(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()

        for mail in reversed(mails_of(rig, "migration/a.c", "migration/b.c", "migration/c.c")):
            rig.patchwork.receive(PROJECT, mail)
        await rig.poll(bot, times=40)

    assert rig.titles() == ["migration: Five"]


async def test_a_cover_that_comes_after_the_card_posts_nothing_more(rig: Rig) -> None:
    mails = mails_of(rig, "migration/a.c", "migration/b.c")
    async with rig.running() as bot:
        await bot.settle()
        for mail in mails[1:]:
            rig.patchwork.receive(PROJECT, mail)
        await rig.poll(bot)

        rig.patchwork.receive(PROJECT, mails[0])
        await rig.poll(bot, times=40)

    assert rig.titles() == ["[1/2] migration: Part 1"]


async def test_a_patch_more_than_the_series_claims_is_news_of_the_same_series() -> None:
    """A "[3/2]" mail raises "series-completed" a second time."""
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        posted = watched.post(patches=2)
        await watched.poll()
        first = patchwork.rows.patches[posted.patches[0]]
        extra = Mail(
            subject="[PATCH 3/2] One more",
            msgid="extra@example.org",
            date=first.date + timedelta(seconds=9),
            diff=sample_diff("extra.c"),
            references=(first.msgid,),
        )
        patch = patchwork.receive(PROJECT, extra)
        await watched.poll(times=40)

    assert patch is not None
    news = [[item.id for item in read.news] for poll in watched.polls for read in poll.series if read.news]
    assert news == [list(posted.patches), [patch.id]]


async def test_what_happens_to_a_judged_series_makes_it_no_news_again() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        posted = watched.post(patches=2)
        await watched.poll()
        patchwork.set_state(posted.patches[0], "accepted")
        patchwork.add_check(posted.patches[0], NewCheck("fail"))
        patchwork.relate(posted.patches)
        patchwork.mark_addressed(patchwork.add_comment(posted.patches[1], "Fine.\n"))
        patchwork.rename_series(posted.series, "Renamed")
        await watched.poll(times=70)

    assert watched.series == [posted.series]
    told = next(told for poll in watched.polls for told in poll.updates)
    assert told == FieldUpdate(PatchId(posted.patches[0]), PatchField.STATE, "accepted")


async def test_what_waited_when_the_bot_stopped_is_judged_after_the_next_start() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    mails = patchwork.mails_of(a_series("a.c", patches=3))

    async with polling(patchwork, clock) as watched:
        for mail in mails[:3]:
            patchwork.receive(PROJECT, mail)
        await watched.poll()
        watched.restart()
        await watched.poll(times=31)

    assert watched.series == [1]


async def test_a_series_that_cannot_be_read_is_tried_again_and_then_posted() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        posted = watched.post(patches=2)
        patchwork.fault = lambda path: an_error() if "/series/1/" in path else None
        await watched.poll(times=5)
        early = watched.series
        patchwork.fault = lambda _: None
        await watched.poll(times=5)

    assert early == []
    assert watched.series == [posted.series]


async def test_a_look_honours_what_the_server_asks_for() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock) as watched:
        watched.post(patches=2)
        patchwork.fault = lambda path: an_error(429, "600") if "/series/1/" in path else None
        await watched.poll(times=9)
        early = watched.take_requests().count("/series/1/")
        await watched.poll(times=2)
        late = watched.take_requests().count("/series/1/")

    assert (early, late) == (1, 1)
