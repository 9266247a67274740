"""What was said in clear text in an encrypted room is left out."""

import pytest

from bot.ids import EventId, RoomId
from bot.matrix.messages import without_clear_text
from bot.matrix.model import Event, JoinedRoom
from support.matrix_rig import a_text, an_event

ROOM = RoomId("!room:hs")
ON = an_event("m.room.encryption", id=EventId("$on"), state_key="", content={"algorithm": "m.megolm.v1.aes-sha2"})
AGAIN = an_event("m.room.encryption", id=EventId("$again"), state_key="", content={})
CLEAR = a_text("!pw help")
SEALED = an_event("m.room.encrypted", content={"ciphertext": "…"})


def left(*timeline: Event, state: tuple[Event, ...] = (), is_new: bool = False) -> list[Event]:
    joined = JoinedRoom(
        ROOM, timeline, state, limited=False, prev_batch=None, joined_members=None, invited_members=None
    )
    return list(without_clear_text(joined, is_new=is_new).timeline)


def test_clear_text_is_left_out_and_what_is_encrypted_or_never_is_stays() -> None:
    others = [SEALED, an_event("m.reaction"), an_event("m.room.redaction"), an_event("m.room.topic", state_key="")]

    assert left(CLEAR, *others, CLEAR) == others


@pytest.mark.parametrize("kind", ["m.room.message", "m.sticker", "org.example.command"])
def test_nothing_else_that_is_not_state_is_taken_for_what_a_person_said(kind: str) -> None:
    assert left(an_event(kind, content={"ciphertext": "…", "msgtype": "m.text", "body": "!pw help"})) == []


def test_what_was_said_before_the_encryption_was_turned_on_stays() -> None:
    assert left(CLEAR, ON, CLEAR, SEALED, is_new=True) == [CLEAR, ON, SEALED]


def test_a_room_that_was_known_to_be_encrypted_has_no_clear_text_before_a_new_setting() -> None:
    """A homeserver could say it again behind words of its own."""
    assert left(CLEAR, ON, CLEAR) == [ON]


def test_a_room_that_was_encrypted_before_its_timeline_has_no_clear_text_in_it() -> None:
    assert left(CLEAR, is_new=True, state=(ON,)) == []
    assert left(CLEAR, AGAIN, CLEAR, is_new=True, state=(ON,)) == [AGAIN]


def test_a_gap_that_was_filled_may_show_where_the_encryption_began() -> None:
    assert left(CLEAR, ON, CLEAR, is_new=True, state=(ON,)) == [CLEAR, ON]
