"""Delivers notices from the outbox to their rooms: claim, send, settle, in that order.

What has been sent is settled in the transaction that claims the next notices: one transaction per message of a room,
and one for all rooms whose messages were sent meanwhile. A crash in between leaves notices that were tried; they are
sent again with the same transaction ids.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from bot import metrics
from bot.backoff import next_attempt
from bot.clock import Clock, wait_until_set
from bot.delivery.chat import Chat
from bot.delivery.pacing import Pace, SendOrder
from bot.errors import ConfigError, Forbidden, LoggedOut, Permanent, StoreError, Temporary
from bot.ids import EventId, RoomId
from bot.notices.notice import ClaimedNotice, Dead, Outcome, RetryAt, Sent, Suspend
from bot.store.outbox_book import Claim
from bot.store.store import Store, Transaction

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
        self._outcomes: list[tuple[ClaimedNotice, Outcome]] = []  # of the sends that have ended
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
        self._outcomes.clear()  # the same; those notices are sent again, with the same transaction ids
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                begun = await self._begin(group)
                if self._stopping and not self._busy and not self._outcomes:
                    return
                await self._sleep_until(begun.look_again)

    async def deliver(self) -> SendRound:
        """Send the notices that may be sent now, one per room, and settle them."""
        async with asyncio.TaskGroup() as group:
            begun = await self._begin(group)
        await self._settle_and_claim(0)
        return begun

    async def _begin(self, group: asyncio.TaskGroup) -> SendRound:
        """Start to send the notices that may be sent now, one per room; each send wakes `run` when it ends."""
        if not self._outcomes:
            async with self._store.reading() as tx:
                next_at, now = await tx.outbox.next_at(self._busy), tx.now
            if self._limit() <= 0 or next_at is None or next_at > now:
                return SendRound(0, next_at if len(self._busy) < AT_ONCE else None)
        claim = await self._settle_and_claim(AT_ONCE)
        self._busy.update(notice.room for notice in claim.notices)
        self._pace.take(len(claim.notices), self._clock.monotonic())
        for notice in claim.notices:
            group.create_task(self._send(notice))
        return SendRound(len(claim.notices), claim.next_at if len(self._busy) < AT_ONCE else None)

    def _limit(self) -> int:
        return min(self._pace.available(self._clock.monotonic()), AT_ONCE - len(self._busy))

    async def _send(self, notice: ClaimedNotice) -> None:
        """Send one notice, and keep its outcome; an error in it does not end the concurrent sends."""
        try:
            outcome = await self._outcome(notice)
            self._outcomes.append((notice, outcome))
        finally:
            self._wake.set()

    async def _settle_and_claim(self, most: int) -> Claim:
        """Settle the sends that have ended, and claim up to *most* notices that may be sent now, in one transaction.

        After a fault in it, each send is settled by itself, so that only the one at fault is sent again.
        """
        ended, self._outcomes = self._outcomes, []
        self._busy.difference_update(notice.room for notice, _ in ended)
        try:
            return await self._settle(ended, most)
        except StoreError:
            raise
        except Exception:
            for each in ended if len(ended) > 1 else ():
                with suppress(Exception):  # the one that was raised first is raised again
                    await self._settle([each], 0)
            raise

    async def _settle(self, ended: Sequence[tuple[ClaimedNotice, Outcome]], most: int) -> Claim:
        async with self._store.transaction() as tx:
            settled = [(notice, await self._store_outcome(tx, notice, outcome)) for notice, outcome in ended]
            claim = Claim([], None)
            if most:
                limit = min(most, self._limit())
                claim = await tx.outbox.claim(limit, self._chat.device, self._busy, self._turns.choose)
        for notice, outcome in settled:
            self._note(notice, outcome)
        return claim

    async def _store_outcome(self, tx: Transaction, notice: ClaimedNotice, outcome: Outcome) -> Outcome:
        """Store and return the outcome; a refusal from before the room was resumed is followed by another attempt."""
        if isinstance(outcome, Suspend) and await tx.outbox.resumed(notice.room) != notice.resumed:
            outcome = RetryAt(self._clock.now(), outcome.reason)
        if await tx.outbox.settle(notice, outcome) and isinstance(outcome, Suspend):
            _log.warning("room.suspended", room=notice.room, reason=outcome.reason)
            await tx.session.suspend(notice.room)
        return outcome

    async def _outcome(self, notice: ClaimedNotice) -> Outcome:
        try:
            return await self._attempt(notice)
        except (LoggedOut, ConfigError):
            raise  # it affects all notices alike
        except Exception:  # noqa: BLE001  # a fault of ours in one notice; it is logged and tried again
            _log.exception("notice.send_failed", key=notice.message.tag.key)
            return RetryAt(next_attempt(notice.attempts, self._clock.now(), None), "a fault of the bot")

    def _note(self, notice: ClaimedNotice, outcome: Outcome) -> None:
        """Update the metrics and the health after an attempt whose outcome is stored."""
        kind = notice.message.tag.kind
        metrics.SENDS.labels(kind, _RESULTS[type(outcome)]).inc()
        if isinstance(outcome, Sent):
            metrics.LATENCY.labels(kind).observe(max((self._clock.now() - notice.written_at).total_seconds(), 0))
        self._note_health(outcome)

    def _note_health(self, outcome: Outcome) -> None:
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
