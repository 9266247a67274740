"""Parser of a homeserver's responses. Pure and total: only malformed events are left out.

Shapes: Matrix specification v1.18, client-server API, "Standard error response", "Syncing", "Stripped state".
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.errors import Forbidden, LoggedOut, Permanent, Temporary
from bot.ids import EventId, RoomId, UserId
from bot.json_reader import read_json
from bot.matrix.model import (
    NOBODY,
    Content,
    Event,
    Invitation,
    JoinedRoom,
    KeyUpdates,
    LeftRoom,
    MessagesPage,
    OmittedPart,
    SyncAnswer,
    ToDeviceEvent,
)
from bot.matrix.oauth import RESET_ACTION, is_address
from bot.text import printable, storable

_MAX_RETRY_AFTER = timedelta(hours=6)
_MAX_WORD_BYTES = 255
_MAX_REASON = 200  # characters of the homeserver's error message
_NOT_ALLOWED = frozenset({"M_FORBIDDEN", "M_NOT_FOUND", "M_NOT_JOINED", "M_UNSUPPORTED_ROOM_VERSION"})
_PASSES = frozenset({"M_LIMIT_EXCEEDED", "M_RESOURCE_LIMIT_EXCEEDED", "M_USER_LOCKED", "M_USER_SUSPENDED"})
_NO_TOKEN = frozenset({"M_UNKNOWN_TOKEN", "M_MISSING_TOKEN"})


class Challenge(Permanent):
    """A demand for authentication; *ways* are the single stages that would suffice.

    *page* is the address at which a person can approve the request in a browser; "" if there is none.
    """

    def __init__(self, reason: str, session: str | None, ways: frozenset[str], page: str = "") -> None:
        super().__init__(reason)
        self.session = session
        self.ways = ways
        self.page = page


def judge(status: int, retry_after: str, body: bytes) -> Content:
    """Return the JSON object of a successful response, or raise the error that the response represents.

    *retry_after* is the value of the Retry-After header. An error without a Matrix error code comes from something in
    front of the homeserver, and may be temporary.

    Raises:
        Temporary: rate limits, 5xx, and anything that is not a Matrix response.
        LoggedOut: the access token is unknown.
        Forbidden: not in this room, or no such room.
        Challenge: the request needs more authentication.
        Permanent: the request itself is rejected.
    """
    answer = _object(body)
    if 200 <= status < 300:
        if answer is None:
            raise Temporary("the homeserver's response is not JSON")
        return answer
    code = _text(answer, "errcode") or ""
    reason = _reason(status, code, answer)
    if status in {408, 425, 429} or status >= 500 or code in _PASSES:
        raise Temporary(reason, _requested_delay(answer, retry_after))
    if status == 401 and answer is not None and "flows" in answer:
        raise _challenge(answer, reason)
    if code in _NO_TOKEN:
        raise LoggedOut(reason, soft=bool(answer and answer.get("soft_logout") is True))
    if status == 413:
        raise Permanent(reason)
    if not code:
        raise Temporary(f"{reason}, which is not a response of a homeserver")
    if status == 403 or code in _NOT_ALLOWED:
        raise Forbidden(reason)
    raise Permanent(reason)


def text(answer: Content, key: str) -> str:
    """Return the text that a response must have under *key*.

    Raises:
        Temporary: it has none, so it does not come from a working homeserver.
    """
    value = _text(answer, key)
    if not value:
        raise Temporary(f"the homeserver's response has no {key}")
    return value


def sync_answer(answer: Content, user: UserId, left_out: Collection[OmittedPart] = ()) -> SyncAnswer:
    """Return the parsed response to a sync of *user*, of which some parts may have been *left_out*.

    The timeline of a room that was left out is one gap; an invitation that was left out has no inviter.

    Raises:
        Temporary: it has no `next_batch`.
    """
    rooms, token = _mapping(answer, "rooms"), text(answer, "next_batch")
    missing = {(str(kind), room) for kind, room in (each.path[1:3] for each in left_out if len(each.path) == 3)}
    partial = {each.path[2] for each in left_out if each.path[:2] == ("rooms", "join") and "state" in each.path}
    joined = [_joined(room, raw) for room, raw in _rooms(rooms, "join")]
    return SyncAnswer(
        next_batch=token,
        joined=(
            *(replace(each, is_partial=True) if each.room in partial else each for each in joined),
            *(_unread_room(room, token) for room in _ids(missing, "join")),
        ),
        invited=(
            *(_invitation(room, raw, user) for room, raw in _rooms(rooms, "invite")),
            *(Invitation(room, NOBODY, direct=False) for room in _ids(missing, "invite")),
        ),
        left=(
            *(_left(room, raw, user) for room, raw in _rooms(rooms, "leave")),
            *(LeftRoom(room, None) for room in _ids(missing, "leave")),
        ),
        keys=_key_news(answer, is_partial=any(each.path[0] == "device_lists" for each in left_out)),
    )


def _ids(missing: Iterable[tuple[str, object]], kind: str) -> Iterator[RoomId]:
    """Return the missing rooms of one kind."""
    return (RoomId(room) for its_kind, room in missing if its_kind == kind and isinstance(room, str) and _is_room(room))


def _unread_room(room: RoomId, token: str) -> JoinedRoom:
    """Return a room whose events before *token* were left out."""
    return JoinedRoom(
        room, (), (), limited=True, prev_batch=token, joined_members=None, invited_members=None, is_partial=True
    )


def state_event(answer: Content, kind: str, key: str) -> Event | None:
    """Return a requested state event; without a sender if the homeserver returns only the content."""
    if answer.get("type") == kind and (parsed := event(answer)) is not None:
        return parsed if parsed.state_key == key else None
    return Event(EventId(""), NOBODY, kind, answer, datetime.fromtimestamp(0, UTC), key)


def members(answer: Content) -> Mapping[UserId, str]:
    """Return the membership of each user in a response to `requests.members`."""
    events = _listed(answer, "chunk")
    entries = ((_user(event.get("state_key")), _text(_mapping(event, "content"), "membership")) for event in events)
    return {user: membership for user, membership in entries if user and membership}


def _key_news(answer: Content, *, is_partial: bool) -> KeyUpdates:
    """Return the updates of keys; missing counts are zero (specification, "One-time and fallback keys")."""
    lists = _mapping(answer, "device_lists")
    unused = answer.get("device_unused_fallback_key_types")
    events = _listed(_mapping(answer, "to_device"), "events")
    return KeyUpdates(
        to_device=tuple(each for each in map(_to_device, events) if each is not None),
        changed=tuple(_users(lists, "changed")),
        left=tuple(_users(lists, "left")),
        one_time_keys=_count(_mapping(answer, "device_one_time_keys_count"), "signed_curve25519") or 0,
        fallback_used=isinstance(unused, list) and "signed_curve25519" not in unused,
        is_partial=is_partial,
    )


def _to_device(raw: Content) -> ToDeviceEvent | None:
    sender, kind, content = _user(raw.get("sender")), _kind(raw), raw.get("content")
    if sender is None or kind is None or not isinstance(content, Mapping):
        return None
    return ToDeviceEvent(sender, kind, content)


def _users(answer: Content, key: str) -> Iterator[UserId]:
    listed = answer.get(key)
    for each in listed if isinstance(listed, list) else ():
        if (user := _user(each)) is not None:
            yield user


def page(answer: Content) -> MessagesPage:
    """Return a page of a room's events; without `end` there are no more."""
    return MessagesPage(tuple(_events(answer, "chunk")), _text(answer, "end"))


