"""What goes on at a sample server that others watch: first the demo's play, then ever newer versions of its series."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from bot.sample_patchwork.data import PROJECT, Step, arrivals
from bot.sample_patchwork.mail import NewSeries
from bot.sample_patchwork.patchwork import SamplePatchwork
from bot.sample_patchwork.series import BOARDS, MOVE_TESTS, NBD, switchover

SECONDS_BETWEEN = 15.0
_SERIES = (NBD, switchover(2), MOVE_TESTS, BOARDS)


async def happen(sample: SamplePatchwork, say: Callable[[str], object]) -> None:
    """Let one thing happen after the other, from the second look that somebody takes: the first finds what is old."""
    await _watched(sample)
    for step in steps():
        before = sample.rows.series
        step(sample)
        new = [row.name for number, row in sample.rows.series.items() if number not in before]
        say(f"arrived: {new[0]}" if new else "a series goes on")
        await asyncio.sleep(SECONDS_BETWEEN)


def steps() -> Iterator[Step]:
    """The demo's play, then ever newer versions of its series."""
    yield from arrivals()
    for more in itertools.count(1):
        for series in _SERIES:
            yield partial(_post, replace(series, version=series.version + more))


def _post(series: NewSeries, sample: SamplePatchwork) -> None:
    sample.post_series(PROJECT, series)


async def _watched(sample: SamplePatchwork) -> None:
    """Return at the second look at the events."""
    watched, looks = asyncio.Event(), itertools.count(1)

    def note(path: str) -> None:
        if "/events/" in path and next(looks) == 2:
            watched.set()

    sample.fault = note
    await watched.wait()
