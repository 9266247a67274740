"""How the store grows: half a year of a server that gets 2,000 patches a day, and then some days with housekeeping.

The rows of one day are made by the bot; those of the other days are copies of them, written by the database itself with
other ids and times. Rows that would be deleted again before the half-year is over are not written in the first place.
"""

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median

from bench import search
from bench.search import PROJECT, SERVER
from bench.table import Row, progress
from bot.clock import VirtualClock
from bot.ids import Msgid, PatchId, SeriesId
from bot.patchwork.model import FileChange, Patch, PatchRef, Person, Series
from bot.poll import Poll, SeriesRead
from bot.query.parser import parse
from bot.search import PatchSearch
from bot.store.outbox_book import KEEP_SAID
from bot.store.patch_book import KEEP_PATCHES
from bot.store.poll_book import KEEP_CHECKS, KEEP_EVENTS
from bot.store.retention import delete_outdated
from bot.store.store import Store

PATCHES_A_DAY = 2_000
CHECKS_A_PATCH = 20
EVENTS_A_PATCH = 26
COMMENTS_A_PATCH = 2
CARDS_A_SERIES = 2
NOTICES_A_CARD = 5
DAYS = KEEP_PATCHES.days
MORE_DAYS = 5
_ROUNDS = 50
_STEP = 10_000  # between the ids of two days, of which the day's own take less than half

_TAG = '{"body": "", "html": "", "rings": false, "tag": {"kind": "card", "key": "series/sample/1", "server": "sample"}}'
_COPIES = {  # the columns that differ from those of the day before
    "patch": {
        "id": f"id + {_STEP}",
        "series": f"series + {_STEP}",
        "msgid": f"(id + {_STEP}) || '@example.org'",
        "read_at": ":now",
    },
    "series": {"id": f"id + {_STEP}", "evaluated_at": ":now"},
}


@dataclass(frozen=True, slots=True)
class _OfTheDay:
    """Rows that are written for what came on a day, *count* for each; n counts them."""

    kept: timedelta
    count: int
    statement: str


_NUMBERS = "WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < :count - 1)"
_OF_THE_DAY = {
    "patch_check": _OfTheDay(
        KEEP_CHECKS,
        CHECKS_A_PATCH,
        "INSERT INTO patch_check (server, patch, user, context, id, state, received_at)"
        " SELECT server, id, 'ci', 'build/kind-' || n, id * 100 + n, 'success', :now"
        " FROM patch, n WHERE id BETWEEN :step AND :step + 9999",
    ),
    "seen_event": _OfTheDay(
        KEEP_EVENTS,
        PATCHES_A_DAY * EVENTS_A_PATCH,
        "INSERT INTO seen_event (server, id, seen_at) SELECT 'sample', :step * 100 + n, :now FROM n",
    ),
    "comment": _OfTheDay(
        KEEP_PATCHES,
        COMMENTS_A_PATCH,
        "INSERT INTO comment (server, kind, id, object, posted, seen_at)"
        " SELECT server, 'patch', id * 10 + n, id, 1, :now"
        " FROM patch, n WHERE id BETWEEN :step AND :step + 9999",
    ),
    "card": _OfTheDay(
        KEEP_PATCHES,
        CARDS_A_SERIES,
        "INSERT INTO card (room, server, kind, object, notice_key, event, why, created_at, shown)"
        " SELECT '!room' || n || ':example.org', server, 'series', id, 'series/sample/' || id || '/' || n,"
        " '$' || hex(randomblob(22)), '[[1, \"path:migration/\", [\"migration/ram.c\"]]]', :now, hex(randomblob(32))"
        " FROM series, n WHERE id BETWEEN :step AND :step + 9999",
    ),
    "notice": _OfTheDay(
        KEEP_SAID,
        NOTICES_A_CARD,
        "INSERT INTO notice"
        " (key, txn, room, lane, message, state, attempts, created_at, next_at, event, settled_at)"
        " SELECT notice_key || '/' || n, hex(randomblob(16)), room, 3, :tag, 'done', 1, :now, :now,"
        " '$' || hex(randomblob(22)), :now FROM card, n WHERE object BETWEEN :step AND :step + 9999",
    ),
}
_TABLES = (*_COPIES, *_OF_THE_DAY)


def rows() -> Iterator[Row]:
    """The size of the store, and whether anything takes longer because of it."""
    with tempfile.TemporaryDirectory() as folder:
        yield from asyncio.run(_grown(Path(folder) / "bot.db"))


