"""Matrix client for one bot user, without retries, which the outbox and the session make."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

import structlog

from bot.clock import Clock
from bot.config import Settings
from bot.errors import Forbidden, LoggedOut, Permanent, Temporary, TransportError
from bot.ids import DeviceId, EventId, NoticeKey, RoomId, TxnId
from bot.incidents import Incidents
from bot.lease import UNLIMITED, Permit
from bot.matrix import answer_limits as readings
from bot.matrix import requests, wire
from bot.matrix.answer_reader import MatrixResponseTooLarge
from bot.matrix.content import (
    MAX_CONTENT_BYTES,
    MAX_SEALED_BYTES,
    OUR_TYPES,
    encrypted_content,
    event_content,
    event_type,
    is_ours,
    tagged,
)
from bot.matrix.device import Device
from bot.matrix.encryption import DeviceLost, Encryption, EncryptionContext
from bot.matrix.http import HomeserverHttp, Parsed
from bot.matrix.identity import SigningAccount, confirmed
from bot.matrix.invitations import ProvenInvitation, proven_invitation
from bot.matrix.login import Login
from bot.matrix.model import Content, Event, MatrixResponse, MessagesPage, OmittedPart, SyncAnswer, TimelineGap
from bot.matrix.picture_content import picture_content, without_picture
from bot.matrix.picture_uploads import PictureUploads
from bot.matrix.requests import MatrixRequest
from bot.matrix.room_state import with_states
from bot.matrix.sync_isolation import update_keys
from bot.notices.notice import Message

LOOK_BACK_EVENTS = 1_000
MAX_MEMBERSHIPS = 10  # membership events (changes of name or picture) searched for our invitation
_PAGE_LIMITS = (requests.PAGE_EVENTS, 10, 1)  # events; smaller pages are requested if one is too large
_CLOCKS_DIFFER = timedelta(seconds=2)  # the Date header has whole seconds
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Timeouts of requests in seconds.

    A sync may wait *listen_seconds* for an event, plus *sync_seconds* for the transfer. A message waits *key_seconds*
    for its decryption key.
    """

    request_seconds: float = 30
    join_seconds: float = 120  # joining by federation is slow
    listen_seconds: float = 30
    sync_seconds: float = 30
    first_sync_seconds: float = 300
    key_seconds: float = 20


