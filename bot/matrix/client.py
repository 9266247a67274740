"""The only place that speaks to a homeserver, and the only one that knows nio.

nio carries the requests (and later the encryption); its answers are not used, for it turns a failed one into an object
that is easily taken for a good one, retries by itself, and drops what it cannot read. Here an answer is bytes, capped
while they stream, judged by `wire`; every request has one deadline and is made once. The outbox and the session own
every retry.
"""

import asyncio
import email.utils
import ssl
import zlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self, TypeVar

import aiohttp
import aiohttp_socks
import nio
import structlog

from bot import metrics
from bot.clock import Clock
from bot.config import Settings
from bot.errors import ConfigError, Forbidden, LoggedOut, Permanent, Temporary
from bot.ids import DeviceId, EventId, NoticeKey, RoomId, TxnId
from bot.matrix import device as devices
from bot.matrix import requests, wire
from bot.matrix.content import encoded, event_content, event_type, key_of
from bot.matrix.device import Device
from bot.matrix.model import Content, Event, Gap, Page, SyncAnswer
from bot.matrix.requests import Request
from bot.notices.outbox import Message
from bot.unpacking import body_of

MAX_ANSWER_BYTES = 32 * 1024 * 1024
LARGE_BYTES = 128 * 1024  # takes longer to parse than the loop may stand still
LOOK_BACK_EVENTS = 1_000
_CLOCKS_DIFFER = timedelta(seconds=2)  # the Date header has whole seconds
_NETWORK_ERRORS = (
    aiohttp.ClientError,
    aiohttp_socks.ProxyError,
    aiohttp_socks.ProxyConnectionError,
    aiohttp_socks.ProxyTimeoutError,
    OSError,
)
_Parsed = TypeVar("_Parsed")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a request may take in all.

    A sync may wait *listen_seconds* for something to happen; *sync_seconds* come on top of that.
    """

    request_seconds: float = 30
    join_seconds: float = 120  # joining by federation is slow
    listen_seconds: float = 30
    sync_seconds: float = 30
    first_sync_seconds: float = 300


class MatrixClient:
    """One bot user at its homeserver; it is the `Chat` of the sender."""

    def __init__(self, settings: Settings, clock: Clock, deadlines: Deadlines | None = None) -> None:
        self.user = settings.matrix.user_id
        self.requests = 0
        self._account = settings.matrix
        self._clock = clock
        self._folder = settings.store.data_dir
        self.deadlines = deadlines or Deadlines()
        self._device: Device | None = None
        self._logging_in = asyncio.Lock()
        self._sending: defaultdict[RoomId, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._ahead = timedelta()  # the homeserver's clock, compared with ours
        self._nio = nio.AsyncClient(
            settings.matrix.homeserver,
            self.user,
            config=nio.AsyncClientConfig(
                max_limit_exceeded=0,
                max_timeouts=0,
                request_timeout=self.deadlines.request_seconds,
                encryption_enabled=False,
                store_sync_tokens=False,
            ),
            ssl=_certificates(settings.network.ca_file),
            proxy=settings.network.proxy.get_secret_value() or None,
        )

    async def __aenter__(self) -> Self:
        """Nothing is opened before the first request; nio's own session would unpack answers of any size."""
        proxy = self._nio.proxy
        self._nio.client_session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(),  # each request has a deadline
            connector=aiohttp_socks.ProxyConnector.from_url(proxy) if proxy else None,
            auto_decompress=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections; the device stays logged in."""
        await self._nio.close()

    @property
    def device(self) -> DeviceId:
        """The device that is logged in; "" before it is."""
        return self._device.id if self._device else DeviceId("")

    def homeserver_now(self) -> datetime:
        """What the homeserver's clock shows now (UTC), as far as its answers tell; events have its times."""
        return self._clock.now() + self._ahead

    # Logging in

    async def log_in(self) -> None:
        """Be a device of the account: the kept one where the homeserver still knows it, else a new one.

        Raises:
            ConfigError: the homeserver refuses the account as it is configured.
            Temporary: it cannot be asked now.
        """
        if self._account.access_token:
            await self._use_token(self._account.access_token.get_secret_value())
            return
        kept = await asyncio.to_thread(devices.load, self._folder)
        if kept is None or kept.user != self.user:
            await self._use_password(None)
            return
        self._device = kept
        try:
            await self._who_am_i(kept.token)
        except LoggedOut as error:
            await self._use_password(kept.id if error.soft else None)

    async def _use_token(self, token: str) -> None:
        try:
            answer = await self._who_am_i(token)
        except (LoggedOut, Forbidden) as error:
            raise ConfigError("matrix.access_token", f"the homeserver does not accept it ({error})") from error
        user = wire.text(answer, "user_id")
        if user != self.user:
            raise ConfigError("matrix.access_token", f"belongs to {user}, not to {self.user}")
        await self._keep(Device(self.user, DeviceId(wire.text(answer, "device_id")), token))

    async def _use_password(self, device: DeviceId | None) -> Device:
        """Log in as *device*, or as a new one."""
        if self._account.password is None:
            raise ConfigError("matrix.password", "is needed to log in, and is not set")
        request = requests.login(self.user, self._account.password.get_secret_value(), device)
        try:
            answer = await self._once(request, None, _as_it_is)
        except Permanent as error:
            raise ConfigError("matrix.password", f"the homeserver refuses to log {self.user} in ({error})") from error
        user = wire.text(answer, "user_id")
        if user != self.user:
            raise ConfigError("matrix.user_id", f"the homeserver calls this account {user}")
        token = wire.text(answer, "access_token")
        logged_in = Device(self.user, DeviceId(wire.text(answer, "device_id")), token)
        await self._keep(logged_in)
        _log.info("logged in", user=self.user, device=logged_in.id)
        return logged_in

    async def _who_am_i(self, token: str) -> Content:
        return await self._once(requests.who_am_i(), token, _as_it_is)

    async def _keep(self, device: Device) -> None:
        await asyncio.to_thread(devices.save, self._folder, device)
        self._device = device

    # The `Chat` port

    async def send(self, room: RoomId, txn: TxnId, message: Message) -> EventId:
        """Put a message into a room; the same *txn* of the same device makes one event, however often it is sent.

        A reaction that is there already is as good as one that was put there.

        Raises:
            Temporary: the outcome is unknown, or it may work later.
            Forbidden: the room does not let us.
            Permanent: this message will never be taken.
            LoggedOut: the device is no longer one of the account's.
        """
        request = requests.send(room, event_type(message), txn, event_content(message))
        try:
            async with self._sending[room]:
                answer = await self._ask(request)
        except Permanent as error:
            if message.reaction is not None and "M_DUPLICATE_ANNOTATION" in str(error):
                return message.reaction  # ours is there; the homeserver does not say which it is
            raise
        return EventId(wire.text(answer, "event_id"))

    async def find(self, room: RoomId, key: NoticeKey, since: datetime) -> EventId | None:
        """The event of ours with this key, looked for back to *since* (UTC) and 1,000 events of ours at most.

        Raises:
            Temporary: it could not be looked for.
            Forbidden: the room does not let us.
        """
        looked_at, start = 0, None
        while looked_at < LOOK_BACK_EVENTS:
            page = await self._page(room, start, {"senders": [self.user], "types": ["m.room.message", "m.reaction"]})
            for event in page.events:
                if event.sent_at < since + self._ahead - _CLOCKS_DIFFER:
                    return None
                if event.sender == self.user and key_of(event.content) == key:
                    return event.id
            looked_at += requests.PAGE_EVENTS
            if page.end is None or page.end == start:
                return None
            start = page.end
        return None

    # Rooms

    async def join(self, room: str, via: tuple[str, ...] = ()) -> RoomId:
        """Come into a room, by its alias or its id; *via* are servers that know an id. The room's id.

        Raises:
            Temporary: it may work later.
            Forbidden: an invitation is needed.
            Permanent: it will not work.
        """
        request = requests.join(room, via, self.deadlines.join_seconds)
        return RoomId(wire.text(await self._ask(request), "room_id"))

    async def leave(self, room: RoomId) -> None:
        """Go, or decline an invitation; not to be there is as good. Raises `Temporary`, `Permanent`."""
        try:
            await self._ask(requests.leave(room))
        except Forbidden as error:
            _log.info("was not there to leave", room=room, reason=str(error))

    async def resolve(self, alias: str) -> RoomId:
        """The room behind an alias. Raises `Forbidden` where there is none, else as `join` does."""
        answer = await self._ask(requests.resolve(alias))
        return RoomId(wire.text(answer, "room_id"))

    async def state(self, room: RoomId, kind: str) -> Content:
        """The content of a room's state event of type *kind*. Raises as `send` does."""
        return await self._ask(requests.state(room, kind))

    # Listening

    async def sync(self, since: str | None, timeout_ms: int, *, full_state: bool = False) -> SyncAnswer:
        """What happened since *since*; the homeserver waits *timeout_ms* for something to happen.

        Raises:
            Temporary: it could not be asked.
            Permanent: the homeserver will not answer this.
            LoggedOut: the device is no longer one of the account's.
        """
        listening = timeout_ms / 1000 + self.deadlines.sync_seconds
        seconds = self.deadlines.first_sync_seconds if full_state or since is None else listening
        request = requests.sync(since, timeout_ms, seconds, full_state=full_state)
        return await self._ask_for(request, lambda answer: wire.sync_answer(answer, self.user))

    async def backfill(self, gap: Gap, enough: Callable[[Sequence[Event]], bool]) -> tuple[Event, ...]:
        """The events in a gap, oldest first; the newest 1,000 at most.

        *enough* says of a page (newest first) whether older ones do not matter. Raises as `sync` does.
        """
        return await self._events_in(gap, {"lazy_load_members": True}, enough)

    async def redactions(self, gap: Gap) -> tuple[Event, ...]:
        """What was redacted in a gap, oldest first; the newest 1,000 at most. Raises as `sync` does."""
        return await self._events_in(gap, {"types": ["m.room.redaction"], "lazy_load_members": True}, lambda _: False)

    async def _events_in(
        self, gap: Gap, event_filter: Content, enough: Callable[[Sequence[Event]], bool]
    ) -> tuple[Event, ...]:
        events: list[Event] = []
        start: str | None = gap.before
        while start is not None and len(events) < LOOK_BACK_EVENTS:
            page = await self._page(gap.room, start, event_filter, gap.after)
            events += page.events
            start = page.end if page.end != start and page.events and not enough(page.events) else None
        return tuple(reversed(events))

    async def _page(self, room: RoomId, start: str | None, event_filter: Content, to: str | None = None) -> Page:
        return await self._ask_for(requests.messages(room, event_filter, start, to), wire.page)

    # One request

    async def _ask(self, request: Request) -> Content:
        return await self._ask_for(request, _as_it_is)

    async def _ask_for(self, request: Request, parse: Callable[[Content], _Parsed]) -> _Parsed:
        """What *parse* makes of the answer; a device that was softly logged out logs in again, once."""
        device = self._device
        if device is None:
            raise Temporary("not logged in yet")
        try:
            return await self._once(request, device.token, parse)
        except LoggedOut as error:
            if not error.soft or self._account.password is None:
                raise LoggedOut(
                    f"the homeserver has ended the session of {self.user}, device {device.id} ({error}); "
                    "the next start logs in anew"
                ) from error
            again = await self._logged_in_again(device)
        try:
            return await self._once(request, again.token, parse)
        except LoggedOut as error:
            raise Temporary(f"logged in again, and at once out: {error}") from error

    async def _logged_in_again(self, stale: Device) -> Device:
        """The same device anew, so that transaction ids keep their meaning; one of several callers does it."""
        async with self._logging_in:
            if self._device is None or self._device == stale:
                return await self._use_password(stale.id)
            return self._device

    async def _once(self, request: Request, token: str | None, parse: Callable[[Content], _Parsed]) -> _Parsed:
        """One request, as *token*'s device; everything that can go wrong with it as an error of ours."""
        self.requests += 1
        seconds = self.deadlines.request_seconds if request.seconds is None else request.seconds
        try:
            async with asyncio.timeout(seconds):
                response, body = await self._exchange(request, token)
        except TimeoutError as error:
            metrics.MATRIX_REQUESTS.labels("none").inc()
            raise Temporary(f"no answer within {seconds:g} s") from error
        except _NETWORK_ERRORS as error:
            metrics.MATRIX_REQUESTS.labels("none").inc()
            raise Temporary(_in_words(error)) from error
        metrics.MATRIX_REQUESTS.labels(str(response.status)).inc()
        self._compare_clocks(response.headers.get("Date", ""))

        def read() -> _Parsed:
            return parse(wire.judge(response.status, response.headers.get("Retry-After", ""), body))

        return await asyncio.to_thread(read) if len(body) > LARGE_BYTES else read()

    async def _exchange(self, request: Request, token: str | None) -> tuple[aiohttp.ClientResponse, bytes]:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "gzip"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        data = encoded(request.body).decode() if request.body is not None else None
        unlimited = aiohttp.ClientTimeout()  # the caller's deadline is the only one
        response = await self._nio.send(request.method, request.path, data, headers, timeout=unlimited)
        async with response:
            encoding = response.headers.get("Content-Encoding", "").strip().lower()
            if encoding not in {"", "identity", "gzip"}:
                raise Temporary(f"answered in the encoding {encoding[:100]}")
            try:
                body = await body_of(response.content.iter_any(), MAX_ANSWER_BYTES, is_packed=encoding == "gzip")
            except zlib.error as error:
                raise Temporary(str(error)) from error
            if body is None:
                raise Temporary(f"the answer is larger than {MAX_ANSWER_BYTES // 1024 // 1024} MiB")
            return response, body

    def _compare_clocks(self, date: str) -> None:
        """Learn from an answer's Date header how far the homeserver's clock is ahead of ours."""
        try:
            theirs = email.utils.parsedate_to_datetime(date)
        except ValueError:
            return
        if theirs.tzinfo is not None:
            self._ahead = theirs - self._clock.now()


def _in_words(error: Exception) -> str:
    """What went wrong on the way, without the insides of the library."""
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
        return f"cannot connect to {error.host}:{error.port}: {cause.strerror or cause}"
    return str(error) or type(error).__name__


def _as_it_is(answer: Content) -> Content:
    return answer


def _certificates(ca_file: str) -> ssl.SSLContext:
    """Whom to trust: the authorities in a file, or the system's."""
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError("network.ca_file", f"cannot be used: {error.strerror or error}") from error
