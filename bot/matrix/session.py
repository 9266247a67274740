"""The Matrix session: syncs with the homeserver, and stores the outcome of each sync before the next.

Theory of operation. A sync returns what happened since a token, and the next token. The outcome of a sync
(`sync_outcome`) is an update of the session (`session_update`), which is stored in one transaction with the next token.
So a crash before the transaction repeats the sync, and a crash after it goes on with the next one: nothing is lost, and
a message that is received twice has the same event id. Gaps in the timelines are filled first; if that fails, the sync
is repeated, for a minute at most. A fault in a room or an event affects that room or event only (`sync_isolation`,
`skipped_rooms`), because the token must advance: later messages would never be received. In the first sync, which has
no token, nothing is new. Joining and leaving rooms is up to `membership`; no sync waits for it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

import structlog

from bot import metrics
from bot.backoff import SYNCS
from bot.clock import Clock
from bot.errors import BotError, ConfigError, Forbidden, LoggedOut, Permanent, Temporary, TransportError
from bot.ids import DeviceId, RoomId
from bot.incidents import Incidents
from bot.matrix import hand_over
from bot.matrix.answer_reader import MatrixResponseTooLarge
from bot.matrix.client import MatrixClient
from bot.matrix.invite_rules import InviteRules
from bot.matrix.membership import Membership
from bot.matrix.rooms import Room
from bot.matrix.session_memory import SessionMemory
from bot.matrix.skipped_rooms import SkippedRooms
from bot.matrix.sync_isolation import decrypt, save_outcome
from bot.matrix.sync_outcome import RESEND_REQUEST_INTERVAL, SyncContext
from bot.matrix.timeline_gaps import TimelineGaps
from bot.notices.status import MAX_REASON, moment, to_the_second
from bot.text import cut

IDLE_SECONDS = 1.0  # after a sync that returned at once without any progress
_log = structlog.get_logger(__name__)


class Session:
    """Syncs as one bot user until the homeserver ends the session."""

    def __init__(
        self,
        client: MatrixClient,
        memory: SessionMemory,
        clock: Clock,
        rules: InviteRules,
    ) -> None:
        self._client = client
        self._memory = memory
        self._clock = clock
        self._me = rules.me
        self._membership = Membership(client, memory, clock, rules)
        self._gaps = TimelineGaps(client, clock, rules.me)
        self._skipped_rooms = SkippedRooms(client, memory, clock)
        self._since: str | None = None
        self._resend_requests: dict[RoomId, datetime] = {}  # time of the last request to resend a message
        self._has_synced = asyncio.Event()
        self._down_since: datetime | None = None
        self._down_reason = ""
        self._next_try: datetime | None = None

    @property
    def rooms(self) -> dict[RoomId, Room]:
        """The rooms that the bot is in, as of the last sync."""
        return self._membership.rooms

    @property
    def named(self) -> dict[str, RoomId]:
        """The configured rooms that the bot is in, by name."""
        return self._membership.state.named

    @property
    def incidents(self) -> Incidents:
        """The faults in what the homeserver sent."""
        return self._client.incidents

    def down_since(self) -> datetime | None:
        """Return since when (UTC) the homeserver does not answer as it should; None if it does."""
        return self._down_since

    async def has_synced(self) -> None:
        """Return once the first sync was stored."""
        await self._has_synced.wait()

    def outages(self) -> tuple[str, ...]:
        """Return a sentence, with the start time, for each reason why the bot can neither receive nor send."""
        if self._down_since is not None:
            since, reason = moment(self._down_since), cut(self._down_reason, MAX_REASON)
            again = f"; asked again at {to_the_second(self._next_try)}" if self._next_try else ""
            return (f"The homeserver has not answered as it should since {since} ({reason}){again}.",)
        return () if self._has_synced.is_set() else ("The first sync with the homeserver is not complete yet.",)

    def remarks(self) -> tuple[str, ...]:
        """Return a sentence for each problem of the bot's device or its rooms."""
        refusal = self._client.encryption.refusal
        unsigned = (f"The bot's device is not signed, so others see a warning: {refusal}.",) if refusal else ()
        expiring: tuple[str, ...] = ()
        if (problem := self._client.sign_in_problem) is not None:
            since, reason = moment(problem[0]), cut(problem[1], MAX_REASON)
            expiring = (f"The bot's sign-in at the homeserver has not been renewed since {since} ({reason}).",)
        return (*unsigned, *expiring, *self._membership.status())

    def room_names(self) -> dict[RoomId, tuple[str, ...]]:
        """Return the rooms that the bot is in, each with its name and its alias, as far as it has them."""
        return {room.id: tuple(filter(None, (room.name, room.canonical_alias))) for room in self.rooms.values()}

    async def log_in(self) -> None:
        """Log in, however long the homeserver is unreachable.

        Raises:
            ConfigError: the homeserver refuses the account as it is configured.
        """
        await self._insist(self._client.log_in)
        await self._client.encryption.remember((await self._memory.load()).membership.encrypted)

    async def end_former_device(self, device: DeviceId | None) -> DeviceId:
        """End the device with which the bot acted before, unless it is ours, and return ours."""
        ours = self._client.device
        if device not in {None, ours}:
            await self._insist(partial(hand_over.end_device, self._client, device))
        return ours

    async def receive_queued_keys(self) -> None:
        """Receive what waits for this device, before it goes on from the token of another one's sync.

        Raises:
            LoggedOut: the homeserver ended the session.
        """
        await self._insist(partial(hand_over.receive_queued_keys, self._client))

    async def run(self) -> None:
        """Sync until cancelled.

        Raises:
            LoggedOut: the homeserver ended the session.
            ConfigError: it refused to log the device in again.
        """
        stored = await self._memory.load()
        self._since = stored.since
        self._membership.restore(stored)
        self._skipped_rooms.restore(stored)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen())
                group.create_task(self._go_about())
                group.create_task(self._client.encryption.maintain())
        except ExceptionGroup as errors:
            raise _actionable(errors) from errors

    async def _listen(self) -> None:
        await self._insist(partial(self._sync, 0, whole=True))
        listen_ms = int(self._client.deadlines.listen_seconds * 1000)
        while True:
            await self._insist(partial(self._sync, listen_ms, whole=False))

    async def _go_about(self) -> None:
        """Join and leave rooms, from the first sync on."""
        await self._has_synced.wait()
        await self._membership.run()

    async def _insist(self, step: Callable[[], Awaitable[None]]) -> None:
        """Run *step* until it succeeds, with a growing delay between attempts."""
        failures = 0
        while True:
            try:
                await step()
            except TransportError as error:
                wish = error.retry_after if isinstance(error, Temporary) else None
                failures += 1
                await self._pause(failures, wish, str(error))
            else:
                break
        if self._down_since is not None:
            _log.info("homeserver.recovered", since=self._down_since.isoformat())
            self._down_since = None

    async def _pause(self, failures: int, wish: timedelta | None, reason: str) -> None:
        if self._down_since is None:
            self._down_since = self._clock.now()
        is_news = reason != self._down_reason or failures == 1
        self._down_reason = reason
        seconds = SYNCS.seconds(failures, wish)
        self._next_try = self._clock.now() + timedelta(seconds=seconds)
        if is_news:
            again = to_the_second(self._next_try)
            _log.warning("homeserver.unavailable", reason=reason, next_try=again)
        await self._clock.sleep(seconds)

    async def _sync(self, timeout_ms: int, *, whole: bool) -> None:
        """Make one sync, with the state of every room if *whole*, and store its outcome."""
        since, began = self._since, self._clock.monotonic()
        try:
            answer = await self._client.sync(since, timeout_ms, full_state=whole, without=self._skipped_rooms.rooms())
        except MatrixResponseTooLarge as error:
            await self._skipped_rooms.add(error)
            raise
        except Permanent as error:
            self._doubt_the_token(error)
            raise
        if since is not None:
            answer = await self._gaps.filled(answer, since, self._membership.pending)
        membership, now = self._membership, self._client.homeserver_now()
        answer = await decrypt(
            self._client.encryption, answer, membership.rooms, self.incidents, is_news=since is not None
        )
        self._resend_requests = {
            room: at for room, at in self._resend_requests.items() if now - at < RESEND_REQUEST_INTERVAL
        }
        known = SyncContext(
            self._me,
            membership.rooms,
            frozenset(membership.state.direct),
            now,
            begins=since is None,
            whole=whole,
            resend_requests=self._resend_requests.keys(),
            policy=membership.policy,
            pending=membership.pending,
            encrypted=frozenset(membership.state.encrypted),
            alone=frozenset(membership.state.alone),
        )
        result = await save_outcome(self._memory, known, answer, self.incidents)
        await self._client.encryption.forget_decrypted()
        self._resend_requests |= dict.fromkeys(result.resend_requests, now)
        self._since = answer.next_batch
        self._membership.apply(result.update, result.rooms)
        self._has_synced.set()
        metrics.LAST_SYNC.set(self._clock.now().timestamp())
        if timeout_ms and answer.next_batch == since and self._clock.monotonic() - began < IDLE_SECONDS:
            await self._clock.sleep(IDLE_SECONDS)

    def _doubt_the_token(self, error: Permanent) -> None:
        """Sync from the beginning if the homeserver does not know the token, as after a restored backup."""
        if self._since is not None and not isinstance(error, Forbidden):
            _log.error("sync.restarted")
            self._since = None


def _actionable(errors: ExceptionGroup[Exception]) -> BaseException:
    """Return the first of *errors* that an operator can act on; if there is none, the first error."""
    for kind in (LoggedOut, ConfigError, BotError):
        if (matching := errors.subgroup(kind)) is not None:
            return _first(matching)
    return _first(errors)


def _first(errors: ExceptionGroup[Exception]) -> Exception:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error
