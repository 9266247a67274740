"""In which order the events of an update are applied, and what they make of the rooms."""

from hypothesis import given
from hypothesis import strategies as st

from bot.ids import RoomId, UserId
from bot.matrix.model import Invitation
from bot.matrix.session_update import (
    ConfiguredRoomJoined,
    InvitationReceived,
    InvitationSettled,
    MembershipState,
    RoomBecameDirect,
    RoomEncrypted,
    RoomLeft,
    RoomMoved,
    RoomNoLongerDirect,
    RoomResumed,
    RoomSuspended,
    SessionEvent,
)
from support.matrix_rig import an_update

OLD, NEW = RoomId("!old:hs"), RoomId("!new:hs")
IN_ORDER: tuple[SessionEvent, ...] = (
    RoomMoved(OLD, NEW),
    RoomBecameDirect(OLD),
    RoomNoLongerDirect(NEW),
    RoomSuspended(OLD),
    RoomLeft(NEW),
    RoomEncrypted(NEW, "m.megolm.v1.aes-sha2"),
    RoomResumed(NEW),
    ConfiguredRoomJoined("#room:hs", NEW),
    InvitationReceived(Invitation(OLD, UserId("@ann:hs"), direct=False)),
    InvitationSettled(OLD),
)


@given(st.permutations(IN_ORDER))
def test_events_are_applied_in_one_order_however_they_were_found(events: list[SessionEvent]) -> None:
    assert an_update(*events).events == IN_ORDER


def test_events_of_one_kind_keep_their_order() -> None:
    first, second = ConfiguredRoomJoined("#room:hs", OLD), ConfiguredRoomJoined("#room:hs", NEW)
    state = MembershipState()

    state.apply(an_update(second, RoomLeft(OLD), first))

    assert state.named == {"#room:hs": OLD}


def test_what_an_update_says_of_a_room_counts_over_what_came_along_from_the_one_before() -> None:
    state = MembershipState(direct={OLD}, suspended={OLD})

    state.apply(an_update(RoomNoLongerDirect(NEW), RoomResumed(NEW), RoomMoved(OLD, NEW)))

    assert (state.direct, state.suspended) == (set(), set())


def test_a_configured_name_stands_for_no_room_that_the_bot_is_out_of() -> None:
    state = MembershipState(named={"#old:hs": OLD, "#new:hs": NEW, "#other:hs": RoomId("!other:hs")})

    state.apply(an_update(RoomLeft(OLD), RoomSuspended(NEW)))

    assert state.named == {"#other:hs": "!other:hs"}


def test_an_invitation_that_was_received_and_settled_at_once_is_settled() -> None:
    state = MembershipState()

    state.apply(an_update(InvitationSettled(OLD), InvitationReceived(Invitation(OLD, UserId("@ann:hs"), direct=True))))

    assert state == MembershipState()
