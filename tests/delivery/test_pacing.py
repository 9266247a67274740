from hypothesis import given
from hypothesis import strategies as st

from bot.delivery.pacing import Pace


def test_a_burst_goes_at_once_then_one_every_five_seconds() -> None:
    pace = Pace.full(per_second=0.2, burst=8, now=0)

    assert pace.available(0) == 8
    pace.take(8, 0)
    assert pace.available(4.9) == 0
    assert pace.available(5) == 1
    assert pace.available(1000) == 8


def test_the_wait_is_what_a_token_takes() -> None:
    pace = Pace.full(per_second=0.2, burst=1, now=0)
    pace.take(1, 0)

    assert pace.wait(0) == 5
    assert pace.wait(5) == 0


def test_a_refusal_stops_the_sending_for_as_long_as_it_says() -> None:
    pace = Pace.full(per_second=0.2, burst=8, now=0)

    pace.refused(retry_after=30, now=0)

    assert pace.available(29.9) == 0
    assert pace.available(30) == 1


def test_a_clock_that_stands_still_gives_no_tokens() -> None:
    pace = Pace.full(per_second=1, burst=1, now=10)
    pace.take(1, 10)

    assert pace.available(5) == 0
    assert pace.available(10) == 0


@given(st.lists(st.floats(0, 100), max_size=50), st.floats(0.01, 10), st.integers(1, 20))
def test_no_more_than_burst_plus_rate_ever_goes(pauses: list[float], rate: float, burst: int) -> None:
    pace = Pace.full(rate, burst, now=0)
    now, gone = 0.0, 0
    for pause in pauses:
        now += pause
        count = pace.available(now)
        pace.take(count, now)
        gone += count

    assert gone <= burst + rate * now + 1e-6