def _challenge(answer: Content, reason: str) -> Challenge:
    """Return the authentication that is demanded (specification, "User-Interactive Authentication API")."""
    stages = (flow.get("stages") for flow in _listed(answer, "flows"))
    single = (each[0] for each in stages if isinstance(each, list) and len(each) == 1)
    pages = (_text(_mapping(_mapping(answer, "params"), stage), "url") for stage in ("m.oauth", RESET_ACTION))
    page = next((each for each in pages if each and is_address(each, allow_http=False)), "")
    ways = frozenset(way for way in single if isinstance(way, str))
    return Challenge(reason, _text(answer, "session"), ways, page)


def _joined(room: RoomId, raw: Content) -> JoinedRoom:
    timeline = _mapping(raw, "timeline")
    summary = _mapping(raw, "summary")
    return JoinedRoom(
        room=room,
        timeline=tuple(_events(timeline, "events")),
        state=tuple(_events(_mapping(raw, "state"), "events")),
        limited=timeline.get("limited") is True,
        prev_batch=_text(timeline, "prev_batch"),
        joined_members=_count(summary, "m.joined_member_count"),
        invited_members=_count(summary, "m.invited_member_count"),
    )


def _invitation(room: RoomId, raw: Content, user: UserId) -> Invitation:
    """Return an invitation with its inviter, if everything about our membership is one invitation.

    Stripped state consists of what the inviting server sent, and of the invitation itself, in no particular order
    (specification, "Stripped state").
    """
    events = _listed(_mapping(raw, "invite_state"), "events")
    ours = [each for each in events if _text(each, "type") == "m.room.member" and _text(each, "state_key") == user]
    contents = [_mapping(event, "content") for event in ours]
    claims = {
        (_user(event.get("sender")) or NOBODY, _text(content, "membership"))
        for event, content in zip(ours, contents, strict=True)
    }
    inviter = (
        next((who for who, membership in claims if membership == "invite"), NOBODY) if len(claims) == 1 else NOBODY
    )
    return Invitation(room, inviter, any(content.get("is_direct") is True for content in contents))


