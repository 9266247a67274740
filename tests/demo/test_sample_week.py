"""The week that passes on the sample server while a bot watches it, and the quiet days after it."""

from itertools import chain
from pathlib import Path

import pytest

from bot.clock import VirtualClock
from bot.demonstration import QUIET_SECONDS_BETWEEN, SECONDS_BETWEEN
from bot.notices.notice import NoticeKind
from bot.sample_patchwork.data import history
from bot.sample_patchwork.patchwork import SamplePatchwork
from bot.sample_patchwork.week import quiet_days, week
from support.rig import ROOM, Rig

POLL_SECONDS = 5


def test_no_series_is_sent_twice_and_each_new_version_has_changes() -> None:
    sample = SamplePatchwork(VirtualClock())
    for step in history():
        step(sample)
    for event in chain(week(), quiet_days()):
        event.step(sample)

    sent = [(row.name, row.version) for row in sample.rows.series.values()]
    diffs = [patch.diff for patch in sample.rows.patches.values() if patch.diff is not None]
    versions = [version for _, version in sent]
    assert len(set(sent)) == len(sent)
    assert (max(versions), versions.count(2)) == (2, 3)
    assert len(diffs) - len(set(diffs)) <= 4  # what new versions leave as it was, and what is pulled


@pytest.mark.slow
async def test_in_the_week_a_room_gets_a_card_within_a_minute_whenever_it_subscribes(tmp_path: Path) -> None:
    rig = Rig(tmp_path, poll_seconds=POLL_SECONDS, incomplete_after_minutes=0)
    waited = longest = 0.0
    async with rig.running() as bot:
        for step in list(history())[1:]:  # the project is there
            step(rig.patchwork)
        await rig.poll(bot, times=2)
        for event in week():
            event.step(rig.patchwork)
            before = len(rig.chat.bodies(ROOM))
            await rig.poll(bot, times=int(SECONDS_BETWEEN / POLL_SECONDS))
            waited = 0.0 if len(rig.chat.bodies(ROOM)) > before else waited + SECONDS_BETWEEN
            longest = max(longest, waited + SECONDS_BETWEEN)
        await rig.poll(bot, times=24)
        in_the_week = len(rig.chat.bodies(ROOM))
        for _, event in zip(range(12), quiet_days(), strict=False):
            event.step(rig.patchwork)
            rig.clock.advance(QUIET_SECONDS_BETWEEN)
            await bot.settle()

    kinds = [post.message.tag.kind for post in rig.chat.posted if post.message.edits is None]
    assert longest + POLL_SECONDS <= 60
    assert kinds[:14] == [NoticeKind.CARD] * 14
    assert kinds[14:in_the_week].count(NoticeKind.FLOOD) == 1  # the import
    assert kinds[in_the_week:] == [NoticeKind.CARD] * 2  # in two hours