class MatrixClient:
    """One bot user at its homeserver; it implements the `Chat` port of the sender."""

    def __init__(
        self, settings: Settings, clock: Clock, deadlines: Deadlines | None = None, permit: Permit = UNLIMITED
    ) -> None:
        self.user = settings.matrix.user_id
        self._clock = clock
        self.deadlines = deadlines or Deadlines()
        self.incidents = Incidents(clock)
        self._sending: defaultdict[RoomId, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._carrier = HomeserverHttp(settings, clock, self.deadlines.request_seconds, permit)
        self._login = Login(settings, self._carrier, clock)
        folder, patience = settings.store.data_dir, self.deadlines.key_seconds
        self._pictures = PictureUploads(self.ask)
        self.encryption = Encryption(EncryptionContext(self.ask, clock, folder, patience, self.incidents))

    async def __aenter__(self) -> Self:
        """Return the client; the first request opens a connection."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections; the device stays logged in."""
        await self.encryption.close()
        await self._login.close()
        await self._carrier.close()

    def abort(self) -> None:
        """Abort all running requests."""
        self._carrier.abort()

    async def reaches_homeserver(self) -> bool:
        """Return whether the homeserver answers."""
        try:
            await self._carrier.answer(requests.versions(), None, _as_it_is)
        except TransportError:
            return False
        return True

    @property
    def requests(self) -> int:
        """The number of requests made."""
        return self._carrier.requests

    @property
    def device(self) -> DeviceId:
        """The device that is logged in, as far as its transaction ids are concerned; "" before the login.

        A homeserver forgets those with a sign-in, so a device that signed in again counts as another one.
        """
        if self._device is None or self._login.sign_ins < 2:
            return self._device_id
        return DeviceId(f"{self._device_id}~{self._login.sign_ins}")

    @property
    def _device(self) -> Device | None:
        return self._login.device

    @property
    def _device_id(self) -> DeviceId:
        return self._device.id if self._device else DeviceId("")

    @property
    def sign_in_problem(self) -> tuple[datetime, str] | None:
        """Since when the sign-in cannot be renewed, and why; None if it can."""
        return self._login.problem

    def homeserver_now(self) -> datetime:
        """Return the time of the homeserver's clock (UTC), estimated from its responses."""
        return self._clock.now() + self._carrier.ahead

    # Login

    async def log_in(self) -> None:
        """Log in with the stored device if the homeserver and its keys allow that, otherwise with a new one.

        Raises:
            ConfigError: the homeserver rejects the account as configured.
            Temporary: it cannot be reached now.
            StoreError: the keys cannot be read or written.
        """
        await self._login.establish()
        try:
            await self.encryption.begin(self.owner)
        except DeviceLost as lost:
            await self._replace_device(lost)

    async def prepare(self) -> None:
        """Log in, and publish the keys of the device, so that others encrypt for it before it receives anything.

        Raises as `log_in` does, and `LoggedOut`.
        """
        await self.log_in()
        await self.encryption.publish_keys()

    async def _replace_device(self, lost: DeviceLost) -> None:
        """Log in with a new device, and delete the old one, which cannot be trusted any more."""
        await self._login.require_new_device(lost)
        old = self._device_id
        _log.error("device.replaced", device=old, reason=str(lost))
        await self._login.use_password(None)
        await self.encryption.begin(self.owner)
        try:
            await confirmed(self.ask, self.owner, requests.delete_devices([old]))
        except TransportError as error:
            _log.warning("device.not_removed", device=old, reason=str(error))

    @property
    def owner(self) -> SigningAccount:
        """Our device, with the password that authorizes changes to its keys."""
        return SigningAccount(self.user, self._device_id, self._login.password, self._login.account_page)

    async def use_stored_device(self) -> None:
        """Use the stored device without any change; for operators.

        Raises:
            UserError: there is no stored device.
            Temporary: the homeserver cannot be reached now.
            LoggedOut: the homeserver does not know the device.
        """
        await self._login.use_stored()

    # The `Chat` port

    @property
    def shows_pictures(self) -> bool:
        """Charts are pictures here."""
        return True

    async def send(self, room: RoomId, txn: TxnId, message: Message) -> EventId:
        """Send a message to a room; the same *txn* of the same device makes one event, even if it is sent repeatedly.

        A reaction that exists already counts as sent.

        Raises:
            Temporary: the outcome is unknown, or it may work later.
            Forbidden: the room does not allow it.
            Permanent: the message will never be accepted.
            LoggedOut: the device no longer belongs to the account.
        """
        async with self._sending[room]:
            try:
                return await self._put(room, txn, message)
            except Permanent as error:
                if message.reaction is not None and "M_DUPLICATE_ANNOTATION" in str(error):
                    return message.reaction  # it exists already; the homeserver does not return its id
                if message.thread is None or message.replies_to is None or isinstance(error, Forbidden):
                    raise
                reason = str(error)
            # The message that is replied to has an invalid relation, which other servers may send.
            _log.info("notice.thread_refused", room=room, thread=message.thread, reason=reason)
            return await self._put(room, txn, replace(message, thread=None))

    async def _put(self, room: RoomId, txn: TxnId, message: Message) -> EventId:
        kind, content = await self._event_of(room, message)
        return EventId(wire.text(await self.ask(requests.send(room, kind, txn, content)), "event_id"))

    async def _event_of(self, room: RoomId, message: Message) -> tuple[str, Content]:
        """Return the type and content of an event with *message*, encrypted if *room* is, except for reactions."""
        kind, is_encrypted = event_type(message), await self.encryption.is_on(room)
        content = await self._content(message, is_encrypted=is_encrypted)
        if not is_encrypted:
            return kind, content
        tag = self.encryption.tag(message.tag.key)
        if message.reaction is not None:
            return kind, tagged(content, tag)
        return "m.room.encrypted", encrypted_content(content, await self.encryption.encrypt(room, kind, content), tag)

    async def _content(self, message: Message, *, is_encrypted: bool) -> Content:
        """Return the content of an event with *message*, and with the picture of its chart, before its encryption."""
        limit = MAX_SEALED_BYTES if is_encrypted else MAX_CONTENT_BYTES
        if message.chart is None:
            return event_content(message, limit)
        picture = await self._pictures.of(message, encrypted=is_encrypted)
        return (
            event_content(without_picture(message), limit)
            if picture is None
            else picture_content(message, picture, limit)
        )

    async def find(self, room: RoomId, key: NoticeKey, since: datetime) -> EventId | None:
        """Return our event with this key, searching back to *since* (UTC), through at most 1,000 of our events.

        Raises:
            Temporary: the search failed.
            Forbidden: the room does not allow it.
        """
        looked_at, start, tag = 0, None, self.encryption.tag(key)
        while looked_at < LOOK_BACK_EVENTS:
            page = await self._page(room, start, {"senders": [self.user], "types": list(OUR_TYPES)})
            for event in page.events:
                if event.sent_at < since + self._carrier.ahead - _CLOCKS_DIFFER:
                    return None
                if event.sender == self.user and is_ours(event.content, key, tag):
                    return event.id
            looked_at += requests.PAGE_EVENTS
            if page.end is None or page.end == start:
                return None
            start = page.end
        return None

    # Rooms

    async def join(self, room: str, via: tuple[str, ...] = (), seconds: float | None = None) -> RoomId:
        """Join a room by its alias or id within *seconds*, and return its id; *via* are servers that know the id.

        Raises:
            Temporary: it may work later.
            Forbidden: an invitation is needed.
            Permanent: it will never work.
        """
        longest = self.deadlines.join_seconds
        request = requests.join(room, via, longest if seconds is None else min(seconds, longest))
        return RoomId(wire.text(await self.ask(request), "room_id"))

    async def leave(self, room: RoomId) -> None:
        """Leave a room, or decline an invitation; do nothing if we are not in it. Raises `Temporary`, `Permanent`."""
        try:
            await self.ask(requests.leave(room))
        except Forbidden as error:
            _log.info("room.not_joined", room=room, reason=str(error))

    async def invited_by(self, room: RoomId) -> ProvenInvitation | None:
        """Return the invitation that brought us into a room, according to our membership there; None if there was none.

        Raises:
            Temporary: the request failed.
            Forbidden: we are not in the room.
        """
        member = wire.event(await self.ask(requests.state_event(room, "m.room.member", self.user)))
        for _ in range(MAX_MEMBERSHIPS):
            if member is None or (invitation := proven_invitation(member)) is not None:
                return invitation if member is not None else None
            if member.content.get("membership") != "join" or member.replaces is None:
                return None
            member = wire.event(await self.ask(requests.event(room, member.replaces)))
        return None

    async def resolve(self, alias: str) -> RoomId:
        """Return the room with an alias. Raises `Forbidden` if there is none, and otherwise as `join` does."""
        answer = await self.ask(requests.resolve(alias))
        return RoomId(wire.text(answer, "room_id"))

    async def state(self, room: RoomId, kind: str) -> Content:
        """Return the content of a room's state event of type *kind*. Raises as `send` does."""
        return await self.ask(requests.state(room, kind))

    # Syncs

    async def sync(
        self, since: str | None, timeout_ms: int, *, full_state: bool = False, without: Iterable[RoomId] = ()
    ) -> SyncAnswer:
        """Return the events since *since*, without some rooms; the homeserver waits up to *timeout_ms* for events.

        A room whose part is too large has a gap in its timeline, and its state; malformed events are left out.

        Raises:
            MatrixResponseTooLarge: it cannot be read in time; the error names the room at fault.
            Temporary: the request failed.
            Permanent: the homeserver rejects the request.
            LoggedOut: the device no longer belongs to the account.
        """
        listening = timeout_ms / 1000 + self.deadlines.sync_seconds
        seconds = self.deadlines.first_sync_seconds if full_state or since is None else listening
        request = requests.sync(since, timeout_ms, full_state=full_state, without=without)
        request = replace(request, seconds=seconds, reading=readings.sync(self.user))
        answer = await self._ask_parsed(
            request, lambda response: wire.sync_answer(response.content, self.user, response.left_out)
        )
        answer = await with_states(answer, self.user, self.ask, self.incidents)
        known = None if answer.keys.is_partial else since
        await update_keys(self.encryption, answer, self.incidents, since=known, whole=full_state)
        return answer

    async def backfill(self, gap: TimelineGap, enough: Callable[[Sequence[Event]], bool]) -> tuple[Event, ...]:
        """Return the events in a gap, oldest first; at most the newest 1,000.

        *enough* returns, for a page (newest first), whether older events are irrelevant. Raises as `sync` does.
        """
        return await self._events_in(gap, {"lazy_load_members": True}, enough)

    async def redactions(self, gap: TimelineGap) -> tuple[Event, ...]:
        """Return the redactions in a gap, oldest first; at most the newest 1,000. Raises as `sync` does."""
        return await self._events_in(gap, {"types": ["m.room.redaction"], "lazy_load_members": True}, lambda _: False)

    async def _events_in(
        self, gap: TimelineGap, event_filter: Content, enough: Callable[[Sequence[Event]], bool]
    ) -> tuple[Event, ...]:
        events: list[Event] = []
        start: str | None = gap.before
        while start is not None and len(events) < LOOK_BACK_EVENTS:
            page = await self._page(gap.room, start, event_filter, gap.after)
            events += page.events
            start = page.end if page.end != start and page.events and not enough(page.events) else None
        return tuple(reversed(events))

    async def _page(
        self, room: RoomId, start: str | None, event_filter: Content, to: str | None = None
    ) -> MessagesPage:
        """Return a page of a room's events, with fewer events if a page of the usual length is too large."""
        for limit in _PAGE_LIMITS:
            request = requests.messages(room, event_filter, start, to, limit)
            try:
                return await self._ask_parsed(request, _page)
            except MatrixResponseTooLarge as error:
                reason = str(error)
        raise Permanent(f"a single event is too large to be read ({reason})")

    # Requests

    async def ask(self, request: MatrixRequest) -> Content:
        """Send *request* as our device, and return the response. Raises as `wire.judge` does."""
        return await self._ask_parsed(request, _as_it_is)

    async def _ask_parsed(self, request: MatrixRequest, parse: Callable[[MatrixResponse], Parsed]) -> Parsed:
        """Send *request*, return the response converted by *parse*, and record oversized parts as incidents."""

        def both(answer: MatrixResponse) -> tuple[Parsed, tuple[OmittedPart, ...]]:
            return parse(answer), answer.left_out

        parsed, left_out = await self._ask_as_device(request, both)
        for each in left_out:
            kind = "sync.part_skipped" if request.endpoint == "sync" else "answer.part_skipped"
            name = each.room or " ".join((request.endpoint, *map(str, each.path)))
            self.incidents.record(kind, name, f"too large: {each.size / 1024 / 1024:.1f} MiB")
        return parsed

    async def _ask_as_device(self, request: MatrixRequest, parse: Callable[[MatrixResponse], Parsed]) -> Parsed:
        """Send *request*, and return the response converted by *parse*; log in again, once, after a soft logout."""
        device = await self._login.current()
        try:
            return await self._carrier.answer(request, device.token, parse)
        except LoggedOut as error:
            again = await self._login.again(device, error)
        try:
            return await self._carrier.answer(request, again.token, parse)
        except LoggedOut as error:
            raise Temporary(self._login.refused_again(error)) from error


def _as_it_is(answer: MatrixResponse) -> Content:
    return answer.content


def _page(answer: MatrixResponse) -> MessagesPage:
    """Return a page of events. Raises `MatrixResponseTooLarge` if all of them were left out."""
    if any(len(each.path) == 1 for each in answer.left_out):
        raise MatrixResponseTooLarge("the page is too large")
    return wire.page(answer.content)