def _left(room: RoomId, raw: Content, user: UserId) -> LeftRoom:
    """Return the room with the user who ended our membership: the sender of the last member event about us."""
    events = [*_events(_mapping(raw, "state"), "events"), *_events(_mapping(raw, "timeline"), "events")]
    ours = [event.sender for event in events if event.type == "m.room.member" and event.state_key == user]
    return LeftRoom(room, ours[-1] if ours else None)


def _events(answer: Content, key: str) -> Iterator[Event]:
    for raw in _listed(answer, key):
        if (parsed := event(raw)) is not None:
            yield parsed


def event(raw: Content) -> Event | None:
    """Return an event; None if it is malformed."""
    number, sender, kind = _id(raw.get("event_id"), "$"), _user(raw.get("sender")), _kind(raw)
    sent_at, content = _moment(raw.get("origin_server_ts")), raw.get("content")
    if number is None or sender is None or kind is None or sent_at is None or not isinstance(content, Mapping):
        return None
    state_key, unsigned = raw.get("state_key"), _mapping(raw, "unsigned")
    if state_key is not None and not _is_word(state_key):
        return None
    return Event(
        id=EventId(number),
        sender=sender,
        type=kind,
        content=content,
        sent_at=sent_at,
        state_key=state_key if isinstance(state_key, str) else None,
        previous=_mapping(unsigned, "prev_content"),
        previous_sender=_user(unsigned.get("prev_sender")),
        replaces=EventId(replaced) if (replaced := _id(unsigned.get("replaces_state"), "$")) is not None else None,
        redacts=_redacted(raw, content) if kind == "m.room.redaction" else None,
    )


def _redacted(raw: Content, content: Content) -> EventId | None:
    """Return the redacted event, which is in the content from room version 11 on, and beside it before."""
    event = _id(content.get("redacts"), "$") or _id(raw.get("redacts"), "$")
    return None if event is None else EventId(event)


def _moment(value: object) -> datetime | None:
    """Return a time in UTC from milliseconds since the epoch."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    try:
        return datetime.fromtimestamp(value / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _rooms(answer: Content, key: str) -> Iterator[tuple[RoomId, Content]]:
    for room, raw in _mapping(answer, key).items():
        if isinstance(raw, Mapping) and _is_room(room):
            yield RoomId(room), raw


def _is_room(room: str) -> bool:
    return _id(room, "!") is not None


def _user(value: object) -> UserId | None:
    user = _id(value, "@")
    return None if user is None else UserId(user)


def _kind(raw: Content) -> str | None:
    kind = raw.get("type")
    return kind if isinstance(kind, str) and _is_word(kind) else None


def _id(value: object, sigil: str) -> str | None:
    """Return an id that databases and homeservers accept; None if it is invalid (specification, "Size limits")."""
    return value if isinstance(value, str) and value.startswith(sigil) and _is_word(value) else None


def _is_word(value: object) -> bool:
    """Return whether *value* is text of at most 255 bytes, without control characters and lone surrogates."""
    return (
        isinstance(value, str)
        and len(value) <= _MAX_WORD_BYTES
        and value.isprintable()
        and len(value.encode()) <= _MAX_WORD_BYTES
    )


def _listed(answer: Content, key: str) -> Iterator[Content]:
    listed = answer.get(key)
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, Mapping):
            yield entry


def _mapping(answer: Content, key: str) -> Content:
    value = answer.get(key)
    return value if isinstance(value, Mapping) else {}


def _text(answer: Content | None, key: str) -> str | None:
    """Return the text under *key*; None if there is none, or one that cannot be sent back."""
    value = answer.get(key) if answer is not None else None
    return value if isinstance(value, str) and storable(value) == value else None


def _count(answer: Content, key: str) -> int | None:
    value = answer.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _object(body: bytes) -> Content | None:
    try:
        answer = read_json(body)
    except ValueError:
        return None
    return answer if isinstance(answer, Mapping) else None


def _reason(status: int, code: str, answer: Content | None) -> str:
    words = printable(_text(answer, "error") or "", "")[:_MAX_REASON]
    return " ".join(filter(None, (f"HTTP {status}", code, words)))


def _requested_delay(answer: Content | None, retry_after: str) -> timedelta | None:
    """Return the delay that the homeserver asks for, in the body or the header (RFC 9110 §10.2.3, in seconds)."""
    delay_ms = answer.get("retry_after_ms") if answer is not None else None
    if isinstance(delay_ms, int) and delay_ms > 0:
        return min(timedelta(milliseconds=min(delay_ms, 10**12)), _MAX_RETRY_AFTER)
    value = retry_after.strip()
    if value.isascii() and value.isdigit():
        return min(timedelta(seconds=int(value[:9])), _MAX_RETRY_AFTER)
    return None
