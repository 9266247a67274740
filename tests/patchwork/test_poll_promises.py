import itertools
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.clock import VirtualClock
from bot.sample_patchwork.patchwork import NewCheck, SamplePatchwork
from bot.sample_patchwork.tables import TableTransaction
from support.poll_rig import a_patchwork, polling
from support.rig import PROJECT, Rig, a_series

pytestmark = pytest.mark.slow

MINUTES_OF_TWO_DAYS = 2 * 24 * 60


def a_past(patchwork: SamplePatchwork, clock: VirtualClock) -> dict[int, Callable[[], object]]:
    """A complete series, one with a hole and a pull request, an hour old; and by minute what becomes of them."""
    old = patchwork.post_series(PROJECT, a_series("migration/old.c", name="migration: Old", patches=3))
    mails = patchwork.mails_of(a_series("migration/hole.c", name="migration: With a hole", patches=3))
    for mail in mails[:3]:
        patchwork.receive(PROJECT, mail)
    pull = patchwork.post_pull_request(PROJECT, "Old migration patches", "https://git.example.org/x.git", patches=2)
    clock.advance(3600)
    return {
        30: lambda: patchwork.receive(PROJECT, mails[3]),
        60: lambda: patchwork.set_state(old.patches[0], "accepted", "maintainer"),
        210: lambda: patchwork.rename_series(old.series, "migration: Renamed"),
        420: lambda: patchwork.add_check(old.patches[1], NewCheck("fail")),
        600: lambda: patchwork.change_silently(old.patches[1], "rejected"),
        900: lambda: patchwork.edit_patch(pull, archived=True, name="[PULL,0/2] Renamed"),
        1500: lambda: patchwork.add_comment(old.patches[2], "Reviewed-by: Rey Viewer <rey@example.com>\n"),
    }


async def test_nothing_that_was_there_before_the_first_start_is_ever_news() -> None:
    """In two days of polls a minute apart, whatever window and net brings it up, and whatever becomes of it."""
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    happenings = a_past(patchwork, clock)
    async with polling(patchwork, clock) as watched:
        for minute in range(1, MINUTES_OF_TWO_DAYS + 1):
            happenings.get(minute - 1, lambda: None)()
            await watched.poll()
        news = [found for poll in watched.polls for found in (*poll.series, *poll.patches)]

    assert news == []
    assert len(set(watched.events)) == 6  # three by the late patch, one each by the state, the check and the comment


async def test_no_room_ever_hears_of_what_was_there_before_the_first_start(tmp_path: Path) -> None:
    """The same from end to end, with a poll each half hour."""
    rig = Rig(tmp_path, poll_seconds=1800)
    happenings = a_past(rig.patchwork, rig.clock)

    async with rig.running() as bot:
        await bot.settle()
        for minute in range(30, MINUTES_OF_TWO_DAYS + 1, 30):
            happenings.get(minute, lambda: None)()
            await rig.poll(bot)
        before = rig.titles()
        rig.post("migration/new.c", name="migration: New")
        await rig.poll(bot)

    assert before == []
    assert rig.titles() == ["migration: New"]


@dataclass
class Writer:
    """Somebody whose transactions write up to three events, then commit up to 1.5 s later."""

    patchwork: SamplePatchwork
    chance: random.Random
    open: TableTransaction | None = None
    until: float = 0.0

    def act(self, now: float) -> int:
        """Commit what is due, or begin anew; how many events that made."""
        if self.open is not None:
            if now >= self.until:
                self.open.commit()
                self.open = None
            return 0
        before = len(self.patchwork._tables.events.rows)
        self.open = self.patchwork.begin()
        self.until = now + self.chance.uniform(0, 1.5)
        with self.open:
            for _ in range(self.chance.randint(1, 3)):
                patch = self.chance.choice(list(self.patchwork._tables.patches.rows))
                self.patchwork.set_state(patch, self.chance.choice(["accepted", "rejected", "rfc", "new"]))
        return len(self.patchwork._tables.events.rows) - before


