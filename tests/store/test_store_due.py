"""When something is due for each duty, and since when, in each kind of database."""

from datetime import timedelta

import pytest
from sqlalchemy.dialects import sqlite

from bot.backoff import USUAL
from bot.ids import EventId, PatchId
from bot.notices.changes import Change, ChangeKind
from bot.notices.edit_schedule import GATHERING
from bot.notices.floods import LONG_QUIET, QUIET, Flood, flood_key
from bot.notices.notice import card_key
from bot.poll import Poll
from bot.query.options import read_digest
from bot.store.card_book import next_edit
from bot.store.digest_book import DigestDue
from bot.store.due_book import DueTimes
from bot.store.retry_book import RetryKind
from bot.store.store import Store
from bot.submission import SubmissionKind, SubmissionRef
from support.store_rig import OTHER_ROOM, ROOM, SERVER, FileRig, StoreRig, a_notice, only_sqlite

CARD = SubmissionRef(SERVER, SubmissionKind.SERIES, 5)
KEY, OTHER_KEY = (card_key(room, SERVER, "series", 5) for room in (ROOM, OTHER_ROOM))
ACCEPTED = Change(ChangeKind.STATE, PatchId(1), "new", "accepted")
DAILY = read_digest("daily 09:00")
ERROR = ValueError("no luck")


async def times(store: Store) -> DueTimes:
    async with store.reading() as tx:
        return await tx.due.times()


async def post(store: Store) -> None:
    """Two rooms have a card of the series."""
    async with store.transaction() as tx:
        for key, room in ((KEY, ROOM), (OTHER_KEY, OTHER_ROOM)):
            await tx.cards.add(CARD, a_notice(key, room), [])
            await tx.outbox.add([a_notice(key, room)])


async def test_nothing_is_due_where_nothing_happened(store: Store) -> None:
    await post(store)

    assert await times(store) == DueTimes({})


async def test_an_edit_is_due_when_the_first_card_is(rig: StoreRig, store: Store) -> None:
    await post(store)
    first = rig.now
    async with store.transaction() as tx:
        await tx.cards.touch(CARD, urgent=True, rooms=[ROOM])
    rig.advance(seconds=1)
    async with store.transaction() as tx:
        await tx.cards.touch(CARD, urgent=True, rooms=[OTHER_ROOM])

    assert await times(store) == DueTimes({RetryKind.EDIT: first + GATHERING})


async def test_a_card_that_was_taken_back_is_not_waited_for(store: Store) -> None:
    await post(store)
    async with store.transaction() as tx:
        await tx.cards.set_event(ROOM, KEY, EventId("$card"))
        await tx.cards.touch(CARD, urgent=True, rooms=[ROOM])
        await tx.cards.redacted(ROOM, EventId("$card"))

    assert await times(store) == DueTimes({})


async def test_a_reply_waits_since_the_first_change_of_the_oldest_burst(rig: StoreRig, store: Store) -> None:
    await post(store)
    first = rig.now
    for key in (KEY, KEY, OTHER_KEY):
        async with store.transaction() as tx:
            await tx.queued.add(key, [ACCEPTED])
        rig.advance(seconds=1)

    assert await times(store) == DueTimes({RetryKind.REPLY: first})


async def test_a_digest_is_due_at_its_time(rig: StoreRig, store: Store) -> None:
    async with store.transaction() as tx:
        await tx.digests.schedule([(ROOM, read_digest("daily 18:30")), (ROOM, DAILY)])

    assert await times(store) == DueTimes({RetryKind.DIGEST: rig.now + timedelta(hours=9)})


async def test_a_flood_is_due_sooner_once_its_server_was_polled(rig: StoreRig, store: Store) -> None:
    opened = rig.now
    async with store.transaction() as tx:
        await tx.floods.put(Flood(ROOM, flood_key(ROOM, opened), SERVER, opened, opened))
    before = await times(store)
    rig.advance(seconds=1)
    async with store.transaction() as tx:
        await tx.watch.save(Poll(SERVER, None))

    assert before == DueTimes({RetryKind.FLOOD: opened + LONG_QUIET})
    assert await times(store) == DueTimes({RetryKind.FLOOD: opened + QUIET})


async def test_what_failed_holds_up_no_other_and_is_tried_again(rig: StoreRig, store: Store) -> None:
    await post(store)
    opened = rig.now
    digest, flood = DigestDue(ROOM, DAILY, rig.now, rig.now), flood_key(ROOM, opened)
    async with store.transaction() as tx:
        await tx.cards.touch(CARD, urgent=True, rooms=[ROOM])
        await tx.queued.add(KEY, [ACCEPTED])
        await tx.digests.schedule([(ROOM, DAILY)])
        await tx.floods.put(Flood(ROOM, flood, SERVER, opened, opened))
    rig.advance(days=1)
    failed = [(RetryKind.EDIT, KEY), (RetryKind.REPLY, KEY), (RetryKind.DIGEST, digest.key), (RetryKind.FLOOD, flood)]
    async with store.transaction() as tx:
        for kind, key in failed:
            await tx.retries.put_off(kind, key, ERROR)
    put_off = await times(store)
    async with store.transaction() as tx:
        await tx.cards.touch(CARD, urgent=True, rooms=[OTHER_ROOM])
        await tx.queued.add(OTHER_KEY, [ACCEPTED])
    others = await times(store)
    now = rig.now
    rig.advance(seconds=USUAL.first.total_seconds())

    assert put_off == DueTimes({}, now + USUAL.first)
    assert others == DueTimes({RetryKind.EDIT: now + GATHERING, RetryKind.REPLY: now}, now + USUAL.first)
    assert (await times(store)).waiting.keys() == {kind for kind, _ in failed}
    assert (await times(store)).retry_at is None


@pytest.mark.parametrize("kind", [RetryKind.EDIT, RetryKind.REPLY])
async def test_a_clock_that_was_set_back_makes_it_due_at_once(rig: StoreRig, store: Store, kind: RetryKind) -> None:
    await post(store)
    async with store.transaction() as tx:
        await (tx.cards.touch(CARD, urgent=True) if kind is RetryKind.EDIT else tx.queued.add(KEY, [ACCEPTED]))
    rig.clock.set_back(timedelta(days=1))

    assert (await times(store)).waiting[kind] < rig.now - timedelta(days=1)


@only_sqlite
async def test_it_looks_at_the_marked_cards_alone(rig: FileRig, store: Store) -> None:
    await post(store)
    query = next_edit(rig.now).compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})

    plan = [step[-1] for step in rig.execute(f"EXPLAIN QUERY PLAN {query}")]

    assert any(step.startswith("SEARCH card USING INDEX ix_card_due_at (due_at>") for step in plan), plan
