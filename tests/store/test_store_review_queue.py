"""The open submissions that a queue lists, in each kind of database."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa

from bot import review_queue
from bot.ids import PatchId, ProjectName, SeriesId, ServerName
from bot.patchwork.api import PatchworkApi
from bot.patchwork.client import PatchworkClient
from bot.patchwork.model import CheckState, Comment, Person, Trailer, TrailerKind
from bot.patchwork.updates import CommentTarget, MailKind
from bot.poll import CommentsRead, FollowUpResult, Poll, SeriesRead
from bot.query.maintainers.maintainers import read
from bot.query.parser import parse
from bot.query.values import Turn
from bot.review_queue import QueueRow, QueueScope, ReviewQueue
from bot.store.store import Store
from bot.submission import SubmissionKind, SubmissionRef
from bot.subscriptions.turns import TurnReason, TurnVerdict
from support.store_rig import PROJECT, SERVER, StoreRig, a_baseline, a_patch, a_series

PETER = Person("Peter Xu", "peterx@example.org")
MAINTAINERS = read("Migration\nM: M <m@example.org>\nF: migration/\n\nDocs\nM: D <d@example.org>\nF: docs/\n")
STATES = ("new", "under-review", "accepted", "superseded", "changes-requested", "tentative", None)


def a_queue(store: Store, rig: StoreRig, version: str = "1.3") -> ReviewQueue:
    client = PatchworkClient("https://patchwork.example.org", "test")
    client.version = version
    projects = {SERVER: (PROJECT,), ServerName("other"): (ProjectName("other"),)}
    api = PatchworkApi(client)
    return ReviewQueue(store, projects, dict.fromkeys(projects, api), lambda *_: MAINTAINERS, rig.clock)


def scope(*queries: str, query: str = "") -> QueueScope:
    return QueueScope([parse(text).tree for text in queries], parse(query).tree if query else None)


async def save(store: Store, *series: SeriesRead, followed: FollowUpResult | None = None) -> None:
    async with store.transaction() as tx:
        poll = Poll(SERVER, "", baselines=(a_baseline(),), series=series, followed=followed or FollowUpResult())
        await tx.watch.save(poll)


def some_series(number: int, *states: str | None, **fields: object) -> SeriesRead:
    """A series of patches in *states*, all of them sent a day before the clock began."""
    ids = [10 * number + place for place in range(len(states))]
    patches = [
        replace(a_patch(each, series=number, state=state), date="2025-12-31T00:00:00", **fields)  # type: ignore[arg-type]
        for each, state in zip(ids, states, strict=True)
    ]
    series = replace(a_series(number, patches=tuple(ids)), total=len(ids), received_total=len(ids))
    return SeriesRead(replace(series, date="2025-12-31T00:00:00"), tuple(patches))


async def verdicts(queue: ReviewQueue, asked: QueueScope) -> list[TurnVerdict]:
    """The verdicts of what a queue lists, in its order."""
    refs = [row.ref for row in await queue.rows(asked)]
    items = await queue.contents(refs)
    return [items[ref].verdict for ref in refs]


def numbers(rows: Sequence[QueueRow]) -> list[int]:
    return [row.ref.id for row in rows]


@contextmanager
def statements_of(store: Store) -> Iterator[list[str]]:
    """The statements that are executed meanwhile."""
    executed: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        executed.append(statement)

    engine = store._engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield executed
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


async def test_every_open_submission_is_listed_once_and_no_other(store: Store, rig: StoreRig) -> None:
    rng = random.Random(7)  # noqa: S311  # repeatable, not secret
    series = [some_series(number, *rng.choices(STATES, k=rng.randint(1, 3))) for number in range(1, 41)]
    archived = [some_series(number, "new", archived=True) for number in (41, 42)]
    await save(store, *series, *archived)
    async with store.transaction() as tx:
        await tx.watch.link(SERVER, SeriesId(40), SeriesId(39))
    closed = {"accepted", "superseded"}
    expected = {each.series.id for each in series if {patch.state for patch in each.news} - closed} - {39}

    rows = await a_queue(store, rig).rows(scope(f"project:{PROJECT}"))

    assert sorted(numbers(rows)) == sorted(expected)
    assert [row.turn for row in rows] == sorted((row.turn for row in rows), key=list(Turn).index)
    for turn in Turn:
        since = [row.since for row in rows if row.turn is turn and row.since]
        assert since == sorted(since)


async def test_a_damaged_row_costs_itself_only(store: Store, rig: StoreRig) -> None:
    await save(store, *(some_series(number, "new", "new") for number in range(1, 8)))
    damages = (("files", 20, "[1]"), ("trailers", 40, '{"a": 1}'))
    async with store.transaction() as tx:
        for column, patch, value in damages:
            damage = f"UPDATE patch SET {column} = '{value}' WHERE id = {patch}"  # noqa: S608  # no input
            await tx.watch._connection.execute(sa.text(damage))
    queue = a_queue(store, rig)

    by_path = numbers(await queue.rows(scope("path:migration/")))
    by_project = numbers(await queue.rows(scope(f"project:{PROJECT}")))

    assert {1, 3, 5, 6, 7} <= set(by_path)
    assert {1, 3, 5, 6, 7} <= set(by_project)
    assert 4 not in by_project
    assert {each.kind for each in store.incidents} == {"queue.item_unreadable"}


async def test_what_matches_is_what_the_queries_say_and_a_turn_is_one_of_them(store: Store, rig: StoreRig) -> None:
    await save(
        store,
        some_series(1, "new"),
        some_series(2, "changes-requested"),
        some_series(3, "new", trailers=frozenset({Trailer(TrailerKind.REVIEWED, "p@example.org")})),
        some_series(4, "new", check=CheckState.FAIL),
        some_series(5, "new", delegate="peter"),
    )
    queue = a_queue(store, rig)
    asked = {
        "delegate:peter": [5],
        "maint:migration": [4, 2, 3, 1, 5],
        "maint:docs": [],
        "turn:author": [2],
        "turn:author,ready": [2, 3],
        "path:migration/ -turn:review": [4, 2, 3],
        "turn:ready OR delegate:peter": [3, 5],
        "stale:1d": [],
        "-turn:failing stale:1d": [],
    }

    found = {text: numbers(await queue.rows(scope(text))) for text in asked}
    rig.advance(days=2)

    assert found == asked
    assert numbers(await queue.rows(scope("-turn:failing stale:1d"))) == [2, 3, 1, 5]
    assert numbers(await queue.rows(scope("delegate:peter", "turn:author"))) == [2, 5]
    assert numbers(await queue.rows(scope("delegate:peter", "turn:author", query="turn:review"))) == [5]
    assert await queue.rows(QueueScope()) == []


async def test_snoozed_submissions_are_left_out_and_followed_ones_added(store: Store, rig: StoreRig) -> None:
    await save(store, some_series(1, "new"), some_series(2, "new"), some_series(3, "accepted"), some_series(4, "new"))
    refs = [SubmissionRef(SERVER, SubmissionKind.SERIES, number) for number in range(5)]
    queue = a_queue(store, rig)
    own = replace(scope("delegate:nobody"), followed=frozenset({refs[1], refs[3]}))

    assert numbers(await queue.rows(own)) == [1]
    assert numbers(await queue.rows(replace(own, trees=()))) == [1]
    everything = replace(scope(f"project:{PROJECT}"), snoozed=frozenset({refs[2]}))
    assert numbers(await queue.rows(everything)) == [1, 4]


async def test_silence_is_claimed_only_where_all_comments_are_known(store: Store, rig: StoreRig) -> None:
    ref = SubmissionRef(SERVER, SubmissionKind.SERIES, 2)
    read = CommentsRead(CommentTarget(MailKind.PATCH, PatchId(20)), ref, ())
    await save(store, some_series(1, "new"), some_series(2, "new"), followed=FollowUpResult(comments=(read,)))
    asked = scope(f"project:{PROJECT}")

    old = [each.reason for each in await verdicts(a_queue(store, rig, "1.2"), asked)]
    new = [each.reason for each in await verdicts(a_queue(store, rig, "1.3"), asked)]

    assert old == [TurnReason.NO_REVIEW_SEEN, TurnReason.NO_REPLY]
    assert new == [TurnReason.NO_REPLY, TurnReason.NO_REPLY]


async def test_who_wrote_last_is_known_from_comments_on_patches_and_covers(store: Store, rig: StoreRig) -> None:
    rig.advance(days=3)
    ref = SubmissionRef(SERVER, SubmissionKind.SERIES, 1)
    covered = some_series(1, "new")
    covered = SeriesRead(replace(covered.series, cover=covered.news[0].msgid, cover_id=7), covered.news)
    question = Comment(1, PETER, "2026-01-02T00:00:00")
    await save(store, covered)
    on_cover = CommentsRead(CommentTarget(MailKind.COVER, 7), ref, (question,))
    await save(store, followed=FollowUpResult(comments=(on_cover,)))
    [asked] = await verdicts(a_queue(store, rig), scope(f"project:{PROJECT}"))
    answer = Comment(1, covered.news[0].submitter, "2026-01-03T00:00:00")
    on_patch = CommentsRead(CommentTarget(MailKind.PATCH, PatchId(10)), ref, (answer,))
    await save(store, followed=FollowUpResult(comments=(on_patch,)))
    [answered] = await verdicts(a_queue(store, rig), scope(f"project:{PROJECT}"))

    assert (asked.turn, asked.people) == (Turn.AUTHOR, (PETER,))
    assert (answered.turn, answered.reason) == (Turn.REVIEW, TurnReason.ANSWERED)
    assert asked.since == rig.now - timedelta(days=2)


async def test_the_statements_for_a_queue_do_not_grow_with_what_it_lists(store: Store, rig: StoreRig) -> None:
    await save(store, *(some_series(number, "new", "new") for number in range(1, 11)))
    queue = a_queue(store, rig)
    asked = scope(*(f"path:dir{number}/" for number in range(49)), f"project:{PROJECT}")
    with statements_of(store) as few:
        assert len(await queue.rows(asked)) == 10
    await save(store, *(some_series(number, "new", "new") for number in range(11, review_queue._JUDGED)))
    with statements_of(store) as many:
        assert len(await queue.rows(asked)) == review_queue._JUDGED - 1

    assert len(many) <= len(few) + 4  # of a second batch of ids
    assert len(few) <= 20
    assert all(statement.lstrip().startswith(("SELECT", "BEGIN", "SET", "PRAGMA")) for statement in many)
