"""Notices: keys, lanes, states and retries of messages to rooms.

Theory of operation. A message is stored as a notice, in the transaction that found the reason for it, before anything
is sent. Each notice has a unique key, readable in the database, and a transaction id derived from it; a homeserver that
sees a transaction id again answers with the event it already has. The states:

    WAITING ──claim──▶ TRIED ──sent─────────────────▶ DONE
                        │ ▲ ├──it can never be sent──▶ DEAD
                        └─┘ └──the room refuses it───▶ SUSPENDED ──until the room accepts──▶ TRIED
             again, with the same transaction id

A claim is stored before the send, so a crash leaves a TRIED notice with an unknown outcome. It is sent again: the same
transaction id cannot make a second event. Homeservers forget transaction ids after a while, and keep them per device;
so a notice that was first tried more than 30 minutes ago, or by another device, is first looked up in the room by its
key. SUSPENDED notices belong to a room in which the bot may not post; they wait until it may.
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
from bot.notices.chart import Chart

CARD_KEYS = "card/"  # what the keys of cards begin with
LOOK_UP_AFTER = timedelta(minutes=30)
_FALLBACK_LINES = 2  # which say the title and the state of a card


class Lane(IntEnum):
    """The priority of a notice; a room's notices are sent in order within a lane, answers in order per person."""

    ANSWER = 0
    CARD = 1
    REPLY = 2
    EDIT = 3


class NoticeKind(StrEnum):
    """The kind of a room event in its `org.patchbot` content."""

    CARD = "card"
    DIGEST = "digest"
    QUEUE = "queue"
    CHART = "chart"
    FLOOD = "flood"
    CATCH_UP = "gap"
    REPLY = "reply"
    ANSWER = "answer"
    WELCOME = "welcome"
    SECTION = "section"
    UNFURL = "unfurl"


class NoticeState(StrEnum):
    """The delivery state of a notice."""

    WAITING = "waiting"
    TRIED = "tried"
    DONE = "done"
    DEAD = "dead"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Tag:
    """The `org.patchbot` content of one of our events, which describes its subject."""

    kind: NoticeKind
    key: NoticeKey
    server: ServerName | None = None
    project: ProjectName | None = None
    series: SeriesId | None = None
    patch: PatchId | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A message in both forms; *rings* if it should notify a person (in a direct chat).

    *thread* is the root of its thread, *replies_to* the event that it replies to; None if there is none. If *reaction*
    is an event, the body is an emoji, sent as a reaction to it. If *edits* is an event, the message replaces its
    content. If it has a *chart*, it is a picture of it where that is possible, with the text as its description.
    """

    body: str
    html: str
    tag: Tag
    rings: bool = False
    thread: EventId | None = None
    replies_to: EventId | None = None
    reaction: EventId | None = None
    edits: EventId | None = None
    chart: Chart | None = None

    @property
    def digest(self) -> str:
        """A hash of the text, by which messages are compared."""
        return hashlib.sha256(f"{self.body}\0{self.html}".encode("utf-8", "replace")).hexdigest()


def fallback(body: str) -> str:
    """Return the first two lines of an edit's *body*, for clients that show an edit as a message of its own."""
    return "\n".join(body.split("\n")[:_FALLBACK_LINES])


@dataclass(frozen=True, slots=True)
class Notice:
    """A message for a room that is not stored yet.

    *of* is the key of the notice to which a reply or an edit belongs; it is not sent before that one has an event,
    which the message then refers to. *asked_by* is the person whose message is answered, or who caused it; those people
    share the budget with everybody else. It is None if no person caused it.
    """

    room: RoomId
    lane: Lane
    message: Message
    of: NoticeKey | None = None
    asked_by: UserId | None = None

    @property
    def key(self) -> NoticeKey:
        """The unique key of the notice."""
        return self.message.tag.key


@dataclass(frozen=True, slots=True)
class SendCandidate:
    """A notice that may be sent now: the oldest of its room and lane, or of the answers to one person."""

    id: NoticeId
    room: RoomId
    lane: Lane
    asked_by: UserId | None = None


Choose = Callable[[Sequence[SendCandidate], int], Sequence[SendCandidate]]  # so many of them, one a room, in order


def in_order(candidates: Sequence[SendCandidate], limit: int) -> list[SendCandidate]:
    """Return the first *limit* candidates by lane and age, one per room, without a budget."""
    first: dict[RoomId, SendCandidate] = {}
    for each in sorted(candidates, key=lambda each: (each.lane, each.id)):
        first.setdefault(each.room, each)
    return list(first.values())[:limit]


@dataclass(frozen=True, slots=True)
class ClaimedNotice:
    """A notice that is about to be sent; *attempts* includes this one, *written_at* and *first_tried* are UTC.

    *resumed* is how often its room had resumed at the time of the claim.
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
        """Return whether the transaction id alone no longer prevents a second event."""
        if self.attempts == 1:
            return False
        return self.first_device != device or abs(now - self.first_tried) > LOOK_UP_AFTER


@dataclass(frozen=True, slots=True)
class Sent:
    """The outcome of a notice that was sent as *event*."""

    event: EventId


@dataclass(frozen=True, slots=True)
class RetryAt:
    """The outcome of a notice that should be sent again *at* a time (UTC)."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Dead:
    """The outcome of a notice that can never be sent."""

    reason: str


@dataclass(frozen=True, slots=True)
class Suspend:
    """The outcome of a notice to a room that refuses messages; it waits until the room accepts them again."""

    reason: str


Outcome = Sent | RetryAt | Suspend | Dead


def txn_id(key: NoticeKey) -> TxnId:
    """Return the transaction id of a notice, which is always the same for the same key."""
    return TxnId("patchbot-" + hashlib.sha256(key.encode()).hexdigest()[:32])


def card_key(room: RoomId, server: ServerName, kind: str, number: int, rebuilds: int = 0) -> NoticeKey:
    """Return the key of a submission's card in a room; *rebuilds* tells ids from before and after a rebuild apart."""
    name = f"{server}~{rebuilds}" if rebuilds else server
    return NoticeKey(f"{CARD_KEYS}{name}/{kind}/{number}/{room}")


def edit_key(card: NoticeKey, number: int) -> NoticeKey:
    """Return the key of an edit of a card; the first is number 1."""
    return NoticeKey(f"edit/{number}/{card}")


def reply_key(card: NoticeKey, number: int) -> NoticeKey:
    """Return the key of a reply below a card; *number* is that of its first change, which is in no other reply."""
    return NoticeKey(f"reply/{number}/{card}")


def digest_key(room: RoomId, digest: str, due: datetime, number: int) -> NoticeKey:
    """Return the key of a message of the digest that was *due* (UTC); the first is number 1."""
    return NoticeKey(f"digest/{digest}/{due:%Y-%m-%dT%H:%MZ}/{number}/{room}")


def queue_key(room: RoomId, digest: str, due: datetime, number: int) -> NoticeKey:
    """Return the key of a message of the queue that was *due* (UTC); the first is number 1."""
    return NoticeKey(f"queue/{digest}/{due:%Y-%m-%dT%H:%MZ}/{number}/{room}")


def answer_key(room: RoomId, event: EventId) -> NoticeKey:
    """Return the key of the answer to a message."""
    return NoticeKey(f"answer/{event}/{room}")


def unfurl_key(room: RoomId, event: EventId) -> NoticeKey:
    """Return the key of the lines about the links in a message."""
    return NoticeKey(f"unfurl/{event}/{room}")
