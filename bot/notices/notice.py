"""A notice: its key, its lane, its states, and when it is tried again.

Theory of operation. What is to be said in a room is written down, in the transaction that found it, before anything is
sent. Each notice has a unique key, readable by whoever looks into the database, and a transaction id derived from it;
a homeserver that sees a transaction id again answers with the event it already has. The states:

    WAITING ──claim──▶ TRIED ──the chat said so──▶ DONE
                        │ ▲ ├──it never will──────▶ DEAD
                        └─┘ └──the room does not──▶ SUSPENDED ──until it does──▶ TRIED
             again, with the same transaction id

A claim is written before the send, so a crash leaves a TRIED notice whose outcome is unknown. It is simply sent again:
the same transaction id cannot make a second event. Homeservers forget transaction ids after a while, and keep them per
device; so a notice first tried more than 30 minutes ago, or by another device, is looked up in the room by its key
first. SUSPENDED notices belong to a room that does not let us in; they wait until it does.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from bot.ids import (
    DeviceId,
    EventId,
    NoticeId,
    NoticeKey,
    PatchId,
    ProjectName,
    RoomId,
    SeriesId,
    ServerName,
    TxnId,
    UserId,
)

LOOK_UP_AFTER = timedelta(minutes=30)


class Lane(IntEnum):
    """Who goes first; within a lane a room's order holds, among answers the order of those to one person."""

    ANSWER = 0
    CARD = 1
    REPLY = 2
    EDIT = 3


class NoticeKind(StrEnum):
    """What a room event is, as its `org.patchbot` says."""

    CARD = "card"
    DIGEST = "digest"
    FLOOD = "flood"
    GAP = "gap"
    REPLY = "reply"
    ANSWER = "answer"
    WELCOME = "welcome"
    SECTION = "section"


class NoticeState(StrEnum):
    """Where a notice stands."""

    WAITING = "waiting"
    TRIED = "tried"
    DONE = "done"
    DEAD = "dead"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Tag:
    """The content of `org.patchbot`: what an event of ours is about, as far as it applies."""

    kind: NoticeKind
    key: NoticeKey
    server: ServerName | None = None
    project: ProjectName | None = None
    series: SeriesId | None = None
    patch: PatchId | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: both forms complete; *rings* where a person shall hear of it (a direct chat).

    *thread* is the root of the thread that it belongs into, *replies_to* the event that it answers; None where there is
    none. Where *reaction* is an event, the body is an emoji, put to that event. Where *edits* is an event, this is what
    that one says from now on.
    """

    body: str
    html: str
    tag: Tag
    rings: bool = False
    thread: EventId | None = None
    replies_to: EventId | None = None
    reaction: EventId | None = None
    edits: EventId | None = None

    @property
    def digest(self) -> str:
        """What tells whether another message says the same."""
        return hashlib.sha256(f"{self.body}\0{self.html}".encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class Notice:
    """A message for a room, not yet written down.

    *of* is the key of the notice that a reply hangs on or that an edit changes: it is not sent before that one has its
    event, which the message names then. *asked_by* is whose message an answer answers, or who brought it about: they
    share the budget with everybody else. None where it was nobody.
    """

    room: RoomId
    lane: Lane
    message: Message
    of: NoticeKey | None = None
    asked_by: UserId | None = None

    @property
    def key(self) -> NoticeKey:
        """What makes it unique."""
        return self.message.tag.key


@dataclass(frozen=True, slots=True)
class SendCandidate:
    """A notice that may be sent now: the oldest of its room and lane, among answers of those to one person."""

    id: NoticeId
    room: RoomId
    lane: Lane
    asked_by: UserId | None = None


Choose = Callable[[Sequence[SendCandidate], int], Sequence[SendCandidate]]  # so many of them, one a room, in order


def in_order(candidates: Sequence[SendCandidate], limit: int) -> list[SendCandidate]:
    """Choose by lane and age, as if the budget were always enough."""
    first: dict[RoomId, SendCandidate] = {}
    for each in sorted(candidates, key=lambda each: (each.lane, each.id)):
        first.setdefault(each.room, each)
    return list(first.values())[:limit]


@dataclass(frozen=True, slots=True)
class ClaimedNotice:
    """A notice that is about to be sent; *attempts* counts this one, *written_at* and *first_tried* are UTC.

    *resumed* is how often its room had let us again when it was claimed.
    """

    id: NoticeId
    room: RoomId
    txn: TxnId
    message: Message
    attempts: int
    written_at: datetime
    first_tried: datetime
    first_device: DeviceId
    resumed: int = 0

    def outcome_is_unknown(self, device: DeviceId, now: datetime) -> bool:
        """Whether the transaction id alone no longer protects from sending twice."""
        if self.attempts == 1:
            return False
        return self.first_device != device or abs(now - self.first_tried) > LOOK_UP_AFTER


@dataclass(frozen=True, slots=True)
class Sent:
    """The chat has it, as *event*."""

    event: EventId


@dataclass(frozen=True, slots=True)
class RetryAt:
    """It is to be sent again *at* (UTC)."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Dead:
    """It will never be sent."""

    reason: str


@dataclass(frozen=True, slots=True)
class Suspend:
    """The room does not let us: it is kept, with all that is to be said there, until the room may."""

    reason: str


Outcome = Sent | RetryAt | Suspend | Dead


def txn_id(key: NoticeKey) -> TxnId:
    """The transaction id of a notice: the same for the same key, for ever."""
    return TxnId("patchbot-" + hashlib.sha256(key.encode()).hexdigest()[:32])


def card_key(room: RoomId, server: ServerName, kind: str, number: int, rebuilds: int = 0) -> NoticeKey:
    """The key of the one card of a series or a lone patch in a room; ids begin anew where a server was rebuilt."""
    name = f"{server}~{rebuilds}" if rebuilds else server
    return NoticeKey(f"card/{name}/{kind}/{number}/{room}")


def edit_key(card: NoticeKey, number: int) -> NoticeKey:
    """The key of an edit of a card; the first is number 1."""
    return NoticeKey(f"edit/{number}/{card}")


def reply_key(card: NoticeKey, number: int) -> NoticeKey:
    """The key of what is told below a card; *number* is that of the first change in it, and names no other."""
    return NoticeKey(f"reply/{number}/{card}")


def digest_key(room: RoomId, digest: str, due: datetime, number: int) -> NoticeKey:
    """The key of a message of the digest that was due then (UTC); the first is number 1."""
    return NoticeKey(f"digest/{digest}/{due:%Y-%m-%dT%H:%MZ}/{number}/{room}")


def answer_key(room: RoomId, event: EventId) -> NoticeKey:
    """The key of the answer to one message."""
    return NoticeKey(f"answer/{event}/{room}")
