"""When a card is edited."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.notices.edit_schedule import APART, GATHERING, LONGEST, EditSchedule

POSTED = datetime(2026, 1, 1, tzinfo=UTC)
MONTH = timedelta(days=30)


def at(**after: float) -> datetime:
    """So long after the card was posted."""
    return POSTED + timedelta(**after)


def a_life(*changes: tuple[datetime, bool], edited: datetime | None = None) -> EditSchedule:
    """A card to which *changes* happened: when, and whether they were urgent."""
    life = EditSchedule(POSTED, edited=edited)
    for moment, urgent in changes:
        life = life.changed(moment, urgent=urgent)
    return life


def test_a_card_that_shows_everything_is_not_due() -> None:
    assert EditSchedule(POSTED).due is None
    assert EditSchedule(POSTED, edited=at(hours=1)).due is None


def test_a_state_is_shown_within_five_seconds_and_what_comes_in_between_with_it() -> None:
    life = a_life((at(hours=1), True), (at(hours=1, seconds=2), True), (at(hours=1, seconds=2), False))

    assert life.due == at(hours=1, seconds=3)


def test_a_state_soon_after_an_edit_waits_until_a_minute_has_passed() -> None:
    assert a_life((at(seconds=70), True), edited=at(seconds=60)).due == at(seconds=120)


@pytest.mark.parametrize(
    ("minutes", "due"),
    [((0,), 10), ((0, 9), 19), ((0, 9, 18, 27, 36, 45, 54), 60), ((0, 9, 18, 27, 36, 45), 55)],
)
def test_counts_wait_for_ten_quiet_minutes_and_an_hour_at_most(minutes: tuple[int, ...], due: int) -> None:
    life = a_life(*((at(minutes=minute), False) for minute in minutes))

    assert life.due == at(minutes=due)


def test_counts_that_follow_a_state_do_not_hold_it_up() -> None:
    assert a_life((at(hours=1), False), (at(hours=1), True)).due == at(hours=1, seconds=3)


def test_a_card_that_was_edited_before_the_clock_was_set_back_waits_for_nothing() -> None:
    life = a_life((at(hours=1), True), edited=at(days=300))

    assert life.due == at(hours=1, seconds=3)


def test_what_was_marked_before_the_clock_was_set_back_is_due_with_the_next_change() -> None:
    life = a_life((at(days=300), True), (at(days=300), False), (at(hours=1), True), (at(hours=1), False))

    assert life.due == at(hours=1, seconds=3)


def test_a_card_freezes_sixty_days_after_its_last_change() -> None:
    changed = a_life((at(days=50), False))

    assert not EditSchedule(POSTED).is_frozen(at(days=60))
    assert EditSchedule(POSTED).is_frozen(at(days=60, seconds=1))
    assert not changed.is_frozen(at(days=110))
    assert changed.is_frozen(at(days=111))


@given(
    st.lists(
        st.tuples(st.datetimes(POSTED.replace(tzinfo=None), (POSTED + MONTH).replace(tzinfo=None)), st.booleans())
    ),
    st.none() | st.timedeltas(timedelta(), MONTH),
)
def test_no_change_waits_longer_than_promised(changes: list[tuple[datetime, bool]], edited: timedelta | None) -> None:
    """Whatever comes after it, and however the clock goes."""
    moments = [(moment.replace(tzinfo=UTC), urgent) for moment, urgent in changes]
    life = a_life(*moments, edited=None if edited is None else POSTED + edited)

    longest = APART if any(urgent for _, urgent in moments) else LONGEST
    assert (life.due is None) == (not moments)
    assert life.due is None or life.due <= moments[-1][0] + longest + GATHERING
