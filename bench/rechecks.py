"""A month of a server that raises no comment events, with a thousand open series that rooms see.

Counted are the requests for comments and trailers, in virtual time. So many series are due more often than the budget
allows, and the newest come first: after ten days somebody reviews the one in the middle, and the last day shows how
many are read at all.
"""

import asyncio
from collections.abc import Iterator

from bench.table import Row, progress
from bot.clock import VirtualClock
from bot.patchwork.request_turns import REQUESTS_AN_HOUR
from bot.sample_patchwork.patchwork import SamplePatchwork
from support.poll_rig import SERVER, Polling, Somebody, polling
from support.rig import PROJECT
from support.store_rig import ask

SERIES, DAYS = 1_000, 30
REVIEW_ON_DAY = 10
SECONDS = 1800  # between two polls
_REVIEW = "Reviewed-by: Rey Viewer <rey@example.com>\n"


def rows() -> Iterator[Row]:
    """The figures."""
    yield from asyncio.run(_month())


async def _month() -> list[Row]:
    clock = VirtualClock()
    patchwork = SamplePatchwork(clock, api_versions=("1.0", "1.1", "1.2"))
    patchwork.add_project(PROJECT)
    asked: list[list[str]] = []
    reviewed_after = float("inf")
    async with polling(patchwork, clock, listening=Somebody(to_comments=False)) as watched:
        posted = [watched.post(patches=2, name=f"Series {number}") for number in range(SERIES)]
        reviewed = posted[SERIES // 2].patches[0]
        await watched.poll(times=3)
        for hour in range(DAYS * 24):
            if hour % 24 == 0:
                progress(f"  day {hour // 24 + 1} of {DAYS}")
            if hour == REVIEW_ON_DAY * 24:
                patchwork.add_comment(reviewed, _REVIEW)
            asked.append(await _hour(watched))
            if reviewed_after > DAYS * 24 and hour >= REVIEW_ON_DAY * 24 and await _is_reviewed(watched, reviewed):
                reviewed_after = hour - REVIEW_ON_DAY * 24 + 1
    what = f"{SERIES:,} open series, {DAYS} days, API 1.2"
    return [
        Row(what, "requests in the busiest hour", max(map(len, asked)), "", at_most=REQUESTS_AN_HOUR),
        Row(what, "requests in all", sum(map(len, asked)), "", at_most=REQUESTS_AN_HOUR * len(asked)),
        Row(what, "series read on the last day", len({path for paths in asked[-24:] for path in paths}) / 2, ""),
        Row(what, "a review by mail is seen after", reviewed_after, " hours"),
    ]


async def _hour(watched: Polling) -> list[str]:
    """Let an hour pass; return the comments and mboxes that were requested."""
    watched.take_requests()
    await watched.poll(times=3600 // SECONDS, seconds=SECONDS)
    return [path for path in watched.take_requests() if path.endswith(("/comments/", "/mbox/"))]


async def _is_reviewed(watched: Polling, patch: int) -> bool:
    found = await ask(watched.store, lambda tx: tx.watch.patch(SERVER, patch))
    return found is not None and bool(found.trailers)
