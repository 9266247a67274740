"""What the store knows of the versions of a series, and of the cards that tell of them."""

from dataclasses import replace

import pytest

from bot.ids import EventId, RoomId, SeriesId
from bot.notices.notice import Dead, Sent
from bot.patchwork.model import Patch, Person, Series
from bot.patchwork.versions import Newcomer, PredecessorCandidate
from bot.poll import Poll, SeriesRead
from bot.store.patch_book import MAX_CANDIDATES
from bot.store.store import Store
from bot.submission import SubmissionKind, SubmissionRef
from support.store_rig import (
    DEVICE,
    OTHER_ROOM,
    OTHER_SERVER,
    ROOM,
    SERVER,
    SUBMITTER,
    StoreRig,
    a_notice,
    a_patch,
    a_series,
)


def a_version(number: int, version: int = 1, *, submitter: Person = SUBMITTER, project: str = "qemu-devel") -> Series:
    return replace(a_series(number), version=version, submitter=submitter, project=type(a_series().project)(project))


async def save(store: Store, *series: Series, patches: tuple[Patch, ...] = ()) -> None:
    reads = [SeriesRead(each, tuple(patch for patch in patches if patch.series == each.id)) for each in series]
    async with store.transaction() as tx:
        await tx.watch.save(Poll(SERVER, "2026-01-01T00:00:00", series=tuple(reads)))


async def candidates(store: Store, new: Newcomer) -> list[PredecessorCandidate]:
    async with store.transaction() as tx:
        return await tx.versions.candidates(SERVER, new)


async def test_candidates_are_the_earlier_series_of_the_submitter_in_the_project(store: Store) -> None:
    fits = [
        a_version(1),
        a_version(2, 2, submitter=Person("J.", "JANE@Example.org")),
        a_version(3, project="QEMU-Devel"),
    ]
    others = [
        a_version(4, submitter=Person("Bob", "bob@example.org")),
        a_version(5, project="netdev"),
        a_version(6, 3),
        a_version(8),
    ]
    await save(store, *fits, *others)
    async with store.transaction() as tx:
        await tx.watch.save(Poll(OTHER_SERVER, None, series=(SeriesRead(a_version(1), ()),)))
        await tx.watch.link(SERVER, SeriesId(2), SeriesId(1))

    found = await candidates(store, Newcomer(a_version(7, 2)))

    assert found == [
        PredecessorCandidate(fits[2]),
        PredecessorCandidate(fits[1], SeriesId(1)),
        PredecessorCandidate(fits[0]),
    ]


async def test_a_submitter_of_many_series_has_a_bounded_number_of_candidates(store: Store) -> None:
    await save(store, *[a_version(number) for number in range(1, MAX_CANDIDATES + 20)])

    found = await candidates(store, Newcomer(a_version(1_000, 2)))

    assert [each.series.id for each in found] == list(range(MAX_CANDIDATES + 19, 19, -1))


async def test_candidates_come_with_the_hashes_that_both_have(store: Store) -> None:
    hashes = {(1, 1): "a", (1, 2): "b", (2, 3): "b", (2, 4): None, (3, 5): "c"}
    patches = tuple(replace(a_patch(patch, series=series), hash=digest) for (series, patch), digest in hashes.items())
    await save(store, a_version(1), a_version(2), a_version(3), patches=patches)

    found = await candidates(store, Newcomer(a_version(7, 2), frozenset({"a", "b"})))

    assert {each.series.id: each.hashes for each in found} == {1: {"a", "b"}, 2: {"b"}, 3: frozenset()}


async def test_any_number_of_hashes_can_be_asked_for(store: Store) -> None:
    await save(store, a_version(1), patches=(replace(a_patch(1, series=1), hash="0"),))

    (found,) = await candidates(store, Newcomer(a_version(7, 2), frozenset(map(str, range(50_000)))))

    assert found.hashes == {"0"}


async def test_an_address_of_any_length_is_found(store: Store) -> None:
    long = Person("L", f"{'x' * 900}@example.org")
    await save(store, a_version(1, submitter=long))

    assert [each.series.id for each in await candidates(store, Newcomer(a_version(7, 2, submitter=long)))] == [1]


async def test_what_follows_a_series_is_known(store: Store) -> None:
    await save(store, a_version(1), a_version(2, 2), a_version(3, 3))
    async with store.transaction() as tx:
        await tx.watch.link(SERVER, SeriesId(2), SeriesId(1))
        await tx.watch.link(SERVER, SeriesId(3), SeriesId(1))

        assert await tx.versions.following(SERVER, SeriesId(1)) == [a_version(2, 2), a_version(3, 3)]
        assert await tx.versions.following(SERVER, SeriesId(2)) == []
        assert await tx.versions.following(OTHER_SERVER, SeriesId(1)) == []


