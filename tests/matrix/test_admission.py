"""Which invitations count, and what is heard in a room before that is known."""

from dataclasses import replace

import pytest

from bot.clock import VirtualClock
from bot.commands.rights import STATE_TYPE
from bot.ids import EventId, RoomId, UserId
from bot.incidents import Incidents
from bot.matrix.invitations import InvitePolicy, admission, proven_invitation, why_not_followed
from bot.matrix.invite_rules import InviteRules
from bot.matrix.model import Event, JoinedRoom, LeftRoom, SyncAnswer
from bot.matrix.rooms import Levels, Room
from bot.matrix.session_memory import InMemorySession
from bot.matrix.session_update import (
    ConfiguredRoomJoined,
    DirectChatOpened,
    InvitationSettled,
    MessageReceived,
    RoomBecameDirect,
    RoomResumed,
    RoomSuspended,
    SessionUpdate,
    WelcomeDue,
)
from bot.matrix.sync_isolation import save_outcome
from bot.matrix.sync_outcome import SyncContext, outcome
from support.matrix_rig import a_text, an_event

ME, ANN, EVE = UserId("@bot:hs"), UserId("@ann:hs"), UserId("@eve:evil")
ROOM, OLD, NEW = RoomId("!room:hs"), RoomId("!old:hs"), RoomId("!new:hs")
POLICY = InvitePolicy(InviteRules(ME, ("*:hs",)))


def a_join(inviter: UserId | None = ANN, *, direct: bool = True, **previous: object) -> Event:
    """We come in; the event replaced an invitation of *inviter*."""
    before = {"membership": "invite", "is_direct": direct, **previous}
    content = {"membership": "join"}
    return an_event("m.room.member", sender=ME, state_key=ME, content=content, previous=before, previous_sender=inviter)


def known(*pending: RoomId, policy: InvitePolicy = POLICY) -> SyncContext:
    return SyncContext(
        ME, {}, frozenset(), an_event().sent_at, begins=False, whole=False, policy=policy, pending=frozenset(pending)
    )


def told(*timeline: Event, members: int | None = 2) -> SyncAnswer:
    return SyncAnswer("s2", joined=(JoinedRoom(ROOM, timeline, (), False, None, members, 0),))


UNREADABLE = replace(an_event("m.room.encrypted"), unreadable=True)
TAKEN_BACK = replace(an_event("m.room.redaction"), redacts=EventId("$card"))
WORDS = (a_text("!pw help"), UNREADABLE, TAKEN_BACK, an_event("m.room.power_levels", state_key=""))


@pytest.mark.parametrize(
    "join",
    [
        pytest.param(a_join(EVE), id="another inviter than it claimed"),
        pytest.param(a_join(None), id="a homeserver that does not say"),
        pytest.param(a_join(ANN, membership="leave"), id="a public room"),
        pytest.param(a_join(ANN, membership="join"), id="a new name"),
    ],
)
def test_nothing_follows_from_what_a_room_tells_whose_invitation_does_not_count(join: Event) -> None:
    result = outcome(known(ROOM), told(join, *WORDS))

    assert result.update == SessionUpdate("s2")
    assert result.resend_requests == frozenset()
    assert not result.rooms[ROOM].is_direct


def test_what_is_said_with_our_arrival_is_heard_where_the_invitation_counts() -> None:
    update = outcome(known(ROOM), told(a_join(), a_text("!pw help"))).update

    opened, direct, resumed, settled, message, welcome = update.events
    assert (opened, direct) == (DirectChatOpened(ROOM, ANN), RoomBecameDirect(ROOM))
    assert (resumed, settled) == (RoomResumed(ROOM), InvitationSettled(ROOM))
    assert isinstance(message, MessageReceived)
    assert message.body == "!pw help"
    assert welcome == WelcomeDue(ROOM, ANN)


async def test_a_command_in_a_room_that_was_just_joined_is_received_beside_an_event_that_cannot_be_stored() -> None:
    def refuse(update: SessionUpdate) -> None:
        if any(message.body == "poison" for message in update.of(MessageReceived)):
            raise ZeroDivisionError("a fault of the program")

    memory, incidents = InMemorySession(before_save=refuse), Incidents(VirtualClock())
    timeline = a_join(), a_text("poison", id=EventId("$2")), a_text("!pw help", id=EventId("$3"))

    await save_outcome(memory, known(ROOM), told(*timeline), incidents)

    assert memory.bodies() == ["!pw help"]
    assert [each.name for each in incidents] == [f"{ROOM} $2"]


