"""When comments are looked for again where no event tells of them, and how many requests that may take."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clock import VirtualClock
from bot.patchwork.recheck_schedule import LASTS, is_over, next_recheck
from bot.patchwork.request_turns import REQUESTS_AN_HOUR, OverBudget, RecheckBudget

CHANGED = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
moments = st.timedeltas(timedelta(), timedelta(days=60)).map(lambda passed: CHANGED + passed)


def all_rechecks() -> list[timedelta]:
    """How long after a change each recheck is due, when each is made on time."""
    found: list[timedelta] = []
    at: datetime | None = CHANGED
    while at is not None and (at := next_recheck(CHANGED, at)) is not None:
        found.append(at - CHANGED)
    return found


def test_rechecks_are_due_after_1_2_4_8_and_16_hours_and_then_daily_for_30_days() -> None:
    hours = [passed / HOUR for passed in all_rechecks()]

    assert hours[:8] == [1, 2, 4, 8, 16, 40, 64, 88]
    assert (hours[-1], len(hours)) == (712, 34)


def test_a_change_after_the_last_recheck_begins_the_schedule_anew() -> None:
    assert next_recheck(CHANGED, CHANGED - timedelta(days=9)) == CHANGED + HOUR


def test_missed_rechecks_are_made_up_for_by_one() -> None:
    assert next_recheck(CHANGED, CHANGED + 5 * HOUR) == CHANGED + 8 * HOUR
    assert next_recheck(CHANGED, CHANGED + timedelta(days=10)) == CHANGED + timedelta(days=10, hours=16)


@given(moments)
def test_the_next_recheck_is_later_within_a_day_and_not_after_the_last_one(checked_at: datetime) -> None:
    next_at = next_recheck(CHANGED, checked_at)

    if next_at is None:
        assert checked_at >= CHANGED + max(all_rechecks())
    else:
        assert checked_at < next_at <= min(checked_at + timedelta(days=1), CHANGED + LASTS)


@given(moments)
def test_what_did_not_change_for_30_days_is_over(now: datetime) -> None:
    assert is_over(CHANGED, now) is (now > CHANGED + LASTS)


@given(st.lists(st.floats(0, 1800), max_size=300))
def test_no_hour_ever_sees_more_requests_than_the_budget(waits: list[float]) -> None:
    clock = VirtualClock()
    budget, made = RecheckBudget(clock), list[float]()

    for seconds in waits:
        clock.advance(seconds)
        for _ in range(9):
            with suppress(OverBudget):
                budget.spend()
                made.append(clock.monotonic())

    assert all(sum(at - 3600 < other <= at for other in made) <= REQUESTS_AN_HOUR for at in made)
    assert budget.take_unsaved() == len(made)


def test_what_an_earlier_process_asked_counts_for_an_hour() -> None:
    clock = VirtualClock()
    budget = RecheckBudget(clock)
    budget.restore([(clock.now() - timedelta(minutes=30), 59), (clock.now() - timedelta(minutes=61), 60)])

    assert budget.left == 1
    with pytest.raises(OverBudget) as refused:
        budget.check(2)
    assert refused.value.until == clock.now() + timedelta(minutes=30)
    clock.advance(1800)
    assert budget.left == REQUESTS_AN_HOUR


def test_a_clock_that_was_set_back_holds_the_budget_up_for_no_longer() -> None:
    clock = VirtualClock()
    budget = RecheckBudget(clock)
    for _ in range(REQUESTS_AN_HOUR):
        budget.spend()

    clock.set_back(timedelta(days=3))

    assert budget.left == REQUESTS_AN_HOUR
