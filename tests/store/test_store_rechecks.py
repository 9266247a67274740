"""Which submissions are due to have their comments looked for, in each kind of database."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.ids import PatchId, ProjectName, SeriesId
from bot.patchwork.recheck_schedule import next_recheck
from bot.patchwork.request_turns import REQUESTS_AN_HOUR, RecheckBudget
from bot.patchwork.updates import CommentTarget, FieldUpdate, MailKind, PatchField, TrailersRead
from bot.poll import CommentsRead, DueRecheck, FollowUpResult, Poll, Recheck, Rechecks, SeriesRead
from bot.store.retention import delete_outdated
from bot.store.store import Store, Transaction
from bot.submission import SubmissionKind, SubmissionRef
from support.store_rig import OTHER_SERVER, SERVER, StoreRig, a_baseline, a_patch, a_series, ask

pytestmark = pytest.mark.slow

FIRST, SECOND, LONE = (
    SubmissionRef(SERVER, SubmissionKind.SERIES, 1),
    SubmissionRef(SERVER, SubmissionKind.SERIES, 2),
    SubmissionRef(SERVER, SubmissionKind.PATCH, 9),
)
QUIET = FollowUpResult(rechecks=Rechecks())


def arrival(number: int) -> Poll:
    """A series of one patch, whose id is ten times that of the series."""
    read = SeriesRead(a_series(number, patches=(10 * number,)), (a_patch(10 * number, series=number),))
    return Poll(SERVER, "", series=(read,), followed=QUIET)


def begun(store_now: Sequence[Recheck], requests: int = 0) -> Poll:
    return Poll(SERVER, "", followed=FollowUpResult(rechecks=Rechecks(tuple(store_now), requests)))


async def save(store: Store, *polls: Poll) -> None:
    for poll in polls:
        async with store.transaction() as tx:
            await tx.watch.save(poll)


async def due(store: Store) -> list[SubmissionRef]:
    return [each.ref for each in await ask(store, lambda tx: tx.rechecks.due(SERVER, 100))]


async def test_what_arrives_is_due_after_an_hour_the_newest_first(store: Store, rig: StoreRig) -> None:
    arrived = rig.now
    await save(store, arrival(1), Poll(SERVER, "", patches=(a_patch(9),), followed=QUIET))
    rig.advance(minutes=30)
    await save(store, arrival(2))
    rig.advance(minutes=29)
    assert await due(store) == []

    rig.advance(minutes=1)
    assert await ask(store, lambda tx: tx.rechecks.due(SERVER, 100)) == [
        DueRecheck(LONE, arrived, is_first=True),
        DueRecheck(FIRST, arrived, is_first=True),
    ]
    rig.advance(minutes=32)
    assert await due(store) == [SECOND, LONE, FIRST]
    assert await ask(store, lambda tx: tx.rechecks.due(SERVER, 1)) == [
        DueRecheck(SECOND, arrived + timedelta(minutes=30), is_first=True)
    ]
    assert await ask(store, lambda tx: tx.rechecks.due(OTHER_SERVER, 100)) == []


async def test_on_a_server_with_comment_events_nothing_is_ever_due(store: Store, rig: StoreRig) -> None:
    await save(store, replace(arrival(1), followed=FollowUpResult()))

    rig.advance(hours=2)

    assert await due(store) == []
    assert rig.count("recheck") == 0


async def test_any_change_begins_the_schedule_anew_and_a_repetition_does_not(store: Store, rig: StoreRig) -> None:
    await save(store, arrival(1))
    rig.advance(hours=20)
    later = next_recheck(rig.now - timedelta(hours=20), rig.now)
    await save(store, begun([Recheck(FIRST, later, is_seen=True)]))
    accepted = Poll(SERVER, "", updates=(FieldUpdate(PatchId(10), PatchField.STATE, "under-review"),), followed=QUIET)

    await save(store, accepted)
    rig.advance(minutes=59)
    await save(store, accepted)
    rig.advance(minutes=1)

    assert await ask(store, lambda tx: tx.rechecks.due(SERVER, 100)) == [
        DueRecheck(FIRST, rig.now - timedelta(hours=1), is_first=True)
    ]


async def test_what_is_begun_is_due_again_when_the_schedule_says_also_after_a_restart(
    store: Store, rig: StoreRig
) -> None:
    await save(store, arrival(1))
    rig.advance(hours=1)
    await save(store, begun([Recheck(FIRST, rig.now + timedelta(hours=1), is_seen=True)], requests=2))
    await store.close()
    later = await rig.open()
    assert await due(later) == []
    assert await ask(later, lambda tx: tx.rechecks.requests(SERVER)) == [(rig.now, 2)]

    rig.advance(hours=1)
    assert await due(later) == [FIRST]
    await save(later, begun([Recheck(FIRST, None, is_seen=False)], requests=3))
    assert await due(later) == []
    assert await ask(later, lambda tx: tx.rechecks.requests(SERVER)) == [(rig.now, 3)]  # the others are an hour old
    await later.close()


@pytest.mark.parametrize("days", [3, 3000])
async def test_a_clock_that_was_set_back_holds_no_recheck_up(store: Store, rig: StoreRig, days: int) -> None:
    await save(store, arrival(1))

    rig.clock.set_back(timedelta(days=days))

    assert await due(store) == [FIRST]


async def test_what_nobody_saw_is_no_news_for_whoever_comes_to_see_it(store: Store, rig: StoreRig) -> None:
    await save(store, arrival(1))
    read_at = rig.now
    assert await ask(store, lambda tx: tx.rechecks.comments_since(FIRST)) == read_at
    rig.advance(hours=1)
    await save(store, begun([Recheck(FIRST, rig.now + timedelta(hours=1), is_seen=True)]))
    assert await ask(store, lambda tx: tx.rechecks.comments_since(FIRST)) == read_at

    rig.advance(hours=1)
    await save(store, begun([Recheck(FIRST, rig.now + timedelta(hours=2), is_seen=False)]))

    assert await ask(store, lambda tx: tx.rechecks.comments_since(FIRST)) == rig.now
    assert await ask(store, lambda tx: tx.rechecks.comments_since(SECOND)) is None


async def test_the_oldest_read_is_of_what_somebody_sees(store: Store, rig: StoreRig) -> None:
    await save(store, arrival(1), arrival(2), Poll(SERVER, "", patches=(a_patch(9),), followed=QUIET))
    arrived = rig.now

    async def oldest() -> object:
        async with store.transaction() as tx:
            return await tx.rechecks.oldest(SERVER)

    assert await oldest() is None
    rig.advance(hours=1)
    next_at = rig.now + timedelta(hours=1)
    seen = [Recheck(work, next_at, is_seen=True) for work in (FIRST, LONE)]
    await save(store, begun([*seen, Recheck(SECOND, next_at, is_seen=False)]))
    assert await oldest() == arrived
    await save(store, Poll(SERVER, "", followed=replace(QUIET, trailers=(TrailersRead((), SeriesId(1)),))))
    assert await oldest() == arrived
    lone = TrailersRead(((PatchId(9), frozenset()),))
    await save(store, Poll(SERVER, "", followed=replace(QUIET, trailers=(lone,))))
    assert await oldest() == rig.now
    rig.advance(hours=1)
    comments = CommentsRead(CommentTarget(MailKind.PATCH, 10), FIRST, ())
    await save(store, Poll(SERVER, "", followed=replace(QUIET, comments=(comments,))))
    assert await oldest() == rig.now - timedelta(hours=1)
    await save(store, begun([Recheck(LONE, None, is_seen=False)]))
    assert await oldest() == rig.now


async def test_what_is_over_is_dropped_and_a_rebuilt_server_begins_anew(store: Store, rig: StoreRig) -> None:
    await save(store, arrival(1))
    rig.advance(days=20)
    await save(store, arrival(2))
    rig.advance(days=12)
    await delete_outdated(store)
    assert rig.execute("SELECT object FROM recheck") == [(2,)]

    await save(store, Poll(SERVER, "", rebuilt=True))
    assert rig.count("recheck") == 0


async def test_a_project_that_is_watched_no_more_is_not_looked_at(store: Store, rig: StoreRig) -> None:
    other = a_baseline(ProjectName("other"))
    await save(store, replace(arrival(1), baselines=(a_baseline(), other)), Poll(SERVER, "", patches=(a_patch(9),)))
    elsewhere = replace(a_series(2), project=other.project)
    await save(store, Poll(SERVER, "", series=(SeriesRead(elsewhere, ()),), followed=QUIET))

    async with store.transaction() as tx:
        await tx.watch.keep_only(SERVER, ["other"])

    rig.advance(hours=1)
    assert await due(store) == [SECOND]


async def an_hour_of_rechecks(tx: Transaction, budget: RecheckBudget, *new: SeriesRead) -> list[SubmissionRef]:
    """What is due is read, at two requests each, as far as the budget goes; which that is."""
    due = await tx.rechecks.due(SERVER, budget.left // 2)
    for _ in range(2 * len(due)):
        budget.spend()
    begun = tuple(Recheck(each.ref, next_recheck(each.changed_at, tx.now), is_seen=True) for each in due)
    read = tuple(CommentsRead(CommentTarget(MailKind.COVER, each.ref.id), each.ref, ()) for each in due)
    rechecks = Rechecks(begun, budget.take_unsaved())
    followed = FollowUpResult(comments=read, rechecks=rechecks)
    await tx.rechecks.save(Poll(SERVER, "", series=new, followed=followed), rechecks, ())
    return [each.ref for each in due]


async def test_the_most_overdue_recheck_has_its_turn_however_many_newer_changes_use_up_the_budget(
    store: Store, rig: StoreRig
) -> None:
    await save(store, arrival(1))
    rig.advance(minutes=5)
    await save(store, *(arrival(number) for number in range(2, 40)))
    rig.advance(hours=1)
    firsts = []

    for _ in range(8):
        rig.advance(minutes=1)
        firsts.append((await ask(store, lambda tx: tx.rechecks.due(SERVER, 1)))[0].ref.id)

    assert sorted(firsts) == [1, 1, 39, 39, 39, 39, 39, 39]
    assert sorted(ref.id for ref in await due(store)) == list(range(1, 40))


@pytest.mark.timeout(300)
async def test_a_thousand_open_series_take_each_hours_budget_and_never_more_in_thirty_days(
    store: Store, rig: StoreRig
) -> None:
    """Of the 34 rechecks of each not all fit; one that changes is due an hour later all the same, before the others."""
    budget, asked = RecheckBudget(rig.clock), list[int]()
    reads = tuple(SeriesRead(a_series(number), ()) for number in range(1, 1_001))
    async with store.transaction() as tx:
        await tx.rechecks.save(Poll(SERVER, "", series=reads, followed=QUIET), Rechecks(), ())

    for hour in range(30 * 24):
        rig.advance(hours=1)
        changed = reads[:1] if hour == 12 else ()
        async with store.transaction() as tx:
            found = await an_hour_of_rechecks(tx, budget, *changed)
        asked.append(2 * len(found))
        assert hour != 13 or found[0] == FIRST

    assert max(asked) == REQUESTS_AN_HOUR
    assert sum(asked) > 0.99 * 30 * 24 * REQUESTS_AN_HOUR
    rig.advance(days=2)
    assert len(await due(store)) == 100  # which were not reached, and are let go now
