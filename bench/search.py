"""A search of 20,000 stored patches, against reading the rows of their tables and no more.

The event loop's longest callback is measured in CPU time, as `bounds` does, so that other programs do not count.
"""

import asyncio
import gc
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.patterns import a_patch, a_tree, a_word
from bench.table import Row, in_turns, progress
from bot.clock import VirtualClock
from bot.ids import Msgid, PatchId, ProjectName, SeriesId, ServerName
from bot.patchwork.model import CheckState, FileChange, Patch, PatchRef, Person, Series, Trailer, TrailerKind
from bot.poll import Baseline, Poll, SeriesRead
from bot.query.parser import parse
from bot.search import PatchSearch
from bot.store.store import Store

PATCHES = 20_000
ROUNDS = 5
SEED = 9
CALLBACK_AT_MOST = 50.0
SERVER, PROJECT = ServerName("sample"), ProjectName("qemu-devel")
QUERIES = {
    "a submitter": "from:someone",
    "a directory": "path:rare/dir/",
    "a word": "subject:word",
    "a state": "state:accepted",
    "nothing": "state:unheard-of is:reviewed",
}


@dataclass(slots=True)
class LongestCallback:
    """The CPU time in ms of the longest callback of the event loop."""

    ms: float = 0.0

    def watch(self) -> None:
        """Time each callback from now on."""
        run = asyncio.Handle._run  # noqa: SLF001 -- there is no other place

        def timed(handle: asyncio.Handle) -> None:
            begin = time.thread_time()
            run(handle)
            self.ms = max(self.ms, (time.thread_time() - begin) * 1000)

        asyncio.Handle._run = timed  # type: ignore[method-assign, assignment]  # noqa: SLF001 -- the same


def rows() -> Iterator[Row]:
    """The times of the searches."""
    clock, longest = VirtualClock(), LongestCallback()
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        file = Path(folder) / "bot.db"
        store = runner.run(Store.open(f"sqlite:///{file}", clock))
        progress(f"  {PATCHES:,} patches")
        runner.run(_fill(store, clock))
        past = PatchSearch(store, {SERVER: (PROJECT,)}, lambda *_: None, clock)
        gc.collect()
        gc.freeze()  # as `patchbot run` does
        longest.watch()

        cpu_seconds = dict.fromkeys(QUERIES.values(), 60.0)

        def find(query: str) -> int:
            begin = time.process_time()
            runner.run(past.matches(parse(query), None, 10))
            cpu_seconds[query] = min(cpu_seconds[query], time.process_time() - begin)
            return 1

        ways = {what: (lambda _, query=query: find(query)) for what, query in QUERIES.items()}
        turns = in_turns({"raw": lambda _: _raw(file), **ways}, ROUNDS)
        runner.run(store.close())
    for what, query in QUERIES.items():
        yield Row(f"find {what}", "reading the rows", turns.times(what, "raw"), "× the time", at_most=6)
        yield Row(f"find {what}", "the best round", cpu_seconds[query], " s of CPU", at_most=1)
    yield Row("find", "the longest callback", longest.ms, " ms", at_most=CALLBACK_AT_MOST)


def _raw(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("SELECT * FROM patch ORDER BY id DESC").fetchall()
        connection.execute("SELECT * FROM series").fetchall()
    return 1


async def _fill(store: Store, clock: VirtualClock) -> None:
    rng = random.Random(SEED)  # noqa: S311 -- repeatable, not secret
    files = a_tree(rng)
    people = [Person(f"{a_word(rng)} {a_word(rng)}", f"{a_word(rng)}@{a_word(rng)}.org") for _ in range(400)]
    baselines: tuple[Baseline, ...] = (Baseline(PROJECT, 0, None, 0, 0),)
    first, series = 1, 1
    while first <= PATCHES:
        read: list[SeriesRead] = []
        patches: list[Patch] = []
        for _ in range(100):
            some = [_patch(rng, first + number, series, files, people) for number in range(rng.randint(1, 8))]
            read.append(SeriesRead(_series(rng, series, some), ()))
            patches += some
            first, series = first + len(some), series + 1
        async with store.transaction() as tx:
            poll = Poll(SERVER, None, baselines=baselines, series=tuple(read), patches=tuple(patches))
            await tx.watch.save(poll)
        baselines = ()
        clock.advance(600)


def _patch(rng: random.Random, number: int, series: int, files: Sequence[str], people: Sequence[Person]) -> Patch:
    return Patch(
        id=PatchId(number),
        project=PROJECT,
        msgid=Msgid(f"{number}@example.org"),
        name=f"[{number % 8 + 1}/8] {a_word(rng)}: {a_word(rng)} {a_word(rng)}",
        submitter=rng.choice(people),
        series=SeriesId(series),
        state=rng.choice(("new", "accepted", "superseded")),
        check=rng.choice((None, *CheckState)),
        files=tuple(FileChange(path, None, 3, 1) for path in a_patch(rng, files)),
        to=("qemu-devel@example.org",),
        cc=tuple(person.email for person in rng.sample(people, 6)),
        trailers=frozenset({Trailer(TrailerKind.REVIEWED, rng.choice(people).email)}),
    )


def _series(rng: random.Random, number: int, patches: Sequence[Patch]) -> Series:
    return Series(
        id=SeriesId(number),
        project=PROJECT,
        name=f"{a_word(rng)}: {a_word(rng)} {a_word(rng)}",
        version=rng.randint(1, 3),
        submitter=patches[0].submitter,
        total=len(patches),
        received_total=len(patches),
        received_all=True,
        patches=tuple(PatchRef(patch.id, patch.msgid, patch.name) for patch in patches),
    )
