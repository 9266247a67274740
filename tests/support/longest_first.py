"""Which tests begin a session: those that take longest, or all workers but one would wait for them in the end.

Under `--dist worksteal` each worker begins at the start of its own part of all tests, and one that has nothing left
takes what is last in the part of another. So the longest ones are dealt out to the starts of all parts.
"""

import itertools
from collections.abc import Sequence
from typing import TypeVar

LONGEST = (
    "test_a_burst_is_read_on_every_device_and_in_order",
    "test_ten_kills_lose_nothing_and_say_nothing_twice",
    "test_a_thousand_open_series_take_each_hours_budget_and_never_more_in_thirty_days",
    "test_after_two_hundred_days_no_table_has_more_than_what_is_kept",
    "test_every_key_request_may_fail_in_every_way",
    "test_a_bot_tells_whether_it_is_ready_and_since_when_it_is_not",
    "test_rooms_with_much_state_do_not_deafen_the_bot_not_even_after_a_restart",
    "test_a_bot_whose_database_is_gone_ends_in_time",
    "test_nothing_that_was_there_before_the_first_start_is_ever_news",
    "test_a_bot_killed_twenty_times_between_send_and_acknowledgement_posts_each_card_once",
    "test_a_card_lives_on_through_kills_and_dies_with_its_redaction",
    "test_the_life_of_a_series_is_one_card_a_version_and_few_edits",
    "test_a_broken_database_is_asked_now_and_then_by_each_loop_and_logged_once_by_each",
    "test_a_duty_and_a_session_that_always_fail_are_tried_now_and_then_and_logged_once",
    "test_a_homeserver_that_takes_nothing_is_asked_now_and_then",
    "test_what_comes_while_the_homeserver_is_away_is_posted_once_and_in_order",
    "test_a_bot_whose_servers_fail_says_so_everywhere_without_a_secret",
    "test_after_each_wrong_input_the_ordinary_ones_behind_it_are_handled",
    "test_in_the_demo_everything_that_is_typed_is_answered",
    "test_an_import_of_twelve_thousand_events_is_read_page_by_page_in_several_polls",
    "test_a_flood_of_answers_at_a_homeserver_with_limits_lets_the_cards_of_ten_rooms_through",
    "test_a_bot_that_lost_its_keys_is_trusted_still_and_says_nothing_twice",
    "test_a_bot_ends_in_time_whatever_is_the_matter",
    "test_an_endless_flood_is_told_every_quarter_of_an_hour",
)
_Test = TypeVar("_Test")


def arranged(tests: Sequence[tuple[str, _Test]], workers: int) -> list[_Test]:
    """All *tests*, by the names of their functions, with the longest at the starts of the parts of so many *workers*.

    The others stay in their order, as do the variants of one test.
    """
    ranks = {name: rank for rank, name in enumerate(LONGEST)}
    longest = [
        test for _, test in sorted((each for each in tests if each[0] in ranks), key=lambda each: ranks[each[0]])
    ]
    others = iter([test for name, test in tests if name not in ranks])
    order: list[_Test] = []
    for worker in range(workers):
        size = -(-(len(tests) - len(order)) // (workers - worker))
        part = longest[worker::workers]
        order += part
        order += itertools.islice(others, max(size - len(part), 0))
    return [*order, *others]