async def test_a_link_stays_when_the_series_is_read_again(store: Store) -> None:
    await save(store, a_version(1), a_version(2, 2))
    async with store.transaction() as tx:
        await tx.watch.link(SERVER, SeriesId(2), SeriesId(1))
    await save(store, replace(a_version(2, 2), name="Renamed"))

    async with store.transaction() as tx:
        assert await tx.watch.earlier(SERVER, SeriesId(2)) == [SeriesId(1)]


# The cards that tell of them


def of(number: int) -> SubmissionRef:
    return SubmissionRef(SERVER, SubmissionKind.SERIES, number)


async def with_cards(store: Store, *cards: tuple[int, RoomId]) -> None:
    """Versions 1, 2 and 3 of a series, each the next of the one before, and their *cards*, not sent yet."""
    await save(store, a_version(1), a_version(2, 2), a_version(3, 3))
    async with store.transaction() as tx:
        await tx.watch.link(SERVER, SeriesId(2), SeriesId(1))
        await tx.watch.link(SERVER, SeriesId(3), SeriesId(2))
        for number, room in cards:
            notice = a_notice(f"card/{number}/{room}", room)
            await tx.cards.add(of(number), notice, [])
            await tx.outbox.add([notice])


async def settle(store: Store, outcome: Dead | Sent) -> None:
    """The first open notice ends in *outcome*."""
    async with store.transaction() as tx:
        (claimed, *_) = (await tx.outbox.claim(1, DEVICE)).notices
        await tx.outbox.settle(claimed, outcome)


async def due(store: Store, rig: StoreRig) -> set[tuple[int, RoomId]]:
    """The cards that are edited soon."""
    rig.advance(seconds=5)
    async with store.transaction() as tx:
        return {(each.about.id, each.room) for each in await tx.cards.due(100)}


async def test_a_card_that_came_is_told_to_the_cards_of_the_versions_around_it(store: Store, rig: StoreRig) -> None:
    await with_cards(store, (2, ROOM), (1, ROOM), (3, ROOM), (1, OTHER_ROOM))

    await settle(store, Sent(EventId("$2")))

    assert await due(store, rig) == {(1, ROOM), (3, ROOM)}


async def test_a_card_that_was_given_up_is_told_too(store: Store, rig: StoreRig) -> None:
    await with_cards(store, (2, ROOM), (1, ROOM))

    await settle(store, Dead("too large"))

    assert await due(store, rig) == {(1, ROOM)}


async def test_a_card_that_was_taken_back_is_told_too(store: Store, rig: StoreRig) -> None:
    await with_cards(store, (3, ROOM), (2, ROOM))
    await settle(store, Sent(EventId("$3")))
    async with store.transaction() as tx:
        for card in await tx.cards.due(100):
            await tx.cards.mark_up_to_date(card)

        await tx.cards.redacted(ROOM, EventId("$3"))

    assert await due(store, rig) == {(2, ROOM)}


async def test_a_card_of_something_else_is_told_to_nobody(store: Store, rig: StoreRig) -> None:
    await with_cards(store)
    async with store.transaction() as tx:
        notice = a_notice("card/patch")
        await tx.cards.add(SubmissionRef(SERVER, SubmissionKind.PATCH, 2), notice, [])
        await tx.outbox.add([notice])

    await settle(store, Sent(EventId("$1")))

    assert await due(store, rig) == set()


async def test_the_places_of_a_card_are_those_that_can_be_led_to(store: Store) -> None:
    await with_cards(store, (2, ROOM), (2, OTHER_ROOM))
    async with store.transaction() as tx:
        assert await tx.cards.events_by_room(of(2)) == {ROOM: None, OTHER_ROOM: None}
    await settle(store, Sent(EventId("$1")))
    await settle(store, Dead("too large"))

    async with store.transaction() as tx:
        assert await tx.cards.events_by_room(of(2)) == {ROOM: EventId("$1")}
        assert await tx.cards.events_by_room(of(1)) == {}
        await tx.cards.redacted(ROOM, EventId("$1"))
        assert await tx.cards.events_by_room(of(2)) == {}


@pytest.mark.parametrize("rooms", [[ROOM], [], None])
async def test_cards_are_touched_in_the_rooms_that_are_meant(
    store: Store, rig: StoreRig, rooms: list[RoomId] | None
) -> None:
    await with_cards(store, (1, ROOM), (1, OTHER_ROOM))

    async with store.transaction() as tx:
        await tx.cards.touch(of(1), urgent=True, rooms=rooms)

    assert await due(store, rig) == {(1, room) for room in ([ROOM, OTHER_ROOM] if rooms is None else rooms)}
