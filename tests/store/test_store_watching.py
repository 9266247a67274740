"""What the store knows of the Patchwork servers."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.ids import Msgid, PatchId, ProjectName, SeriesId
from bot.patchwork.model import CheckState, FileChange, Patch, PatchRef, Person, Series, Trailer, TrailerKind
from bot.patchwork.states import States
from bot.patchwork.updates import FieldUpdate, PatchField
from bot.poll import KnownSeries, Poll, SeriesRead, WatchPosition
from bot.store import book, schema
from bot.store.retention import delete_outdated
from bot.store.store import Store
from bot.submission import SubmissionKind, SubmissionRef
from support.broken_rows import fail
from support.store_rig import (
    OTHER_SERVER,
    SERVER,
    StoreRig,
    a_baseline,
    a_notice,
    a_patch,
    a_pending,
    a_series,
    an_event,
    ask,
)

CURSOR = "2026-01-01T00:00:00"


async def save(store: Store, *polls: Poll) -> None:
    for poll in polls:
        async with store.transaction() as tx:
            await tx.watch.save(poll)


async def patch_of(store: Store, number: int) -> Patch | None:
    async with store.transaction() as tx:
        return await tx.watch.patch(SERVER, number)


# What a poller asks


async def test_nothing_is_known_of_a_server_at_first(store: Store) -> None:
    assert await ask(store, lambda tx: tx.watch.watched(SERVER)) == WatchPosition(
        cursor=None, highest=0, baselines=(), pending=()
    )


async def test_a_poll_is_known_at_the_next_start(store: Store, rig: StoreRig) -> None:
    waiting = a_pending(7, rig.now)
    read = SeriesRead(a_series(5, patches=(1, 2), received_all=False), (a_patch(1, series=5), a_patch(2, series=5)))
    poll = Poll(
        SERVER,
        CURSOR,
        events=(an_event(11), an_event(12)),
        series=(read,),
        patches=(a_patch(3),),
        baselines=(a_baseline(),),
        pending=(waiting,),
    )

    await save(store, poll)
    await store.close()
    later = await rig.open()

    states = States({"new": None})
    assert await ask(later, lambda tx: tx.watch.watched(SERVER)) == WatchPosition(
        CURSOR, 12, (a_baseline(),), (waiting,), states=states
    )
    assert await ask(later, lambda tx: tx.watch.known_events(SERVER, range(20))) == {11, 12}
    assert await ask(later, lambda tx: tx.watch.known_series(SERVER, [4, 5])) == {
        5: KnownSeries(False, frozenset([PatchId(1), PatchId(2)]))
    }
    assert await ask(later, lambda tx: tx.watch.known_patches(SERVER, [1, 2, 3, 4])) == {1, 2, 3}
    async with later.transaction() as tx:
        assert await tx.watch.series(SERVER, 5) == read.series
        assert await tx.watch.series(SERVER, 6) is None
        assert await tx.watch.patches_of(SERVER, SeriesId(5)) == list(read.news)
        assert await tx.watch.patch(SERVER, 3) == a_patch(3)
        assert await tx.watch.by_msgid(SERVER, Msgid("3@hs")) == a_patch(3)
        assert await tx.watch.by_msgid(SERVER, Msgid("4@hs")) is None
    await later.close()


async def test_servers_do_not_mix(store: Store, rig: StoreRig) -> None:
    read = SeriesRead(a_series(5, patches=(1,)), (a_patch(1, series=5),))

    await save(
        store,
        Poll(SERVER, CURSOR, (an_event(1),), (read,), baselines=(a_baseline(),), pending=(a_pending(7, rig.now),)),
    )

    assert await ask(store, lambda tx: tx.watch.watched(OTHER_SERVER)) == WatchPosition(None, 0, (), ())
    assert await ask(store, lambda tx: tx.watch.known_events(OTHER_SERVER, [1])) == set()
    assert await ask(store, lambda tx: tx.watch.known_series(OTHER_SERVER, [5])) == {}
    assert await ask(store, lambda tx: tx.watch.known_patches(OTHER_SERVER, [1])) == set()


@pytest.mark.parametrize("count", [501, 40_001])
async def test_any_number_of_ids_can_be_asked_for(store: Store, rig: StoreRig, count: int) -> None:
    async with store.transaction() as tx:
        rows = [{"server": SERVER, "id": number, "seen_at": rig.now} for number in range(count)]
        await tx.watch._insert(schema.seen_event, rows)

    assert await ask(store, lambda tx: tx.watch.known_events(SERVER, range(2 * count))) == set(range(count))
    assert await ask(store, lambda tx: tx.watch.known_series(SERVER, range(count))) == {}
    assert await ask(store, lambda tx: tx.watch.known_patches(SERVER, range(count))) == set()


# What a poll found


async def test_an_event_that_comes_again_is_kept_once(store: Store, rig: StoreRig) -> None:
    await save(
        store, Poll(SERVER, CURSOR, (an_event(1), an_event(2))), Poll(SERVER, CURSOR, (an_event(2), an_event(3)))
    )

    assert rig.count("seen_event") == 3


async def test_the_highest_event_never_falls_of_itself(store: Store) -> None:
    await save(store, Poll(SERVER, CURSOR, (an_event(9),)), Poll(SERVER, CURSOR, (an_event(4),)))

    assert (await ask(store, lambda tx: tx.watch.watched(SERVER))).highest == 9


async def test_a_baseline_counts_for_the_highest_event(store: Store) -> None:
    await save(store, Poll(SERVER, CURSOR, baselines=(a_baseline(event=50),)))

    assert (await ask(store, lambda tx: tx.watch.watched(SERVER))).highest == 50


async def test_what_is_settled_waits_no_more_and_what_is_put_off_waits_once(store: Store, rig: StoreRig) -> None:
    first, second = a_pending(1, rig.now), a_pending(2, rig.now)
    put_off = second.again(rig.now + timedelta(minutes=5))

    await save(store, Poll(SERVER, CURSOR, pending=(first, second)))
    await save(store, Poll(SERVER, CURSOR, settled=(first,), pending=(put_off,)))

    assert (await ask(store, lambda tx: tx.watch.watched(SERVER))).pending == (put_off,)


async def test_a_series_that_grows_keeps_its_patches(store: Store) -> None:
    partly = SeriesRead(a_series(5, patches=(1,), received_all=False), (a_patch(1, series=5),))
    whole = SeriesRead(a_series(5, patches=(1, 2)), (a_patch(2, series=5),))

    await save(store, Poll(SERVER, CURSOR, series=(partly,)), Poll(SERVER, CURSOR, series=(whole,)))

    assert await ask(store, lambda tx: tx.watch.known_series(SERVER, [5])) == {
        5: KnownSeries(True, frozenset([PatchId(1), PatchId(2)]))
    }


async def test_a_state_changes_a_patch_that_is_known(store: Store, rig: StoreRig) -> None:
    await save(store, Poll(SERVER, CURSOR, patches=(a_patch(1), a_patch(2))))

    await save(store, Poll(SERVER, CURSOR, updates=(FieldUpdate(PatchId(1), PatchField.STATE, "accepted"),)))

    changed = await patch_of(store, 1)
    assert changed == a_patch(1, state="accepted")
    assert changed is not None
    assert changed.former_state == "new"
    assert await patch_of(store, 2) == a_patch(2)
    assert rig.count("early_update") == 0


async def test_a_state_told_too_early_waits_for_its_patch(store: Store, rig: StoreRig) -> None:
    await save(store, Poll(SERVER, CURSOR, updates=(FieldUpdate(PatchId(1), PatchField.STATE, "under-review"),)))
    await save(store, Poll(SERVER, CURSOR, updates=(FieldUpdate(PatchId(1), PatchField.STATE, "accepted"),)))

    await save(store, Poll(SERVER, CURSOR, patches=(a_patch(1),)))

    assert await patch_of(store, 1) == a_patch(1, state="accepted")
    assert rig.count("early_update") == 0


async def test_a_state_of_one_server_leaves_the_others_alone(store: Store) -> None:
    await save(store, Poll(SERVER, CURSOR, patches=(a_patch(1),)))

    await save(store, Poll(OTHER_SERVER, CURSOR, updates=(FieldUpdate(PatchId(1), PatchField.STATE, "accepted"),)))

    assert await patch_of(store, 1) == a_patch(1)


async def test_a_poll_is_written_whole_or_not_at_all(store: Store, rig: StoreRig) -> None:
    await save(store, Poll(SERVER, CURSOR, (an_event(1),), pending=(a_pending(1, rig.now),)))
    before = await ask(store, lambda tx: tx.watch.watched(SERVER))
    poll = Poll(
        SERVER,
        "2026-01-02T00:00:00",
        (an_event(2),),
        series=(SeriesRead(a_series(5, patches=(1,)), (a_patch(1, series=5),)),),
        pending=(a_pending(2, rig.now), a_pending(2, rig.now)),
        settled=(a_pending(1, rig.now),),
    )

    with pytest.raises(sa.exc.IntegrityError):
        await save(store, poll)

    assert await ask(store, lambda tx: tx.watch.watched(SERVER)) == before
    assert await ask(store, lambda tx: tx.watch.known_events(SERVER, [2])) == set()
    assert rig.count("series") == rig.count("patch") == 0


async def test_what_a_poll_found_and_what_is_said_of_it_are_one(store: Store, rig: StoreRig) -> None:
    async def find_and_fail() -> None:
        async with store.transaction() as tx:
            await tx.watch.save(Poll(SERVER, CURSOR, (an_event(1),)))
            await tx.outbox.add([a_notice()])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await find_and_fail()

    assert rig.count("seen_event") == rig.count("notice") == rig.count("server") == 0


async def test_a_rebuilt_server_starts_anew(store: Store, rig: StoreRig) -> None:
    read = SeriesRead(a_series(5, patches=(1,)), (a_patch(1, series=5),))
    everything = Poll(
        SERVER,
        CURSOR,
        (an_event(100),),
        (read,),
        updates=(FieldUpdate(PatchId(9), PatchField.STATE, "new"),),
        baselines=(a_baseline(event=90), a_baseline(ProjectName("not-asked-now"), event=90)),
        pending=(a_pending(7, rig.now),),
    )
    await save(store, everything, replace(everything, server=OTHER_SERVER))
    async with store.transaction() as tx:
        await tx.cards.add(SubmissionRef(SERVER, SubmissionKind.SERIES, 5), a_notice(), [])
    kept = await ask(store, lambda tx: tx.watch.watched(OTHER_SERVER))

    await save(store, Poll(SERVER, "2026-02-02T00:00:00", baselines=(a_baseline(event=3),), rebuilt=True))

    assert await ask(store, lambda tx: tx.watch.watched(SERVER)) == WatchPosition(
        "2026-02-02T00:00:00", 3, (a_baseline(event=3),), ()
    )
    assert await ask(store, lambda tx: tx.watch.known_events(SERVER, [100])) == set()
    assert await ask(store, lambda tx: tx.watch.known_series(SERVER, [5])) == {}
    assert await ask(store, lambda tx: tx.watch.known_patches(SERVER, [1])) == set()
    assert rig.count("card") == 0
    assert await ask(store, lambda tx: tx.watch.watched(OTHER_SERVER)) == kept
    assert await ask(store, lambda tx: tx.watch.known_patches(OTHER_SERVER, [1])) == {1}


async def test_a_project_no_longer_watched_is_forgotten_with_what_was_pending(store: Store, rig: StoreRig) -> None:
    gone = ProjectName("gone")
    poll = Poll(
        SERVER,
        CURSOR,
        baselines=(a_baseline(), a_baseline(gone)),
        pending=(a_pending(1, rig.now), a_pending(2, rig.now, project=gone)),
    )
    await save(store, poll, replace(poll, server=OTHER_SERVER))

    async with store.transaction() as tx:
        await tx.watch.keep_only(SERVER, ["QEMU-devel"])

    assert await ask(store, lambda tx: tx.watch.watched(SERVER)) == WatchPosition(
        CURSOR, 10, (a_baseline(),), (a_pending(1, rig.now),)
    )
    assert len((await ask(store, lambda tx: tx.watch.watched(OTHER_SERVER))).baselines) == 2


async def test_a_project_keeps_its_baseline_whatever_letters_it_is_written_in(store: Store) -> None:
    await save(store, Poll(SERVER, CURSOR, baselines=(a_baseline(ProjectName("ÄRGER")),)))

    async with store.transaction() as tx:
        await tx.watch.keep_only(SERVER, ["ärger"])

    assert (await ask(store, lambda tx: tx.watch.watched(SERVER))).baselines == (a_baseline(ProjectName("ÄRGER")),)


# What is kept, and for how long


async def test_events_are_forgotten_after_four_days_but_never_the_newest_thousand(store: Store, rig: StoreRig) -> None:
    events = tuple(an_event(number) for number in range(1, 1_011))
    await save(store, Poll(SERVER, CURSOR, events), Poll(OTHER_SERVER, CURSOR, events[:5]))
    rig.advance(days=3)
    await delete_outdated(store)
    untouched = rig.count("seen_event")
    rig.advance(days=2)

    await delete_outdated(store)

    assert untouched == 1_015
    assert await ask(store, lambda tx: tx.watch.known_events(SERVER, range(1, 1_011))) == set(range(11, 1_011))
    assert await ask(store, lambda tx: tx.watch.known_events(OTHER_SERVER, range(1, 1_011))) == set(range(1, 6))


async def test_patches_and_series_are_forgotten_after_180_days(store: Store, rig: StoreRig) -> None:
    old = SeriesRead(a_series(5, patches=(1,)), (a_patch(1, series=5),))
    young = SeriesRead(a_series(6, patches=(2,)), (a_patch(2, series=6),))
    await save(store, Poll(SERVER, CURSOR, series=(old,)))
    rig.advance(days=100)
    await save(store, Poll(SERVER, CURSOR, series=(young,)))
    rig.advance(days=80, seconds=1)

    await delete_outdated(store)

    assert set(await ask(store, lambda tx: tx.watch.known_series(SERVER, [5, 6]))) == {6}
    assert await ask(store, lambda tx: tx.watch.known_patches(SERVER, [1, 2])) == {2}


async def test_a_told_state_that_nobody_asked_for_is_forgotten(store: Store, rig: StoreRig) -> None:
    await save(store, Poll(SERVER, CURSOR, updates=(FieldUpdate(PatchId(1), PatchField.STATE, "accepted"),)))
    rig.advance(days=4, seconds=1)

    await delete_outdated(store)

    assert rig.count("early_update") == 0


async def test_housekeeping_deletes_in_small_batches_until_nothing_is_left(
    store: Store, rig: StoreRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "BATCH", 10)
    await save(store, Poll(SERVER, CURSOR, patches=tuple(a_patch(number) for number in range(1, 26))))
    rig.advance(days=181)
    left: list[int] = []

    async with store.transaction() as tx:
        more = await tx.watch.tidy_patches()
    left.append(rig.count("patch"))
    await delete_outdated(store)
    left.append(rig.count("patch"))

    assert more
    assert left == [15, 0]


async def test_housekeeping_of_one_table_that_fails_does_not_stop_that_of_the_others(
    store: Store, rig: StoreRig
) -> None:
    await save(store, Poll(SERVER, CURSOR, patches=(a_patch(1),), series=(SeriesRead(a_series(7), ()),)))
    rig.advance(days=181)
    mend = fail(rig.url, "DELETE ON patch")

    await delete_outdated(store)
    assert (rig.count("patch"), rig.count("series")) == (1, 0)
    assert [(each.kind, each.name) for each in store.incidents] == [("housekeeping.failed", "patches")]

    mend()
    await delete_outdated(store)
    assert rig.count("patch") == 0
    assert list(store.incidents) == []


def test_a_batch_is_a_thousand_rows() -> None:
    assert book.BATCH == 1_000


# Any content

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
moments = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1))  # noqa: DTZ001  # zones are drawn beside
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
ids = st.integers(0, 2**63 - 1)
small = st.integers(-(2**31), 2**31 - 1)
optional_text = st.none() | text
persons = st.builds(Person, text, text)
files = st.builds(FileChange, text, optional_text, small, small)
refs = st.builds(PatchRef, ids.map(PatchId), text.map(Msgid), text)
patches = st.builds(
    Patch,
    id=ids.map(PatchId),
    project=text.map(ProjectName),
    msgid=text.map(Msgid),
    name=text,
    submitter=persons,
    date=text,
    series=st.none() | ids.map(SeriesId),
    state=optional_text,
    delegate=optional_text,
    check=st.none() | st.sampled_from(sorted(set(CheckState) - {CheckState.PENDING})),  # which means none, too
    archived=st.booleans(),
    hash=optional_text,
    pull_url=optional_text,
    commit_ref=optional_text,
    archive_url=optional_text,
    files=st.none() | st.lists(files, max_size=3).map(tuple),
    to=st.lists(text, max_size=3).map(tuple),
    cc=st.lists(text, max_size=3).map(tuple),
    trailers=st.frozensets(st.builds(Trailer, st.sampled_from(TrailerKind), text), max_size=3),
)
serieses = st.builds(
    Series,
    id=ids.map(SeriesId),
    project=text.map(ProjectName),
    name=text,
    version=small,
    submitter=persons,
    date=text,
    total=small,
    received_total=small,
    received_all=st.booleans(),
    cover=st.none() | text.map(Msgid),
    cover_id=st.none() | ids,
    cover_name=text,
    archive_url=optional_text,
    patches=st.lists(refs, max_size=3).map(tuple),
)
over_one_store = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@over_one_store
@given(drawn=st.lists(patches, min_size=1, max_size=5, unique_by=lambda patch: patch.id))
async def test_any_patch_comes_back_as_it_was(store: Store, drawn: Sequence[Patch]) -> None:
    await save(store, Poll(SERVER, CURSOR, patches=tuple(drawn)))

    assert [await patch_of(store, patch.id) for patch in drawn] == list(drawn)


@over_one_store
@given(drawn=serieses)
async def test_any_series_comes_back_as_it_was(store: Store, drawn: Series) -> None:
    await save(store, Poll(SERVER, CURSOR, series=(SeriesRead(drawn, ()),)))

    async with store.transaction() as tx:
        assert await tx.watch.series(SERVER, drawn.id) == drawn


@over_one_store
@given(moment=moments, zone=zones)
async def test_a_moment_comes_back_in_utc(store: Store, moment: datetime, zone: timezone) -> None:
    first_seen = moment.replace(tzinfo=zone)
    await save(store, Poll(SERVER, CURSOR, pending=(a_pending(1, first_seen),)))

    (item,) = (await ask(store, lambda tx: tx.watch.watched(SERVER))).pending

    assert item.first_seen == first_seen
    assert item.first_seen.tzinfo is UTC
