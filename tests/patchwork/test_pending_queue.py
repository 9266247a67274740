from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.ids import Msgid, PatchId, PatchworkEventId, ProjectName, SeriesId
from bot.patchwork.model import PatchRef
from bot.patchwork.wire import EventHint
from bot.poll import SECOND_LOOK, Baseline, KnownSeries, Pending, PendingKind
from bot.polling.pending import GRACE, KnownObjects, PendingQueue, has_place
from bot.store.poll_book import KEEP_PENDING

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WAIT = timedelta(minutes=30)
QEMU = ProjectName("qemu-devel")
SERIES, PATCH = SeriesId(20), PatchId(200)


def a_board(
    *pending: Pending, known: KnownObjects | None = None, now: datetime = NOW, wait: timedelta = WAIT
) -> PendingQueue:
    return PendingQueue(pending, known or what_is_known(), now, wait)


def what_is_known(*patches: int, series: dict[SeriesId, KnownSeries] | None = None) -> KnownObjects:
    """The past ends at series 10 and patch 100."""
    baseline = Baseline(QEMU, event=1000, date="2026-01-01T00:00:00", patch=100, series=10)
    return KnownObjects({QEMU: baseline}, series or {}, frozenset(map(PatchId, patches)))


def judged(*patches: int, received_all: bool) -> KnownObjects:
    """Series 20 was judged with *patches*."""
    read = KnownSeries(received_all, frozenset(map(PatchId, patches)))
    return what_is_known(*patches, series={SERIES: read})


def a_ref(patch: int = PATCH, name: str = "A patch") -> PatchRef:
    return PatchRef(PatchId(patch), Msgid(f"{patch}@example.org"), name)


def an_event(category: str, *, series: int | None = None, patch: PatchRef | None = None) -> EventHint:
    number = None if series is None else SeriesId(series)
    return EventHint(PatchworkEventId(2000), category, "2026-01-01T00:00:00", QEMU, number, patch)


def waiting(board: PendingQueue) -> list[tuple[PendingKind, int, timedelta]]:
    """What the board has newly, and in how long it is due."""
    return [(item.kind, item.id, item.due - NOW) for item in board.changed]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (an_event("series-created", series=20), [(PendingKind.SERIES, 20, WAIT)]),
        (an_event("series-completed", series=20), [(PendingKind.SERIES, 20, timedelta())]),
        (an_event("patch-completed", series=20, patch=a_ref()), [(PendingKind.SERIES, 20, WAIT)]),
        (an_event("patch-created", patch=a_ref()), [(PendingKind.PATCH, 200, GRACE)]),
        (an_event("patch-state-changed", patch=a_ref()), []),
        (an_event("cover-created"), []),
        (an_event("something-new", series=20, patch=a_ref()), []),
        (an_event("series-created"), []),
        (an_event("series-completed", series=10), []),
        (an_event("patch-completed", series=10, patch=a_ref()), []),
        (an_event("patch-created", patch=a_ref(100)), []),
    ],
)
def test_an_event_hints_at_what_is_new(event: EventHint, expected: list[tuple[PendingKind, int, timedelta]]) -> None:
    board = a_board()

    board.hint(event)

    assert waiting(board) == expected


def test_what_belongs_to_no_watched_project_is_let_be() -> None:
    board = a_board()

    board.series(ProjectName("other"), SERIES, complete=True)
    board.patch(ProjectName("other"), a_ref())

    assert waiting(board) == []


@pytest.mark.parametrize(
    ("known", "event", "looks"),
    [
        (judged(200, received_all=True), an_event("series-completed", series=20), False),
        (judged(200, received_all=False), an_event("series-completed", series=20), True),
        (judged(200, received_all=False), an_event("series-created", series=20), False),
        (judged(200, received_all=True), an_event("patch-completed", series=20, patch=a_ref(200)), False),
        (judged(200, received_all=True), an_event("patch-completed", series=20, patch=a_ref(201)), True),
        (judged(200, received_all=True), an_event("patch-created", patch=a_ref(200)), False),
    ],
)
def test_a_judged_series_is_looked_at_again_only_for_what_it_lacked(
    known: KnownObjects, event: EventHint, looks: bool
) -> None:
    board = a_board(known=known)

    board.hint(event)

    assert [item.due == item.deadline == NOW for item in board.changed] == [True] * looks


def test_a_completed_patch_no_longer_waits_for_its_series() -> None:
    board = a_board()

    board.hint(an_event("patch-created", patch=a_ref()))
    board.hint(an_event("patch-completed", series=20, patch=a_ref()))

    assert waiting(board) == [(PendingKind.SERIES, 20, WAIT)]


def test_another_hint_makes_an_object_due_sooner_and_never_later() -> None:
    board = a_board()

    board.hint(an_event("series-completed", series=20))
    board.hint(an_event("series-created", series=20))

    assert waiting(board) == [(PendingKind.SERIES, 20, timedelta())]
    assert board.changed[0].deadline == NOW + WAIT


def test_nothing_waits_longer_than_a_series_may() -> None:
    board = a_board(wait=timedelta())

    board.hint(an_event("series-created", series=20))
    board.hint(an_event("patch-created", patch=a_ref()))

    assert [item.id for item in board.due(9)] == [20, 200]


def after(minutes: int) -> datetime:
    return NOW + timedelta(minutes=minutes)


def series(number: int, minute: int = 0, *, due: int = 0, deadline: int = 30) -> Pending:
    """A pending series, with minutes since NOW."""
    return Pending(PendingKind.SERIES, number, QEMU, "", after(minute), after(due), after(deadline))


