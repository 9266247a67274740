"""Open submissions that touch the same files, and the fingerprints of diffs, in both databases."""

from dataclasses import replace

import pytest

from bot.ids import PatchId, SeriesId
from bot.patchwork.model import FileChange, Patch
from bot.poll import Poll, SeriesRead
from bot.store.figure_book import PatchTimes
from bot.store.store import Store
from bot.submission import SubmissionKind, SubmissionRef
from support.store_rig import OTHER_SERVER, PROJECT, SERVER, StoreRig, a_patch, a_series, ask

CURSOR = "2026-01-01T00:00:00"
PATHS = ("drivers/net/a.c", 'odd "name" 100%_\\.c', "docs/ä.rst")


def touching(number: int, *paths: str, series: int | None = None, state: str | None = "new") -> Patch:
    files = tuple(FileChange(path, None, 1, 0) for path in paths)
    return replace(a_patch(number, series=series, state=state), files=files)


async def save(store: Store, *patches: Patch) -> None:
    series = {patch.series: a_series(patch.series, patches=(patch.id,)) for patch in patches if patch.series}
    reads = [SeriesRead(each, tuple(p for p in patches if p.series == each.id)) for each in series.values()]
    lone = tuple(patch for patch in patches if patch.series is None)
    async with store.transaction() as tx:
        await tx.watch.save(Poll(SERVER, CURSOR, patches=lone, series=tuple(reads)))


def ref(number: int, kind: SubmissionKind = SubmissionKind.SERIES) -> SubmissionRef:
    return SubmissionRef(SERVER, kind, number)


@pytest.mark.parametrize("spare", [0, 100])
async def test_the_files_in_common_decide_the_order(rig: StoreRig, spare: int) -> None:
    store = await rig.open()
    await save(
        store,
        touching(1, *PATHS, series=1),
        touching(2, PATHS[0], "other.c", series=2),
        touching(3, PATHS[1], PATHS[2]),
        touching(4, "drivers/net/a.cc", "drivers/net/a", series=4),
        touching(5, PATHS[0], series=5, state="accepted"),
        touching(6, PATHS[0], series=6, state=None),
    )
    asked = {*PATHS, *(f"spare/{number}" for number in range(spare))}

    found = await ask(store, lambda tx: tx.overlaps.open_touching(SERVER, PROJECT, asked, {"accepted"}))
    elsewhere = await ask(store, lambda tx: tx.overlaps.open_touching(OTHER_SERVER, PROJECT, asked, {"accepted"}))

    assert [(each.ref, len(each.paths)) for each in found] == [
        (ref(1), 3),
        (ref(3, SubmissionKind.PATCH), 2),
        (ref(6), 1),
        (ref(2), 1),
    ]
    assert elsewhere == []
    await store.close()


async def test_a_series_with_a_later_version_does_not_count(rig: StoreRig) -> None:
    store = await rig.open()
    await save(store, touching(1, *PATHS, series=1), touching(2, *PATHS, series=2))
    await ask(store, lambda tx: tx.watch.link(SERVER, SeriesId(2), SeriesId(1)))

    found = await ask(store, lambda tx: tx.overlaps.open_touching(SERVER, PROJECT, PATHS, ()))

    assert [each.ref for each in found] == [ref(2)]
    await store.close()


async def test_fingerprints_are_read_apart_from_their_patches(rig: StoreRig) -> None:
    store = await rig.open()
    await save(store, replace(touching(1, *PATHS, series=1), fingerprint=b"\x00\xff"), touching(2, *PATHS, series=2))

    found = await ask(store, lambda tx: tx.watch.fingerprints(SERVER, [1, 2]))
    patch = await ask(store, lambda tx: tx.watch.patch(SERVER, 1))

    assert found == {PatchId(1): b"\x00\xff"}
    assert patch is not None
    assert patch.fingerprint == b""
    await store.close()


async def test_the_times_of_patches_and_of_later_versions_are_read(rig: StoreRig) -> None:
    store = await rig.open()
    came = rig.now
    await save(store, touching(1, *PATHS, series=1), touching(2, *PATHS, series=2))
    rig.advance(days=2)
    replaced = rig.now
    await save(store, touching(3, *PATHS, series=3))
    await ask(store, lambda tx: tx.watch.link(SERVER, SeriesId(3), SeriesId(1)))

    times = await ask(store, lambda tx: tx.figures.times_of(SERVER, [PatchId(1), PatchId(9)]))
    later = await ask(store, lambda tx: tx.figures.replaced(SERVER, [SeriesId(1), SeriesId(2), SeriesId(3)]))

    assert times == {PatchId(1): PatchTimes(came, None)}
    assert later == {SeriesId(1): replaced}
    await store.close()