@dataclass
class NaiveCursor:
    """What the poller would be without its care: since the last date, less the ids seen."""

    patchwork: SamplePatchwork
    last: datetime | None = None
    seen: set[int] = field(default_factory=set)

    def poll(self) -> None:
        """Read on from the last date."""
        rows = self.patchwork.rows.events_between(self.last, None)
        self.seen |= {row.id for row in rows}
        self.last = max((row.date for row in rows), default=self.last)


@pytest.mark.parametrize("seed", [1, 2])
async def test_four_writers_that_commit_late_hide_no_event(seed: int) -> None:
    """400 events, a poll a second; a cursor that goes by the last date misses some of the same history."""
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    patchwork.post_series(PROJECT, a_series("a.c", patches=20))
    chance = random.Random(seed)  # noqa: S311  # chance, no secret
    writers = [Writer(patchwork, chance) for _ in range(4)]

    async with polling(patchwork, clock) as watched:
        naive = NaiveCursor(patchwork)
        naive.poll()
        past = {row.id for row in patchwork.rows.events}
        made, tick = 0, 0
        while made < 400 or any(writer.open for writer in writers):
            clock.advance(0.1)
            tick += 1
            made += sum(writer.act(clock.monotonic()) for writer in writers if made < 400 or writer.open)
            if tick % 10 == 0:
                naive.poll()
                await watched.poll_now()
        naive.poll()
        await watched.poll_now()

    written = {row.id for row in patchwork.rows.events} - past
    assert len(written) >= 400
    assert sorted(watched.events) == sorted(written)
    assert written - naive.seen


@pytest.mark.parametrize(
    ("zone", "ends"),
    [
        ("Australia/Canberra", datetime(2026, 4, 4, 16, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ],
)
async def test_the_end_of_daylight_saving_loses_nothing_and_repeats_nothing(
    tmp_path: Path, zone: str, ends: datetime
) -> None:
    """One series every 14 minutes, from an hour before the clocks go back until past the next deep sweep."""
    rig = Rig(tmp_path, clock=VirtualClock(ends - timedelta(hours=1)), poll_seconds=120)
    rig.patchwork.set_time_zone(zone)
    posted: list[str] = []

    async with rig.running() as bot:
        await bot.settle()
        await _post_and_poll(rig, posted, polls=110, every=7, poll=bot.watches[0][0].tick)
        await rig.poll(bot)

    assert sorted(rig.titles()) == sorted(posted)
    assert _fall_back(rig.patchwork)


async def test_a_server_that_changes_its_time_zone_and_back_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    """The printed dates of all events jump by 11 hours, first back and then forth."""
    rig = Rig(tmp_path, clock=VirtualClock(datetime(2026, 1, 10, tzinfo=UTC)))
    posted: list[str] = []

    async with rig.running() as bot:
        await bot.settle()
        tick = bot.watches[0][0].tick
        await _post_and_poll(rig, posted, polls=40, every=9, poll=tick)
        rig.patchwork.set_time_zone("UTC")
        await _post_and_poll(rig, posted, polls=40, every=9, poll=tick)
        rig.patchwork.set_time_zone("Australia/Canberra")
        await _post_and_poll(rig, posted, polls=40, every=9, poll=tick)
        await rig.poll(bot)

    assert sorted(rig.titles()) == sorted(posted)


async def _post_and_poll(
    rig: Rig, posted: list[str], *, polls: int, every: int, poll: Callable[[], Awaitable[object]]
) -> None:
    for number in range(polls):
        if number % every == 0:
            posted.append(f"migration: Series {len(posted)}")
            rig.post("migration/ram.c", name=posted[-1])
        rig.clock.advance(rig.poll_seconds)
        await poll()


def _fall_back(patchwork: SamplePatchwork) -> bool:
    """Whether an event is printed with an earlier date than one before it."""
    dates = [patchwork._site.local(row.date) for _, row in sorted(patchwork._tables.events.rows.items())]
    return any(later < earlier for earlier, later in itertools.pairwise(dates))
