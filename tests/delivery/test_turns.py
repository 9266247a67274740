"""Who is served next when the homeserver's budget is not enough for all."""

import itertools
from collections import Counter, deque
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.delivery.pacing import SendOrder
from bot.ids import NoticeId, RoomId, UserId
from bot.notices.notice import Lane, SendCandidate

ADA, BOB = UserId("@ada:hs"), UserId("@bob:hs")
MESSAGES = 240

Queue = tuple[RoomId, Lane, UserId | None]


def room(number: int) -> RoomId:
    return RoomId(f"!{number}:hs")


def answers(number: int, person: UserId) -> Queue:
    return room(number), Lane.ANSWER, person


def cards(number: int) -> Queue:
    return room(number), Lane.CARD, None


class Backlog:
    """Queues that never end, served by one history."""

    def __init__(self, *queues: Queue) -> None:
        self.turns = SendOrder()
        self._numbers = iter(range(1, 1_000_000))
        self._heads: dict[Queue, SendCandidate] = {}
        self.join(*queues)

    def join(self, *queues: Queue) -> None:
        """More queues begin."""
        for queue in queues:
            self._heads[queue] = self._head(queue)

    def leave(self, *queues: Queue) -> None:
        """These queues are empty."""
        for queue in queues:
            del self._heads[queue]

    def serve(self, limit: int = 1) -> list[Queue]:
        """The queues of the next messages; each then has another."""
        chosen = self.turns.choose(list(self._heads.values()), limit)
        served = [(each.room, each.lane, each.asked_by) for each in chosen]
        self.join(*served)
        return served

    def order(self, messages: int = MESSAGES) -> list[Queue]:
        """The same, one after the other."""
        return [queue for _ in range(messages) for queue in self.serve()]

    def _head(self, queue: Queue) -> SendCandidate:
        where, lane, person = queue
        return SendCandidate(NoticeId(next(self._numbers)), where, lane, person)


def shares(order: list[Queue]) -> Mapping[Lane, float]:
    counts = Counter(lane for _, lane, _ in order)
    return {lane: count / len(order) for lane, count in counts.items()}


def test_one_person_gets_a_quarter_while_cards_wait() -> None:
    order = Backlog(answers(1, ADA), *map(cards, range(2, 12))).order()

    assert shares(order) == {Lane.ANSWER: 0.25, Lane.CARD: 0.75}


def test_one_person_with_fifty_rooms_gets_no_more_than_with_one() -> None:
    order = Backlog(*(answers(number, ADA) for number in range(50)), cards(60)).order()

    assert shares(order) == {Lane.ANSWER: 0.25, Lane.CARD: 0.75}


def test_fifty_rooms_of_one_person_do_not_keep_another_person_waiting() -> None:
    order = Backlog(*(answers(number, ADA) for number in range(50)), answers(60, BOB)).order()

    assert Counter(person for _, _, person in order) == {ADA: MESSAGES / 2, BOB: MESSAGES / 2}


def test_one_person_does_not_keep_another_in_the_same_room_waiting() -> None:
    backlog = Backlog(answers(1, ADA))
    backlog.order(20)

    backlog.join(answers(1, BOB))

    assert backlog.serve() == [answers(1, BOB)]


