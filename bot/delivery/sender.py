"""Delivers notices from the outbox to their rooms: claim, send, settle, in that order."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from bot import metrics
from bot.backoff import next_attempt
from bot.clock import Clock, wait_until_set
from bot.delivery.chat import Chat
from bot.delivery.pacing import Pace, SendOrder
from bot.errors import ConfigError, Forbidden, LoggedOut, Permanent, Temporary
from bot.ids import EventId, RoomId
from bot.notices.notice import ClaimedNotice, Dead, Outcome, RetryAt, Sent, Suspend
from bot.store.store import Store

SEND_SECONDS = 60
LOOK_SECONDS = 30.0  # the longest sleep: a clock may be set back, or another process may change the outbox
CLOCK_MARGIN = timedelta(minutes=10)  # the maximum difference between our clock and the homeserver's
AT_ONCE = 32  # concurrent sends, one per room; if so many hang, the homeserver is at fault
_RESULTS: dict[type[Outcome], str] = {Sent: "sent", RetryAt: "retry", Suspend: "suspended", Dead: "dead"}
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SendHealth:
    """The health of the sends; times are UTC.

    *last_attempt* is when an attempt last ended, whatever its outcome; None if none did since the start. *silent_until*
    is the end of the pause that the homeserver requested last. *failing_since* is when the first of the attempts failed
    that have all failed since, without a request to pause; None if the last one succeeded or was refused.
    """

    last_attempt: datetime | None = None
    silent_until: datetime | None = None
    failing_since: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SendRound:
    """The result of one round: the number of notices tried, and when the next round is due (UTC; None: no notices)."""

    tried: int
    look_again: datetime | None


class Sender:
    """Delivers the outbox of one bot user, with one send at a time per room."""

    def __init__(self, store: Store, chat: Chat, clock: Clock, pace: Pace) -> None:
        self._store = store
        self._chat = chat
        self._clock = clock
        self._pace = pace
        self._turns = SendOrder()
        self._busy: set[RoomId] = set()
        self._wake = asyncio.Event()
        self._stopping = False
        self.health = SendHealth()
        store.on_write({"notice"}, self._wake.set)

    def stop(self) -> None:
        """Let `run` return once nothing more may be sent immediately."""
        self._stopping = True
        self._wake.set()

    @property
    def may_send_at(self) -> datetime:
        """The time (UTC) from which the rate limit allows the next message, possibly now."""
        return self._clock.now() + timedelta(seconds=self._pace.wait(self._clock.monotonic()))

    async def run(self) -> None:
        """Deliver notices until stopped or cancelled, and sleep while none are due.

        Raises:
            LoggedOut: the homeserver ended the session; in an ExceptionGroup.
            ConfigError: the homeserver refuses to log the device in again; in an ExceptionGroup.
        """
        self._busy.clear()  # left over from a former run
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                begun = await self._begin(group)
                if self._stopping and not self._busy:
                    return
                await self._sleep_until(begun.look_again)

    async def deliver(self) -> SendRound:
        """Send the notices that may be sent now, one per room, and wait for the outcomes."""
        async with asyncio.TaskGroup() as group:
            return await self._begin(group)

    async def _begin(self, group: asyncio.TaskGroup) -> SendRound:
        """Start to send the notices that may be sent now, one per room; each send wakes `run` when it ends."""
        async with self._store.reading() as tx:
            next_at, now = await tx.outbox.next_at(self._busy), tx.now
        limit = min(self._pace.available(self._clock.monotonic()), AT_ONCE - len(self._busy))
        if limit <= 0 or next_at is None or next_at > now:
            return SendRound(0, next_at if len(self._busy) < AT_ONCE else None)
        async with self._store.transaction() as tx:
            claim = await tx.outbox.claim(limit, self._chat.device, self._busy, self._turns.choose)
        self._busy.update(notice.room for notice in claim.notices)
        self._pace.take(len(claim.notices), self._clock.monotonic())
        for notice in claim.notices:
            group.create_task(self._send(notice))
        return SendRound(len(claim.notices), claim.next_at if len(self._busy) < AT_ONCE else None)

    async def _send(self, notice: ClaimedNotice) -> None:
        """Send one notice; an error in it does not end the concurrent sends."""
        try:
            await self._settle(notice, await self._outcome(notice))
        finally:
            self._busy.discard(notice.room)
            self._wake.set()

    async def _outcome(self, notice: ClaimedNotice) -> Outcome:
        try:
            return await self._attempt(notice)
        except (LoggedOut, ConfigError):
            raise  # it affects all notices alike
        except Exception:  # noqa: BLE001  # a fault of ours in one notice; it is logged and tried again
            _log.exception("notice.send_failed", key=notice.message.tag.key)
            return RetryAt(next_attempt(notice.attempts, self._clock.now(), None), "a fault of the bot")

    async def _settle(self, notice: ClaimedNotice, outcome: Outcome) -> None:
        """Store the outcome; after a refusal from before the room was resumed, another attempt follows."""
        async with self._store.transaction() as tx:
            if isinstance(outcome, Suspend) and await tx.outbox.resumed(notice.room) != notice.resumed:
                outcome = RetryAt(self._clock.now(), outcome.reason)
            if await tx.outbox.settle(notice, outcome) and isinstance(outcome, Suspend):
                _log.warning("room.suspended", room=notice.room, reason=outcome.reason)
                await tx.session.suspend(notice.room)
        self._note(outcome)
        kind = notice.message.tag.kind
        metrics.SENDS.labels(kind, _RESULTS[type(outcome)]).inc()
        if isinstance(outcome, Sent):
            metrics.LATENCY.labels(kind).observe(max((self._clock.now() - notice.written_at).total_seconds(), 0))

    def _note(self, outcome: Outcome) -> None:
        """Update the health; an attempt that ended during a requested pause says nothing about failures."""
        now, before = self._clock.now(), self.health
        if not isinstance(outcome, RetryAt):
            self.health = replace(before, last_attempt=now, failing_since=None, reason="")
        elif before.silent_until is not None and before.silent_until > now:
            self.health = replace(before, last_attempt=now)
        else:
            self.health = replace(
                before, last_attempt=now, failing_since=before.failing_since or now, reason=outcome.reason
            )

    async def _attempt(self, notice: ClaimedNotice) -> Outcome:
        key = notice.message.tag.key
        try:
            async with asyncio.timeout(SEND_SECONDS):
                return Sent(await self._find(notice) or await self._chat.send(notice.room, notice.txn, notice.message))
        except Temporary as error:
            if error.retry_after is not None:
                self._pause(error.retry_after)
            _log.info("notice.delayed", key=key, attempts=notice.attempts, reason=str(error))
            return RetryAt(next_attempt(notice.attempts, self._clock.now(), error.retry_after), str(error))
        except TimeoutError:
            _log.info("notice.delayed", key=key, attempts=notice.attempts, reason="no answer")
            return RetryAt(next_attempt(notice.attempts, self._clock.now(), None), f"no answer within {SEND_SECONDS} s")
        except Forbidden as error:
            return Suspend(str(error))
        except Permanent as error:
            _log.error("notice.dead", key=key, reason=str(error))
            return Dead(str(error))

    def _pause(self, delay: timedelta) -> None:
        """Pause all sends for the time that the homeserver requested; of concurrent requests, the longest counts."""
        now = self._clock.monotonic()
        before = self._pace.wait(now)
        self._pace.refused(delay.total_seconds(), now)
        metrics.LIMITED.inc(self._pace.wait(now) - before)
        self.health = replace(self.health, silent_until=self.may_send_at)

    async def _find(self, notice: ClaimedNotice) -> EventId | None:
        """Return the event of an attempt with unknown outcome whose transaction id no longer prevents a duplicate."""
        if not notice.outcome_is_unknown(self._chat.device, self._clock.now()):
            return None
        return await self._chat.find(notice.room, notice.message.tag.key, notice.first_tried - CLOCK_MARGIN)

    async def _sleep_until(self, moment: datetime | None) -> None:
        """Sleep until *moment* and until the rate limit allows a message, or until a notice is added."""
        due = (moment - self._clock.now()).total_seconds() if moment else LOOK_SECONDS
        wait = min(max(due, self._pace.wait(self._clock.monotonic()), 0.01), LOOK_SECONDS)
        await wait_until_set(self._wake, wait, self._clock)
