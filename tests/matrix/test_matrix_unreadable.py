"""What is answered to a message that could not be decrypted."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from inline_snapshot import snapshot

from bot.ids import EventId, RoomId, UserId
from bot.matrix.model import Event, Joined, SyncAnswer
from bot.matrix.taking import Known, Outcome, outcome
from matrix_rig import an_event

ROOM, ME, ANN, BOB = RoomId("!room:hs"), UserId("@bot:hs"), UserId("@ann:hs"), UserId("@bob:hs")
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
UNREAD = an_event("m.room.encrypted", sent_at=NOW, unreadable=True)


def taken(*events: Event, begins: bool = False, asked: Collection[tuple[RoomId, UserId]] = ()) -> Outcome:
    """What follows from *events* in a room."""
    joined = Joined(ROOM, events, (), limited=False, prev_batch=None, joined_members=None, invited_members=None)
    known = Known(ME, {}, frozenset(), NOW, begins, whole=False, asked=asked)
    return outcome(known, SyncAnswer("s1", joined=(joined,)))


def test_it_says_what_to_do() -> None:
    [notice] = taken(UNREAD).taken.notices

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

    [notice] = taken(replace(UNREAD, content=content)).taken.notices

    assert notice.message.thread == "$root"


def test_each_person_is_answered_once() -> None:
    bobs = replace(UNREAD, id=EventId("$3"), sender=BOB)

    result = taken(UNREAD, replace(UNREAD, id=EventId("$2")), bobs)

    assert [notice.message.replies_to for notice in result.taken.notices] == ["$1", "$3"]
    assert result.asked == {(ROOM, ANN), (ROOM, BOB)}


def test_who_was_asked_within_the_hour_is_not_asked_again() -> None:
    assert taken(UNREAD, asked={(ROOM, ANN)}).taken.notices == ()


def test_a_restart_does_not_forget_who_was_asked_in_this_hour() -> None:
    """The outbox knows the key of the answer."""
    [first], [later] = taken(UNREAD).taken.notices, taken(replace(UNREAD, id=EventId("$9"))).taken.notices

    assert first.key == later.key


def test_what_is_old_or_ours_or_can_be_read_or_is_no_news_is_not_answered() -> None:
    old = replace(UNREAD, sent_at=NOW - timedelta(minutes=11))
    redacted = replace(UNREAD, unreadable=False)

    assert taken(old, redacted, replace(UNREAD, sender=ME)).taken.notices == ()
    assert taken(UNREAD, begins=True).taken.notices == ()