def patch(number: int, name: str, minute: int = 0, *, due: int = 2) -> Pending:
    """A pending patch, with minutes since NOW."""
    return Pending(PendingKind.PATCH, number, QEMU, name, after(minute), after(due), after(due))


def test_series_come_before_patches_and_older_ones_first() -> None:
    items = [patch(201, "B", due=0), patch(200, "A", due=0), series(22, 1), series(21), series(20), series(23, due=1)]

    board = a_board(*items)

    assert [item.id for item in board.due(9)] == [20, 21, 22, 200, 201]
    assert [item.id for item in board.due(2)] == [20, 21]


@pytest.mark.parametrize(
    ("name", "awaited", "minute", "waits"),
    [
        ("[2/5] Part", [series(20, due=30)], 5, True),
        ("[2/5] Part", [series(20, due=30)], 30, False),
        ("[2/5] Part", [series(20, 2, due=32, deadline=32)], 5, True),
        ("[2/5] Part", [series(20, 3, due=33, deadline=33)], 5, False),
        ("[2/5] Part", [], 5, False),
        ("[PULL,0/5] Pull", [series(20, due=30)], 5, False),
        ("Alone", [series(20, due=30)], 5, False),
    ],
)
def test_a_part_of_a_series_waits_for_one_that_came_with_it(
    name: str, awaited: list[Pending], minute: int, waits: bool
) -> None:
    board = a_board(patch(200, name), *awaited, now=NOW + timedelta(minutes=minute))

    assert (PATCH in [item.id for item in board.due(9)]) is not waits


def test_what_is_settled_is_told_once_and_what_came_and_went_not_at_all() -> None:
    board = a_board(series(20), series(21))

    board.settle(PendingKind.SERIES, 20)
    board.hint(an_event("series-completed", series=22))
    board.settle(PendingKind.SERIES, 22)

    assert [item.id for item in board.settled] == [20]
    assert board.changed == ()


def test_what_was_read_of_a_series_is_known() -> None:
    board = a_board(known=judged(200, received_all=False))
    board.learn({SeriesId(21): KnownSeries(received_all=True, patches=frozenset({PatchId(210)}))})

    assert board.has_read(SERIES, PATCH)
    assert board.has_read(SeriesId(21), PatchId(210))
    assert not board.has_read(SERIES, PatchId(201))
    assert not board.has_read(SeriesId(22), PATCH)


@pytest.mark.parametrize(
    ("attempts", "minute", "asked", "seconds"),
    [
        (0, 0, None, 2),
        (1, 0, None, 4),
        (9, 0, None, 900),
        (99, 31, None, 900),
        (9, 20, None, 600),
        (0, 0, 1, 2),
        (0, 0, 3600, 3600),
        (9, 20, 3600, 3600),
    ],
)
def test_what_fails_waits_twice_as_long_each_time_but_is_there_at_its_deadline(
    attempts: int, minute: int, asked: int | None, seconds: int
) -> None:
    """The server's own wish wins over both."""
    now = NOW + timedelta(minutes=minute)
    item = Pending(PendingKind.SERIES, 20, QEMU, "", NOW, NOW, NOW + WAIT, attempts)

    item = replace(item, unreadable_since=NOW if attempts else None)

    again = item.failed(now, None if asked is None else timedelta(seconds=asked))

    assert again.due - now == timedelta(seconds=seconds)
    assert again.attempts == attempts + 1


def test_a_first_failure_is_tried_again_soon_however_long_the_series_was_incomplete() -> None:
    item = Pending(PendingKind.SERIES, 20, QEMU, "", NOW, NOW, NOW, attempts=99)

    assert item.failed(NOW).due - NOW == timedelta(seconds=2)


def test_what_is_unreadable_for_a_day_is_asked_for_once_a_day() -> None:
    item = Pending(PendingKind.SERIES, 20, QEMU, "", NOW, NOW, NOW + WAIT)
    asked, now = 0, NOW
    while now < NOW + KEEP_PENDING:
        item, asked = item.failed(now), asked + 1
        now = item.due

    assert asked == pytest.approx(24 * 4 + 29, abs=15)


def test_an_object_is_let_go_by_a_second_not_found_ten_minutes_later_at_the_earliest() -> None:
    item = Pending(PendingKind.SERIES, 20, QEMU, "", NOW, NOW, NOW)

    first = item.not_found(NOW)
    assert first is not None
    early = first.not_found(NOW + SECOND_LOOK - timedelta(seconds=1))
    assert early is not None

    assert first.due == early.due == NOW + SECOND_LOOK
    assert early.not_found(NOW + SECOND_LOOK) is None


def test_an_object_that_was_read_in_between_needs_two_more_not_founds() -> None:
    item = Pending(PendingKind.SERIES, 20, QEMU, "", NOW, NOW, NOW).not_found(NOW)
    assert item is not None
    later = NOW + timedelta(hours=1)

    assert item.again(NOW + SECOND_LOOK).not_found(later) is not None
    assert item.failed(NOW + SECOND_LOOK).not_found(later) is None


def test_a_clock_that_was_set_back_makes_the_second_look_come_ten_minutes_after() -> None:
    item = Pending(PendingKind.SERIES, 20, QEMU, "", NOW, NOW, NOW).not_found(NOW + timedelta(days=1))
    assert item is not None

    again = item.not_found(NOW)

    assert again is not None
    assert again.due == NOW + SECOND_LOOK


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("[v2,3/5] A", True),
        ("[1/1] A", True),
        ("[0/5] A", False),
        ("[PULL,00/12] A", False),
        ("A 1/2", False),
        ("", False),
    ],
)
def test_a_place_in_a_series_is_told_by_the_name(name: str, place: bool) -> None:
    assert has_place(name) is place