async def _grown(file: Path) -> list[Row]:
    clock = VirtualClock()
    store = await Store.open(f"sqlite:///{file}", clock)
    first_day = await Store.open(f"sqlite:///{file.with_name('first.db')}", clock)
    for each in (store, first_day):
        await search.fill(each, clock, PATCHES_A_DAY)
    with closing(sqlite3.connect(file)) as connection:
        for day in range(1, DAYS + 1):
            clock.advance(timedelta(days=1).total_seconds())
            _add_day(connection, day, clock, timedelta(days=DAYS - day))
            if day % 30 == 0:
                progress(f"  day {day}")
        first_size, housekeeping = _size(file), list[float]()
        for day in range(DAYS + 1, DAYS + 1 + MORE_DAYS):
            clock.advance(timedelta(days=1).total_seconds())
            _add_day(connection, day, clock, timedelta())
            begin = time.process_time()
            await delete_outdated(store)
            housekeeping.append(time.process_time() - begin)
        idle = time.process_time()
        await delete_outdated(store)
        idle = time.process_time() - idle
        counts = {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in _TABLES}  # noqa: S608
        growth = await _poll_growth(store, first_day)
    past = PatchSearch(store, {SERVER: (PROJECT,)}, lambda *_: None, clock)
    found = [await _seconds_of(past, "from:someone"), await _seconds_of(past, "subject:word")]
    for each in (store, first_day):
        await each.close()
    what = f"{DAYS} days of {PATCHES_A_DAY:,} patches"
    return [
        *(Row(what, f"rows of {name}", count, "") for name, count in counts.items()),
        Row(what, "the database", first_size, " MB"),
        Row(what, f"{MORE_DAYS} days later", _size(file) / first_size, " × as large", at_most=1.1),
        Row(what, "housekeeping of a day", median(housekeeping), " s of CPU"),
        Row(what, "housekeeping without anything to do", idle, " s of CPU", at_most=0.5),
        Row(what, "to store a series, against the first day", growth, " × the CPU", at_most=1.2),
        Row(
            what,
            "find in 100,000 of them, the slower of two",
            max(found) / counts["patch"] * 100_000,
            " s of CPU",
            at_most=1,
        ),
    ]


def _add_day(connection: sqlite3.Connection, day: int, clock: VirtualClock, until_the_end: timedelta) -> None:
    """Write the rows of one day, but those that are deleted again by the end."""
    given = {"step": day * _STEP, "now": clock.now().replace(tzinfo=None).isoformat(" ", "microseconds"), "tag": _TAG}
    for table, changes in _COPIES.items():
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        copied = ", ".join(changes.get(column, f'"{column}"') for column in columns)
        before = f"id BETWEEN :step - {_STEP} AND :step - {_STEP // 2}"
        connection.execute(f"INSERT INTO {table} SELECT {copied} FROM {table} WHERE {before}", given)  # noqa: S608  # our own words
    for each in _OF_THE_DAY.values():
        if until_the_end <= each.kept:
            connection.execute(f"{_NUMBERS} {each.statement}", given | {"count": each.count})
    connection.commit()


async def _poll_growth(large: Store, small: Store) -> float:
    """How many times the CPU to store a poll with one series of five patches, in turns; the median."""
    times: list[float] = []
    for number in range(_ROUNDS):
        seconds: list[float] = []
        for store in (large, small):
            poll = _poll((DAYS + MORE_DAYS + 1) * _STEP + 10 * (number + 1))
            begin = time.process_time()
            async with store.transaction() as tx:
                await tx.watch.save(poll)
            seconds.append(time.process_time() - begin)
        times.append(seconds[0] / seconds[1])
    return median(times)


def _poll(first: int) -> Poll:
    person = Person("Ada", "ada@example.org")
    patches = tuple(
        Patch(
            id=PatchId(first + number),
            project=PROJECT,
            msgid=Msgid(f"new-{first + number}@example.org"),
            name=f"[{number + 1}/5] net: a step",
            submitter=person,
            series=SeriesId(first),
            state="new",
            files=(FileChange("net/a.c", None, 1, 1),),
        )
        for number in range(5)
    )
    refs = tuple(PatchRef(patch.id, patch.msgid, patch.name) for patch in patches)
    series = Series(
        SeriesId(first), PROJECT, "net: steps", 1, person, total=5, received_total=5, received_all=True, patches=refs
    )
    return Poll(SERVER, None, series=(SeriesRead(series, ()),), patches=patches)


async def _seconds_of(past: PatchSearch, query: str) -> float:
    begin = time.process_time()
    await past.matches(parse(query), None, 10)
    return time.process_time() - begin


def _size(file: Path) -> float:
    """In MB, with what is not in the main file yet."""
    return sum(each.stat().st_size for each in file.parent.glob("bot.db*")) / 1e6
