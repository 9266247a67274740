"""Decides which invitations are accepted. Pure.

The contents of an invitation come from the server that sends it, and may name anybody. After joining, our own
membership event shows whose invitation it replaced, signed by that person's server. So the claimed sender is used only
to decline at once; whether a room is admitted, and its messages count, depends on the membership event.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bot.commands.rights import DEFAULT_LEVEL, STATE_TYPE
from bot.ids import RoomId, UserId
from bot.matrix.invite_rules import InviteRules, accepts
from bot.matrix.model import Event
from bot.matrix.rooms import Room
from bot.matrix.session_update import (
    ConfiguredRoomJoined,
    DirectChatOpened,
    InvitationSettled,
    RoomBecameDirect,
    RoomResumed,
    SessionEvent,
    WelcomeDue,
)


@dataclass(frozen=True, slots=True)
class InvitePolicy:
    """The policy for invitations: *rules* on inviters, and the rooms of the configuration (*configured*, by name)."""

    rules: InviteRules
    configured: Mapping[str, RoomId] = field(default_factory=dict)

    def allows(self, inviter: UserId) -> bool:
        """Return whether an invitation of *inviter* is accepted."""
        return accepts(self.rules.invite_from, inviter)

    def is_configured(self, room: RoomId) -> bool:
        """Return whether the bot joins *room* regardless of the inviter."""
        return room in self.configured.values()


@dataclass(frozen=True, slots=True)
class ProvenInvitation:
    """An invitation as proven by our membership event."""

    inviter: UserId
    direct: bool


def proven_invitation(member: Event) -> ProvenInvitation | None:
    """Return the invitation that our membership event *member* is or has replaced; None if there is none."""
    if member.content.get("membership") == "invite":
        return ProvenInvitation(member.sender, member.content.get("is_direct") is True)
    if member.previous.get("membership") == "invite" and member.previous_sender is not None:
        return ProvenInvitation(member.previous_sender, member.previous.get("is_direct") is True)
    return None


def last_membership(events: Iterable[Event], me: UserId) -> Event | None:
    """Return our latest membership event among *events* (oldest first); None if there is none."""
    ours = [event for event in events if event.type == "m.room.member" and event.state_key == me]
    return ours[-1] if ours else None


def admission(room: Room, invitation: ProvenInvitation | None, policy: InvitePolicy) -> tuple[SessionEvent, ...] | None:
    """Return the session events of an accepted invitation to *room*; None if the bot must not stay there."""
    allowed = invitation if invitation is not None and policy.allows(invitation.inviter) else None
    if allowed is None and not policy.is_configured(room.id):
        return None
    direct = allowed if allowed is not None and allowed.direct and not room.is_crowded else None
    return (
        *((DirectChatOpened(room.id, direct.inviter), RoomBecameDirect(room.id)) if direct else ()),
        RoomResumed(room.id),
        *(ConfiguredRoomJoined(name, room.id) for name, known in policy.configured.items() if known == room.id),
        InvitationSettled(room.id),
        WelcomeDue(room.id, allowed.inviter if allowed else None),
    )


def why_not_entered(old: Room) -> str | None:
    """Return why the alleged replacement of *old* must not be joined; None if it may.

    In a room where everybody may set a tombstone, anybody could otherwise make the bot join any room.
    """
    if old.replaced_by is None or old.level(old.replaced_by) < old.level_to_set(STATE_TYPE, DEFAULT_LEVEL):
        return "the user who replaced the room may not change its subscriptions"
    return None


def why_not_followed(old: Room, new: Room) -> str | None:
    """Return why *new* must not replace *old*, although a tombstone there says so; None if it may.

    The subscriptions move to the new room, so both the sender of the tombstone and the creator of the new room must
    have had the power to change them.
    """
    if new.predecessor != old.id:
        return "it does not name the old room as its predecessor"
    if (reason := why_not_entered(old)) is not None:
        return reason
    if new.creator is None or old.level(new.creator) < old.level_to_set(STATE_TYPE, DEFAULT_LEVEL):
        return "its creator may not change the subscriptions of the old room"
    if old.is_encrypted and not new.is_encrypted:
        return "it is not encrypted, unlike the old room"
    return None