def test_a_crowd_gets_half_while_cards_wait() -> None:
    crowd = [answers(number // 10, UserId(f"@{number}:hs")) for number in range(100)]

    assert shares(Backlog(*crowd, cards(20)).order()) == {Lane.ANSWER: 0.5, Lane.CARD: 0.5}


def test_a_crowd_in_one_room_gets_no_more_than_one_person_in_another() -> None:
    crowd = [answers(1, UserId(f"@{number}:hs")) for number in range(100)]
    order = Backlog(*crowd, *(answers(number, UserId(f"@of{number}:hs")) for number in range(2, 6))).order(200)

    assert Counter(where for where, _, _ in order) == {room(number): 40 for number in range(1, 6)}


def test_replies_and_edits_keep_true_behind_cards_that_never_end() -> None:
    order = Backlog(cards(1), (room(2), Lane.REPLY, None), (room(3), Lane.EDIT, None)).order()

    assert shares(order) == {Lane.CARD: 0.75, Lane.REPLY: 0.125, Lane.EDIT: 0.125}


def test_each_lane_has_its_share_when_all_wait() -> None:
    people = [answers(9, UserId(f"@{number}:hs")) for number in range(5)]
    order = Backlog(*people, cards(1), (room(2), Lane.REPLY, None), (room(3), Lane.EDIT, None)).order()

    assert shares(order) == {Lane.ANSWER: 0.5, Lane.CARD: 0.375, Lane.REPLY: 0.0625, Lane.EDIT: 0.0625}


@pytest.mark.parametrize("limit", [1, 8])
def test_nobody_is_held_back_while_nobody_else_waits(limit: int) -> None:
    backlog = Backlog(*(answers(number, ADA) for number in range(8)))

    served = [queue for _ in range(40 // limit) for queue in backlog.serve(limit)]

    assert len(served) == 40


def test_who_comes_after_a_long_silence_is_served_at_once_and_then_in_turn() -> None:
    backlog = Backlog(answers(1, ADA))
    backlog.order(100)

    backlog.join(cards(2))

    assert [lane for _, lane, _ in backlog.order(8)] == [*[Lane.CARD] * 3, Lane.ANSWER] * 2


def test_rooms_take_turns_the_one_served_longest_ago_first() -> None:
    backlog = Backlog(cards(1), cards(2), cards(3))
    backlog.order(3)
    backlog.leave(cards(1))
    backlog.order(4)

    backlog.join(cards(1))

    assert backlog.order(3) == [cards(1), cards(2), cards(3)]


def test_new_rooms_without_end_do_not_keep_a_room_waiting() -> None:
    backlog = Backlog(cards(1), cards(2))
    order = []
    for number in range(10, 50):
        backlog.join(cards(number), cards(number + 100))
        order += backlog.serve()

    assert order.count(cards(1)) >= 1
    assert order.count(cards(2)) >= 1


def test_after_a_restart_the_rooms_go_in_the_order_of_writing() -> None:
    backlog = Backlog(*map(cards, range(5)))
    backlog.order(3)

    backlog.turns = SendOrder()

    assert backlog.order(5) == [cards(number) for number in (3, 4, 0, 1, 2)]


def test_a_room_gets_one_message_at_a_time() -> None:
    backlog = Backlog(answers(1, ADA), answers(1, BOB), cards(1), cards(2))

    assert [where for where, _, _ in backlog.serve(limit=4)] in ([room(1), room(2)], [room(2), room(1)])


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.delivery.pacing.MAX_REMEMBERED", 10)
    turns = SendOrder()

    for number in range(100):
        turns.choose([SendCandidate(NoticeId(number), room(number), Lane.CARD)], 1)

    assert len(turns._served) <= 11


queues = st.lists(
    st.one_of(
        st.builds(answers, st.integers(0, 5), st.sampled_from([UserId(f"@{number}:hs") for number in range(4)])),
        st.builds(lambda number, lane: (room(number), lane, None), st.integers(0, 5), st.sampled_from(list(Lane)[1:])),
    ),
    min_size=1,
    max_size=20,
    unique=True,
)


@settings(deadline=None, max_examples=50)
@given(queues, st.integers(1, 8))
def test_every_waiting_queue_is_served_within_a_bound(waiting: list[Queue], limit: int) -> None:
    backlog, bound = Backlog(*waiting), 18 * len(waiting) + 8
    order: list[Queue] = []

    while len(order) < bound + 20:
        order += backlog.serve(limit)

    for queue in waiting:
        places = [-1, *(place for place, served in enumerate(order) if served == queue), len(order)]
        assert max(after - before for before, after in itertools.pairwise(places)) <= bound


@settings(deadline=None, max_examples=50)
@given(queues, st.integers(1, 8))
def test_nobody_goes_before_others_and_no_budget_is_left_unused(waiting: list[Queue], limit: int) -> None:
    backlog = Backlog(*waiting)
    rooms = {where for where, _, _ in waiting}
    lately: deque[UserId | None] = deque(maxlen=3)
    last, number = dict.fromkeys(waiting, 0), 0

    for _ in range(60):
        served = backlog.serve(limit)
        assert len(served) == min(limit, len(rooms))
        free = set(waiting)
        for queue in served:
            others = {each for each in free if each[2] is None or each[2] not in lately}
            assert queue in others or not others or number - last[queue] > 16 * len(waiting)
            lately.append(queue[2])
            number += 1
            last[queue] = number
            free = {each for each in free if each[0] != queue[0]}