def test_a_chat_that_has_three_people_in_it_takes_the_place_of_no_other() -> None:
    update = outcome(known(ROOM), told(a_join(), members=3)).update

    assert update.of(InvitationSettled) == [InvitationSettled(ROOM)]
    assert not update.has(RoomBecameDirect, DirectChatOpened)


def test_a_room_is_no_direct_chat_by_the_word_of_somebody_who_may_not_invite() -> None:
    """For example a configured room, which is joined whoever asks."""
    policy = replace(POLICY, configured={"#room:hs": ROOM})
    asked = outcome(known(ROOM, policy=policy), told(a_join(EVE))).update
    unasked = outcome(known(), told(a_join(EVE))).update

    assert asked.of(ConfiguredRoomJoined) == [ConfiguredRoomJoined("#room:hs", ROOM)]
    assert not asked.has(RoomBecameDirect, DirectChatOpened)
    assert not unasked.has(RoomBecameDirect)


def test_an_invitation_that_is_taken_back_leaves_nothing_behind() -> None:
    answer = SyncAnswer("s2", left=(LeftRoom(ROOM, EVE),))

    assert not outcome(known(ROOM), answer).update.has(RoomSuspended)
    assert outcome(known(), answer).update.of(RoomSuspended) == [RoomSuspended(ROOM)]


def test_an_invitation_is_found_in_the_event_itself_or_in_what_it_replaced() -> None:
    asked = an_event("m.room.member", state_key=ME, sender=ANN, content={"membership": "invite", "is_direct": "yes"})

    found = [proven_invitation(event) for event in (asked, a_join(EVE), a_join(None))]

    assert [each and (each.inviter, each.direct) for each in found] == [(ANN, False), (EVE, True), None]


def test_a_room_without_an_invitation_may_keep_us_only_where_it_is_configured() -> None:
    assert admission(Room(ROOM), None, POLICY) is None
    assert admission(Room(ROOM), None, replace(POLICY, configured={"a": ROOM})) is not None


# Replaced rooms

REPLACED = Room(OLD, "11", ANN, levels=Levels(users={ANN: 100, EVE: 0}), replacement=NEW, replaced_by=ANN)
SUCCESSOR = Room(NEW, "12", ANN, predecessor=OLD)


def test_a_room_is_followed_where_those_who_replaced_it_may_change_its_subscriptions() -> None:
    assert why_not_followed(REPLACED, SUCCESSOR) is None
    with_moderator = replace(REPLACED, levels=Levels(users={ANN: 100, EVE: 50}), replaced_by=EVE)
    assert why_not_followed(with_moderator, replace(SUCCESSOR, creator=EVE)) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(REPLACED, replace(SUCCESSOR, predecessor=None), id="it does not know the room"),
        pytest.param(REPLACED, replace(SUCCESSOR, predecessor=ROOM), id="it replaces another"),
        pytest.param(REPLACED, replace(SUCCESSOR, creator=EVE), id="somebody else made it"),
        pytest.param(REPLACED, replace(SUCCESSOR, creator=None), id="nobody made it"),
        pytest.param(
            replace(REPLACED, levels=Levels(users={ANN: 100}, state_default=0), replaced_by=EVE),
            replace(SUCCESSOR, creator=EVE),
            id="everybody may replace the room",
        ),
        pytest.param(
            replace(REPLACED, levels=Levels(users={ANN: 100, EVE: 50}, events={STATE_TYPE: 75}), replaced_by=EVE),
            SUCCESSOR,
            id="who replaced it may not change its subscriptions",
        ),
        pytest.param(replace(REPLACED, is_encrypted=True), SUCCESSOR, id="it is not encrypted, unlike the old room"),
    ],
)
def test_a_room_is_not_followed_where_somebody_else_sends_us(old: Room, new: Room) -> None:
    assert why_not_followed(old, new) is not None
