"""Selection of events that are messages to the bot. Pure.

A homeserver can forge any event except what a device encrypted, so in an encrypted room only encrypted messages count,
from the event on that enabled the encryption.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.ids import EventId, RoomId, UserId
from bot.matrix.mentions import BotInRoom, with_mention
from bot.matrix.model import Content, Event, JoinedRoom
from bot.matrix.session_update import EventRedacted, MessageReceived
from bot.text import storable

TOO_OLD = timedelta(minutes=10)
MAX_BODY_CHARACTERS = 16_384
EYES = "👀"  # the reaction to a card that means `follow`
_MAX_REACTION = 8  # characters
_WITHOUT_SELECTORS = dict.fromkeys((0xFE0E, 0xFE0F))  # variation selectors: as text, as an emoji
_EVENT_ID = re.compile(r"\$[!-~]{1,254}")
ENCRYPTION = "m.room.encryption"
_NEVER_ENCRYPTED = frozenset({"m.room.redaction", "m.reaction"})  # by any client; they contain no text


def messages_in(room: RoomId, events: Iterable[Event], me: BotInRoom, now: datetime) -> Iterator[MessageReceived]:
    """Return the messages of others among *events*: new texts, neither notices nor edits, at most ten minutes old.

    With them are reactions that ask for something.
    """
    for event in events:
        if event.type == "m.reaction" and event.sender != me.user and now - event.sent_at <= TOO_OLD:
            yield from _reactions(room, event, now)
        relation = _mapping(event.content, "m.relates_to")
        if event.type != "m.room.message" or event.state_key is not None or event.sender == me.user:
            continue
        if event.content.get("msgtype") != "m.text" or relation.get("rel_type") == "m.replace":
            continue
        if now - event.sent_at > TOO_OLD:
            continue
        if body := _body(event.content, relation, me):
            said_at = min(event.sent_at, now)  # the sending server's claim, which may be in the future
            yield MessageReceived(
                room,
                event.id,
                event.sender,
                body,
                said_at,
                thread_of(event.content),
                _replies_to(relation),
                event.decrypted,
            )


def _reactions(room: RoomId, event: Event, now: datetime) -> Iterator[MessageReceived]:
    """Yield the reaction that an *event* is, if it is one that asks for something; clients spell emoji differently."""
    relation = _mapping(event.content, "m.relates_to")
    key, target = relation.get("key"), _id(relation, "event_id")
    if relation.get("rel_type") != "m.annotation" or target is None or not isinstance(key, str):
        return
    if key[:_MAX_REACTION].translate(_WITHOUT_SELECTORS) == EYES:
        said_at = min(event.sent_at, now)
        yield MessageReceived(room, event.id, event.sender, "", said_at, replies_to=target, reaction=EYES)


def thread_of(content: Content) -> EventId | None:
    """Return the root of the thread that a message is in; None if it is in none."""
    relation = _mapping(content, "m.relates_to")
    return _id(relation, "event_id") if relation.get("rel_type") == "m.thread" else None


def redactions(room: RoomId, events: Iterable[Event]) -> Iterator[EventRedacted]:
    """Return the redactions in *room*, by any user and of any age."""
    for event in events:
        if event.redacts is not None and _EVENT_ID.fullmatch(event.redacts):
            yield EventRedacted(room, event.redacts)


def since_we_came(events: Sequence[Event], me: UserId) -> Sequence[Event]:
    """Return the events from the bot's latest join on; all events if there is no join among them."""
    arrivals = [place for place, event in enumerate(events) if is_arrival(event, me)]
    return events[arrivals[-1] :] if arrivals else events


def is_arrival(event: Event, user: UserId) -> bool:
    """Return whether *user* joins the room with this event, as opposed to changing their name or picture."""
    if event.type != "m.room.member" or event.state_key != user:
        return False
    return event.content.get("membership") == "join" and event.previous.get("membership") != "join"


def reaches_back(events: Sequence[Event], me: UserId, now: datetime) -> bool:
    """Return whether events before *events* are irrelevant: they precede the bot's join, or are too old."""
    return any(is_arrival(event, me) for event in events) or all(now - event.sent_at > TOO_OLD for event in events)


def without_quote(body: str) -> str:
    """Return a reply without its quotation of the other message (specification, "Rich replies", until v1.12)."""
    lines = body.split("\n")
    quoted = 0
    while quoted < len(lines) and lines[quoted].startswith(">"):
        quoted += 1
    return "\n".join(lines[quoted:])


def _body(content: Content, relation: Content, me: BotInRoom) -> str:
    body = content.get("body")
    if not isinstance(body, str):
        return ""
    own = without_quote(body) if "m.in_reply_to" in relation else body
    return storable(with_mention(own[:MAX_BODY_CHARACTERS], content, me)[:MAX_BODY_CHARACTERS]).strip()


def _replies_to(relation: Content) -> EventId | None:
    """Return the event that a message replies to; None for the fallback that names a thread's last event."""
    if relation.get("rel_type") == "m.thread" and relation.get("is_falling_back") is True:
        return None
    return _id(_mapping(relation, "m.in_reply_to"), "event_id")


def _id(content: Content, key: str) -> EventId | None:
    """Return the event id in *content*; None if it is malformed (specification, "Size limits")."""
    value = content.get(key)
    return EventId(value) if isinstance(value, str) and _EVENT_ID.fullmatch(value) else None


def _mapping(content: Content, key: str) -> Content:
    value = content.get(key)
    return value if isinstance(value, Mapping) else {}


def without_clear_text(joined: JoinedRoom, *, is_new: bool) -> JoinedRoom:
    """Return a room's part of a sync without the unencrypted messages of an encrypted room.

    *is_new* is true if the encryption was unknown before this sync; messages from before it are kept.
    """
    start = _encrypted_from(joined) if is_new else 0
    return replace(joined, timeline=(*joined.timeline[:start], *_sealed(joined.timeline[start:])))


def _sealed(events: tuple[Event, ...]) -> Iterator[Event]:
    for event in events:
        if event.state_key is not None or event.type == "m.room.encrypted" or event.type in _NEVER_ENCRYPTED:
            yield event


def _encrypted_from(joined: JoinedRoom) -> int:
    """Return the index in the timeline from which the room is encrypted; 0 if it was before."""
    before = {event.id for event in joined.state if _turns_on(event)}
    for place, event in enumerate(joined.timeline):
        if _turns_on(event):
            return place if before <= {event.id} else 0
    return 0


def _turns_on(event: Event) -> bool:
    return event.type == ENCRYPTION and event.state_key == ""
