"""What is answered to a message that could not be decrypted."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from inline_snapshot import snapshot

from bot.ids import EventId, RoomId, UserId
from bot.matrix.model import Event, JoinedRoom, SyncAnswer
from bot.matrix.session_update import NoticeQueued
from bot.matrix.sync_outcome import SyncContext, SyncOutcome, outcome
from bot.notices.notice import Notice
from support.matrix_rig import an_event

ROOM, ME, ANN, BOB = RoomId("!room:hs"), UserId("@bot:hs"), UserId("@ann:hs"), UserId("@bob:hs")
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
UNREAD = an_event("m.room.encrypted", sent_at=NOW, unreadable=True)


def outcome_in(
    rooms: Collection[RoomId], *events: Event, begins: bool = False, asked: Collection[RoomId] = ()
) -> SyncOutcome:
    """What follows from *events*, or a message that cannot be decrypted, in each of *rooms*."""
    joined = [
        JoinedRoom(
            room, events or (UNREAD,), (), limited=False, prev_batch=None, joined_members=None, invited_members=None
        )
        for room in rooms
    ]
    known = SyncContext(ME, {}, frozenset(), NOW, begins, whole=False, resend_requests=asked)
    return outcome(known, SyncAnswer("s1", joined=tuple(joined)))


def notices(result: SyncOutcome) -> list[Notice]:
    return [queued.notice for queued in result.update.of(NoticeQueued)]


def notices_after(*events: Event, begins: bool = False, asked: Collection[RoomId] = ()) -> list[Notice]:
    """What is said after *events* in a room."""
    return notices(outcome_in([ROOM], *events, begins=begins, asked=asked))


def test_it_says_what_to_do() -> None:
    [notice] = notices_after(UNREAD)

    assert notice.message.replies_to == UNREAD.id
    assert not notice.message.rings
    assert notice.message.body == snapshot(
        "I could not decrypt that message; please send it again. If that does not help, type /discardsession in "
        "Element and send it once more, or ask me in a room without encryption."
    )
    assert notice.message.html == snapshot(
        "<p>I could not decrypt that message; please send it again. If that does not help, type "
        "<code>/discardsession</code> in Element and send it once more, or ask me in a room without encryption.</p>"
    )


def test_it_is_in_the_thread_where_that_was_said() -> None:
    content = {"m.relates_to": {"rel_type": "m.thread", "event_id": "$root"}}

    [notice] = notices_after(replace(UNREAD, content=content))

    assert notice.message.thread == "$root"


def test_a_thousand_messages_of_as_many_people_get_one_answer() -> None:
    messages = [replace(UNREAD, id=EventId(f"${number}"), sender=UserId(f"@{number}:hs")) for number in range(1, 1_001)]

    result = outcome_in([ROOM], *messages)

    assert [notice.message.replies_to for notice in notices(result)] == ["$1"]
    assert result.resend_requests == {ROOM}


def test_a_thousand_rooms_get_ten_answers_an_hour() -> None:
    rooms = [RoomId(f"!{number}:hs") for number in range(1_000)]

    first = outcome_in(rooms[:500])
    later = outcome_in(rooms[500:], asked=first.resend_requests)

    assert [notice.room for notice in notices(first)] == rooms[:10]
    assert notices(later) == []


def test_a_room_that_was_answered_within_the_hour_is_not_answered_again() -> None:
    assert notices_after(UNREAD, asked={ROOM}) == []
    assert len(notices_after(UNREAD, asked={RoomId("!other:hs")})) == 1


def test_the_answer_counts_as_one_to_who_wrote_there() -> None:
    [notice] = notices_after(UNREAD)

    assert notice.asked_by == ANN


def test_a_restart_does_not_forget_which_rooms_were_answered_in_this_hour() -> None:
    """The outbox knows the key of the answer."""
    another = replace(UNREAD, id=EventId("$9"), sender=BOB)
    [first], [later] = notices_after(UNREAD), notices_after(another)

    assert first.key == later.key


def test_what_is_old_or_ours_or_can_be_read_or_is_no_news_is_not_answered() -> None:
    old = replace(UNREAD, sent_at=NOW - timedelta(minutes=11))
    redacted = replace(UNREAD, unreadable=False)

    assert notices_after(old, redacted, replace(UNREAD, sender=ME)) == []
    assert notices_after(UNREAD, begins=True) == []
