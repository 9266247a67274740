"""How often people may ask."""

from bot.commands.limits import WINDOW_SECONDS, RateLimits
from bot.ids import RoomId, UserId

ADA, BOB = UserId("@ada:hs"), UserId("@bob:hs")
ROOM, OTHER = RoomId("!room:hs"), RoomId("!other:hs")


def ask(limits: RateLimits, user: UserId, room: RoomId, now: float) -> str:
    """What comes of a command, in a word."""
    if limits.allow(user, room, now):
        limits.count(user, room, now)
        return "answer"
    return "told" if limits.is_first_over(user, room, now) else "dropped"


def test_a_person_is_told_once_a_window_wherever_they_ask() -> None:
    limits = RateLimits(per_user=2, per_room=100)

    came_of = [ask(limits, ADA, room, 5.0) for room in (ROOM, OTHER, ROOM, OTHER, ROOM)]

    assert came_of == ["answer", "answer", "told", "dropped", "dropped"]
    assert ask(limits, BOB, ROOM, 5.0) == "answer"


def test_a_window_lasts_a_minute_from_its_first_command() -> None:
    limits = RateLimits(per_user=1, per_room=100)

    came_of = [ask(limits, ADA, ROOM, now) for now in (5.0, 64.9, 65.0, 66.0, 124.9, 125.0)]

    assert came_of == ["answer", "told", "answer", "told", "dropped", "answer"]


def test_a_room_has_a_limit_of_its_own() -> None:
    limits = RateLimits(per_user=2, per_room=3)

    came_of = [ask(limits, user, ROOM, 0.0) for user in (ADA, ADA, BOB, BOB, BOB, ADA)]

    assert came_of == ["answer", "answer", "answer", "told", "dropped", "told"]
    assert ask(limits, BOB, OTHER, 0.0) == "answer"


def test_what_is_not_answered_uses_up_nobody_elses_share() -> None:
    limits = RateLimits(per_user=1, per_room=3)

    came_of = [ask(limits, user, ROOM, 0.0) for user in (ADA, *[ADA] * 50, BOB)]

    assert came_of.count("answer") == 2
    assert came_of[-1] == "answer"


def test_people_who_come_and_go_are_forgotten() -> None:
    limits = RateLimits(per_user=20, per_room=60)
    most = 0

    for number in range(20_000):
        ask(limits, UserId(f"@{number}:hs"), RoomId(f"!{number}:hs"), number * WINDOW_SECONDS / 100)
        most = max(most, len(limits))

    assert most <= 1_100


def test_who_has_as_many_unsent_answers_as_a_window_holds_is_over_the_limit_until_the_next() -> None:
    limits = RateLimits(per_user=2, per_room=100)

    limits.hold_back({ADA: 2, BOB: 1}, {}, 0.0)

    assert [ask(limits, ADA, ROOM, now) for now in (1.0, 2.0, 60.0)] == ["told", "dropped", "answer"]
    assert ask(limits, BOB, ROOM, 1.0) == "answer"


def test_a_room_with_more_unsent_answers_than_a_window_holds_gets_no_reaction_on_top() -> None:
    limits = RateLimits(per_user=2, per_room=3)

    assert limits.hold_back({}, {ROOM: 3, OTHER: 4}, 0.0) == {OTHER}
    assert not limits.allow(ADA, ROOM, 0.0)
    assert not limits.allow(ADA, OTHER, 0.0)
