"""Searches of 100,000 stored patches, each kind of query over and over, and how long they hold the event loop.

All is CPU time of this process, which has SQLite in it, so that other programs do not count. What PostgreSQL does is
another process's; `python -m bench.search postgresql://…` measures what is left here, over a new, empty database.
"""

import asyncio
import gc
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from bench.maintainers import a_file
from bench.patterns import a_patch, a_tree, a_word
from bench.table import Row, progress, show
from bot.clock import VirtualClock
from bot.ids import Msgid, PatchId, ProjectName, SeriesId, ServerName
from bot.patchwork.model import CheckState, FileChange, Patch, PatchRef, Person, Series, Trailer, TrailerKind
from bot.poll import Baseline, Poll, SeriesRead
from bot.query.maintainers.maintainers import Maintainers, read
from bot.query.parser import parse
from bot.search import PatchSearch
from bot.store.store import Store

PATCHES = 100_000
ROUNDS = 20
SEED = 9
SECONDS_AT_MOST = 1.0
CALLBACK_AT_MOST = 50.0
SERVER, PROJECT = ServerName("sample"), ProjectName("qemu-devel")
QUERIES = {
    "a submitter": "from:someone",
    "an address": "cc:nobody@example.org",
    "a directory": "path:rare/dir/",
    "a glob": "path:**/rare*.[ch]",
    "a section": "maint:somebody7@example.org state:unheard-of",
    "a word": "subject:word",
    "a regex": "subject:/(some|any)word[0-9]/",
    "a state": "state:unheard-of",
    "a size": "patches:>500",
    "what is stale": "stale:14d from:someone",
    "an alternative": "path:rare/dir/ OR from:someone OR subject:word",
    "an exclude": "subject:word -path:rare/ -is:archived",
    "what is frequent": "state:new",
    "classes of letters": "subject:/[a-z]{40}/",
    "a name of one letter": "path:?",
    "all but everything": "project:qemu-devel -path:** -subject:/[a-z]+/",
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
    """The times of the searches in a file of SQLite."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _rows(f"sqlite:///{Path(folder) / 'bot.db'}")


def _rows(url: str) -> Iterator[Row]:
    clock, longest = VirtualClock(), LongestCallback()
    rng = random.Random(SEED)  # noqa: S311 -- repeatable, not secret
    files = a_tree(rng)
    sections: Maintainers = read(a_file(rng, files))
    with asyncio.Runner() as runner:
        store = runner.run(Store.open(url, clock))
        progress(f"  {PATCHES:,} patches")
        runner.run(fill(store, clock, PATCHES))
        past = PatchSearch(store, {SERVER: (PROJECT,)}, lambda *_: sections, clock)
        gc.collect()
        gc.freeze()  # as `patchbot run` does
        longest.watch()
        for what, text in QUERIES.items():
            seconds: list[float] = []
            for _ in range(ROUNDS):
                begin = time.process_time()
                hits = runner.run(past.matches(parse(text), None, 10))
                seconds.append(time.process_time() - begin)
            looked_at = f"{hits.looked_at:,} patches"
            yield Row(f"find {what}", f"{looked_at}, the median", median(seconds), " s of CPU")
            p95 = quantiles(seconds, n=20)[-1]
            yield Row(f"find {what}", f"{looked_at}, p95", p95, " s of CPU", at_most=SECONDS_AT_MOST)
        runner.run(store.close())
    yield Row("find", "the longest callback", longest.ms, " ms", at_most=CALLBACK_AT_MOST)


async def fill(store: Store, clock: VirtualClock, count: int) -> None:
    """Store so many patches, and a few more."""
    rng = random.Random(SEED)  # noqa: S311 -- repeatable, not secret
    files = a_tree(rng)
    people = [Person(f"{a_word(rng)} {a_word(rng)}", f"{a_word(rng)}@{a_word(rng)}.org") for _ in range(400)]
    baselines: tuple[Baseline, ...] = (Baseline(PROJECT, 0, None, 0, 0),)
    first, series = 1, 1
    while first <= count:
        read: list[SeriesRead] = []
        patches: list[Patch] = []
        for _ in range(100):
            some = [a_stored_patch(rng, first + number, series, files, people) for number in range(rng.randint(1, 8))]
            read.append(SeriesRead(a_stored_series(rng, series, some), ()))
            patches += some
            first, series = first + len(some), series + 1
        async with store.transaction() as tx:
            poll = Poll(SERVER, None, baselines=baselines, series=tuple(read), patches=tuple(patches))
            await tx.watch.save(poll)
        baselines = ()
        clock.advance(600)


def a_stored_patch(
    rng: random.Random, number: int, series: int, files: Sequence[str], people: Sequence[Person]
) -> Patch:
    """Return a patch as it is stored."""
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


def a_stored_series(rng: random.Random, number: int, patches: Sequence[Patch]) -> Series:
    """Return the series of some patches as it is stored."""
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


if __name__ == "__main__":
    show({"Searching the past": list(_rows(sys.argv[1]))})
