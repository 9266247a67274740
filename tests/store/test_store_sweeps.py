"""How far the sweeps came, and what they look at again, on each kind of database."""

from dataclasses import replace

from bot.ids import PatchId, ProjectName, SeriesId
from bot.patchwork.updates import FieldUpdate, PatchField
from bot.poll import ListMark, OpenSubmission, Poll, SeriesRead, SweepState
from bot.store.store import Store
from support.store_rig import OTHER_SERVER, PROJECT, SERVER, StoreRig, a_baseline, a_patch, a_series, ask

CURSOR = "2026-01-01T00:00:00"
OTHER = ProjectName("other")


async def save(store: Store, poll: Poll) -> None:
    async with store.transaction() as tx:
        await tx.watch.save(poll)


def a_state(rig: StoreRig) -> SweepState:
    floors = {PROJECT: 2**40, OTHER: 7}
    return SweepState(rig.now, 76, PatchId(12), ListMark(2**40, 660, (PROJECT, OTHER), floors), ListMark(140, None))


async def opened(store: Store, below: int | None = None, limit: int = 9) -> tuple[list[OpenSubmission], int]:
    found = await ask(
        store, lambda tx: tx.sweeps.open(SERVER, [PROJECT], None if below is None else PatchId(below), limit)
    )
    return list(found.submissions), found.patches


async def test_how_far_the_sweeps_came_is_known_after_a_restart(store: Store, rig: StoreRig) -> None:
    state = a_state(rig)
    await save(store, Poll(SERVER, CURSOR, sweep=state))
    await save(store, Poll(SERVER, CURSOR))
    await store.close()

    later = await rig.open()
    found, other = (
        await ask(later, lambda tx: tx.watch.watched(SERVER)),
        await ask(later, lambda tx: tx.watch.watched(OTHER_SERVER)),
    )
    await later.close()

    assert (found.sweep, other.sweep) == (state, None)


async def test_a_rebuilt_server_is_swept_anew(store: Store, rig: StoreRig) -> None:
    await save(store, Poll(SERVER, CURSOR, sweep=a_state(rig)))
    await save(store, Poll(SERVER, CURSOR, baselines=(a_baseline(),), rebuilt=True))

    assert (await ask(store, lambda tx: tx.watch.watched(SERVER))).sweep is None


async def test_what_is_open_comes_newest_first_series_by_series_and_lone_patches(store: Store) -> None:
    read = (
        SeriesRead(a_series(5, patches=(1, 2)), (a_patch(1, series=5), a_patch(2, series=5, state="new"))),
        SeriesRead(a_series(6, patches=(4,)), (a_patch(4, series=6, state="needs-ack"),)),
    )
    await save(store, Poll(SERVER, CURSOR, series=read, patches=(a_patch(3), a_patch(5))))
    await save(store, Poll(OTHER_SERVER, CURSOR, patches=(a_patch(6),)))
    await save(store, Poll(SERVER, CURSOR, patches=(replace(a_patch(7), project=OTHER),)))
    lone, first, third, second = (
        OpenSubmission(PROJECT, None, PatchId(5)),
        OpenSubmission(PROJECT, SeriesId(6), PatchId(4), "Series 6"),
        OpenSubmission(PROJECT, None, PatchId(3)),
        OpenSubmission(PROJECT, SeriesId(5), PatchId(2), "Series 5"),
    )

    assert await opened(store) == ([lone, first, third, second], 5)
    assert await opened(store, below=4) == ([third, second], 5)
    assert await opened(store, below=3, limit=1) == ([second], 5)
    assert await opened(store, below=2) == ([], 5)


async def test_what_is_archived_settled_or_old_is_not_open(store: Store, rig: StoreRig) -> None:
    rig.advance(days=1)
    await save(store, Poll(SERVER, CURSOR, patches=(a_patch(1),)))
    rig.advance(days=61)
    patches = (a_patch(2, state="accepted"), a_patch(3, state="superseded"), replace(a_patch(4), archived=True))
    await save(store, Poll(SERVER, CURSOR, patches=(*patches, a_patch(5, state="under-review"))))

    assert [each.newest for each in (await opened(store))[0]] == [5]


async def test_what_is_known_as_archived_is_named_with_its_series(store: Store) -> None:
    archived = replace(a_patch(2, series=5), archived=True)
    read = SeriesRead(a_series(5, patches=(1, 2)), (a_patch(1, series=5), archived))
    await save(store, Poll(SERVER, CURSOR, series=(read,), patches=(replace(a_patch(9), archived=True),)))

    found = await ask(store, lambda tx: tx.sweeps.archived(SERVER, [PROJECT]))

    assert found == {
        2: OpenSubmission(PROJECT, SeriesId(5), PatchId(2)),
        9: OpenSubmission(PROJECT, None, PatchId(9)),
    }
    assert await ask(store, lambda tx: tx.sweeps.archived(SERVER, [OTHER])) == {}
    assert await ask(store, lambda tx: tx.sweeps.archived(OTHER_SERVER, [PROJECT])) == {}


async def test_what_was_settled_today_may_still_be_told_its_commit(store: Store, rig: StoreRig) -> None:
    await save(store, Poll(SERVER, CURSOR, patches=(a_patch(1, state="new"),)))
    await save(store, Poll(SERVER, CURSOR, updates=(FieldUpdate(PatchId(1), PatchField.STATE, "accepted"),)))
    today, _ = await opened(store)
    rig.advance(days=2)
    later, _ = await opened(store)

    assert ([each.newest for each in today], later) == ([1], [])
