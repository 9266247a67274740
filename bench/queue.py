"""Queues over 10,000 open submissions: how long they take, and how long they hold the event loop.

All is CPU time of this process, which has SQLite in it, so that other programs do not count. What PostgreSQL does is
another process's; `python -m bench.queue postgresql://…` measures what is left here, over a new, empty database.
"""

import asyncio
import gc
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from bench.patterns import a_pattern, a_tree, a_word
from bench.search import LongestCallback, a_stored_patch, a_stored_series
from bench.table import Row, progress, show
from bot.clock import VirtualClock
from bot.ids import ProjectName, ServerName
from bot.patchwork.api import PatchworkApi
from bot.patchwork.client import PatchworkClient
from bot.patchwork.model import CheckState, Comment, Patch, Person
from bot.patchwork.updates import CommentTarget, MailKind
from bot.poll import Baseline, CommentsRead, FollowUpResult, Poll, SeriesRead
from bot.query.parser import parse
from bot.query.query import Node
from bot.review_queue import QueueScope, ReviewQueue
from bot.store.store import Store
from bot.submission import SubmissionKind, SubmissionRef

SUBMISSIONS = 10_000
SUBSCRIPTIONS = 50
ROUNDS = 10
SEED = 9
SECONDS_AT_MOST = 0.5
CALLBACK_AT_MOST = 50.0
SERVER, PROJECT = ServerName("sample"), ProjectName("qemu-devel")


def rows() -> Iterator[Row]:
    """The times of queues in a file of SQLite."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _rows(f"sqlite:///{Path(folder) / 'bot.db'}")


def _rows(url: str) -> Iterator[Row]:
    clock, longest = VirtualClock(), LongestCallback()
    rng = random.Random(SEED)  # noqa: S311 -- repeatable, not secret
    files = a_tree(rng)
    with asyncio.Runner() as runner:
        store = runner.run(Store.open(url, clock))
        progress(f"  {SUBMISSIONS:,} open submissions")
        runner.run(_fill(store, clock, files))
        api = PatchworkApi(PatchworkClient("https://patchwork.example.org", "bench"))
        queue = ReviewQueue(store, {SERVER: (PROJECT,)}, {SERVER: api}, lambda *_: None, clock)
        gc.collect()
        gc.freeze()  # as `patchbot run` does
        longest.watch()
        room = QueueScope(_subscriptions(rng, files))
        scopes = {
            f"{SUBSCRIPTIONS} subscriptions": room,
            "a query among them": replace(room, query=parse("from:a subject:a turn:review").tree),
            "of one submitter": QueueScope((parse("from:somebody@example.org").tree,)),
            "all": QueueScope((parse(f"project:{PROJECT}").tree,)),
        }
        for what, scope in scopes.items():
            seconds: list[float] = []
            for _ in range(ROUNDS):
                begin = time.process_time()
                listed = runner.run(queue.rows(scope))
                seconds.append(time.process_time() - begin)
            at_most = None if what == "all" else SECONDS_AT_MOST
            yield Row(
                f"queue of {what}", f"{len(listed):,} rows, the median", median(seconds), " s of CPU", None, at_most
            )
        runner.run(store.close())
    yield Row("queue", "the longest callback", longest.ms, " ms", at_most=CALLBACK_AT_MOST)


def _subscriptions(rng: random.Random, files: Sequence[str]) -> list[Node]:
    texts = [f'path:"{a_pattern(rng, files)}"' for _ in range(SUBSCRIPTIONS - 10)]
    texts += [f"subject:{a_word(rng)}" for _ in range(5)] + [f"from:{a_word(rng)}@example.org" for _ in range(5)]
    return [parse(text).tree for text in texts]


async def _fill(store: Store, clock: VirtualClock, files: Sequence[str]) -> None:
    """Store series of one to three patches, all open, and as many closed patches; every second one has a reply."""
    rng = random.Random(SEED)  # noqa: S311 -- repeatable, not secret
    people = [Person(f"{a_word(rng)} {a_word(rng)}", f"{a_word(rng)}@{a_word(rng)}.org") for _ in range(400)]
    baselines: tuple[Baseline, ...] = (Baseline(PROJECT, 0, None, 0, 0),)
    first = 1
    for start in range(1, 2 * SUBMISSIONS + 1, 100):
        read: list[SeriesRead] = []
        patches: list[Patch] = []
        comments: list[CommentsRead] = []
        for series in range(start, start + 100):
            some = [a_stored_patch(rng, first + number, series, files, people) for number in range(rng.randint(1, 3))]
            state = "new" if series % 2 else rng.choice(("accepted", "superseded"))
            check = rng.choice((None, CheckState.SUCCESS, CheckState.WARNING))
            some = [replace(patch, state=state, check=check, date="2025-12-01T00:00:00") for patch in some]
            read.append(SeriesRead(a_stored_series(rng, series, some), ()))
            patches += some
            if series % 4 == 1:
                reply = Comment(series, rng.choice(people), "2025-12-20T00:00:00")
                ref = SubmissionRef(SERVER, SubmissionKind.SERIES, series)
                comments.append(CommentsRead(CommentTarget(MailKind.PATCH, some[0].id), ref, (reply,)))
            first += len(some)
        followed = FollowUpResult(comments=tuple(comments))
        async with store.transaction() as tx:
            poll = Poll(
                SERVER, None, baselines=baselines, series=tuple(read), patches=tuple(patches), followed=followed
            )
            await tx.watch.save(poll)
        baselines = ()
        clock.advance(60)


if __name__ == "__main__":
    show({"Queues": list(_rows(sys.argv[1]))})
